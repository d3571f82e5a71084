"""The promotion gate: is the challenger better than the champion, on evidence; pure.

The evidence is looked at again and again while rows arrive, so it is an e-value: at most 1 on average
between equal models whenever one looks, hence above 1 / alpha at any time with probability alpha at
most (Ville's inequality). The paired test's statistic z over n rows is taken as a Brownian motion at
time n and mixed over improvements of a half-normal prior whose scale a sample of `PLANNED_HORIZONS`
horizons would just resolve (Robbins 1970, Ann. Math. Stat. 41(5), 1397-1409; for autocorrelated and
not normal data asymptotically: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Ann. Statist.
52(6), 2613-2640).

No-harm rule: a challenger that is significantly worse in one group of rows (a market in a volatility
regime) is not promoted; Holm's step-down over the groups (Holm 1979, Scand. J. Statist. 6, 65-70).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from appliance.errors import DataQualityError
from appliance.registry.paired_test import least_rows, paired_test

PLANNED_HORIZONS = 16
"""Rows, in horizons, at which the mixture is centred; the test is near its best from 4 to 40 times that."""

_POWER = 0.8
_MOST_ROWS_NEEDED = 1_000_000
_GROWTH = 1.05

Vector = NDArray[np.float64]
Losses = Sequence[float] | Vector


class Verdict(StrEnum):
    """What the rows say about the challenger."""

    BETTER = "better"
    WORSE = "worse"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The challenger in one group of rows.

    `improvement` is as in `GateVerdict`; `p_harm` how likely losses at least this much worse are when the
    models are equal there; `is_harmed` whether that is significant among all groups.
    """

    name: str
    rows: int
    improvement: float
    p_harm: float
    is_harmed: bool = False


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Outcome of one look at all rows so far.

    `statistic` is positive when the challenger's loss is lower; `p_value` is valid however often one has
    looked: 1 / e-value, at most 1. `improvement` is the fraction by which the challenger's mean loss is
    lower (0.02 = 2 %). `rows_needed` is about how many rows in all would settle a difference of
    the size seen (80 % power); None when the verdict is settled or no number of rows would do. It
    `is_void` when there are rows and the losses are equal on every one: there is nothing to compare.
    """

    verdict: Verdict
    statistic: float
    p_value: float
    rows: int
    improvement: float
    rows_needed: int | None = None
    is_void: bool = False
    groups: tuple[GroupResult, ...] = ()

    @property
    def harmed(self) -> tuple[str, ...]:
        """Names of the groups in which the challenger is significantly worse."""
        return tuple(group.name for group in self.groups if group.is_harmed)

    @property
    def is_settled(self) -> bool:
        """Whether the rows so far decide."""
        return self.verdict is not Verdict.NOT_ENOUGH_EVIDENCE

    @property
    def is_promotable(self) -> bool:
        """Whether the challenger is better and does no harm."""
        return self.verdict is Verdict.BETTER and not self.harmed


def gate(
    champion_losses: Losses,
    challenger_losses: Losses,
    horizon: int,
    alpha: float = 0.05,
    groups: Mapping[str, NDArray[np.bool_]] | None = None,
) -> GateVerdict:
    """Compare two models by their losses on the same rows, all rows since the comparison began.

    Args:
        champion_losses: one loss per row, in time order.
        challenger_losses: the challenger's losses on the same rows, same order.
        horizon: candles from a forecast to its outcome; consecutive rows overlap by horizon - 1.
        alpha: how often, at most, equal models may ever come out as `better` (and as `worse`), and
            how often a harmless challenger may be called harmful.
        groups: name -> which rows belong to it, shape (rows,), for the no-harm rule.

    Raises:
        DataQualityError: the rows are not the same, or a loss is not finite.
    """
    champion, challenger = _paired(champion_losses, challenger_losses)
    rows = len(champion)
    if rows < least_rows(horizon):
        needed = least_rows(horizon)
        return GateVerdict(Verdict.NOT_ENOUGH_EVIDENCE, 0.0, 1.0, rows, 0.0, rows_needed=needed)
    test = paired_test(champion - challenger, horizon)
    information = rows / (PLANNED_HORIZONS * horizon)
    better, worse = _log_e_value(test.z, information), _log_e_value(-test.z, information)
    verdict = _verdict(better, worse, alpha)
    needed_rows = None
    if verdict is Verdict.NOT_ENOUGH_EVIDENCE:
        needed_rows = _rows_needed(abs(test.z), rows, information, alpha)
    return GateVerdict(
        verdict=verdict,
        statistic=test.statistic,
        p_value=math.exp(min(-better, 0.0)),
        rows=rows,
        improvement=_improvement(champion, challenger),
        rows_needed=needed_rows,
        is_void=bool((champion == challenger).all()),
        groups=_judge_groups(champion, challenger, horizon, alpha, groups or {}),
    )


def _paired(first: Losses, second: Losses) -> tuple[Vector, Vector]:
    champion = np.asarray(first, dtype=np.float64)
    challenger = np.asarray(second, dtype=np.float64)
    if champion.shape != challenger.shape or champion.ndim != 1:
        raise DataQualityError(
            f"the models were not scored on the same rows: {champion.shape} and {challenger.shape}"
        )
    if not (np.isfinite(champion).all() and np.isfinite(challenger).all()):
        raise DataQualityError("a loss is not finite", hint="check the features of these rows")
    return champion, challenger


def _improvement(champion: Vector, challenger: Vector) -> float:
    mean = float(champion.mean())
    return 1.0 - float(challenger.mean()) / mean if mean > 0 else 0.0


def _log_e_value(z: float, information: float) -> float:
    """Return the logarithm of the half-normal mixture's likelihood ratio against no improvement.

    With r = n / n0: 2 / sqrt(1 + r) exp(z^2 r / (2 (1 + r))) Phi(z sqrt(r / (1 + r))).
    """
    if z == 0.0:
        return -0.5 * math.log1p(information)
    share = information / (1.0 + information)
    tail = float(log_ndtr(z * math.sqrt(share)))
    return math.log(2.0) - 0.5 * math.log1p(information) + 0.5 * z * z * share + tail


def _verdict(better: float, worse: float, alpha: float) -> Verdict:
    enough = -math.log(alpha)
    if better >= enough:
        return Verdict.BETTER
    if worse >= enough:
        return Verdict.WORSE
    return Verdict.NOT_ENOUGH_EVIDENCE


def _rows_needed(z: float, rows: int, information: float, alpha: float) -> int | None:
    """Scale the sample: the statistic of a constant effect grows with the square root of rows."""
    spare, enough = float(ndtri(_POWER)), -math.log(alpha)
    growth = _GROWTH
    while rows * growth <= _MOST_ROWS_NEEDED:
        reached = z * math.sqrt(growth) - spare
        if reached > 0 and _log_e_value(reached, information * growth) >= enough:
            return math.ceil(rows * growth)
        growth *= _GROWTH
    return None


def _judge_groups(
    champion: Vector,
    challenger: Vector,
    horizon: int,
    alpha: float,
    groups: Mapping[str, NDArray[np.bool_]],
) -> tuple[GroupResult, ...]:
    results = [
        _judge_group(name, champion, challenger, horizon, inside)
        for name, inside in groups.items()
        if int(inside.sum()) >= least_rows(horizon)
    ]
    still_tested = len(results)
    harmed: set[str] = set()
    for result in sorted(results, key=lambda each: each.p_harm):
        if result.p_harm * still_tested >= alpha:
            break
        harmed.add(result.name)
        still_tested -= 1
    return tuple(
        GroupResult(r.name, r.rows, r.improvement, r.p_harm, r.name in harmed) for r in results
    )


def _judge_group(
    name: str,
    champion: Vector,
    challenger: Vector,
    horizon: int,
    inside: NDArray[np.bool_],
) -> GroupResult:
    """Test the difference with zeros outside the group: its rows need not be consecutive."""
    harm = paired_test(np.where(inside, challenger - champion, 0.0), horizon)
    return GroupResult(
        name=name,
        rows=int(inside.sum()),
        improvement=_improvement(champion[inside], challenger[inside]),
        p_harm=harm.p_positive,
    )
