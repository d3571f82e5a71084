"""How often monitoring cries wolf in a stable market, how soon it sees a shift, what it said of real years.

A model, its reference profile and its training-time loss are made as the train workflow makes them; then
windows are followed as the monitoring workflow does. A drifted verdict is an alarm, of the features
or of the loss; after one a new model takes over, at once.

    .venv/bin/python scripts/bench/monitoring.py --config krw_btc_1m --seeds 3
    .venv/bin/python scripts/bench/monitoring.py --config krw_btc_60m --candles upbit_krw_btc_60m.parquet

Without `--candles` twelve stable months of the simulator's market are followed, then each scripted shift
from the middle of month seven on, until its alarm. With it (columns candle_date_time_utc, open, high, low,
close, volume) verdicts are listed by month beside what the market did.
On a busy machine set OMP_NUM_THREADS=1.
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
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance.domain.drift import DriftScore, DriftVerdict
from appliance.drift.loss_reference import LiveLosses, LossReference, build_reference, judge_loss
from appliance.drift.profile import ReferenceProfile
from appliance.drift.report import apart_positions, lasting, overall_verdict, score_features
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.core.monitor import drift_thresholds
from appliance.pipelines.forecasting.evaluator.scores import pinball_losses
from appliance.pipelines.forecasting.evaluator.walk_forward import evaluate_walk_forward
from appliance.pipelines.forecasting.loader.market_loader import TRADED_VOLUME
from appliance.pipelines.forecasting.preprocessor.labels import TIME, LabelledRows, label_rows
from appliance.pipelines.forecasting.trainer.training import (
    candle_grid,
    fit_model,
    new_model,
    reference_profile,
    watched_values,
)
from appliance.simulator.listing import profile as market_profile
from appliance.simulator.shifts import Shift, ShiftSchedule
from appliance.simulator.synthetic import SyntheticMarket

Matrix = NDArray[np.float64]

MINUTES_PER_DAY = 1_440
FIRST_DAY = 20_089  # 2025-01-01
SHIFT_DAY = 7 * 30
COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class History:
    """Prepared rows in time order, their outcomes where known (NaN elsewhere), log volume of every candle."""

    rows: LabelledRows
    volume: pd.Series


@dataclass(frozen=True)
class Champion:
    """What a training leaves to monitor with: references, and watched values and losses of every row.

    Rows from `first` on were not trained on.
    """

    profile: ReferenceProfile
    loss: LossReference
    watched: pd.DataFrame
    losses: NDArray[np.float64]
    ewma_widths: NDArray[np.float64]
    first: int


@dataclass(frozen=True)
class Look:
    """One monitoring run: the newest row's time, both verdicts, what had drifted for long enough."""

    at: pd.Timestamp
    drift: DriftVerdict
    loss: DriftVerdict
    features: tuple[str, ...]

    @property
    def is_alarm(self) -> bool:
        """Whether a retrain would be asked for."""
        return DriftVerdict.DRIFTED in (self.drift, self.loss)

    @property
    def words(self) -> str:
        """What had drifted."""
        named = ", ".join(self.features[:4])
        return named if self.loss is not DriftVerdict.DRIFTED else f"loss {named}".strip()


