"""Every chart over time: a project's from the store, the machine's from the supervisor's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from appliance.config.paths import Paths
from appliance.control.charts import list_charts, read_chart
from appliance.control.projects import Project
from appliance.control.usage_charts import (
    MARKER_SEVERITIES,
    MARKERS,
    is_usage_chart,
    read_usage_chart,
    usage_charts,
)
from appliance.domain.chart import Chart, ChartInfo
from appliance.domain.event import Event
from appliance.domain.event_filter import EventFilter
from appliance.errors import StoreError
from store.events import find_events
from store.session import Session

_EVENTS = 200


class ChartReader:
    """Lists and reads charts; callable from any thread.

    Args:
        paths: the home.
        session: returns the session on the store; raises `StoreError` while it cannot be asked.
        projects: returns the enabled projects.
    """

    def __init__(
        self,
        paths: Paths,
        session: Callable[[], Session],
        projects: Callable[[], Sequence[Project]],
    ) -> None:
        self._paths = paths
        self._session = session
        self._projects = projects

    def infos(self, project: str) -> list[ChartInfo]:
        """Return the charts of a project and those of the machine."""
        del project  # every project forecasts, so far
        return [*list_charts(), *usage_charts()]

    def read(
        self,
        project: str,
        key: str,
        points: int,
        start_at: datetime | None,
        end_at: datetime | None,
    ) -> Chart:
        """Return one chart; see `Control.chart`."""
        if is_usage_chart(key):
            return read_usage_chart(self._paths, key, start_at, end_at, points, self._marks)
        described = next(each for each in self._projects() if each.name == project)
        return read_chart(self._session(), described, key, start_at, end_at, points)

    def _marks(self, start_at: datetime, end_at: datetime) -> list[Event]:
        """Return what happened to the services; nothing while the store cannot be asked."""
        wanted = EventFilter(
            kinds=MARKERS, severities=MARKER_SEVERITIES, since=start_at, until=end_at
        )
        try:
            return find_events(self._session(), wanted, limit=_EVENTS)
        except StoreError:
            return []
