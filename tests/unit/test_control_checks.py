"""Each check finds its condition, is silent without it, and says what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.control.api import ApplianceStatus
from appliance.control.checks import ALL_CHECKS
from appliance.control.health import Finding, ProblemLog, Surroundings, run_checks
from appliance.control.scheduler_log import start_failure
from appliance.domain.candle import IngestionState
from appliance.domain.service import ServiceState
from appliance.domain.workflow import ENDED_NOTE, DagRun, RunState, UnstartedTask, WorkflowKind
from tests import builders
from tests.status_builder import (
    LONG,
    PERFORMANCE,
    ROOM,
    codes,
    healthy,
    replace_champion,
    with_ingestion,
    with_market,
    with_project,
    with_service,
    with_train,
)


def test_an_appliance_without_a_service_is_not_healthy() -> None:
    assert healthy().is_healthy
    assert not replace(healthy(), services=()).is_healthy


def test_a_healthy_appliance_has_no_problem() -> None:
    assert codes(healthy()) == []


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda: with_service(ServiceState.GIVEN_UP), "service.given_up", "port 5000"),
        (lambda: with_service(ServiceState.UNHEALTHY), "service.unhealthy", "port 5000"),
        (
            lambda: with_ingestion(state="disconnected", message="HTTP 503"),
            "source.unreachable",
            "HTTP 503",
        ),
        (lambda: with_ingestion(state="blocked", message="HTTP 418"), "source.blocked", "418"),
        (lambda: with_ingestion(state="garbled", message="HTML"), "source.garbled", "HTML"),
        (lambda: with_ingestion(state="silent"), "stream.silent", "sends nothing"),
        (lambda: with_ingestion(state="polling"), "stream.down", "no stream"),
        (lambda: with_ingestion(state="misconfigured"), "config.ingest", "one before goes on"),
        (lambda: with_ingestion(state="store-down"), "ingest.unsaved", "cannot be stored"),
        (
            lambda: with_ingestion(state="rejected", message="no such market"),
            "source.rejected",
            "delisted or renamed",
        ),
        (
            lambda: with_ingestion(heartbeat_at=healthy().at - LONG),
            "ingest.silent",
            "3600 s",
        ),
        (lambda: with_market(lag_seconds=500.0), "ingest.late", "500 s"),
        (lambda: with_market(gaps=2), "data.gaps", "2 unrepaired gaps"),
        (
            lambda: with_train(last_run=builders.dag_run(WorkflowKind.TRAIN, RunState.FAILED)),
            "workflow.failed",
            "train",
        ),
        (
            lambda: with_project(champion=None, newest_version=None),
            "model.no_champion",
            "training",
        ),
        (
            lambda: with_project(champion=None, newest_version=4),
            "model.no_champion",
            "version 4 waits",
        ),
        (
            lambda: with_project(champion=None, newest_version=4, held="skill +69.6 %"),
            "model.held",
            "version 4 is held for a person instead of being in production: skill +69.6 %",
        ),
        (
            lambda: replace_champion(None, newest_version=None, is_trained=True),
            "model.no_champion",
            "no version is left",
        ),
        (
            lambda: replace_champion({"market": "KRW-ETH", "unit": "60", "horizon": "1"}),
            "model.other_config",
            "is of KRW-ETH 60m, 1 ahead",
        ),
        (lambda: replace_champion({}), "model.other_config", "does not say what it forecasts"),
        (lambda: with_project(forecast=None), "forecast.stale", "no forecast"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_condition_is_found_with_its_reason_and_next_step(
    make: Callable[[], ApplianceStatus], code: str, words: str
) -> None:
    (finding,) = run_checks(ALL_CHECKS, make(), ROOM)
    assert finding.code == code
    assert words in finding.message
    assert finding.hint


def test_a_model_of_other_features_than_the_config_asks_for_is_found() -> None:
    project = healthy().projects[0]
    tags = {"market": project.market, "unit": str(project.unit), "horizon": str(project.horizon)}
    status = replace_champion({**tags, "features": '{"lags":[1]}'})
    assert codes(status) == []
    assert codes(status, replace(ROOM, features={project.name: '{"lags":[1]}'})) == []
    around = replace(ROOM, features={project.name: '{"lags":[1,2]}'})
    (finding,) = run_checks(ALL_CHECKS, status, around)
    assert finding.code == "model.other_config"
    assert "learnt from other features than the config asks for" in finding.message


def test_a_broken_dag_file_is_found_whatever_project_it_belongs_to() -> None:
    around = replace(ROOM, dag_errors=(("other_wf", "Traceback\nKeyError: 'y'\n"),))
    (finding,) = run_checks(ALL_CHECKS, healthy(), around)
    assert finding.code == "dag.import_error"
    assert "dags/other_wf.py" in finding.message
    assert "KeyError" in finding.message
    assert finding.hint


def test_little_room_and_a_broken_project_and_slack_are_found() -> None:
    assert codes(healthy(), Surroundings(free_bytes=1000)) == ["disk.low"]
    assert codes(healthy(), replace(ROOM, project_errors=(("p", "bad", "fix"),))) == [
        "config.project"
    ]
    assert codes(healthy(), replace(ROOM, slack_error=("no channel", "set it"))) == ["slack.config"]


def test_a_first_start_is_not_a_missing_champion_until_training_fails() -> None:
    status = with_project(champion=None, newest_version=None)
    young = replace(status, started_at=status.at)
    assert codes(young) == ["model.first_training"]
    held = replace(young.projects[0], newest_version=1, held="skill +69.6 %")
    assert codes(replace(young, projects=(held,))) == ["model.held"]
    failed = builders.dag_run(WorkflowKind.TRAIN, RunState.FAILED)
    was_ended = replace(failed, note=ENDED_NOTE)
    ended = replace(with_train(last_run=was_ended).projects[0], champion=None, newest_version=None)
    assert codes(replace(young, projects=(ended,))) == ["model.first_training"]
    (found,) = run_checks(ALL_CHECKS, replace(status, projects=(ended,)), ROOM)
    assert (found.code, "was ended" in found.message) == ("model.no_champion", True)
    broken = with_train(last_run=failed).projects[0]
    project = replace(broken, champion=None, newest_version=None)
    assert "model.no_champion" in codes(replace(young, projects=(project,)))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "waits for 3,000 prepared rows"),
        (RunState.RUNNING, "the first training runs"),
        (RunState.SUCCESS, "the first training has ended"),
    ],
)
def test_a_first_start_says_what_the_first_model_waits_for(
    state: RunState | None, words: str
) -> None:
    run = None if state is None else builders.dag_run(WorkflowKind.TRAIN, state)
    project = with_train(last_run=run).projects[0]
    waiting = replace(project, champion=None, newest_version=None, min_rows=3_000)
    status = healthy()
    young = replace(status, started_at=status.at, projects=(waiting,))
    (finding,) = run_checks(ALL_CHECKS, young, ROOM)
    assert words in finding.message
    assert finding.hint


def test_a_market_that_was_traded_and_is_refused_is_said_to_be_gone() -> None:
    known = builders.market(newest_candle_at=builders.ago(minutes=9))
    assert known.ingestion is not None
    rejected = replace(known.ingestion, state=IngestionState.REJECTED, message="no such market")
    gone = replace(known, ingestion=rejected)
    other = replace(
        gone, market="KRW-OLD", ingestion=replace(rejected, market="KRW-OLD"), stored_candles=0
    )
    found = [
        finding
        for finding in run_checks(ALL_CHECKS, replace(healthy(), markets=(gone, other)), ROOM)
        if finding.code == "source.rejected"
    ]
    assert [finding.subject for finding in found] == [gone.market, "KRW-OLD"]
    assert "delisted or renamed: 86,412 candles" in found[0].message
    assert found[1].message == "no such market"


def test_of_a_project_that_cannot_be_used_only_its_configuration_is_a_problem() -> None:
    status = with_project(market="", unit=0, horizon=0)
    assert codes(status) == []
    room = replace(ROOM, project_errors=((status.projects[0].name, "SyntaxError", "correct it"),))
    (finding,) = run_checks(ALL_CHECKS, status, room)
    assert finding.code == "config.project"


def test_an_unread_registry_is_not_a_missing_champion() -> None:
    status = with_project(champion=None)
    assert codes(replace(status, stale={"models": "not read yet"})) == ["service.silent"]


def test_a_problem_keeps_the_instant_at_which_it_began() -> None:
    log, start = ProblemLog(), builders.NOW
    finding = Finding("c", "s", "m", "h")
    log.update([finding], start)
    (later,) = log.update([finding], start + LONG)
    assert later.since_at == start
    assert log.update([], start + LONG) == ()
    (again,) = log.update([finding], start + 2 * LONG)
    assert again.since_at == start + 2 * LONG


def test_a_condition_with_grace_is_shown_only_when_it_lasts() -> None:
    log, start = ProblemLog(), builders.NOW
    finding = Finding("c", "s", "m", "h", grace=timedelta(seconds=30))
    assert log.update([finding], start) == ()
    (problem,) = log.update([finding], start + timedelta(seconds=30))
    assert problem.since_at == start


def test_one_outage_of_twenty_markets_is_one_problem_with_its_own_since_and_next_step() -> None:
    began_at = healthy().at - timedelta(minutes=4)
    down = tuple(
        replace(
            known,
            ingestion=replace(
                known.ingestion,
                state="disconnected",
                message="HTTP 503",
                since_at=began_at,
                next_step="next try at 14:03:01",
            ),
        )
        for known in builders.markets(20)
        if known.ingestion is not None
    )
    log = ProblemLog()
    status = replace(healthy(), markets=down)
    findings = list(run_checks(ALL_CHECKS, status, Surroundings(10**12)))
    log.update(findings, status.at)
    (problem,) = log.update(findings, status.at + timedelta(minutes=1))
    assert problem.message == "KRW-BTC 1m, KRW-ETH 1m, KRW-XRP 1m and 17 more: HTTP 503"
    assert (problem.since_at, problem.hint) == (began_at, "next try at 14:03:01")
    assert log.update([], status.at + timedelta(minutes=2)) == ()


def test_a_gap_that_an_outage_explains_is_not_a_second_problem() -> None:
    status = with_ingestion(state="disconnected", message="HTTP 503")
    gappy = replace(status, markets=(replace(status.markets[0], gaps=1),))
    assert codes(gappy) == ["source.unreachable"]


STARTED_NEVER = """\
2026-11-26T06:23:08.985335Z [error    ] Workload execution failed. [LocalExecutor] loc=local_executor.py:110
Traceback (most recent call last):
  File "httpcore/_exceptions.py", line 14, in map_exceptions
    raise to_exc(exc) from exc