def main() -> None:
    """Print alarms of the stable year and delays of the shifts, or verdicts by month."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="krw_btc_1m")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=7)
    parser.add_argument("--candles", type=Path, help="recorded candles instead of the simulator")
    options = parser.parse_args()
    spec = load_spec_from_config(options.config)
    if options.candles:
        _by_month(spec, pd.read_parquet(options.candles))
        return
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        _stable(spec, seed)
        _shifts(spec, seed)


def _stable(spec: CryptoSpec, seed: int) -> None:
    looks = list(_follow(spec, _history(spec, _synthetic(spec, seed, 12 * 30))))
    counts = Counter(look.drift.value for look in looks)
    alarms = [look for look in looks if look.is_alarm]
    print(
        f"seed {seed}, {spec.unit}m: twelve stable months, {len(looks)} looks {dict(counts)};"
        f" alarms {len(alarms)}",
        flush=True,
    )
    for look in alarms:
        print(f"  {look.at:%Y-%m-%d %H:%M} {look.words}", flush=True)


def _shifts(spec: CryptoSpec, seed: int) -> None:
    start = (FIRST_DAY + SHIFT_DAY) * MINUTES_PER_DAY
    scripted = {
        "mean: +6 % a day": Shift(start, drift=0.06),
        "volatility x 2": Shift(start, volatility=2.0),
        "volatility x 3": Shift(start, volatility=3.0),
        "volume x 4": Shift(start, volume=4.0),
    }
    for name, shift in scripted.items():
        candles = _synthetic(spec, seed, SHIFT_DAY + 60, shift, from_day=SHIFT_DAY - 14)
        _delay(name, spec, _history(spec, candles), start)
    candles = _synthetic(spec, seed, SHIFT_DAY + 60, from_day=SHIFT_DAY - 14)
    is_after = candles[TIME] >= pd.Timestamp(start, unit="m", tz="UTC")
    lost = is_after & (np.random.default_rng(seed).random(len(candles)) < 0.3)
    rows = compute_rows(candles, [], spec.unit, spec.features)
    rows = rows[~rows[TIME].isin(candles[TIME][lost])].reset_index(drop=True)
    _delay("missing: 30 % of rows", spec, _labelled(spec, rows, candles), start)


def _delay(name: str, spec: CryptoSpec, history: History, start: int) -> None:
    began = pd.Timestamp(start, unit="m", tz="UTC")
    alarms = [look for look in _follow(spec, history, until=began) if look.is_alarm]
    after = [look for look in alarms if look.at >= began]
    early = len(alarms) - len(after)
    if not after:
        days = (history.rows.times[-1] - began).days
        print(f"  {name}: not seen in {days} days, {early} before it", flush=True)
        return
    delay = after[0].at - began
    candles = int(delay / pd.Timedelta(minutes=spec.unit))
    print(
        f"  {name}: alarm after {candles} candles ({delay.total_seconds() / 3600:.1f} h),"
        f" {after[0].words}; {early} false before it",
        flush=True,
    )


def _by_month(spec: CryptoSpec, candles: pd.DataFrame) -> None:
    candles = candles.assign(**{TIME: pd.to_datetime(candles[TIME], utc=True)})
    months: dict[str, list[Look]] = {}
    for look in _follow(spec, _history(spec, candles)):
        months.setdefault(f"{look.at:%Y-%m}", []).append(look)
    close = candles.set_index(TIME)["close"]
    daily = close.resample("D").last().pct_change()
    volume = candles.set_index(TIME)["volume"].resample("MS").sum()
    usual = volume.rolling(6, min_periods=1).mean().shift(1)
    for month, looks in months.items():
        counts = Counter(look.drift.value for look in looks)
        inside, loss = close[month], sum(look.loss is DriftVerdict.DRIFTED for look in looks)
        alarms = "; ".join(f"{look.at:%d} {look.words}" for look in looks if look.is_alarm)
        print(
            f"{month}  drifted {counts['drifted']:2}  loss {loss:2}  warning {counts['warning']:3}"
            f"  stable {counts['stable']:3}  price {100 * (inside.iloc[-1] / inside.iloc[0] - 1):+6.1f} %,"
            f" daily volatility {100 * pd.Series(daily[month]).std():4.1f} %,"
            f" volume {volume[month].iloc[0] / usual[month].iloc[0]:4.2f} of usual  {alarms}",
            flush=True,
        )


def _follow(
    spec: CryptoSpec, history: History, until: pd.Timestamp | None = None
) -> Iterator[Look]:
    """Yield every look; an alarm makes a new champion, and the first one after `until` ends it."""
    monitoring, rows = spec.monitoring, history.rows
    first = min(spec.training_rows, len(rows) // 2)
    champion = _train(spec, history, first)
    width = champion.profile.window_rows
    apart = pd.Timedelta(minutes=spec.unit) * width / 2
    earlier: list[tuple[pd.Timestamp, tuple[DriftScore, ...]]] = []
    for stop in range(first + width, len(rows), max(monitoring.min_new_outcomes, width // 12)):
        at, thresholds = rows.times[stop - 1], drift_thresholds(monitoring)
        window = champion.watched.loc[rows.times[stop - width] : at]
        current = {str(name): window[name].to_numpy() for name in window}
        scores = score_features(champion.profile, current, thresholds)
        ends = [end for end, _ in earlier]
        kept = apart_positions(ends, at, apart, monitoring.persistence - 1)
        before = [earlier[position][1] for position in kept]
        verdict = overall_verdict(scores, before, thresholds)
        look = Look(
            at,
            verdict,
            _judge_loss(spec, champion, stop),
            tuple(lasting(scores, before, thresholds)),
        )
        yield look
        earlier.append((at, scores))
        if look.is_alarm:
            if until is not None and at >= until:
                return
            champion, earlier = _train(spec, history, stop), []


def _judge_loss(spec: CryptoSpec, champion: Champion, stop: int) -> DriftVerdict:
    last = stop - spec.horizon
    first = max(champion.first, last - spec.monitoring.performance_rows)
    losses = champion.losses[first : max(first, last)]
    is_known = np.isfinite(losses)
    widths = champion.ewma_widths[first : max(first, last)]
    live = LiveLosses(losses[is_known], widths[is_known], np.empty(0), np.empty((0, 2)))
    return judge_loss(champion.loss, live, spec.monitoring.min_rows).verdict


def _train(spec: CryptoSpec, history: History, stop: int) -> Champion:
    """Train on the rows before `stop` and forecast all later ones."""
    rows = _known(history.rows.slice(max(0, stop - spec.training_rows), stop))
    model = fit_model(rows, spec)
    evaluation = evaluate_walk_forward(rows, lambda: new_model(spec), spec.evaluation, spec.horizon)
    volume = history.volume.reindex(candle_grid(rows, spec)).to_numpy()
    loss = build_reference(
        pinball_losses(evaluation.outcomes, evaluation.forecast, spec.quantiles),
        evaluation.ewma[:, 2] - evaluation.ewma[:, 0],
        evaluation.forecast[:, 2] - evaluation.forecast[:, 0],
        spec.monitoring.performance_rows,
    )
    every = history.rows
    forecast, ewma = model.predict(every.features), model.predict_ewma(every.features)
    names, values = watched_values(every, model, spec)
    watched = pd.DataFrame(values, every.times, names).reindex(history.volume.index)
    losses = pinball_losses(every.returns, forecast, spec.quantiles)
    return Champion(
        reference_profile(rows, model, spec, {TRADED_VOLUME: volume}),
        loss,
        watched.assign(**{TRADED_VOLUME: history.volume}),
        losses,
        ewma[:, 2] - ewma[:, 0],
        stop + spec.horizon,
    )


def _history(spec: CryptoSpec, candles: pd.DataFrame) -> History:
    return _labelled(spec, compute_rows(candles, [], spec.unit, spec.features), candles)


def _labelled(spec: CryptoSpec, rows: pd.DataFrame, candles: pd.DataFrame) -> History:
    known = label_rows(rows, spec.unit, spec.horizon)
    times = pd.DatetimeIndex(rows[TIME])
    returns, realised = (
        np.asarray(pd.Series(values, known.times).reindex(times), np.float64)
        for values in (known.returns, known.realised)
    )
    features = rows.drop(columns=[TIME, "close"])
    every = LabelledRows(times, features, returns, realised, rows["close"].to_numpy())
    volume = candles.set_index(TIME)["volume"]
    grid = candle_grid(every, spec)
    return History(every, np.log(volume[volume > 0.0]).reindex(grid))


def _known(rows: LabelledRows) -> LabelledRows:
    is_known = np.isfinite(rows.returns)
    return LabelledRows(
        rows.times[is_known],
        rows.features[is_known].reset_index(drop=True),
        rows.returns[is_known],
        rows.realised[is_known],
        rows.close[is_known],
    )


def _synthetic(
    spec: CryptoSpec, seed: int, days: int, *shifts: Shift, from_day: int = 0
) -> pd.DataFrame:
    """Return candles of the training days before `from_day` and up to `days`, by the simulator's code."""
    training = max(14, -(-spec.training_rows * spec.unit // MINUTES_PER_DAY)) + 2
    market = SyntheticMarket(market_profile("KRW-BTC"), seed, ShiftSchedule(shifts))
    parts = [market.day(FIRST_DAY + day) for day in range(from_day - training, days)]
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
