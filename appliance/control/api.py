"""Everything the TUI and the CLI may ask of a running appliance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from appliance.domain.candle import Candle, IngestionStatus, LiveCandle
from appliance.domain.chart import Chart, ChartInfo
from appliance.domain.coverage import MarketCoverage
from appliance.domain.drift import DriftReport
from appliance.domain.event import Event
from appliance.domain.event_filter import EventCount, EventFilter
from appliance.domain.forecast import Forecast, Performance
from appliance.domain.history_job import CoverageCell, HistoryJob, HistoryKind
from appliance.domain.log import LogPage, LogQuery
from appliance.domain.model_comparison import ModelComparison
from appliance.domain.model_proof import ModelRefusal
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.origin import Origin
from appliance.domain.service import ServiceStatus
from appliance.domain.trial import ParkedRetrain, Trial
from appliance.domain.workflow import DagRun, WorkflowKind, WorkflowStatus


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Where candles come from.

    `kind` is the id of an exchange or `simulator`; `label` is the banner's text; `is_simulated`
    makes every screen say so loudly.
    """

    kind: str
    label: str
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """Live state of one market and timeframe; lag is seconds since the newest stored candle closed.

    `newest_candle_at` opens the newest stored candle. `gaps` counts all open gaps, `coverage` names the
    newest of them only. Counts are None while the store has not told them.
    """

    market: str
    unit: int
    live: LiveCandle | None = None
    ingestion: IngestionStatus | None = None
    lag_seconds: float | None = None
    stored_candles: int | None = None
    newest_candle_at: datetime | None = None
    gaps: int | None = None
    coverage: MarketCoverage | None = None


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """One project: workflows, production model, realised performance, drift, newest forecast.

    `held` says why the newest version waits for a person instead of being in production, "" when it does
    not. `trials` are the comparisons that run, `parked` a retrain that waits. A production model older than
    `model_max_age_hours` is stale; 0 is never. A training needs `min_rows` prepared rows. While the
    registry has not been read nothing is known of models (`are_models_known`), while the store has not,
    nothing of forecasts, performance and drift (`are_rows_known`).
    """

    name: str
    market: str
    unit: int
    horizon: int
    workflows: tuple[WorkflowStatus, ...] = ()
    champion: ModelVersion | None = None
    previous_champion: int | None = None
    challenger: int | None = None
    newest_version: int | None = None
    held: str = ""
    performance: Performance | None = None
    drift: DriftReport | None = None
    forecast: Forecast | None = None
    forecast_count: int | None = None
    trials: tuple[Trial, ...] = ()
    parked: ParkedRetrain | None = None
    refusals: tuple[ModelRefusal, ...] = ()
    model_max_age_hours: int = 0
    min_rows: int = 0
    are_models_known: bool = True
    are_rows_known: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """A detected condition with the action that ends it; `since_at` when it was first seen.

    `subject` tells problems of the same code apart: a service, a project.
    """

    code: str
    message: str
    hint: str
    since_at: datetime
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ApplianceStatus:
    """The whole appliance at `at`; parts that could not be read keep their last value.

    `disabled` names the projects that are configured and not enabled: nothing runs for them.
    `stale` maps the name of such a part (`workflows`, `models`, `store`) to the reason, `read_at` to
    when it was last read; one that never was is missing there.
    """

    at: datetime
    version: str
    home: str
    started_at: datetime
    source: SourceStatus
    services: tuple[ServiceStatus, ...]
    markets: tuple[MarketStatus, ...]
    projects: tuple[ProjectStatus, ...]
    problems: tuple[Problem, ...] = ()
    disabled: tuple[str, ...] = ()
    jobs: tuple[HistoryJob, ...] = ()
    stale: Mapping[str, str] | None = None
    read_at: Mapping[str, datetime] | None = None
    airflow_url: str = ""
    mlflow_url: str = ""
    read_only: bool = False

    @property
    def is_healthy(self) -> bool:
        """Whether every service is ready, everything can be read and nothing needs the operator."""
        are_ready = bool(self.services) and all(service.is_ready for service in self.services)
        return are_ready and not self.problems and not self.stale


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One server-sent message; exactly one field is set."""

    status: ApplianceStatus | None = None
    live: LiveCandle | None = None
    event: Event | None = None


class Control(Protocol):
    """Operations of a running appliance.

    Calls block; each raises an `ApplianceError`: `ApplianceNotRunning` when nobody answers, the
    area's own error otherwise, code and hint as raised on the server.
    """

    def status(self) -> ApplianceStatus:
        """Return the newest snapshot."""
        ...

    def stream(self) -> Iterator[StreamMessage]:
        """Yield a snapshot first, then every change: status (at most 2 a second), live, events."""
        ...

    def candles(self, market: str, unit: int, count: int) -> list[Candle]:
        """Return the newest `count` closed candles, oldest first."""
        ...

    def candles_until(self, market: str, unit: int, end_at: datetime, count: int) -> list[Candle]:
        """Return the newest `count` closed candles that open before `end_at`, oldest first."""
        ...

    def coverage(self, market: str, unit: int) -> MarketCoverage | None:
        """Return how complete the stored candles are, with every gap; None when nothing is proven."""
        ...

    def coverage_strip(
        self, market: str, unit: int, hours: float, cells: int
    ) -> list[CoverageCell]:
        """Return the newest `hours` in equal cells, oldest first; 0 hours is everything known."""
        ...

    def start_history(
        self,
        kind: HistoryKind,
        market: str,
        unit: int,
        origin: Origin,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> HistoryJob:
        """Start a backfill, a repair or an audit and return it; `ApplianceStatus.jobs` follows it."""
        ...

    def cancel_history(self, job: int, origin: Origin) -> HistoryJob:
        """End a job; what it has stored stays."""
        ...

    def forecasts(self, project: str, count: int) -> list[Forecast]:
        """Return the newest `count` forecasts of the production model, oldest first."""
        ...

    def events(self, after_id: int = 0, limit: int = 100) -> list[Event]:
        """Return the newest `limit` events with an id above `after_id`, oldest first."""
        ...

    def find_events(self, wanted: EventFilter, before_id: int = 0, limit: int = 200) -> list[Event]:
        """Return the newest `limit` wanted events, below `before_id` where it is not 0, oldest first.

        So all of them can be read, page by page, back to the beginning.
        """
        ...

    def next_events(self, wanted: EventFilter, after_id: int, limit: int = 200) -> list[Event]:
        """Return the `limit` wanted events that follow upon `after_id`, oldest first."""
        ...

    def count_events(self, wanted: EventFilter) -> list[EventCount]:
        """Return how many wanted events there are of each kind, severity and actor."""
        ...

    def models(self, project: str) -> list[ModelVersion]:
        """Return all versions, newest first."""
        ...

    def monitoring(self, project: str) -> Monitoring:
        """Return drift, losses, comparisons of versions and what is decided about retraining."""
        ...

    def charts(self, project: str) -> list[ChartInfo]:
        """Return which charts over time there are for a project."""
        ...

    def chart(
        self,
        project: str,
        key: str,
        points: int,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> Chart:
        """Return a chart with at most `points` values a series.

        Without `end_at` it ends at its newest value, without `start_at` it has its usual length. Raises
        `ConfigError` for an unknown chart or an empty span.
        """
        ...

    def dag_runs(self, project: str, kind: WorkflowKind, limit: int = 10) -> list[DagRun]:
        """Return the newest runs of a workflow, newest first."""
        ...

    def run_workflow(
        self,
        project: str,
        kind: WorkflowKind,
        params: Mapping[str, str],
        origin: Origin,
        request: str = "",
    ) -> DagRun:
        """Create a DAG run and return it, not waiting for it.

        `request`, when given, names the wish: asking again for want of an answer returns the same run.
        """
        ...

    def dag_run(self, project: str, kind: WorkflowKind, run_id: str) -> DagRun:
        """Return one run with its task instances."""
        ...

    def task_log(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, lines: int = 200
    ) -> list[str]:
        """Return the last lines of a task's newest try."""
        ...

    def task_log_page(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, query: LogQuery
    ) -> LogPage:
        """Return a part of the log of a task's newest try; no lines while it has not started."""
        ...

    def unpause(self, project: str, kind: WorkflowKind, origin: Origin) -> None:
        """Let Airflow start runs of a workflow again that was paused, in its page or otherwise."""
        ...

    def enable_project(self, project: str, is_enabled: bool, origin: Origin) -> None:
        """Enable or disable a project in this machine's configuration; effective within seconds.

        Raises `ConfigError` for a project that is not configured, and when something else overrides it.
        """
        ...

    def verdicts(self, project: str, champion: int, version: int) -> list[Trial]:
        """Return the comparisons of exactly these two versions, newest first, whichever was in production."""
        ...

    def compare(self, project: str, first: int, second: int) -> ModelComparison:
        """Return two versions beside each other, `first` the one that the second is measured by."""
        ...

    def promote(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """Make `version` the champion in place of `seen`, which becomes the rollback target.

        `seen` is the champion that the operator saw, 0 for none. A version that is in production already
        is returned and nothing changes; raises `ProductionMoved` when another one is.
        """
        ...

    def roll_back(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """Make the rollback target `version` the champion again in place of `seen`; see `promote`."""
        ...

    def reject(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """Compare `version` no more with the champion `seen`, and let it not be the challenger.

        Again changes nothing. Raises `ProductionMoved` as `promote` does, and `RegistryError` for the version
        in production.
        """
        ...

    def restart_service(self, name: str, origin: Origin) -> None:
        """Stop and start one service; clears a used-up restart budget."""
        ...

    def service_log(self, name: str, lines: int = 200) -> list[str]:
        """Return the last lines of a service's log."""
        ...

    def service_log_page(self, name: str, query: LogQuery) -> LogPage:
        """Return a part of a service's log, rotated files included, however long it is."""
        ...

    def test_alert(self, origin: Origin) -> str:
        """Send a test message now and return where it went; raises `AlertDeliveryError`."""
        ...

    def shut_down(self, origin: Origin) -> None:
        """Ask the supervisor to stop everything; returns once it has begun."""
        ...
