"""An appliance of many markets and projects, with the problems that the real checks find in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from appliance.control.api import ApplianceStatus, MarketStatus, ProjectStatus
from appliance.control.checks import ALL_CHECKS
from appliance.control.health import ProblemLog, Surroundings, run_checks
from appliance.domain.drift import DriftVerdict
from appliance.domain.workflow import RunState, WorkflowKind, dag_id
from tests import builders

ROOM = Surroundings(free_bytes=10_000_000_000)
LONG = timedelta(hours=1)


def code(number: int) -> str:
    """Return the code of the market with this number, counted from 0."""
    letters = "".join(chr(ord("A") + number // 26**place % 26) for place in (2, 1, 0))
    return builders.CODES[number] if number < len(builders.CODES) else f"KRW-{letters}"


def market(number: int, *, is_late: bool = False, gaps: int = 0) -> MarketStatus:
    """Return live state of one market; a late one's newest candle is ten minutes and more old."""
    known = builders.market()
    assert known.live is not None and known.ingestion is not None
    name = code(number)
    lag = 600.0 + number if is_late else 3.0 + number % 7
    candle = replace(known.live.candle, market=name, close=158_238_000.0 / (number + 1) ** 2)
    return replace(
        known,
        market=name,
        live=replace(known.live, candle=candle),
        ingestion=replace(known.ingestion, market=name),
        lag_seconds=lag,
        newest_candle_at=builders.ago(seconds=lag + 60),
        gaps=gaps,
    )


def project(number: int, market: str, *, has_failed: bool = False) -> ProjectStatus:
    """Return one project with a model in production; without its last training where that failed."""
    known, name = builders.project(), f"project_{number:02d}"
    assert known.champion is not None and known.drift is not None and known.performance is not None
    flows = []
    for workflow in known.workflows:
        run = workflow.last_run
        assert run is not None
        if has_failed and workflow.kind is WorkflowKind.TRAIN:
            run = replace(run, state=RunState.FAILED, ended_at=run.started_at, duration=4.0)
        run = replace(run, dag_id=dag_id(name, workflow.kind))
        flows.append(replace(workflow, project=name, last_run=run))
    assert known.forecast is not None
    opens_at = builders.NOW.replace(second=0) - timedelta(minutes=1)
    return replace(
        known,
        name=name,
        market=market,
        workflows=tuple(flows),
        champion=replace(known.champion, name=name, tags={**known.champion.tags, "market": market}),
        forecast=replace(known.forecast, project=name, candle_date_time_utc=opens_at),
        drift=replace(
            known.drift,
            project=name,
            verdict=DriftVerdict.DRIFTED if number % 5 == 0 else DriftVerdict.STABLE,
        ),
    )


def status(
    markets: int = 240, projects: int = 20, late: int = 113, gaps: int = 3
) -> ApplianceStatus:
    """Return an appliance whose last `late` markets are late and the first `gaps` incomplete."""
    known = tuple(
        market(n, is_late=n >= markets - late, gaps=2 if n < gaps else 0) for n in range(markets)
    )
    on = tuple(
        project(n, code(n % max(markets - late, 1)), has_failed=n % 6 == 3) for n in range(projects)
    )
    made = builders.status(markets=known, projects=on)
    log, findings = ProblemLog(), run_checks(ALL_CHECKS, made, ROOM)
    log.update(findings, builders.NOW - LONG)
    return replace(made, problems=log.update(findings, builders.NOW))
