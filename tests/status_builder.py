"""Statuses in which all is well, and with one thing that is not: what checks are tried on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.checks import ALL_CHECKS
from appliance.control.health import Surroundings, run_checks
from appliance.domain.service import ServiceState
from appliance.domain.trial import Trial, TrialPurpose
from appliance.domain.workflow import RunState, WorkflowKind
from tests import builders

PERFORMANCE = builders.performance()


def trial(hours: float) -> Trial:
    """Return a challenge that was looked at some hours ago."""
    at = builders.ago(hours=hours)
    return Trial(builders.PROJECT, TrialPurpose.CHALLENGE, 12, 13, at, at, changed_at=at)


ROOM = Surroundings(free_bytes=10_000_000_000)
LONG = timedelta(hours=1)


def healthy() -> ApplianceStatus:
    """Return a status without anything to find."""
    status = builders.status()
    market = status.markets[0]
    assert market.ingestion is not None
    ingestion = replace(
        market.ingestion,
        state="streaming",
        message="",
        heartbeat_at=status.at,
        watermark_at=status.at,
    )
    (project, *_) = status.projects
    newest = builders.candles(end=status.at)
    workflows = tuple(replace(w, import_error="") for w in builders.workflows())
    return replace(
        status,
        services=builders.services(),
        markets=(
            replace(
                market,
                ingestion=ingestion,
                gaps=0,
                lag_seconds=3.0,
                newest_candle_at=newest[-1].candle_date_time_utc,
            ),
        ),
        projects=(
            replace(
                project,
                workflows=workflows,
                champion=builders.model_version(12, "champion"),
                forecast=builders.forecast(newest, now=status.at),
            ),
        ),
        stale=None,
        started_at=status.at - LONG,
    )


def with_market(**changes: object) -> ApplianceStatus:
    status = healthy()
    return replace(status, markets=(replace(status.markets[0], **changes),))  # type: ignore[arg-type]


def with_ingestion(**changes: object) -> ApplianceStatus:
    ingestion = healthy().markets[0].ingestion
    assert ingestion is not None
    return with_market(ingestion=replace(ingestion, **changes))  # type: ignore[arg-type]


def with_project(**changes: object) -> ApplianceStatus:
    status = healthy()
    return replace(status, projects=(replace(status.projects[0], **changes),))  # type: ignore[arg-type]


def replace_champion(
    tags: dict[str, str] | None, *, is_trained: bool = False, **changes: object
) -> ApplianceStatus:
    champion = healthy().projects[0].champion
    assert champion is not None
    changed = replace(champion, tags=tags) if tags is not None else None
    status = with_project(champion=changed, **changes)
    run = builders.dag_run(WorkflowKind.TRAIN, RunState.SUCCESS)
    workflows = tuple(
        replace(w, last_run=run) if is_trained and w.kind is WorkflowKind.TRAIN else w
        for w in status.projects[0].workflows
    )
    return replace(status, projects=(replace(status.projects[0], workflows=workflows),))


def with_service(state: ServiceState) -> ApplianceStatus:
    return replace(healthy(), services=(builders.service("mlflow", state, "port 5000 is taken"),))


def with_train(**changes: object) -> ApplianceStatus:
    workflows = tuple(
        replace(w, **changes) if w.kind is WorkflowKind.TRAIN else w  # type: ignore[arg-type]
        for w in healthy().projects[0].workflows
    )
    return with_project(workflows=workflows)


def codes(status: ApplianceStatus, surroundings: Surroundings = ROOM) -> list[str]:
    return [finding.code for finding in run_checks(ALL_CHECKS, status, surroundings)]
