"""Whether prepared rows can be trusted; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.pipelines.forecasting.forecast_spec import QualitySpec
from appliance.pipelines.forecasting.preprocessor.labels import TIME

NO_WIDTH = 1e-5
"""An interval of log returns narrower than a tenth of a basis point has no width."""


class Quality(StrEnum):
    """What prepared rows are good for."""

    GOOD = "good"
    WARNING = "warning"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Verdict and the findings behind it, by code, in words; `rows` is how many were looked at.

    `jump_at` opens the candle with the largest jump, where one was found.
    """

    verdict: Quality
    rows: int
    findings: dict[str, str]
    jump_at: datetime | None = None

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        words = "; ".join(self.findings.values()) or "no finding"
        return f"data quality {self.verdict.value} over {self.rows} rows: {words}"


@dataclass(frozen=True, slots=True)
class MarketActivity:
    """What the market did in the time of the rows.

    `idle` is the fraction of intervals proven to have no trade; `widths` those of the production model's
    newest intervals of the log return, shape (forecasts,).
    """

    idle: float = 0.0
    widths: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def judge_quality(
    rows: pd.DataFrame,
    unit: int,
    now_at: datetime,
    spec: QualitySpec,
    activity: MarketActivity | None = None,
) -> QualityReport:
    """Judge the newest prepared rows (at least one, ascending), at the exchange's time `now_at`."""
    times = pd.DatetimeIndex(rows[TIME])
    unusable = _corruption(rows, times)
    width = pd.Timedelta(minutes=unit)
    expected = int((times[-1] - times[0]) / width) + 1
    missing = expected - times.nunique()
    if missing > spec.max_gap_fraction * expected:
        unusable["gaps"] = f"{missing} of {expected} rows missing"
    warnings: dict[str, str] = {}
    if missing > 0 and "gaps" not in unusable:
        warnings["gaps"] = f"{missing} of {expected} rows missing"
    age = now_at - (times[-1].to_pydatetime() + timedelta(minutes=unit))
    if age > timedelta(minutes=unit * spec.max_age_candles):
        warnings["stale"] = f"newest row is {age.total_seconds() / 60:.0f} minutes old"
    jump, position = _largest_jump(rows)
    jump_at = times[position].to_pydatetime() if jump > spec.max_price_jump else None
    if jump_at is not None:
        warnings["price_jump"] = f"price jumps by {100 * np.expm1(jump):.1f} % between rows"
    warnings |= _stillness(rows, spec, activity or MarketActivity())
    verdict = Quality.UNUSABLE if unusable else Quality.WARNING if warnings else Quality.GOOD
    return QualityReport(verdict, len(rows), {**unusable, **warnings}, jump_at)


def _corruption(rows: pd.DataFrame, times: pd.DatetimeIndex) -> dict[str, str]:
    found: dict[str, str] = {}
    if times.has_duplicates or not times.is_monotonic_increasing:
        found["order"] = "rows are repeated or out of order"
    values = rows.drop(columns=[TIME]).to_numpy(dtype=np.float64)
    broken = int((~np.isfinite(values)).any(axis=1).sum())
    if broken:
        found["non_finite"] = f"{broken} rows hold values that are not finite"
    if (rows["close"] <= 0.0).any():
        found["price"] = "a price is not positive"
    return found


def _stillness(rows: pd.DataFrame, spec: QualitySpec, activity: MarketActivity) -> dict[str, str]:
    """Find what leaves little or nothing to forecast, and nothing to compare forecasts by."""
    found: dict[str, str] = {}
    if activity.idle > spec.max_idle_fraction:
        found["idle"] = f"{100 * activity.idle:.0f} % of the intervals had no trade"
    moves = np.diff(rows["close"].to_numpy(dtype=np.float64))
    still = float(np.mean(moves == 0.0)) if moves.size else 0.0
    if still == 1.0:
        found["still"] = "the price never moved"
    elif still > spec.max_still_fraction:
        found["still"] = f"the price did not move in {100 * still:.0f} % of the intervals"
    flat = int((activity.widths <= NO_WIDTH).sum())
    if flat > activity.widths.size / 2:
        found["no_width"] = (
            f"{flat} of the newest {activity.widths.size} forecast intervals have no width"
        )
    return found


def _largest_jump(rows: pd.DataFrame) -> tuple[float, int]:
    """Return the largest change of the log price between rows, and the row after it."""
    close = rows["close"].to_numpy(dtype=np.float64)
    if close.size < 2 or (close <= 0.0).any():
        return 0.0, 0
    moves = np.abs(np.diff(np.log(close)))
    return float(moves.max()), int(moves.argmax()) + 1
