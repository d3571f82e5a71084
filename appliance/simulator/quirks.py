"""Quirks of the market data itself: late, absent and corrected candles in REST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from appliance.simulator.book import View
from appliance.simulator.columns import Columns
from appliance.simulator.faults import FaultKind, FaultPlan, Occurrence
from appliance.simulator.windows import DAY, SECOND, ends, step_ms, window_at

_MOST_HIDDEN = 5000
_MISSING_SHARE = 0.25  # of the volume, in a candle that is corrected later


class RestQuirks:
    """What a plan makes of the newest candles that REST shows."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan

    def view(self, unit: int, to: int | None, now: int) -> tuple[View, int] | None:
        """Return how a page is changed and how many candles that hides at most; None: not at all.

        `to` and `now` are ms since 1970, `to` None the present.
        """
        plan = self._plan
        late, corrected = (
            plan.affecting(kind, now) for kind in (FaultKind.LATE, FaultKind.CORRECTED)
        )
        absent = int(plan.parameter(FaultKind.ABSENT, "candles", now))
        width = step_ms(unit) * max(unit, 1)
        reach = max([fault.tail for fault in late + corrected] + [absent * width], default=0)
        if reach == 0 or (to is not None and to + width <= now - reach):
            return None

        def change(candles: Columns) -> Columns:
            candles = self._corrected(candles, unit, corrected, now)
            candles = self._without_late(candles, unit, late, now)
            return self._without_newest(candles, unit, absent, now)

        return change, min(_MOST_HIDDEN, reach // width + absent + 1)

    def _without_late(
        self, candles: Columns, unit: int, faults: list[Occurrence], now: int
    ) -> Columns:
        is_late = _closed_during(faults, ends(unit, candles.opens), now)
        return self._noted(FaultKind.LATE, candles, is_late, lambda: candles.rows(~is_late))

    def _corrected(
        self, candles: Columns, unit: int, faults: list[Occurrence], now: int
    ) -> Columns:
        is_wrong = _closed_during(faults, ends(unit, candles.opens), now)
        return self._noted(
            FaultKind.CORRECTED, candles, is_wrong, lambda: first_served(candles, is_wrong)
        )

    def _without_newest(self, candles: Columns, unit: int, count: int, now: int) -> Columns:
        if count == 0 or unit > DAY:
            return candles
        first = window_at(unit, now) - (count - 1) * (1 if unit == SECOND else unit)
        is_shown = candles.opens < first
        if not is_shown.all():
            self._plan.take(FaultKind.ABSENT, now)
        return candles.rows(is_shown)

    def _noted(
        self,
        kind: FaultKind,
        candles: Columns,
        is_hit: NDArray[np.bool_],
        change: Callable[[], Columns],
    ) -> Columns:
        if not is_hit.any():
            return candles
        self._plan.note(kind)
        return change()


def first_served(candles: Columns, is_wrong: NDArray[np.bool_]) -> Columns:
    """Return candles of which some lack their last trades: another close, less volume and value."""
    share = np.where(is_wrong, 1.0 - _MISSING_SHARE, 1.0)
    other = np.where(candles.close == candles.low, candles.high, candles.low)
    return replace(
        candles,
        close=np.where(is_wrong, other, candles.close),
        volume=np.round(candles.volume * share, 8),
        value=np.round(candles.value * share, 8),
    )


def _closed_during(
    faults: list[Occurrence], closes: NDArray[np.int64], now: int
) -> NDArray[np.bool_]:
    """Return which candles closed while a fault was active, by `now`, and are still affected."""
    is_hit = np.zeros(len(closes), np.bool_)
    for fault in faults:
        is_during = closes >= fault.start
        if fault.end is not None:
            is_during &= closes < fault.end
        is_hit |= is_during & (now < closes + fault.tail)
    return is_hit & (closes <= now)
