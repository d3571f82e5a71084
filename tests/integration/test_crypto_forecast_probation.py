"""Trials and probation: a real store, and the registry in memory as well as MLflow itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
import skops.io

from appliance import clock
from appliance.alerts.outbox import AlertDispatcher
from appliance.alerts.slack import sender_of
from appliance.config.paths import Paths
from appliance.config.secret import Secret, write_secret
from appliance.config.settings import Settings
from appliance.domain.event import Event, EventKind
from appliance.domain.origin import Origin
from appliance.domain.trial import Trial, TrialPurpose, TrialState
from appliance.domain.workflow import WorkflowKind
from appliance.pipelines.context import MarketSource, Resources
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.pipelines.workflow import WorkflowResult, run_in_process
from appliance.registry.promotion import Verdict
from store.events import read_events
from store.session import Statement
from store.trials import read_trials
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.fakes.registry import FakeRegistry
from tests.integration.test_crypto_forecast_workflows import PROJECT, settings_with
from tests.stubs.slack import SlackStub

DATA, TRAIN = WorkflowKind.DATA, WorkflowKind.TRAIN
INFERENCE, MONITORING = WorkflowKind.INFERENCE, WorkflowKind.MONITORING


@dataclass
class Live:
    """A home whose market goes on; models can be spoiled where they lie."""

    home: Paths
    settings: Settings
    market: FakeMarket
    resources: Resources

    def run(self, kind: WorkflowKind) -> WorkflowResult:
        return run_in_process(
            self.home,
            self.settings,
            PROJECT,
            kind,
            resources=self.resources,
            cause=Origin("monitoring_wf"),
        )

    def pass_minutes(self, minutes: int) -> None:
        self.market.now_at += timedelta(minutes=minutes)
        for kind in (DATA, INFERENCE, MONITORING):
            self.run(kind)

    def champion(self) -> int:
        return self.resources.registry.champion(PROJECT).version

    def events(self, *kinds: EventKind) -> list[Event]:
        return read_events(self.resources.session, kinds=list(kinds))

    def trials(self, purpose: TrialPurpose) -> list[Trial]:
        found = read_trials(self.resources.session, PROJECT)
        return [trial for trial in found if trial.purpose is purpose]

    def deliver(self, slack: SlackStub) -> list[str]:
        """Send what is due, as the supervisor does, and return all that Slack has got."""
        alerts = AlertDispatcher(
            lambda: sender_of(self.settings, self.home), self.home.alert_position_file
        )
        for _ in range(10):
            alerts.step(self.resources.session, clock.now())
        return slack.messages

    def bend(self, version: int, shifts: list[float]) -> None:
        """Let a version forecast other quantiles from now on, as a broken feed of its features would."""
        registry = self.resources.registry
        run_id = registry.version(PROJECT, version).run_id
        model = registry.load_model(PROJECT, version)
        assert isinstance(model, QuantileForecaster)
        model.shifts_ = np.array(shifts)
        if isinstance(registry, FakeRegistry):
            registry.runs[run_id].model = skops.io.dumps(model)
            return
        (file,) = self.home.mlflow_artifacts.rglob(f"*{run_id}*/**/model.skops")
        skops.io.dump(model, file)
        self.resources.session.write(Statement("DELETE FROM model_proofs"))


@pytest.fixture
def slack(home: Paths) -> Iterator[SlackStub]:
    """Slack's incoming webhook, configured for the home."""
    with SlackStub() as stub:
        write_secret(home, Secret.SLACK_WEBHOOK_URL, stub.webhook_url)
        yield stub


@pytest.fixture(params=["memory", pytest.param("mlflow", marks=pytest.mark.long)])
def live(home: Paths, request: pytest.FixtureRequest) -> Iterator[Live]:
    """The same market with the registry in memory and with MLflow itself."""
    settings = settings_with()
    market = FakeMarket(
        "KRW-BTC", 1, synthetic_candles(4_000), ORIGIN + timedelta(minutes=2_500, seconds=5)
    )
    resources = Resources.of_home(home, settings)
    resources.open_source = lambda: MarketSource(market, "fake")  # type: ignore[arg-type]
    if request.param == "memory":
        resources.open_registry = FakeRegistry  # type: ignore[assignment]
    yield Live(home, settings, market, resources)
    resources.close()


