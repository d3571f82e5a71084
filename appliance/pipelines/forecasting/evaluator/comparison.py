"""Two models on the same rows, none of which either was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.registry.promotion import GateVerdict, Verdict, gate

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean pinball losses of both models over the common rows, and the gate's verdict.

    `live_rows` of the rows were forecast by both before the outcome was known, the others filled later;
    `live_improvement` is the fraction by which the challenger's loss is lower on them, None without any.
    """

    start_at: str
    end_at: str
    champion_loss: float
    challenger_loss: float
    live_rows: int
    live_improvement: float | None
    verdict: GateVerdict

    @property
    def words(self) -> str:
        """The verdict with its evidence in one sentence."""
        verdict = self.verdict
        if verdict.is_void:
            return (
                f"cannot be judged: both lost the same on each of {verdict.rows} rows that neither was"
                " trained on"
            )
        more = ""
        if verdict.rows_needed is not None:
            more = f", about {max(verdict.rows_needed - verdict.rows, 0)} more candles would tell"
        is_harmed = verdict.harmed and verdict.verdict is not Verdict.WORSE
        harm = f", but worse in {' and '.join(verdict.harmed)}" if is_harmed else ""
        return (
            f"{verdict.verdict.value.replace('_', ' ')}{harm}: loss {_percent(verdict.improvement)} on"
            f" {verdict.rows} rows that neither was trained on, {self.live_rows} of them live"
            f" (p = {verdict.p_value:.3f}{more})"
        )

    def lacks_live_evidence(self, least_rows: int) -> str:
        """Return in words what the live rows lack to decide, "" when they confirm the challenger."""
        if self.live_rows < least_rows:
            return f"waits for {least_rows - self.live_rows} more rows that are forecast live"
        if least_rows and (self.live_improvement or 0.0) <= 0.0:
            return f"its loss is not lower on the {self.live_rows} rows that were forecast live"
        return ""

    def evidence(self) -> dict[str, object]:
        """Return everything, JSON-compatible, with the verdict in words."""
        return {**asdict(self), "verdict": asdict(self.verdict), "words": self.words}


def _percent(improvement: float) -> str:
    word = "lower" if improvement >= 0 else "higher"
    return f"{100.0 * abs(improvement):.2f} % {word}"


def regimes(spread: Vector) -> dict[str, NDArray[np.bool_]]:
    """Return which rows are calm, normal and turbulent: terciles of a spread known beforehand."""
    lower, upper = np.quantile(spread, [1.0 / 3.0, 2.0 / 3.0])
    is_calm, is_turbulent = spread <= lower, spread > upper
    return {"calm": is_calm, "normal": ~is_calm & ~is_turbulent, "turbulent": is_turbulent}


def compare_pairs(pairs: pa.Table, horizon: int, alpha: float) -> Comparison | None:
    """Let the gate judge paired losses, columns as `store.trials.paired_losses`; None without a row.

    Groups of the no-harm rule are the volatility regimes of each market.
    """
    if not pairs.num_rows:
        return None
    champion, challenger, spread = (
        pairs.column(name).to_numpy() for name in ("champion_loss", "challenger_loss", "spread")
    )
    times = pairs.column("candle_date_time_utc").to_pylist()
    is_live = pairs.column("is_live").to_numpy(zero_copy_only=False).astype(bool)
    return Comparison(
        start_at=min(times).isoformat(),
        end_at=max(times).isoformat(),
        champion_loss=float(champion.mean()),
        challenger_loss=float(challenger.mean()),
        live_rows=int(is_live.sum()),
        live_improvement=_improvement(champion[is_live], challenger[is_live]),
        verdict=gate(champion, challenger, horizon, alpha, _groups(pairs, spread)),
    )


def _improvement(champion: Vector, challenger: Vector) -> float | None:
    mean = float(champion.mean()) if champion.size else 0.0
    return 1.0 - float(challenger.mean()) / mean if mean > 0.0 else None


def _groups(pairs: pa.Table, spread: Vector) -> dict[str, NDArray[np.bool_]]:
    markets = np.asarray(pairs.column("market").to_pylist())
    groups: dict[str, NDArray[np.bool_]] = {}
    for market in np.unique(markets):
        inside = np.flatnonzero(markets == market)
        for name, is_regime in regimes(spread[inside]).items():
            rows = np.zeros(markets.size, dtype=bool)
            rows[inside[is_regime]] = True
            groups[f"{market} {name}"] = rows
    return groups