httpcore.ConnectError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

httpx.ConnectError: [Errno 111] Connection refused
2026-11-26T06:23:09.1Z [info     ] Received executor event with state failed for task instance"""


def test_the_cause_of_a_task_that_did_not_start_is_the_newest_failures_first_exception() -> None:
    lines = ["ValueError: an older line", *STARTED_NEVER.splitlines()]
    assert start_failure(lines) == "httpcore.ConnectError: [Errno 111] Connection refused"
    assert start_failure(["nothing of the kind"]) == ""


def test_tasks_that_could_not_start_are_one_problem_with_the_cause() -> None:
    failed = [
        UnstartedTask(f"{builders.PROJECT}_{kind}_wf", "r1", "load", RunState.UP_FOR_RETRY)
        for kind in WorkflowKind
    ]
    queued = UnstartedTask(f"{builders.PROJECT}_data_wf", "r2", "check", RunState.QUEUED)
    around = replace(ROOM, unstarted=(*failed, queued), unstarted_cause="ConnectError: refused")
    found = list(run_checks(ALL_CHECKS, healthy(), around))
    assert [each.code for each in found] == ["task.not_started"] * 2
    assert "data_wf.load" in found[0].message
    assert "and 2 more: ConnectError: refused" in found[0].message
    assert "queued for more than a minute" in found[1].message


@pytest.mark.parametrize(("service", "part"), [("store", "store"), ("mlflow", "models")])
def test_the_root_cause_is_named_and_not_its_victims(service: str, part: str) -> None:
    ingestion = healthy().markets[0].ingestion
    assert ingestion is not None
    ill = with_project(performance=replace(PERFORMANCE, coverage=0.1), horizon=1, forecast=None)
    silent = replace(ill.markets[0], ingestion=replace(ingestion, heartbeat_at=ill.at - LONG))
    if service == "store":
        ill = replace(ill, markets=(silent,))
    unhealthy = builders.service(service, ServiceState.UNHEALTHY, "no answer")
    status = replace(ill, stale={part: "no answer"}, services=(unhealthy,))
    expected = ["service.silent"] + ([] if service == "store" else ["forecast.stale"])
    assert codes(status) == expected
    assert not replace(status, problems=()).is_healthy


def test_a_paused_workflow_is_a_problem_with_the_command_that_unpauses_it() -> None:
    paused = with_train(is_paused=True, paused_at=datetime(2026, 3, 1, 12, 2, tzinfo=UTC))
    (finding,) = run_checks(ALL_CHECKS, paused, ROOM)
    assert finding.code == "workflow.paused"
    assert "is paused in Airflow since 2026-03-01 12:02 UTC" in finding.message
    assert "appliance run train --project crypto_forecast --unpause" in finding.hint


def test_a_run_that_was_ended_with_its_project_has_not_failed() -> None:
    run = DagRun("crypto_forecast_train_wf", "r", RunState.FAILED, note=ENDED_NOTE)
    assert codes(with_train(last_run=run)) == []
    assert codes(with_train(last_run=replace(run, note=""))) == ["workflow.failed"]
