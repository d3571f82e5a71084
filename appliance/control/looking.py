"""What `Control` reads of store, Airflow, registry and logs when somebody asks."""

from __future__ import annotations

from datetime import datetime

from appliance.airflow_api.task_log import newest_log, render_record
from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.control.chart_reader import ChartReader
from appliance.control.projects import FollowedProjects
from appliance.control.reach import Parts, Reach
from appliance.control.strip import read_strip
from appliance.domain.candle import Candle
from appliance.domain.chart import Chart, ChartInfo
from appliance.domain.coverage import MarketCoverage
from appliance.domain.event import Event
from appliance.domain.event_filter import EventCount, EventFilter
from appliance.domain.history_job import CoverageCell
from appliance.domain.log import LogPage, LogQuery
from appliance.domain.model_comparison import ModelComparison
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.trial import Trial
from appliance.domain.workflow import DagRun, WorkflowKind, dag_id
from appliance.errors import (
    StoreError,
)
from appliance.supervisor.log_file import all_parts, read_tail
from appliance.supervisor.log_pages import LogParts, read_log_page
from store import candles, coverage, events
from store.monitoring import read_monitoring
from store.promotions import with_promotions
from store.trials import pair_trials


class Looking(Reach):
    """See `Control` for the operations; all of them may be called from any thread."""

    def __init__(self, paths: Paths, parts: Parts, projects: FollowedProjects) -> None:
        super().__init__(paths, parts, projects)
        self._charts = ChartReader(paths, self._session, projects)

    def candles(self, market: str, unit: int, count: int) -> list[Candle]:
        """See `Control.candles`."""
        return candles.latest_candles(self._session(), market, unit, count)

    def candles_until(self, market: str, unit: int, end_at: datetime, count: int) -> list[Candle]:
        """See `Control.candles_until`."""
        return candles.latest_candles(self._session(), market, unit, count, end_at)

    def coverage(self, market: str, unit: int) -> MarketCoverage | None:
        """See `Control.coverage`."""
        return coverage.summarise(self._session(), market, unit)

    def coverage_strip(
        self, market: str, unit: int, hours: float, cells: int
    ) -> list[CoverageCell]:
        """See `Control.coverage_strip`."""
        return read_strip(self._session(), market, unit, hours, cells)

    def events(self, after_id: int = 0, limit: int = 100) -> list[Event]:
        """See `Control.events`."""
        return events.read_events(self._session(), after_id, limit)

    def find_events(self, wanted: EventFilter, before_id: int = 0, limit: int = 200) -> list[Event]:
        """See `Control.find_events`."""
        return events.find_events(self._session(), wanted, limit=limit, before_id=before_id)

    def next_events(self, wanted: EventFilter, after_id: int, limit: int = 200) -> list[Event]:
        """See `Control.next_events`."""
        return events.next_events(self._session(), wanted, after_id, limit)

    def count_events(self, wanted: EventFilter) -> list[EventCount]:
        """See `Control.count_events`."""
        return events.count_events(self._session(), wanted)

    def models(self, project: str) -> list[ModelVersion]:
        """See `Control.models`."""
        versions = self._registry().versions(self._known(project))
        try:
            return with_promotions(self._session(), project, versions)
        except StoreError:  # the versions are known all the same
            return versions

    def monitoring(self, project: str) -> Monitoring:
        """See `Control.monitoring`."""
        return read_monitoring(self._session(), self._known(project))

    def charts(self, project: str) -> list[ChartInfo]:
        """See `Control.charts`."""
        return self._charts.infos(self._known(project))

    def chart(
        self,
        project: str,
        key: str,
        points: int,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> Chart:
        """See `Control.chart`."""
        return self._charts.read(self._known(project), key, points, start_at, end_at)

    def verdicts(self, project: str, champion: int, version: int) -> list[Trial]:
        """See `Control.verdicts`."""
        return pair_trials(self._session(), self._known(project), champion, version)

    def compare(self, project: str, first: int, second: int) -> ModelComparison:
        """See `Control.compare`."""
        # scipy takes 20 MB, and most supervisors never compare
        from appliance.pipelines.model_comparison import compare_versions, gate_alpha

        name = self._known(project)
        alpha = gate_alpha(load_settings(self._paths), name)
        return compare_versions(self._session(), self._registry(), name, first, second, alpha)

    def dag_runs(self, project: str, kind: WorkflowKind, limit: int = 10) -> list[DagRun]:
        """See `Control.dag_runs`."""
        return self._airflow().newest_runs([dag_id(self._known(project), kind)], limit)

    def dag_run(self, project: str, kind: WorkflowKind, run_id: str) -> DagRun:
        """See `Control.dag_run`."""
        return self._airflow().dag_run(dag_id(self._known(project), kind), run_id)

    def task_log(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, lines: int = 200
    ) -> list[str]:
        """See `Control.task_log`."""
        dag = dag_id(self._known(project), kind)
        return self._airflow().task_log(dag, run_id, task_id, lines)

    def task_log_page(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, query: LogQuery
    ) -> LogPage:
        """See `Control.task_log_page`; read from the file, Airflow's API is not asked."""
        dag = dag_id(self._known(project), kind)
        path = newest_log(self._paths.airflow / "logs", dag, run_id, task_id)
        return read_log_page(LogParts([path] if path else []), query, render_record)

    def service_log_page(self, name: str, query: LogQuery) -> LogPage:
        """See `Control.service_log_page`."""
        return read_log_page(LogParts(all_parts(self._parts.services.log_path(name))), query)

    def service_log(self, name: str, lines: int = 200) -> list[str]:
        """See `Control.service_log`."""
        return read_tail(self._parts.services.log_path(name), lines)
