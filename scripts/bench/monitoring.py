"""How often drift monitoring cries wolf in a stable market, and how soon it sees a scripted shift.

Twelve months of the simulator's synthetic market are followed as the monitoring workflow does: a
window every so many candles against the reference profile, the verdict over windows. A drifted
verdict is an alarm; the next reference is made from the newest training rows, as a retrain would. Then each
scripted shift begins in the middle of month seven and the candles until the alarm are counted. With
`--candles FILE` (columns candle_date_time_utc, open, high, low, close, volume) the verdicts are listed by
month instead.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance.domain.drift import DriftVerdict
from appliance.drift.profile import ReferenceProfile, build_profile
from appliance.drift.report import DriftThresholds, overall_verdict, score_features
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import CALENDAR
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.simulator.listing import profile as market_profile
from appliance.simulator.shifts import Shift, ShiftSchedule
from appliance.simulator.synthetic import SyntheticMarket

MINUTES_PER_DAY = 1_440
FIRST_DAY = 20_089  # 2025-01-01
COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Look:
    """One monitoring run: the newest row's position and time, the verdict, what had drifted."""

    row: int
    at: pd.Timestamp
    verdict: DriftVerdict
    drifted: tuple[str, ...]


def main() -> None:
    """Print alarms of the stable year and delays of the shifts, or verdicts by month."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="krw_btc_1m")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--candles", type=Path, help="recorded candles instead of the simulator")
    options = parser.parse_args()
    spec = load_spec_from_config(options.config)
    if options.candles:
        _by_month(spec, pd.read_parquet(options.candles))
        return
    for seed in range(7, 7 + options.seeds):
        _stable(spec, seed)
        _shifts(spec, seed)


def _stable(spec: ForecastSpec, seed: int) -> None:
    rows = _rows(spec, _synthetic(spec, seed, 12 * 30))
    looks = list(_follow(spec, rows))
    counts = Counter(look.verdict.value for look in looks)
    alarms = [look for look in looks if look.verdict is DriftVerdict.DRIFTED]
    print(
        f"seed {seed}, {spec.unit}m: twelve stable months, {len(looks)} looks {dict(counts)};"
        f" alarms {len(alarms)}"
    )
    for look in alarms:
        print(f"  {look.at:%Y-%m-%d %H:%M} {', '.join(look.drifted)}")


def _shifts(spec: ForecastSpec, seed: int) -> None:
    day = 7 * 30
    start = (FIRST_DAY + day) * MINUTES_PER_DAY
    scripted = {
        "mean: +6 % a day": Shift(start, drift=0.06),
        "volatility x 2": Shift(start, volatility=2.0),
        "volatility x 3": Shift(start, volatility=3.0),
        "volume x 4": Shift(start, volume=4.0),
    }
    training = _training_days(spec)
    for name, shift in scripted.items():
        candles = _synthetic(spec, seed, day + 60, shift, from_day=day - 7)
        _delay(name, spec, _rows(spec, candles), start, training + 7)
    candles = _synthetic(spec, seed, day + 60, from_day=day - 7)
    is_after = candles[TIME] >= pd.Timestamp(start, unit="m", tz="UTC")
    lost = is_after & (np.random.default_rng(seed).random(len(candles)) < 0.3)
    _delay("missing: 30 % of rows", spec, _rows(spec, candles), start, training, lost[lost].index)


def _delay(
    name: str,
    spec: ForecastSpec,
    rows: pd.DataFrame,
    start: int,
    training: int,
    lost: pd.Index | None = None,
) -> None:
    if lost is not None:
        rows = rows.drop(index=[i for i in lost if i in rows.index]).reset_index(drop=True)
    began = pd.Timestamp(start, unit="m", tz="UTC")
    alarms = [look for look in _follow(spec, rows) if look.verdict is DriftVerdict.DRIFTED]
    after = [look for look in alarms if look.at >= began]
    early = len(alarms) - len(after)
    if not after:
        print(f"  {name}: not seen in {(rows[TIME].iloc[-1] - began).days} days, {early} before it")
        return
    delay = after[0].at - began
    candles = int(delay / pd.Timedelta(minutes=spec.unit))
    print(
        f"  {name}: alarm after {candles} candles ({delay.total_seconds() / 3600:.1f} h),"
        f" {', '.join(after[0].drifted[:4])}; {early} false before it"
    )


def _by_month(spec: ForecastSpec, candles: pd.DataFrame) -> None:
    candles = candles.assign(**{TIME: pd.to_datetime(candles[TIME], utc=True)})
    rows = _rows(spec, candles)
    daily = rows.set_index(TIME)["close"].resample("D").last().pct_change()
    months: dict[pd.Timestamp, list[Look]] = {}
    for look in _follow(spec, rows):
        months.setdefault(look.at.tz_localize(None).to_period("M").start_time, []).append(look)
    close = rows.set_index(TIME)["close"]
    for month, looks in months.items():
        counts = Counter(look.verdict.value for look in looks)
        named = Counter(name for look in looks for name in look.drifted)
        inside = close[f"{month:%Y-%m}"]
        change, volatility = inside.iloc[-1] / inside.iloc[0] - 1.0, daily[f"{month:%Y-%m}"].std()
        print(
            f"{month:%Y-%m}  drifted {counts['drifted']:3}  warning {counts['warning']:3}"
            f"  stable {counts['stable']:3}  price {100 * change:+6.1f} %,"
            f" daily volatility {100 * volatility:4.1f} %"
            f"  {', '.join(name for name, _ in named.most_common(3))}"
        )


def _follow(spec: ForecastSpec, rows: pd.DataFrame) -> Iterator[Look]:
    """Yield every look; an alarm makes a new reference, at once and from rows before the window."""
    monitoring, width = spec.monitoring, spec.monitoring.window_rows
    names = [name for name in rows.columns if name not in (TIME, "close", *CALENDAR)]
    values = rows[names].to_numpy(np.float64)
    times = rows[TIME]
    minutes = (times.astype("int64") // _minute_of(times)).to_numpy() // spec.unit
    size = min(spec.training_rows, len(rows) // 2)
    trained_until = min(size, _training_days(spec) * MINUTES_PER_DAY // spec.unit)
    profile = _profile(names, values, minutes, trained_until, size, width)
    thresholds = DriftThresholds(
        psi_warning=monitoring.psi_warning,
        psi_drifted=monitoring.psi_drifted,
        alpha=monitoring.alpha,
        min_rows=monitoring.min_rows,
        persistence=monitoring.persistence,
    )
    step = max(monitoring.min_new_outcomes, width // 12)
    earlier: list[DriftVerdict] = []
    for stop in range(trained_until + width, len(rows), step):
        window = _on_grid(values, minutes, stop - width, stop)
        current = {name: window[:, column] for column, name in enumerate(names)}
        scores = score_features(profile, current, thresholds)
        verdict = overall_verdict(scores, earlier, monitoring.persistence)
        drifted = tuple(s.feature for s in scores if s.verdict is DriftVerdict.DRIFTED)
        yield Look(stop, times.iloc[stop - 1], verdict, drifted)
        earlier.append(verdict)
        if verdict is DriftVerdict.DRIFTED:
            profile = _profile(names, values, minutes, stop, size, width)
            earlier = []


def _profile(
    names: list[str], values: np.ndarray, minutes: np.ndarray, stop: int, size: int, width: int
) -> ReferenceProfile:
    return build_profile(names, _on_grid(values, minutes, max(0, stop - size), stop), width)


def _on_grid(values: np.ndarray, minutes: np.ndarray, start: int, stop: int) -> np.ndarray:
    position = minutes[start:stop] - minutes[start]
    grid = np.full((int(position[-1]) + 1, values.shape[1]), np.nan)
    grid[position] = values[start:stop]
    return grid


def _minute_of(times: pd.Series) -> int:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    return 60 * per_second[times.dt.unit]


def _training_days(spec: ForecastSpec) -> int:
    return max(14, spec.training_rows * spec.unit // MINUTES_PER_DAY)


def _rows(spec: ForecastSpec, candles: pd.DataFrame) -> pd.DataFrame:
    return compute_rows(candles, [], spec.unit, spec.features)


def _synthetic(
    spec: ForecastSpec, seed: int, days: int, *shifts: Shift, from_day: int = 0
) -> pd.DataFrame:
    """Return candles of the training days before `from_day` and up to `days`, by the simulator's code."""
    market = SyntheticMarket(market_profile("KRW-BTC"), seed, ShiftSchedule(shifts))
    first = FIRST_DAY + from_day - _training_days(spec)
    parts = [market.day(day) for day in range(first, FIRST_DAY + days)]
    frame = pd.DataFrame(
        {name: np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS}
    )
    opens = np.concatenate([part.opens for part in parts])
    frame.insert(0, TIME, pd.to_datetime(opens * 60, unit="s", utc=True).as_unit("us"))
    if spec.unit == 1:
        return frame
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    grouped = frame.set_index(TIME).resample(f"{spec.unit}min").agg(rules).dropna()
    return grouped.reset_index()


if __name__ == "__main__":
    main()