def test_a_challenger_good_on_validation_and_bad_live_is_promoted_then_restored(
    live: Live, slack: SlackStub
) -> None:
    for kind in (DATA, TRAIN):
        live.run(kind)
    first = live.resources.registry.load_model(PROJECT, 1)
    assert isinstance(first, QuantileForecaster)
    good = first.shifts_.tolist()

    live.bend(1, [-9.0, 0.0, 9.0])
    live.run(TRAIN)
    assert live.champion() == 2
    live.bend(1, good)
    live.bend(2, [-9.0, 0.0, 9.0])

    for _ in range(8):
        live.pass_minutes(25)
        if live.champion() == 1:
            break
    assert live.champion() == 1

    (restored,) = live.events(EventKind.ROLLED_BACK)
    assert (restored.details["version"], restored.details["previous"]) == (1, 2)
    assert restored.details["reason"] == "probation"
    (probation,) = live.trials(TrialPurpose.PROBATION)
    assert (probation.state, probation.challenger) == (TrialState.RESTORED, 1)
    tags = live.resources.registry.version(PROJECT, 1).tags
    assert (tags["gate.purpose"], tags["gate.state"]) == ("probation", "restored")

    trail = live.events(EventKind.PROMOTED, EventKind.GATE_VERDICT, EventKind.ROLLED_BACK)
    for event in trail:
        logging.getLogger(__name__).info("%s %s %s", event.at, event.kind, event.summary)
    kinds = [event.kind for event in trail]
    assert kinds[:3] == [EventKind.PROMOTED, EventKind.GATE_VERDICT, EventKind.PROMOTED]
    assert kinds[-2:] == [EventKind.GATE_VERDICT, EventKind.ROLLED_BACK]

    live.pass_minutes(50)
    assert live.champion() == 1
    assert len(live.trials(TrialPurpose.PROBATION)) == 1
    assert len(live.events(EventKind.ROLLED_BACK)) == 1
    for message in live.deliver(slack):
        logging.getLogger(__name__).info("slack: %s", message)
    (alert,) = [message for message in slack.messages if "Rolled back" in message]
    assert "version 2 failed its probation" in alert
    assert "Next: compare the versions: `appliance models --project crypto_forecast`" in alert
    assert len([message for message in slack.messages if "Promoted" in message]) == 2


def test_a_rollback_by_key_ends_the_probation(live: Live) -> None:
    for kind in (DATA, TRAIN):
        live.run(kind)
    live.bend(1, [-9.0, 0.0, 9.0])
    live.run(TRAIN)
    live.pass_minutes(25)
    assert live.trials(TrialPurpose.PROBATION)[0].state is TrialState.RUNNING
    live.resources.registry.roll_back(PROJECT, 1)
    live.pass_minutes(25)
    (probation,) = live.trials(TrialPurpose.PROBATION)
    assert probation.state is TrialState.CANCELLED
    assert live.champion() == 1


def test_undecided_challengers_go_on_in_the_shadow_and_are_judged_on_new_rows(live: Live) -> None:
    for kind in (DATA, TRAIN, TRAIN):
        live.run(kind)
    (trial,) = live.trials(TrialPurpose.CHALLENGE)
    assert trial.state is TrialState.RUNNING
    rows = _rows(trial)
    live.pass_minutes(60)
    (trial,) = live.trials(TrialPurpose.CHALLENGE)
    assert _rows(trial) >= rows + 50
    live.bend(1, [-9.0, 0.0, 9.0])
    for _ in range(6):
        live.pass_minutes(40)
    assert live.champion() == 2
    (trial,) = live.trials(TrialPurpose.CHALLENGE)
    assert trial.state is TrialState.PROMOTED
    tags = live.resources.registry.version(PROJECT, 2).tags
    assert tags["gate.verdict"] == Verdict.BETTER


def test_a_frozen_twin_that_was_deleted_is_chosen_anew_and_warned_of_once(live: Live) -> None:
    for kind in (DATA, TRAIN):
        live.run(kind)
    live.pass_minutes(25)
    live.run(TRAIN)
    registry = live.resources.registry
    registry.promote(PROJECT, 2)
    live.pass_minutes(25)
    if isinstance(registry, FakeRegistry):
        registry.registered = [v for v in registry.registered if v.version != 1]
        registry.aliases.pop("previous", None)
    else:
        registry._client.delete_model_version(PROJECT, "1")
    for _ in range(2):
        live.pass_minutes(25)
    warned = [e for e in live.events(EventKind.RETRAIN_ACCOUNTED) if "frozen twin" in e.summary]
    (event,) = [e for e in warned if "takes its place" in e.summary]
    assert "version 2 takes its place" in event.summary


def _rows(trial: Trial) -> int:
    verdict = trial.evidence["verdict"]
    assert isinstance(verdict, dict)
    return int(verdict["rows"])
