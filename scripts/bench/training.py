"""Training of one market, 50,000 hours and 525,600 minutes, beside the bare scikit-learn fit.

The bare fit is that of the same four regressions by `HistGradientBoostingRegressor` on the same matrix,
once. The product also learns the older part first, to calibrate the quantiles on the rest. Candles are the
simulator's.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))
from sklearn.ensemble import HistGradientBoostingRegressor

from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows, label_rows
from appliance.pipelines.forecasting.trainer.training import fit_model
from scripts.bench.features import minutes
from scripts.bench.measured import Cost, load, measure
from scripts.bench.skill import widen

CASES = (("krw_btc_60m", 60, 50_000), ("krw_btc_1m", 1, 525_600))


def main() -> None:
    """Print time and peak memory of each, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    print(load())
    for name, unit, count in CASES:
        spec = load_spec_from_config(name)
        assert isinstance(spec, CryptoSpec)
        lookback = spec.features.lookback(unit) + spec.horizon
        candles = widen(minutes((count + lookback) * unit), 1, unit)
        rows = label_rows(compute_rows(candles, [], unit, spec.features), unit, spec.horizon)
        own = measure(partial(fit_model, rows, spec), options.repeats)
        bare = measure(partial(bare_fit, rows, spec), options.repeats)
        size = f"{len(rows):,} rows of {unit} m, {rows.features.shape[1]} features"
        print(f"{own}  {size}\n{bare}  scikit-learn alone; {_ratio(own, bare)}", flush=True)


def bare_fit(rows: LabelledRows, spec: CryptoSpec) -> list[HistGradientBoostingRegressor]:
    """Fit the regressions of a model of the config once, by scikit-learn alone."""
    learner = spec.learner
    values: NDArray[np.float64] = rows.features.to_numpy(np.float64)
    fitted = []
    for level in (None, *spec.quantiles):
        is_scale = level is None
        model = HistGradientBoostingRegressor(
            loss="squared_error" if is_scale else "quantile",
            quantile=level,
            max_iter=learner.scale_iter if is_scale else learner.quantile_iter,
            max_leaf_nodes=learner.scale_leaf_nodes if is_scale else learner.quantile_leaf_nodes,
            min_samples_leaf=learner.scale_leaf_rows if is_scale else learner.quantile_leaf_rows,
            learning_rate=learner.learning_rate,
            l2_regularization=learner.l2_regularization,
            early_stopping=False,
        )
        fitted.append(model.fit(values, rows.realised if is_scale else rows.returns))
    return fitted


def _ratio(own: Cost, bare: Cost) -> str:
    return (
        f"{own.cpu / bare.cpu:.1f} x the work,"
        f" {own.megabytes / max(bare.megabytes, 1.0):.1f} x the memory"
    )


if __name__ == "__main__":
    main()
