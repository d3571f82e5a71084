"""What the screens know: last good values with their age and the failure that keeps them old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

from appliance.control.api import ApplianceStatus, MarketStatus, ProjectStatus
from appliance.domain.candle import Candle, LiveCandle
from appliance.domain.event import Event
from appliance.domain.feed import Feed
from appliance.domain.forecast import Forecast
from appliance.domain.history_job import HistoryJob
from appliance.errors import ApplianceError

T = TypeVar("T")

"""Market code and candle width in minutes."""

EVENTS_KEPT = 300
"""Newest events the feed keeps."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a value could not be read, what to do next, and since when."""

    message: str
    hint: str
    code: str
    since_at: datetime

    @classmethod
    def of(cls, error: ApplianceError, at: datetime) -> Failure:
        """Return the failure that `error`, seen at `at`, means to the operator."""
        return cls(error.message, error.hint, error.code, at)


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """The last good value, when it was read, and the failure since then, if any.

    No value and no failure means that the first answer is still awaited.
    """

    value: T | None = None
    at: datetime | None = None
    failure: Failure | None = None

    def good(self, value: T, at: datetime) -> Reading[T]:
        """Return a reading of a fresh value."""
        return Reading(value, at)

    def failed(self, failure: Failure) -> Reading[T]:
        """Return this reading with its value kept; the first failure of a row keeps its instant."""
        since_at = self.failure.since_at if self.failure else failure.since_at
        return replace(self, failure=replace(failure, since_at=since_at))


@dataclass(frozen=True, slots=True)
class Past:
    """Another time than now that the screens show.

    `first_at` and `last_at` bound what is recorded, `present_at` is the real time; `title` says whose
    recording it is, "" for this home's.
    """

    at: datetime
    first_at: datetime
    last_at: datetime
    present_at: datetime
    title: str = ""
    is_gap: bool = False
    is_playing: bool = False
    speed: int = 1


@dataclass(frozen=True, slots=True)
class Board:
    """Everything a panel may show; frozen, so that presentation is a function of it.

    `candles` belong to `feed` and `forecasts` to `project`; both are ascending. `chosen_feed` is the
    market and timeframe that the operator picked for the chart, None for the project's own.
    `is_locked` is set while this console may change nothing, `undo` says what `U` would do, `past` is set
    while another time than now is shown.
    """

    status: Reading[ApplianceStatus] = field(default_factory=Reading)
    candles: Reading[tuple[Candle, ...]] = field(default_factory=Reading)
    forecasts: Reading[tuple[Forecast, ...]] = field(default_factory=Reading)
    events: Reading[tuple[Event, ...]] = field(default_factory=Reading)
    live: Mapping[Feed, LiveCandle] = field(default_factory=dict)
    project_name: str = ""
    chosen_feed: Feed | None = None
    retry_at: datetime | None = None
    is_locked: bool = False
    undo: str = ""
    past: Past | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the supervisor answered last."""
        return self.status.value is not None and self.status.failure is None

    @property
    def project(self) -> ProjectStatus | None:
        """The project on the screen: the chosen one, otherwise the first."""
        projects = self.status.value.projects if self.status.value else ()
        chosen = [project for project in projects if project.name == self.project_name]
        return next(iter(chosen or projects), None)

    @property
    def markets(self) -> tuple[MarketStatus, ...]:
        """Every market and timeframe that is ingested, in the order of the configuration."""
        return self.status.value.markets if self.status.value else ()

    @property
    def jobs(self) -> tuple[HistoryJob, ...]:
        """Work on history, oldest first."""
        return self.status.value.jobs if self.status.value else ()

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Market and timeframe of `markets`."""
        return tuple(Feed(market.market, market.unit) for market in self.markets)

    @property
    def feed(self) -> Feed | None:
        """The market and timeframe of the chart: the chosen one while it exists, else the project's."""
        if self.chosen_feed in self.feeds:
            return self.chosen_feed
        project = self.project
        if project is not None and project.market:
            return Feed(project.market, project.unit)
        return next(iter(self.feeds), None)

    @property
    def is_project_feed(self) -> bool:
        """Whether the chart shows what the project forecasts."""
        project = self.project
        return project is not None and self.feed == Feed(project.market, project.unit)

    @property
    def market(self) -> MarketStatus | None:
        """Live state of the chart's market and timeframe."""
        return self.market_of(self.feed)

    @property
    def live_candle(self) -> LiveCandle | None:
        """The forming candle of the chart's market, as last streamed or reported."""
        return self.live_of(self.feed)

    def market_of(self, feed: Feed | None) -> MarketStatus | None:
        """Return the live state of a market and timeframe; None when it is not ingested."""
        return next((m for m in self.markets if (m.market, m.unit) == feed), None)

    def live_of(self, feed: Feed | None) -> LiveCandle | None:
        """Return a feed's forming candle, as last streamed or reported."""
        market, streamed = self.market_of(feed), self.live.get(feed) if feed else None
        return self.newest_live(market) if market is not None else streamed

    def newest_live(self, market: MarketStatus) -> LiveCandle | None:
        """Return the forming candle of a market and timeframe of `markets`: streamed or reported."""
        streamed, reported = self.live.get(Feed(market.market, market.unit)), market.live
        if streamed is None or reported is None:
            return streamed or reported
        return streamed if streamed.received_at >= reported.received_at else reported

    def read_at(self, part: str) -> datetime | None:
        """Return when one of the snapshot's stale parts was last read; None when it never was."""
        return ((self.status.value.read_at if self.status.value else None) or {}).get(part)

    def stale_reason(self, *parts: str) -> str:
        """Return why one of the snapshot's `parts` is old; empty when all are fresh."""
        stale = (self.status.value.stale if self.status.value else None) or {}
        return next((stale[part] for part in parts if part in stale), "")


def with_live(board: Board, lives: tuple[LiveCandle, ...]) -> Board:
    """Return `board` knowing the newest forming candle of every market in `lives`."""
    newest = {Feed(live.candle.market, live.candle.unit): live for live in lives}
    return replace(board, live={**board.live, **newest})


def with_events(board: Board, events: tuple[Event, ...], at: datetime) -> Board:
    """Return `board` with `events` appended, each id once, oldest first."""
    known = {event.id: event for event in (board.events.value or ())}
    known |= {event.id: event for event in events}
    merged = tuple(known[key] for key in sorted(known))[-EVENTS_KEPT:]
    return replace(board, events=board.events.good(merged, at))
