"""The join of 100,000 matured forecasts with their outcomes in the store, beside the same in pandas.

Both compute the realised return, three mean pinball losses and whether the interval held. pandas has its
frames in memory and writes nothing; the store reads its tables and commits.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance.config.paths import Paths
from appliance.domain.coverage import ProofMethod
from scripts.bench.measured import Cost, load, measure_here
from store import forecasts
from store.coverage import proof
from store.open import open_store
from store.session import Session, Statement

COUNT, HORIZON, REPEATS = 100_000, 15, 3
START = datetime(2025, 1, 1, tzinfo=UTC)
LEVELS = {"lower": 0.1, "median": 0.5, "upper": 0.9}
PREFIXES = ("", "static_", "ewma_")

_CANDLES = """
INSERT INTO candles (market, unit, candle_date_time_utc, open, high, low, close, volume, value)
SELECT 'KRW-BTC', 1, $1::TIMESTAMPTZ + to_minutes(i::INTEGER), p, p, p, p, 1, p
FROM (SELECT i, 1e8 * exp(0.01 * sin(i)) AS p FROM range($2) AS numbers(i))
"""
_FORECASTS = """
INSERT INTO forecasts (project, market, unit, candle_date_time_utc, horizon, target_at, model_version,
    base_price, lower, median, upper, static_lower, static_median, static_upper,
    ewma_lower, ewma_median, ewma_upper, made_at, is_live, is_production)
SELECT 'bench', 'KRW-BTC', 1, candle_date_time_utc, $1, candle_date_time_utc + to_minutes($1), 1, close,
    -0.01, 0, 0.01, -0.02, 0, 0.02, -0.015, 0, 0.015, now(), TRUE, TRUE
FROM candles ORDER BY candle_date_time_utc LIMIT $2
"""


def main() -> None:
    """Print time and peak memory of both."""
    end_at = START + timedelta(minutes=COUNT + HORIZON)
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder) / "home")
        paths.create()
        with open_store(paths) as session:
            prepare(session, end_at)
            made = session.read("SELECT * FROM forecasts").to_pandas()
            candles = session.read("SELECT candle_date_time_utc, close FROM candles").to_pandas()
            own = [_join(session, end_at) for _ in range(REPEATS)]
    peer = [measure_here(lambda: with_pandas(made, candles)) for _ in range(REPEATS)]
    fastest, other = (min(costs, key=lambda cost: cost.cpu) for costs in (own, peer))
    print(f"{COUNT:,} outcomes; {load()}")
    print(f"{fastest}  store, budget 0.050 s")
    print(f"{other}  pandas: {other.cpu / fastest.cpu:.1f} x the work")


def prepare(session: Session, end_at: datetime) -> None:
    """Store candles, their proof, and forecasts that have matured."""
    session.write(
        Statement(_CANDLES, (START, COUNT + HORIZON)),
        Statement(_FORECASTS, (HORIZON, COUNT)),
        *proof("KRW-BTC", 1, START, end_at, ProofMethod.BACKFILL, end_at),
    )


def with_pandas(made: pd.DataFrame, candles: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes of forecasts, shape (forecasts, 5)."""
    joined = made.merge(candles, left_on="target_at", right_on="candle_date_time_utc")
    realised = pd.Series(np.log(joined["close"] / joined["base_price"]))
    found: dict[str, pd.Series] = {"realised_return": realised}
    for prefix in PREFIXES:
        losses = [
            np.maximum(level * error, (level - 1.0) * error)
            for name, level in LEVELS.items()
            for error in [realised - joined[prefix + name]]
        ]
        found[f"{prefix}pinball"] = pd.Series(np.mean(losses, axis=0))
    found["is_inside"] = realised.between(joined["lower"], joined["upper"])
    return pd.DataFrame(found)


def _join(session: Session, end_at: datetime) -> Cost:
    session.write(Statement("DELETE FROM outcomes"))
    joined: list[int] = []
    cost = measure_here(lambda: joined.append(forecasts.join_outcomes(session, "bench", end_at)))
    assert joined == [COUNT]
    return cost


if __name__ == "__main__":
    main()
