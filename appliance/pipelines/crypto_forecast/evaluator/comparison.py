"""Two models on the same rows, none of which either was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.pipelines.crypto_forecast.evaluator.scores import pinball_losses
from appliance.pipelines.crypto_forecast.preprocessor.transformation import LabelledRows
from appliance.pipelines.crypto_forecast.trainer.quantile_forecaster import QuantileForecaster
from appliance.registry.promotion import GateVerdict, gate

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean pinball losses of both models over the common rows, and the gate's verdict."""

    start_at: str
    end_at: str
    champion_loss: float
    challenger_loss: float
    verdict: GateVerdict

    @property
    def words(self) -> str:
        """The verdict with its evidence in one sentence."""
        verdict = self.verdict
        more = ""
        if verdict.rows_needed is not None:
            more = f", about {max(verdict.rows_needed - verdict.rows, 0)} more candles would tell"
        harm = f", but worse when {' and '.join(verdict.harmed)}" if verdict.harmed else ""
        return (
            f"{verdict.verdict.value.replace('_', ' ')}{harm}: loss {_percent(verdict.improvement)} on"
            f" {verdict.rows} rows that neither was trained on (p = {verdict.p_value:.3f}{more})"
        )


def _percent(improvement: float) -> str:
    word = "lower" if improvement >= 0 else "higher"
    return f"{100.0 * abs(improvement):.2f} % {word}"


def regimes(spread: Vector) -> dict[str, NDArray[np.bool_]]:
    """Return which rows are calm, normal and turbulent: terciles of a spread known beforehand."""
    lower, upper = np.quantile(spread, [1.0 / 3.0, 2.0 / 3.0])
    is_calm, is_turbulent = spread <= lower, spread > upper
    return {"calm": is_calm, "normal": ~is_calm & ~is_turbulent, "turbulent": is_turbulent}


def compare_models(
    champion: QuantileForecaster,
    challenger: QuantileForecaster,
    rows: LabelledRows,
    horizon: int,
    alpha: float,
) -> Comparison:
    """Forecast the rows with both models, as they are, and let the gate judge the paired losses."""
    champion_losses, challenger_losses = (
        pinball_losses(rows.returns, model.predict(rows.features), model.quantiles)
        for model in (champion, challenger)
    )
    spread = np.diff(champion.predict_ewma(rows.features)[:, [0, -1]], axis=1)[:, 0]
    return Comparison(
        start_at=rows.times[0].isoformat(),
        end_at=rows.times[-1].isoformat(),
        champion_loss=float(champion_losses.mean()),
        challenger_loss=float(challenger_losses.mean()),
        verdict=gate(champion_losses, challenger_losses, horizon, alpha, regimes(spread)),
    )
