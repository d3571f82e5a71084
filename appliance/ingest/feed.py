"""One market and timeframe between the exchange and the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance import clock
from appliance.domain.candle import RawCandle
from appliance.domain.event import Event, EventKind, Severity
from appliance.upbit.client import UpbitClient
from store import Session
from store.candles import StoredCandles, store_candles
from store.coverage import prove_span
from store.events import append_event

PROOF_METHOD = "rest"


@dataclass(frozen=True, slots=True)
class Feed:
    """What every step of ingestion needs; `source_id` is stored with each raw candle.

    `actor` is who events name as their cause.
    """

    session: Session
    client: UpbitClient
    market: str
    unit: int
    source_id: str
    actor: str = "ingestor"

    @property
    def width(self) -> timedelta:
        """Width of one candle."""
        return timedelta(minutes=self.unit)

    def page(self, to: datetime | None, count: int, *, is_bulk: bool = False) -> list[RawCandle]:
        """Ask the exchange for candles that open before `to`, newest first."""
        return self.client.minute_candles(self.market, self.unit, to, count, is_bulk=is_bulk)

    def store(self, candles: Sequence[RawCandle]) -> StoredCandles:
        """Store candles raw and typed."""
        return store_candles(self.session, candles, self.source_id, clock.now())

    def prove(self, start_at: datetime, end_at: datetime) -> None:
        """Record that every candle of [start_at, end_at) is stored; an empty span changes nothing.

        Must come after `store` of the same page: a kill in between leaves an unproven span, which is
        fetched again, never a proven one without its candles.
        """
        if start_at < end_at:
            prove_span(
                self.session, self.market, self.unit, start_at, end_at, PROOF_METHOD, clock.now()
            )

    def record(self, kind: EventKind, summary: str, **details: object) -> None:
        """Append an event about this feed."""
        known: dict[str, object] = {"market": self.market, "unit": self.unit}
        append_event(
            self.session,
            Event(
                kind=kind,
                summary=f"{self.market} {self.unit}m: {summary}",
                actor=self.actor,
                at=clock.now(),
                severity=Severity.WARNING if kind is EventKind.GAP_FOUND else Severity.INFO,
                details=known | details,
            ),
        )


def opens_at(candle: RawCandle) -> datetime:
    """Return a raw candle's opening time; the exchange sends UTC without a zone."""
    return datetime.fromisoformat(candle.candle_date_time_utc).replace(tzinfo=UTC)


def floor_to(instant: datetime, width: timedelta) -> datetime:
    """Return the newest candle boundary at or before an instant."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (instant - epoch) // width * width
