"""What outages leave behind is filled, and the registry's own outage stops no forecast."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest

from appliance.config.paths import Paths
from appliance.domain.event import EventKind
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import RegistryUnavailable
from appliance.pipelines.context import MarketSource, ModelSource, Resources
from appliance.pipelines.workflow import WorkflowResult, run_in_process
from store.open import open_store
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.fakes.registry import FakeRegistry
from tests.integration.test_crypto_forecast_workflows import (
    PROJECT,
    Bench,
    settings_with,
    stored_rows,
)

DATA, TRAIN = WorkflowKind.DATA, WorkflowKind.TRAIN
INFERENCE, MONITORING = WorkflowKind.INFERENCE, WorkflowKind.MONITORING
AWAY = RegistryUnavailable("MLflow does not answer")


@pytest.fixture
def trained(home: Paths) -> Iterator[Bench]:
    """An appliance with a production model that has forecast what it may."""
    market = FakeMarket(
        "KRW-BTC", 1, synthetic_candles(4_000), ORIGIN + timedelta(minutes=2_500, seconds=5)
    )
    with open_store(home) as session:
        bench = Bench(home, settings_with(), market, FakeRegistry(), session)
        for kind in (DATA, TRAIN, INFERENCE):
            bench.run(kind)
        yield bench


def without_registry(
    bench: Bench, kind: WorkflowKind, copies: ModelSource | None
) -> WorkflowResult:
    """Run a workflow while MLflow is away; `copies` are what the forecaster has kept."""

    def open_registry() -> FakeRegistry:
        raise AWAY

    def open_copies(project: str) -> ModelSource:
        assert project == PROJECT
        if copies is None:
            raise AWAY
        return copies

    resources = Resources(
        open_session=lambda: bench.session,
        open_registry=open_registry,  # type: ignore[arg-type]
        open_source=lambda: MarketSource(bench.market, "fake"),  # type: ignore[arg-type]
        open_copies=open_copies,
    )
    return run_in_process(bench.home, bench.settings, PROJECT, kind, resources=resources)


def served(bench: Bench) -> set[pd.Timestamp]:
    sql = "SELECT candle_date_time_utc FROM forecasts WHERE is_production"
    return {pd.Timestamp(at) for at in bench.session.read(sql).column(0).to_pylist()}


def test_an_outage_longer_than_the_catch_up_leaves_no_candle_without_a_forecast(
    trained: Bench,
) -> None:
    first = min(served(trained))
    missed = trained.spec.catch_up_rows + 200
    trained.pass_minutes(missed)
    trained.run(DATA)
    result = trained.run(INFERENCE)
    assert result.outputs["forecast_candles"]["forecasts"] == missed
    prepared = {pd.Timestamp(at) for at in stored_rows(trained)["candle_date_time_utc"]}
    assert {at for at in prepared if at >= first} == served(trained)
    assert trained.run(INFERENCE).outputs["forecast_candles"]["forecasts"] == 0


def test_a_new_champion_forecasts_what_the_one_before_missed_but_not_again_what_it_did(
    trained: Bench,
) -> None:
    trained.registry.register(PROJECT, "run-1", dict(trained.registry.version(PROJECT, 1).tags))
    before = len(served(trained))
    trained.pass_minutes(20)
    trained.run(DATA)
    trained.registry.promote(PROJECT, 2)
    trained.run(INFERENCE)
    sql = "SELECT count(*) AS n FROM forecasts WHERE is_production AND model_version = 1"
    assert trained.session.read(sql).to_pylist()[0]["n"] == before
    assert len(served(trained)) == before + 20


def test_while_the_registry_is_away_the_last_champion_forecasts_and_outcomes_are_joined(
    trained: Bench,
) -> None:
    trained.pass_minutes(40)
    for kind in (DATA, INFERENCE):
        result = without_registry(trained, kind, trained.registry)
        assert RunState.FAILED not in result.states.values()
    forecast, joined = result.outputs["forecast_candles"], result.outputs["join_outcomes"]
    assert (forecast["forecasts"], forecast["model_version"], forecast["shadows"]) == (40, 1, 0)
    assert "registry is away" in str(forecast["note"])
    assert joined["joined"]


def test_monitoring_measures_drift_without_the_registry_and_leaves_decisions_for_later(
    trained: Bench,
) -> None:
    trained.pass_minutes(60)
    for kind in (DATA, INFERENCE):
        trained.run(kind)
    result = without_registry(trained, MONITORING, trained.registry)
    assert result.states["measure_drift"] is RunState.SUCCESS
    assert result.states["judge_trials"] is RunState.SKIPPED
    assert result.states["decide_retrain"] is RunState.SKIPPED
    assert trained.events(EventKind.WORKFLOW_FAILED) == []
    trained.pass_minutes(30)
    for kind in (DATA, INFERENCE):
        trained.run(kind)
    assert trained.run(MONITORING).states["decide_retrain"] is RunState.SUCCESS


def test_without_a_copy_the_workflow_fails_with_the_registry_s_own_error(trained: Bench) -> None:
    with pytest.raises(RegistryUnavailable):
        without_registry(trained, INFERENCE, None)


def test_the_report_with_its_decision_lies_beside_the_champion(trained: Bench) -> None:
    trained.run(MONITORING)
    run = trained.registry.runs[trained.registry.champion(PROJECT).run_id]
    assert run.pages["monitoring"].startswith("<!doctype html>")
    assert "volatility" in run.pages["monitoring"]
    assert "skip:" in run.pages["monitoring"]
