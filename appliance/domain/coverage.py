"""How complete the candles of a market and timeframe are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from appliance.domain.candle import Gap


class IntervalKind(StrEnum):
    """What is known of one expected interval; exactly one of these at any time."""

    CANDLE = "candle"
    NO_TRADE = "no-trade"
    REPAIRED = "repaired"
    GAP = "gap"


class ProofMethod(StrEnum):
    """How REST came to prove a span."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPAIR = "repair"
    AUDIT = "audit"


class GapCause(StrEnum):
    """How a gap was found."""

    OUTAGE = "outage"
    RESTART = "restart"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class IntervalRun:
    """Consecutive intervals [start_at, end_at) of one kind, proven in the same way and found alike.

    `method`, `first_proven_at` and `last_proven_at` are those of the proven span, empty or None in a
    gap; `cause` and `found_at` those of the gap that it is or was.
    """

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    kind: IntervalKind
    method: str = ""
    first_proven_at: datetime | None = None
    last_proven_at: datetime | None = None
    cause: str = ""
    found_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MarketCoverage:
    """What is known of [start_at, end_at): from the first proven instant to the newest expected close.

    `candles`, `no_trade`, `repaired` and `missing` are intervals and add up to `expected`;
    `watermark_at` is where the first of `gaps` begins, `end_at` without one. `repaired` ones were
    proven late or found wrong by an audit, whether they hold a candle or not. `audited_at` is when the
    newest audit ended.
    """

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    watermark_at: datetime
    expected: int
    candles: int
    no_trade: int
    repaired: int
    missing: int
    gaps: tuple[Gap, ...] = ()
    audited_at: datetime | None = None
