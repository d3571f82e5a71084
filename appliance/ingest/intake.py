"""One feed's way from the exchange into the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance import clock
from appliance.domain.candle import RawCandle
from appliance.domain.coverage import ProofMethod
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.origin import Origin
from appliance.exchange.port import Exchange
from store import Session
from store.candles import StoredCandles, store_candles
from store.coverage import proof
from store.events import append_event
from store.gaps import known_gaps, recount

GRACE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Intake:
    """What every step of ingestion needs; `source_id` is stored with each raw candle.

    `origin` is who events name as their cause. The exchange itself says how fast its time runs.
    """

    session: Session
    client: Exchange
    market: str
    unit: int
    source_id: str
    origin: Origin | None = None

    @property
    def page_size(self) -> int:
        """The most candles of one page."""
        return self.client.page_size

    @property
    def width(self) -> timedelta:
        """Width of one candle."""
        return timedelta(minutes=self.unit)

    def closed_at(self) -> datetime:
        """Return the newest close that is at least `GRACE` old in exchange time."""
        return floor_to(self.client.exchange_now() - GRACE, self.width)

    def real(self, seconds: float) -> timedelta:
        """Return how much exchange time passes in some seconds of ours."""
        return timedelta(seconds=seconds * self.client.speed)

    def page(self, to: datetime | None, count: int, *, is_bulk: bool = False) -> list[RawCandle]:
        """Ask the exchange for candles that open before `to`, newest first."""
        return self.client.minute_candles(self.market, self.unit, to, count, is_bulk=is_bulk)

    def keep(
        self,
        candles: Sequence[RawCandle],
        proven: Sequence[tuple[datetime, datetime]],
        method: ProofMethod,
    ) -> StoredCandles:
        """Store candles, and that the spans `proven` hold no others, in one transaction."""
        now = clock.now()
        statements = [
            statement
            for start_at, end_at in proven
            if start_at < end_at
            for statement in proof(self.market, self.unit, start_at, end_at, method, now)
        ]
        if candles:
            first_at, last_at = candles[-1].opens_at, candles[0].opens_at + self.width
            known = known_gaps(self.session, self.market, self.unit, first_at, last_at)
            statements += [recount(each) for each in known]
        return store_candles(self.session, candles, self.source_id, now, statements)

    def record(
        self,
        kind: EventKind,
        summary: str,
        severity: Severity = Severity.INFO,
        **details: object,
    ) -> None:
        """Append an event about this feed."""
        known: dict[str, object] = {"market": self.market, "unit": self.unit}
        append_event(
            self.session,
            Event(
                kind=kind,
                summary=f"{self.market} {self.unit}m: {summary}",
                actor="ingestor" if self.origin is None else self.origin.root.name,
                at=clock.now(),
                severity=severity,
                details=known | details,
                origin=self.origin,
            ),
        )


def floor_to(instant: datetime, width: timedelta) -> datetime:
    """Return the newest candle boundary at or before an instant."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (instant - epoch) // width * width
