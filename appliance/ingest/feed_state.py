"""What the ingestor knows about one market and timeframe, and the words it has for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from appliance.domain.candle import IngestionStatus, LiveCandle


@dataclass(slots=True)
class FeedState:
    """Mutable, used on the event loop only (`backfill_message` also from a worker thread)."""

    market: str
    unit: int
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    live: LiveCandle | None = None
    is_live_unsaved: bool = False
    watermark_at: datetime | None = None
    is_streaming: bool = False
    stream_message: str = "connecting to the stream"
    rest_message: str = ""
    is_rejected: bool = False
    backfill_message: str = ""

    @property
    def key(self) -> str:
        """Name in logs, such as `KRW-BTC 1m`."""
        return f"{self.market} {self.unit}m"

    def take_tick(self, live: LiveCandle) -> bool:
        """Keep the newest state of the forming candle; return whether an older one has closed."""
        previous = self.live
        opens_at = live.candle.candle_date_time_utc
        if previous is not None and opens_at < previous.candle.candle_date_time_utc:
            return False
        self.live = live
        self.is_live_unsaved = True
        self.is_streaming = True
        self.stream_message = ""
        return previous is None or opens_at > previous.candle.candle_date_time_utc

    @property
    def is_behind(self) -> bool:
        """Whether the stream shows that a candle has closed which REST has not confirmed yet."""
        if self.live is None or self.watermark_at is None:
            return False
        return self.watermark_at < self.live.candle.candle_date_time_utc

    def status(self, now: datetime) -> IngestionStatus:
        """Return the status row."""
        return IngestionStatus(
            market=self.market,
            unit=self.unit,
            state=self._state(),
            heartbeat_at=now,
            last_tick_at=self.live.received_at if self.live else None,
            watermark_at=self.watermark_at,
            message=self.rest_message or self.backfill_message or self.stream_message,
        )

    def _state(self) -> str:
        if self.rest_message:
            return "rejected" if self.is_rejected else "disconnected"
        if self.backfill_message:
            return "backfilling"
        return "streaming" if self.is_streaming else "polling"
