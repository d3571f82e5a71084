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
        difference = 100.0 * (1.0 - self.challenger_loss / self.champion_loss)
        more = ""
        if verdict.rows_needed is not None:
            more = f", about {max(verdict.rows_needed - verdict.rows, 0)} more rows would tell"
        return (
            f"{verdict.verdict.value.replace('_', ' ')}: loss {difference:+.2f} % better on"
            f" {verdict.rows} rows that neither was trained on (p = {verdict.p_value:.3f}{more})"
        )


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
    return Comparison(
        start_at=rows.times[0].isoformat(),
        end_at=rows.times[-1].isoformat(),
        champion_loss=float(champion_losses.mean()),
        challenger_loss=float(challenger_losses.mean()),
        verdict=gate(champion_losses, challenger_losses, horizon, alpha),
    )
