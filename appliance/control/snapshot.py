"""Assembles the appliance's status from what the sources said last; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from appliance.control.api import ApplianceStatus, MarketStatus, ProjectStatus, SourceStatus
from appliance.control.model_reader import ModelFacts
from appliance.control.projects import Project
from appliance.control.store_reader import ProjectRows, StoreFacts
from appliance.domain.candle import IngestionStatus, LiveCandle
from appliance.domain.feed import Feed
from appliance.domain.history_job import HistoryJob
from appliance.domain.service import ServiceStatus
from appliance.domain.workflow import WorkflowKind, WorkflowStatus

WORKFLOWS = "workflows"
"""Name of Airflow's part in `ApplianceStatus.stale`."""
_WALL_CLOCK_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the status says of the appliance itself; only `markets`, `projects` and `disabled` may change."""

    version: str
    home: str
    started_at: datetime
    source: SourceStatus
    markets: tuple[Feed, ...]
    projects: tuple[Project, ...]
    disabled: tuple[str, ...] = ()
    airflow_url: str = ""
    mlflow_url: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The newest reading of every source.

    `stale` says which could not be read and why, `read_at` when those were last read.
    """

    services: tuple[ServiceStatus, ...] = ()
    store: StoreFacts = field(default_factory=StoreFacts)
    workflows: Sequence[WorkflowStatus] = ()
    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    stale: Mapping[str, str] = field(default_factory=dict)
    read_at: Mapping[str, datetime] = field(default_factory=dict)
    jobs: tuple[HistoryJob, ...] = ()
    prices: Mapping[Feed, LiveCandle] = field(default_factory=dict)


def compose(identity: Identity, facts: Facts, now_at: datetime) -> ApplianceStatus:
    """Return the status, its problems still empty."""
    return ApplianceStatus(
        at=now_at,
        version=identity.version,
        home=identity.home,
        started_at=identity.started_at,
        source=identity.source,
        services=facts.services,
        markets=tuple(_market(key, identity, facts, now_at) for key in identity.markets),
        projects=tuple(_project(project, facts) for project in identity.projects),
        disabled=identity.disabled,
        jobs=facts.jobs,
        stale=dict(facts.stale) or None,
        read_at=dict(facts.read_at) or None,
        airflow_url=identity.airflow_url,
        mlflow_url=identity.mlflow_url,
    )


def is_worth_sending(before: ApplianceStatus, after: ApplianceStatus) -> bool:
    """Whether two statuses differ in more than the passing of time and prices, which go out by themselves."""
    return _timeless(before) != _timeless(after)


def lag_seconds(
    live: LiveCandle | None,
    ingestion: IngestionStatus | None,
    now_at: datetime,
    *,
    is_simulated: bool,
) -> float | None:
    """Return seconds of market time since the newest stored candle closed, None when unknown.

    Market time is the wall clock, except where the forming candle shows that a simulator runs in
    another time: then the forming candle's opening time stands for it, or what should be proven by
    now if that is later, as it is while nothing arrives.
    """
    if ingestion is None or ingestion.watermark_at is None:
        return None
    market_at = now_at
    if is_simulated and live is not None:
        is_other_time = abs(now_at - live.candle.closes_at) > _WALL_CLOCK_TOLERANCE
        if is_other_time:
            opened_at = live.candle.candle_date_time_utc
            market_at = max(opened_at, ingestion.expected_until_at or opened_at)
    return max(0.0, (market_at - ingestion.watermark_at).total_seconds())


def _timeless(status: ApplianceStatus) -> ApplianceStatus:
    markets = tuple(replace(market, lag_seconds=None, live=None) for market in status.markets)
    return replace(status, at=status.started_at, markets=markets)


def _market(key: Feed, identity: Identity, facts: Facts, now_at: datetime) -> MarketStatus:
    live, ingestion = facts.prices.get(key), facts.store.ingestion.get(key)
    count = facts.store.counts.get(key)
    market, unit = key
    return MarketStatus(
        market=market,
        unit=unit,
        live=live,
        ingestion=ingestion,
        lag_seconds=lag_seconds(live, ingestion, now_at, is_simulated=identity.source.is_simulated),
        stored_candles=count.candles if count else None,
        newest_candle_at=count.newest_at if count else None,
        gaps=count.gaps if count else None,
        coverage=count.coverage if count else None,
    )


def _project(project: Project, facts: Facts) -> ProjectStatus:
    rows = facts.store.projects.get(project.name, ProjectRows())
    models = facts.models.get(project.name, ModelFacts())
    return ProjectStatus(
        name=project.name,
        market=project.market,
        unit=project.unit,
        horizon=project.horizon,
        workflows=_workflows(project.name, facts),
        champion=models.champion,
        previous_champion=models.previous,
        challenger=models.challenger,
        newest_version=models.newest,
        held=models.held,
        performance=rows.performance,
        drift=rows.drift,
        forecast=rows.forecast,
        forecast_count=rows.forecast_count,
        trials=rows.trials,
        parked=rows.parked,
        refusals=rows.refusals,
        model_max_age_hours=project.model_max_age_hours,
        min_rows=project.min_rows,
        are_models_known=project.name in facts.models,
        are_rows_known=project.name in facts.store.projects,
    )


def _workflows(project: str, facts: Facts) -> tuple[WorkflowStatus, ...]:
    """Return the four workflows; without a run and with nobody to ask, whether there was one is unknown."""
    told = {status.kind: status for status in facts.workflows if status.project == project}
    is_stale = WORKFLOWS in facts.stale
    statuses = [told.get(kind) or WorkflowStatus(project, kind) for kind in WorkflowKind]
    return tuple(
        replace(s, is_known=s.last_run is not None or (s.kind in told and not is_stale))
        for s in statuses
    )
