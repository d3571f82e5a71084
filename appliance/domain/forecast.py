"""Forecasts, their outcomes, and realised performance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The 0.1, 0.5 and 0.9 quantiles of a log return."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """The distribution of the log return from a candle's close to `horizon` candles later.

    `candle_date_time_utc` opens the newest candle that the forecast knows; `base_price` is that
    candle's close; `target_at` opens the candle whose close is the outcome. `static` and `ewma` are the
    naive benchmarks' quantiles for the same return. `is_production` says whether the version was in
    production when it was made; others forecast in the shadow.
    """

    project: str
    market: str
    unit: int
    candle_date_time_utc: datetime
    horizon: int
    target_at: datetime
    model_version: int
    base_price: float
    quantiles: Quantiles
    static: Quantiles
    ewma: Quantiles
    made_at: datetime
    is_production: bool = True


@dataclass(frozen=True, slots=True)
class Performance:
    """Realised performance of one model version over the newest `rows` matured forecasts.

    `pinball*` are mean pinball losses of log returns; `skill_*` is 1 - pinball / pinball_benchmark, None
    where it cannot be judged: no price moved, or the benchmark lost nothing; `direction` likewise.
    `coverage` is the fraction of outcomes inside [lower, upper]. Of the newest forecasts `live_rows` were
    made before their outcome and `filled_rows` later; where the live ones are enough, they alone count.
    """

    project: str
    market: str
    unit: int
    model_version: int
    window_start_at: datetime
    window_end_at: datetime
    rows: int
    pinball: float
    skill_static: float | None
    skill_ewma: float | None
    coverage: float
    mae: float
    direction: float | None
    computed_at: datetime
    live_rows: int = 0
    filled_rows: int = 0

    @property
    def is_live(self) -> bool:
        """Whether it rests on nothing but forecasts that were made before their outcome was known."""
        return 0 < self.rows <= self.live_rows
