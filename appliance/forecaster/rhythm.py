"""How soon to look for the next closed candle; pure.

The last one's arrival tells when the next is due, whatever the host's clock says and however the
exchange's time runs. So the store is asked often for two seconds per candle, and seldom otherwise.
"""

from __future__ import annotations

UNKNOWN_SECONDS = 0.25
"""Between two looks while no candle has arrived yet."""
DUE_SECONDS = 0.1
"""While one is due."""
IDLE_SECONDS = 1.0
"""At all other times: candles also come late, or many at once."""
_LEAD_SECONDS = (
    1.5  # arrivals vary: a tick of the next candle proves a close before its second is over
)
_PATIENCE_SECONDS = 10.0


def next_look(now: float, arrived_at: float | None, period: float) -> float:
    """Return the seconds to wait.

    Args:
        now: monotonic seconds.
        arrived_at: when the newest candle was found, None before the first.
        period: real seconds between two closes.
    """
    if arrived_at is None:
        return UNKNOWN_SECONDS
    due_at = arrived_at + period
    if now < due_at - _LEAD_SECONDS:
        return min(IDLE_SECONDS, due_at - _LEAD_SECONDS - now)
    return DUE_SECONDS if now < due_at + _PATIENCE_SECONDS else IDLE_SECONDS
