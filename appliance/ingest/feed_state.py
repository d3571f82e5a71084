"""What the ingestor knows about one market and timeframe, and the words it has for it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from appliance.domain.candle import IngestionState, IngestionStatus, LiveCandle
from appliance.errors import ExchangeCode, ExchangeError, ExchangeRejected

_STREAMED = 64  # opening times remembered, more than REST is ever waited for


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong: what, since when, and what happens next or what to do."""

    state: IngestionState
    message: str
    next_step: str
    since_at: datetime


@dataclass(slots=True)
class FeedState:
    """Mutable, used on the event loop only (`backfill_message` also from a worker thread)."""

    market: str
    unit: int
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    live: LiveCandle | None = None
    is_live_unsaved: bool = False
    watermark_at: datetime | None = None
    proven_until_at: datetime | None = None
    expected_until_at: datetime | None = None
    look_again: bool = False
    streamed: deque[datetime] = field(default_factory=lambda: deque(maxlen=_STREAMED))
    is_streaming: bool = False
    stream: Trouble | None = None
    rest: Trouble | None = None
    store: Trouble | None = None
    config: Trouble | None = None
    backfill_message: str = ""
    backfill_since_at: datetime | None = None

    @property
    def key(self) -> str:
        """Name in logs, such as `KRW-BTC 1m`."""
        return f"{self.market} {self.unit}m"

    def take_tick(self, live: LiveCandle) -> bool:
        """Keep what the stream has sent; return whether an older candle has closed."""
        opens_at = live.candle.candle_date_time_utc
        if opens_at not in self.streamed:
            self.streamed.append(opens_at)
        self.is_streaming = True
        self.stream = None
        return self.take_price(live)

    def take_price(self, live: LiveCandle) -> bool:
        """Keep the newest state of the forming candle; return whether an older one has closed."""
        previous = self.live
        opens_at = live.candle.candle_date_time_utc
        if previous is not None and opens_at < previous.candle.candle_date_time_utc:
            return False
        self.live = live
        self.is_live_unsaved = True
        return previous is None or opens_at > previous.candle.candle_date_time_utc

    @property
    def is_behind(self) -> bool:
        """Whether the stream shows that a candle has closed which REST has not confirmed yet."""
        if self.live is None or self.proven_until_at is None:
            return False
        return self.proven_until_at < self.live.candle.candle_date_time_utc

    def show_backfill(self, message: str, now: datetime) -> None:
        """Say how far a repair, backfill or audit is; empty when it is over."""
        self.backfill_message = message
        self.backfill_since_at = (self.backfill_since_at or now) if message else None

    def status(self, now: datetime) -> IngestionStatus:
        """Return the status row; of several troubles the gravest."""
        trouble = self.rest or self.store or self.config
        if trouble is None and self.backfill_message and self.backfill_since_at:
            trouble = Trouble(
                IngestionState.BACKFILLING, self.backfill_message, "", self.backfill_since_at
            )
        trouble = trouble or self.stream
        quiet = IngestionState.STREAMING if self.is_streaming else IngestionState.POLLING
        return IngestionStatus(
            market=self.market,
            unit=self.unit,
            state=trouble.state if trouble else quiet,
            heartbeat_at=now,
            last_tick_at=self.live.received_at if self.live else None,
            watermark_at=self.watermark_at,
            message=trouble.message if trouble else "",
            since_at=trouble.since_at if trouble else None,
            next_step=trouble.next_step if trouble else "",
            expected_until_at=self.expected_until_at,
        )


def rest_trouble(error: ExchangeError, since_at: datetime, wait_seconds: float) -> Trouble:
    """Return what a failed request means for a feed that is asked again in `wait_seconds`."""
    again = f"asked again in {wait_seconds:.0f} s; what is missing is fetched when it answers"
    if isinstance(error, ExchangeRejected):
        return Trouble(IngestionState.REJECTED, error.message, error.hint, since_at)
    if error.code == ExchangeCode.BLOCKED:
        next_step = f"requests resume in {wait_seconds:.0f} s; look for other programs on this IP"
        return Trouble(IngestionState.BLOCKED, error.message, next_step, since_at)
    is_garbled = error.code == ExchangeCode.NONSENSE
    state = IngestionState.GARBLED if is_garbled else IngestionState.DISCONNECTED
    return Trouble(state, error.message, again, since_at)
