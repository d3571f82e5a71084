"""Losses of two simulated models on the same market, as the gate meets them.

Candle returns have clustered volatility (a log AR(1) at two speeds) and heavy tails; outcomes are sums
over the horizon, so that consecutive losses overlap. A model forecasts the quantiles of the outcome with
the true volatility times exp(its own error), a slow AR(1): two models with the same size of error are
equal, one with a smaller error is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from appliance.pipelines.forecasting.evaluator.comparison import regimes
from appliance.pipelines.forecasting.evaluator.scores import pinball_losses
from appliance.registry.promotion import Verdict, gate

Vector = NDArray[np.float64]
LEVELS = (0.1, 0.5, 0.9)
EQUAL, BETTER = 0.4, 0.22
"""Sizes of a model's own error: the second gives about 3 % lower loss than the first."""
_SHARE = (-1.2, 0.0, 1.2)  # quantiles of the outcome over its volatility, nearly


@dataclass(frozen=True)
class PairedLosses:
    """Losses per row, and the volatility that was known when the forecast was made."""

    champion: Vector
    challenger: Vector
    spread: Vector


def simulate_pair(
    rng: np.random.Generator, rows: int, horizon: int, error: float, other_error: float
) -> PairedLosses:
    """Return `rows` paired losses; `error` is the champion's, `other_error` the challenger's."""
    candles = rows + horizon
    noise = rng.normal(size=(2, candles))
    fast = signal.lfilter([0.25], [1.0, -0.9], noise[0])
    slow = signal.lfilter([0.03], [1.0, -0.995], noise[1])
    volatility = 0.005 * np.exp(0.5 * fast + slow)
    returns = volatility * rng.standard_t(5, size=candles) * np.sqrt(0.6)
    summed = np.concatenate(([0.0], np.cumsum(returns)))
    outcomes = summed[horizon + 1 :] - summed[1 : rows + 1]
    spread = volatility[: outcomes.size] * np.sqrt(horizon)
    losses = [
        pinball_losses(outcomes, _forecast(rng, spread, size), LEVELS)
        for size in (error, other_error)
    ]
    return PairedLosses(losses[0], losses[1], spread)


def _forecast(rng: np.random.Generator, spread: Vector, size: float) -> NDArray[np.float64]:
    persistence = 0.9
    shocks = rng.normal(size=spread.size) * np.sqrt(1.0 - persistence**2)
    error = signal.lfilter([1.0], [1.0, -persistence], shocks)
    return (spread * np.exp(size * error))[:, None] * np.asarray(_SHARE)


def follow_trial(
    pair: PairedLosses, horizon: int, alpha: float, first: int, look: int, live: int = 0
) -> tuple[str, int]:
    """Return how a trial of the pair ends (promoted, worse, undecided) and after how many rows.

    The rows of the first look were filled in; with `live` the others, forecast live, have to be so many and
    to confirm the challenger before it is promoted.
    """
    rows = pair.champion.size
    for seen in range(first, rows + 1, look):
        groups = regimes(pair.spread[:seen])
        verdict = gate(pair.champion[:seen], pair.challenger[:seen], horizon, alpha, groups)
        if verdict.is_promotable and _confirmed(pair, first, seen, live):
            return "promoted", seen
        if verdict.verdict is Verdict.WORSE:
            return "worse", seen
    return "undecided", rows


def _confirmed(pair: PairedLosses, first: int, seen: int, live: int) -> bool:
    better = pair.champion[first:seen].sum() - pair.challenger[first:seen].sum()
    return not live or (seen - first >= live and better > 0.0)
