"""What the status needs of the store, in few queries: some every time, some every few seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from appliance import clock
from appliance.config.paths import Paths
from appliance.control.projects import Project
from appliance.domain.candle import IngestionStatus, LiveCandle
from appliance.domain.coverage import MarketCoverage
from appliance.domain.drift import DriftReport
from appliance.domain.event import Event
from appliance.domain.feed import Feed
from appliance.domain.forecast import Forecast, Performance
from appliance.domain.model_proof import ModelRefusal
from appliance.domain.trial import ParkedRetrain, Trial, TrialState
from store import (
    candles,
    coverage,
    drift,
    events,
    forecasts,
    live,
    model_proofs,
    performance,
    retrains,
    trials,
)
from store.session import Session

"""Market code and candle width in minutes."""

_PROJECTS_EVERY_SECONDS = 5.0
_COUNTS_EVERY_SECONDS = 10.0
_GAPS_NAMED = 10
_REGISTRY = "registry"
"""Where refused files are a problem; a copy that is refused is made anew."""
_READ_SECONDS = 3.5
"""Whoever asks the control API gets an answer within five."""
_WRITE_SECONDS = 10.0
_NEW_EVENTS = 500
_EVENTS_HELD_BACK = 10_000


@dataclass(frozen=True, slots=True)
class ProjectRows:
    """What the store holds about one project."""

    performance: Performance | None = None
    drift: DriftReport | None = None
    forecast: Forecast | None = None
    forecast_count: int | None = None
    refusals: tuple[ModelRefusal, ...] = ()
    trials: tuple[Trial, ...] = ()
    parked: ParkedRetrain | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How much is stored of a market and timeframe; `coverage` names the newest of its `gaps` only."""

    candles: int = 0
    gaps: int = 0
    coverage: MarketCoverage | None = None
    newest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """One reading of the store."""

    ingestion: dict[Feed, IngestionStatus] = field(default_factory=dict)
    counts: dict[Feed, Count] = field(default_factory=dict)
    projects: dict[str, ProjectRows] = field(default_factory=dict)


class StoreLink:
    """The session on the store's service, opened when it is first needed.

    Never the file itself: while the appliance runs, its store service is the owner.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._session: Session | None = None

    def session(self) -> Session:
        """Return the session; it reconnects by itself when the service comes back."""
        if self._session is None:
            from store.client import FlightSession

            self._session = FlightSession(
                self._paths.store_socket, read_seconds=_READ_SECONDS, write_seconds=_WRITE_SECONDS
            )
        return self._session

    def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            self._session.close()
            self._session = None


class StoreReader:
    """Reads the store for the status, follows its events, and writes events that wait.

    Args:
        session: returns the session to use.
        markets: returns the markets and timeframes that are ingested.
        projects: returns the enabled projects.
        champion: returns a project's production version, None when unknown.
        on_live: told of each changed forming candle.
        on_event: told of each event appended since the reader began, oldest first.
    """

    def __init__(
        self,
        session: Callable[[], Session],
        markets: Callable[[], Sequence[Feed]],
        projects: Callable[[], Sequence[Project]],
        *,
        champion: Callable[[str], int | None],
        on_live: Callable[[LiveCandle], None],
        on_event: Callable[[Event], None],
    ) -> None:
        self._session = session
        self._markets = markets
        self._counted: tuple[Feed, ...] = ()
        self._projects = projects
        self._champion = champion
        self._on_live = on_live
        self._on_event = on_event
        self._waiting: deque[Event] = deque(maxlen=_EVENTS_HELD_BACK)
        self._facts = StoreFacts()
        self._prices: dict[Feed, LiveCandle] = {}
        self._newest_event: int | None = None
        self._projects_at = float("-inf")
        self._counts_at = float("-inf")

    def record(self, event: Event) -> None:
        """Append an event to the store as soon as it can be reached; never blocks or raises."""
        self._waiting.append(event)

    def read_prices(self) -> dict[Feed, LiveCandle]:
        """Return every forming candle and tell of those that changed; one cheap query.

        Raises:
            StoreError: the store cannot be reached or refuses.
        """
        rows = live.read_live(self._session())
        found = {Feed(row.candle.market, row.candle.unit): row for row in rows}
        for key, row in found.items():
            if row != self._prices.get(key):
                self._on_live(row)
        self._prices = found
        return found

    def read(self) -> StoreFacts:
        """Return what the store holds now but prices; slow-moving parts are up to 10 s old.

        Raises:
            StoreError: the store cannot be reached or refuses.
        """
        session = self._session()
        self._write_waiting(session)
        self._follow_events(session)
        self._facts = replace(self._facts, ingestion=_read_ingestion(session))
        now = clock.monotonic()
        if now - self._projects_at >= _PROJECTS_EVERY_SECONDS:
            rows = {p.name: self._read_project(session, p) for p in self._projects()}
            self._facts = replace(self._facts, projects=rows)
            self._projects_at = now
        markets = tuple(self._markets())
        if now - self._counts_at >= _COUNTS_EVERY_SECONDS or markets != self._counted:
            self._counted = markets
            self._facts = replace(self._facts, counts=self._read_counts(session))
            self._counts_at = now
        return self._facts

    def flush(self) -> None:
        """Write the events that wait; raises `StoreError` when the store cannot be reached."""
        self._write_waiting(self._session())

    def _write_waiting(self, session: Session) -> None:
        while self._waiting:
            events.append_event(session, self._waiting[0])
            self._waiting.popleft()

    def _follow_events(self, session: Session) -> None:
        if self._newest_event is None:
            newest = events.read_events(session, limit=1)
            self._newest_event = newest[-1].id if newest else 0
            return
        for event in events.read_events(session, self._newest_event, _NEW_EVENTS):
            self._on_event(event)
            self._newest_event = event.id

    def _read_project(self, session: Session, project: Project) -> ProjectRows:
        champion = self._champion(project.name)
        newest = forecasts.latest_forecasts(session, project.name, 1, champion)
        return ProjectRows(
            performance=performance.latest_performance(session, project.name, champion),
            drift=drift.latest_report(session, project.name),
            forecast=newest[-1] if newest else None,
            forecast_count=forecasts.count_forecasts(session, project.name),
            trials=tuple(trials.read_trials(session, project.name, TrialState.RUNNING)),
            parked=retrains.parked_retrain(session, project.name),
            refusals=tuple(model_proofs.read_refusals(session, project.name, _REGISTRY)),
        )

    def _read_counts(self, session: Session) -> dict[Feed, Count]:
        return {key: _read_count(session, *key) for key in self._counted}


def _read_count(session: Session, market: str, unit: int) -> Count:
    known = coverage.summarise(session, market, unit)
    stored = candles.count_candles(session, market, unit)
    newest = candles.latest_candles(session, market, unit, 1)
    newest_at = newest[-1].candle_date_time_utc if newest else None
    if known is None:
        return Count(stored, newest_at=newest_at)
    named = replace(known, gaps=known.gaps[-_GAPS_NAMED:])
    return Count(stored, len(known.gaps), named, newest_at)


def _read_ingestion(session: Session) -> dict[Feed, IngestionStatus]:
    return {Feed(row.market, row.unit): row for row in live.read_ingestion(session)}
