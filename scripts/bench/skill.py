"""What forecasts are worth out of sample, by timeframe and horizon, on recorded candles.

    .venv/bin/python scripts/bench/skill.py CANDLES.parquet [--timeframes 60,240] [--horizons 1,6,24]

The file has the columns candle_date_time_utc, open, high, low, close, volume; wider timeframes are made of
its candles. Walk-forward, as the appliance lives: a model is trained on the newest `training_rows` rows of
the past, forecasts the next `--refit` days, and is trained again; the first `--warm-up` part of the file is
only learnt from. Skill is 1 - loss / loss of the benchmark, mean pinball loss of the quantiles 0.1, 0.5 and
0.9; benchmarks are each training window's static quantiles and its quantiles scaled by EWMA volatility.
`learner.*` and other fields are overridden with `--override learner.kind=blend`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.evaluator.scores import Scores, score
from appliance.pipelines.forecasting.preprocessor.data_preparation import (
    aggregate_grid,
    prepare_grid,
)
from appliance.pipelines.forecasting.preprocessor.labels import TIME, LabelledRows, label_rows
from appliance.pipelines.forecasting.trainer.training import fit_model

COLUMNS = ["open", "high", "low", "close", "volume"]
DAY = 1_440


def main() -> None:
    """Print the table, a line per timeframe and horizon, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--timeframes", default="", help="minutes; by default the file's own")
    parser.add_argument("--horizons", default="1,6,24", help="candles ahead")
    parser.add_argument("--config", default="", help="by default the shipped one for the timeframe")
    parser.add_argument("--refit", type=float, default=90.0, help="days between trainings")
    parser.add_argument("--warm-up", type=float, default=0.17, help="part only learnt from")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    candles, unit = read_candles(options.file)
    print(
        "| timeframe | horizon | rows | skill, static | skill, EWMA | inside |"
        " EWMA skill and inside, % by year |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    for width in _numbers(options.timeframes) or [unit]:
        wider = widen(candles, unit, width)
        for horizon in _numbers(options.horizons):
            spec = spec_of(options.config, width, horizon, options.override)
            began = time.perf_counter()
            rows = label_rows(compute_rows(wider, [], width, spec.features), width, horizon)
            line = _line(rows, spec, options.refit, options.warm_up)
            print(line, flush=True)
            print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)


def read_candles(path: Path) -> tuple[pd.DataFrame, int]:
    """Return candles in time order, without the last, which may be forming, and their width in minutes."""
    candles = pd.read_parquet(path).iloc[:-1]
    candles[TIME] = pd.to_datetime(candles[TIME], utc=True)
    return candles, int(candles[TIME].diff().min() / pd.Timedelta(minutes=1))


def widen(candles: pd.DataFrame, unit: int, width: int) -> pd.DataFrame:
    """Return candles of `width` minutes made of those of `unit` minutes."""
    if width == unit:
        return candles
    wider, _ = aggregate_grid(prepare_grid(candles, [], unit), unit, width)
    return wider[COLUMNS].rename_axis(TIME).reset_index()


def spec_of(config: str, width: int, horizon: int, overrides: list[str]) -> CryptoSpec:
    """Return a shipped config for another timeframe and horizon; seasons stay a day and a week."""
    name = config or ("krw_btc_1m" if width < 60 else "krw_btc_60m")
    shipped = load_spec_from_config(name)
    assert isinstance(shipped, CryptoSpec)
    seasons = [
        [period * shipped.unit // width, cycles]
        for period, cycles in shipped.features.seasons
        if period * shipped.unit // width >= horizon
    ]
    chosen: dict[str, Any] = {
        "unit": width,
        "horizon": horizon,
        "features": {"seasons": seasons, "season_span": horizon},
    }
    for text in overrides:
        key, _, value = text.partition("=")
        section, _, field = key.rpartition(".")
        (chosen.setdefault(section, {}) if section else chosen)[field] = _value(value)
    spec = load_spec_from_config(name, chosen)
    assert isinstance(spec, CryptoSpec)
    return spec


def walk(
    rows: LabelledRows, spec: CryptoSpec, refit_days: float, warm_up: float
) -> Iterator[tuple[LabelledRows, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Yield test rows with forecasts, static and EWMA quantiles of the model trained before them."""
    step = max(1, int(refit_days * DAY / spec.unit))
    apart = 2 * spec.horizon
    for start in range(int(len(rows) * warm_up), len(rows), step):
        stop = start - apart
        model = fit_model(rows.slice(max(0, stop - spec.training_rows), stop), spec)
        test = rows.slice(start, min(start + step, len(rows)))
        x = test.features
        yield test, (model.predict(x), model.predict_static(x), model.predict_ewma(x))


def _line(rows: LabelledRows, spec: CryptoSpec, refit_days: float, warm_up: float) -> str:
    tested, parts = zip(*walk(rows, spec, refit_days, warm_up), strict=True)
    outcomes = np.concatenate([test.returns for test in tested])
    forecasts = [np.vstack([part[i] for part in parts]) for i in range(3)]
    years = np.concatenate([test.times.year for test in tested])
    if len(np.unique(years)) == 1:
        months = np.concatenate([test.times.strftime("%Y-%m") for test in tested])
        years = months

    def scored(chosen: np.ndarray) -> Scores:
        forecast, static, ewma = (made[chosen] for made in forecasts)
        return score(outcomes[chosen], forecast, static, ewma, spec.quantiles)

    whole = scored(np.ones(outcomes.size, dtype=bool))
    by_year = ", ".join(
        f"{year}: {100 * each.skill_ewma:+.1f} / {100 * each.coverage:.0f}"
        for year in np.unique(years)
        for each in [scored(years == year)]
    )
    return (
        f"| {spec.unit} m | {spec.horizon} | {whole.rows:,} | {100 * whole.skill_static:+.1f} %"
        f" | {100 * whole.skill_ewma:+.1f} % | {100 * whole.coverage:.1f} % | {by_year} |"
    )


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _value(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    main()
