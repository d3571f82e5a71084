"""The control backend over its real socket, with a real store and HTTP stubs behind it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.secret import Secret, write_secret
from appliance.config.whoami import user_name
from appliance.control.api import ApplianceStatus
from appliance.control.snapshot import lag_seconds
from appliance.domain.candle import IngestionStatus, LiveCandle
from appliance.domain.event import EventKind
from appliance.domain.model_version import Promotion
from appliance.domain.origin import ORIGIN, origin_from_json
from appliance.domain.service import ServiceState
from appliance.domain.trial import Trial, TrialPurpose, TrialState
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import (
    ConfigError,
    ModelNotFound,
    ProductionMoved,
    RegistryError,
    RegistryUnavailable,
    ServiceError,
    TransientError,
)
from store.candles import store_candles
from store.events import append_event, read_events
from store.forecasts import insert_forecasts
from store.live import write_ingestion, write_live
from store.session import Session
from store.trials import write_trial
from tests import builders
from tests.builders import KIM
from tests.control_bench import PROJECT, Bench, running_bench
from tests.store_process import START, raw_candle
from tests.stubs.airflow import AirflowStub
from tests.stubs.http_server import Reply
from tests.stubs.slack import SlackStub
from tests.waiting import wait_until

MARKET = builders.MARKET
ME = user_name(os.getuid())


def prepare(session: Session, airflow: AirflowStub) -> None:
    store_candles(session, [raw_candle(minute) for minute in range(5)], "test", START)
    closed = builders.candles(end=clock.now())
    insert_forecasts(session, [builders.forecast(closed)])
    for kind in WorkflowKind:
        airflow.add_dag(f"{PROJECT}_{kind}_wf")
    broken = f"/d/{PROJECT}_monitoring_wf.py"
    airflow.import_errors = [{"filename": broken, "stack_trace": "SyntaxError: bad"}]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    paths = Paths(tmp_path_factory.mktemp("control") / "home")
    paths.create()
    with running_bench(paths, prepare) as running:
        yield running


def wait_for_status(bench: Bench, what: str, condition: object) -> ApplianceStatus:
    def matching() -> ApplianceStatus | None:
        status = bench.client.status()
        return status if condition(status) else None  # type: ignore[operator]

    found = wait_until(matching, 15, what)
    assert found is not None
    return found


def kinds(bench: Bench) -> list[EventKind]:
    return [event.kind for event in read_events(bench.store)]


def test_the_status_assembles_every_source(bench: Bench) -> None:
    closed = builders.candles(end=clock.now())
    write_live(bench.store, builders.live(closed, clock.now()))
    now = clock.now()
    write_ingestion(bench.store, IngestionStatus(MARKET, 1, "streaming", now, now, now, ""))
    status = wait_for_status(
        bench,
        "every source",
        lambda s: s.markets[0].live and s.markets[0].ingestion and not s.stale,
    )
    (market,) = status.markets
    assert market.stored_candles == 5
    assert status.projects[0].forecast_count == 1
    assert status.projects[0].forecast is not None
    assert market.live is not None
    assert market.ingestion is not None and market.ingestion.state == "streaming"
    assert market.lag_seconds is not None and market.lag_seconds < 30
    assert (status.projects[0].market, status.projects[0].unit) == (MARKET, 1)
    assert [w.kind for w in status.projects[0].workflows] == list(WorkflowKind)
    assert status.services == bench.services.current
    assert status.source.is_simulated
    assert status.stale is None


def test_the_lag_grows_in_a_simulator_s_own_time_although_nothing_arrives() -> None:
    now, opened = clock.now(), datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    live = LiveCandle(builders.candles(end=opened + timedelta(minutes=1))[-1], now)
    assert live.candle.candle_date_time_utc == opened
    status = IngestionStatus(MARKET, 1, "disconnected", now, now, watermark_at=opened)
    assert lag_seconds(live, status, now, is_simulated=True) == 0
    later = replace(status, expected_until_at=opened + timedelta(hours=1))
    assert lag_seconds(live, later, now, is_simulated=True) == 3600


def test_promotion_and_rollback_move_the_champion_and_say_who_did_it(bench: Bench) -> None:
    first = bench.mlflow.add_version(PROJECT, pinball=0.2)
    second = bench.mlflow.add_version(PROJECT, pinball=0.1)
    assert bench.client.promote(PROJECT, first, 0, KIM).is_champion
    promoted = bench.client.promote(PROJECT, second, first, KIM)
    assert promoted.metrics == {"pinball": 0.1}
    assert bench.mlflow.moved[PROJECT] == {"champion": "2", "previous": "1"}
    status = wait_for_status(
        bench, "the new champion", lambda s: s.projects[0].previous_champion == first
    )
    assert status.projects[0].champion == promoted
    assert bench.client.roll_back(PROJECT, first, second, KIM).version == first
    assert [model.version for model in bench.client.models(PROJECT)] == [2, 1]
    wait_until(lambda: EventKind.ROLLED_BACK in kinds(bench), 5)
    event = read_events(bench.store, kinds=[EventKind.ROLLED_BACK])[-1]
    assert (event.actor, event.project) == (ME, PROJECT)
    assert event.details == {"version": first, "previous": second}
    again = next(v for v in bench.client.models(PROJECT) if v.version == first)
    assert again.promoted == Promotion(event.at, f"{ME} on pts/3", event.done_by)


def test_a_decision_on_a_champion_that_has_moved_is_refused_with_who_moved_it(
    bench: Bench,
) -> None:
    while len(bench.mlflow.versions.get(PROJECT, [])) < 3:
        bench.mlflow.add_version(PROJECT)
    bench.client.promote(PROJECT, 1, champion(bench), KIM)
    bench.client.promote(PROJECT, 2, 1, KIM)
    for decide in (
        lambda: bench.client.promote(PROJECT, 3, 1, KIM),
        lambda: bench.client.roll_back(PROJECT, 3, 1, KIM),
    ):
        with pytest.raises(ProductionMoved, match=r"pts/3 .* moved it at 20.*version 2") as raised:
            decide()
        assert raised.value.hint
    assert champion(bench) == 2
    bench.mlflow.promote(PROJECT, 3)  # in MLflow's own page
    with pytest.raises(ProductionMoved, match="not done through the appliance"):
        bench.client.promote(PROJECT, 1, 2, KIM)


def test_two_rollbacks_at_once_and_again_are_one(bench: Bench) -> None:
    while len(bench.mlflow.versions.get(PROJECT, [])) < 3:
        bench.mlflow.add_version(PROJECT)
    bench.client.promote(PROJECT, 1, champion(bench), KIM)
    bench.client.promote(PROJECT, 2, 1, KIM)
    before = count_rollbacks(bench)
    with ThreadPoolExecutor(4) as operators:
        calls = [operators.submit(bench.client.roll_back, PROJECT, 1, 2, KIM) for _ in range(8)]
    assert {call.result().version for call in calls} == {1}
    assert bench.client.roll_back(PROJECT, 1, 2, KIM).version == 1
    assert "previous" not in bench.mlflow.moved[PROJECT]
    wait_until(lambda: count_rollbacks(bench) > before, 5)
    assert count_rollbacks(bench) == before + 1


def test_a_rejected_challenger_is_compared_no_more(bench: Bench) -> None:
    while len(bench.mlflow.versions.get(PROJECT, [])) < 3:
        bench.mlflow.add_version(PROJECT)
    bench.client.promote(PROJECT, 1, champion(bench), KIM)
    at = clock.now()
    write_trial(bench.store, Trial(PROJECT, TrialPurpose.CHALLENGE, 1, 2, at, at))
    for _ in range(2):
        assert bench.client.reject(PROJECT, 2, 1, KIM).version == 2
    (trial,) = bench.client.verdicts(PROJECT, 1, 2)
    assert trial.state is TrialState.REJECTED
    wait_until(lambda: EventKind.REJECTED in kinds(bench), 5)
    (event,) = read_events(bench.store, kinds=[EventKind.REJECTED])
    assert (event.actor, event.details["version"]) == (ME, 2)
    with pytest.raises(RegistryError, match="is in production"):
        bench.client.reject(PROJECT, 1, 1, KIM)
    with pytest.raises(ProductionMoved):
        bench.client.reject(PROJECT, 2, 3, KIM)


def test_two_versions_are_compared_by_what_is_on_record(bench: Bench) -> None:
    one, two = bench.mlflow.add_version(PROJECT, coverage=0.8), bench.mlflow.add_version(PROJECT)
    run_id = bench.mlflow.versions[PROJECT][two - 1]["run_id"]
    bench.mlflow.params[run_id] = {"learner.quantile_iter": "6"}
    bench.mlflow.files[f"{PROJECT}/{two}/MLmodel"] = b"flavors: {}\nmodel_size_bytes: 2048\n"
    at = clock.now()
    write_trial(bench.store, Trial(PROJECT, TrialPurpose.CHALLENGE, one, two, at, at))
    found = bench.client.compare(PROJECT, one, two)
    assert (found.first.version, found.second.version) == (one, two)
    assert found.metrics["coverage"] == (0.8, None)
    assert found.differing == {"learner.quantile_iter": ("", "6")}
    assert found.same_rows is None and found.why_not == "one does not say what it forecasts"
    assert [facts.model_bytes for facts in found.trainings] == [None, 2048]
    assert [trial.challenger for trial in found.trials] == [two]
    with pytest.raises(ModelNotFound):
        bench.client.compare(PROJECT, one, 99)


def champion(bench: Bench) -> int:
    """Return the version in production, 0 for none."""
    return int(bench.mlflow.moved.get(PROJECT, {}).get("champion", 0))


def count_rollbacks(bench: Bench) -> int:
    """Return how many rollbacks the store holds."""
    return len(read_events(bench.store, kinds=[EventKind.ROLLED_BACK]))


def test_promoting_what_does_not_exist_changes_nothing(bench: Bench) -> None:
    before = dict(bench.mlflow.moved.get(PROJECT, {}))
    with pytest.raises(ModelNotFound) as raised:
        bench.client.promote(PROJECT, 99, 0, KIM)
    assert raised.value.hint
    assert bench.mlflow.moved.get(PROJECT, {}) == before


def test_a_workflow_is_run_with_its_parameters_and_recorded(bench: Bench) -> None:
    run = bench.client.run_workflow(PROJECT, WorkflowKind.TRAIN, {"reason": "asked"}, KIM)
    assert run.state is RunState.QUEUED
    conf = bench.airflow.runs[-1]["conf"]
    asked = origin_from_json(conf.pop(ORIGIN))
    assert conf == {"reason": "asked"}
    assert asked is not None and (asked.name, asked.terminal) == (ME, KIM.terminal)
    assert bench.client.dag_run(PROJECT, WorkflowKind.TRAIN, run.run_id).run_id == run.run_id
    assert bench.client.dag_runs(PROJECT, WorkflowKind.TRAIN, 1)[0].run_id == run.run_id
    wait_until(lambda: EventKind.WORKFLOW_REQUESTED in kinds(bench), 5)
    with pytest.raises(ConfigError, match="takes no parameter 'rows'"):
        bench.client.run_workflow(PROJECT, WorkflowKind.TRAIN, {"rows": "10"}, KIM)
    wait_for_status(bench, "the run", lambda s: s.projects[0].workflows[1].last_run is not None)


def test_a_project_that_is_not_configured_is_refused_with_those_that_are(bench: Bench) -> None:
    with pytest.raises(ConfigError) as raised:
        bench.client.run_workflow("nope", WorkflowKind.TRAIN, {}, KIM)
    assert PROJECT in raised.value.hint


def test_services_are_restarted_and_their_logs_read(bench: Bench) -> None:
    bench.paths.logs.joinpath("mlflow.log").write_text("\n".join(map(str, range(50_000))) + "\n")
    assert bench.client.service_log("mlflow", 2) == ["49998", "49999"]
    assert bench.client.service_log("postgres") == []
    bench.client.restart_service("mlflow", KIM)
    assert ("restart", "mlflow", ME) in bench.services.asked
    with pytest.raises(ServiceError):
        bench.client.restart_service("nope", KIM)
    bench.client.shut_down(KIM)
    assert ("shut_down", ME) in bench.services.asked


def test_events_reach_the_stream_and_the_list(bench: Bench) -> None:
    stream = bench.client.stream()
    assert next(stream).status is not None
    event = builders.events()[0]
    number = append_event(bench.store, event)
    messages = itertools.islice(stream, 200)
    received = next(m.event for m in messages if m.event and m.event.id == number)
    assert received.summary == event.summary
    assert bench.client.events(after_id=number - 1)[0].id == number


def test_an_unreachable_source_keeps_its_last_value_and_says_why(bench: Bench) -> None:
    bench.mlflow.add_version(PROJECT)
    bench.client.promote(PROJECT, 1, champion(bench), KIM)
    wait_for_status(bench, "a champion", lambda s: s.projects[0].champion is not None)
    bench.mlflow.failures = [Reply(503, "starting")] * 20
    status = wait_for_status(bench, "a stale part", lambda s: "models" in (s.stale or {}))
    assert status.projects[0].champion is not None
    with pytest.raises(RegistryUnavailable):
        bench.client.models(PROJECT)
    bench.mlflow.failures = []
    wait_for_status(bench, "recovery", lambda s: not s.stale)


def test_a_broken_dag_file_and_silence_of_the_ingestor_are_problems(bench: Bench) -> None:
    long_ago = clock.now() - timedelta(minutes=5)
    write_ingestion(bench.store, IngestionStatus(MARKET, 1, "streaming", long_ago))
    wanted = {"ingest.silent", "dag.import_error"}
    status = wait_for_status(
        bench, "two problems", lambda s: wanted <= {problem.code for problem in s.problems}
    )
    assert not status.is_healthy
    assert all(problem.hint for problem in status.problems)


def test_alerts_are_sent_from_events(bench: Bench) -> None:
    with SlackStub() as slack:
        write_secret(bench.paths, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
        assert "webhook" in bench.client.test_alert(KIM)
        bench.client.promote(PROJECT, 2, champion(bench), KIM)
        wait_until(lambda: any("version 2 promoted" in text for text in slack.messages), 10)
        write_secret(bench.paths, Secret.SLACK_WEBHOOK_URL, "")


def test_a_project_that_is_added_shows_without_a_restart(bench: Bench) -> None:
    file = bench.paths.compose / "projects" / "second.toml"
    file.parent.mkdir(exist_ok=True)

    def names(status: ApplianceStatus) -> list[str]:
        return [project.name for project in status.projects]

    try:
        file.write_text('promotion = "auto"\n')
        wait_for_status(bench, "it shows", lambda s: names(s) == [PROJECT, "second"])
        file.write_text("promotion =\n")
        wait_for_status(bench, "what was there stays", lambda s: names(s) == [PROJECT, "second"])
    finally:
        file.unlink()
    wait_for_status(bench, "it goes with its file", lambda s: names(s) == [PROJECT])


def test_a_project_that_is_disabled_is_listed_and_runs_nothing(bench: Bench) -> None:
    file = bench.paths.compose / "projects" / f"{PROJECT}.toml"
    try:
        bench.client.enable_project(PROJECT, False, KIM)
        status = wait_for_status(bench, "disabled", lambda s: s.disabled == (PROJECT,))
        assert PROJECT not in [project.name for project in status.projects]
        with pytest.raises(ConfigError) as raised:
            bench.client.run_workflow(PROJECT, WorkflowKind.DATA, {}, KIM)
        assert raised.value.hint == f"appliance project enable {PROJECT}"
        dags = bench.airflow.dags.values()
        wait_until(lambda: all(dag["is_paused"] for dag in dags), 5, "its DAGs are paused")
        bench.client.enable_project(PROJECT, True, KIM)
        wait_for_status(bench, "enabled", lambda s: s.disabled == () and bool(s.projects))
        wait_until(lambda: not any(dag["is_paused"] for dag in dags), 5, "and unpaused")
        wait_until(lambda: EventKind.PROJECT_SWITCHED in kinds(bench), 5)
    finally:
        file.unlink(missing_ok=True)


def test_markets_that_are_changed_show_without_a_restart(bench: Bench) -> None:
    file = bench.paths.compose / "appliance.toml"

    def feeds(status: ApplianceStatus) -> set[tuple[str, int]]:
        return {(market.market, market.unit) for market in status.markets}

    before = feeds(bench.client.status())
    try:
        file.write_text('[ingest]\nmarkets = ["KRW-XRP"]\ntimeframes = [5]\n')
        wait_for_status(bench, "the new market", lambda s: feeds(s) == {("KRW-XRP", 5)})
    finally:
        file.unlink()
    wait_for_status(
        bench,
        "the markets of before, counted",
        lambda s: feeds(s) == before and all(m.stored_candles is not None for m in s.markets),
    )


def test_a_service_that_does_not_serve_is_not_asked_and_its_values_are_shown_with_their_age(
    bench: Bench,
) -> None:
    wait_for_status(bench, "a reading", lambda s: not s.stale)
    healthy = bench.services.current
    bench.services.current = tuple(
        replace(each, observed=ServiceState.UNHEALTHY, reason="a signal has stopped it")
        for each in healthy
    )
    try:
        for ask in (
            lambda: bench.client.candles(MARKET, 1, 5),
            lambda: bench.client.models(PROJECT),
            lambda: bench.client.run_workflow(PROJECT, WorkflowKind.TRAIN, {}, KIM),
        ):
            with pytest.raises(
                TransientError, match=r"is unhealthy for .*: a signal has stopped"
            ) as e:
                ask()
            assert e.value.code == "service.not_ready"
        status = bench.client.status()
        assert status.stale and set(status.stale) == {"store", "workflows", "models"}
        assert status.read_at and set(status.read_at) == set(status.stale)
        assert status.markets[0].stored_candles is not None
    finally:
        bench.services.current = healthy


def test_a_run_that_is_asked_for_again_is_the_same(bench: Bench) -> None:
    runs = [
        bench.client.run_workflow(PROJECT, WorkflowKind.DATA, {}, KIM, "wish-1") for _ in range(2)
    ]
    assert runs[0].run_id == runs[1].run_id == "manual__wish-1"
