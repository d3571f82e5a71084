"""The gate lets a better model through and holds equal ones back at the stated rate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.errors import DataQualityError
from appliance.registry.promotion import GateVerdict, Verdict, gate

HORIZON = 6


def overlapping(rng: np.random.Generator, rows: int, horizon: int = HORIZON) -> NDArray[np.float64]:
    """Loss differences as overlapping forecasts make them: moving sums of heavy-tailed noise."""
    shocks = rng.standard_t(5, size=rows + horizon - 1)
    return np.convolve(shocks, np.ones(horizon), "valid")


def compare(difference: NDArray[np.float64], alpha: float = 0.05) -> GateVerdict:
    champion = np.full(len(difference), 100.0)
    return gate(champion, champion - difference, HORIZON, alpha)


@pytest.mark.parametrize(("rows", "alpha"), [(100, 0.05), (400, 0.05), (400, 0.1)])
def test_equal_models_come_out_better_no_more_often_than_stated(rows: int, alpha: float) -> None:
    rng = np.random.default_rng(11)
    trials = 2000
    verdicts = [compare(overlapping(rng, rows), alpha).verdict for _ in range(trials)]
    rate = verdicts.count(Verdict.BETTER) / trials
    three_errors = 3 * (alpha * (1 - alpha) / trials) ** 0.5
    assert rate <= alpha + three_errors


def test_a_clearly_better_challenger_is_better() -> None:
    rng = np.random.default_rng(3)
    verdict = compare(overlapping(rng, 1000) + 1.0)
    assert verdict.verdict is Verdict.BETTER
    assert verdict.p_value < 0.05
    assert verdict.statistic > 0
    assert verdict.improvement == pytest.approx(0.01, abs=0.005)
    assert verdict.rows_needed is None


def test_a_clearly_worse_challenger_is_worse() -> None:
    rng = np.random.default_rng(3)
    assert compare(overlapping(rng, 1000) - 1.0).verdict is Verdict.WORSE


def test_too_few_rows_are_not_enough_evidence_and_say_how_many_are() -> None:
    verdict = compare(np.full(20, 5.0))
    assert verdict.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert verdict.rows_needed == 8 * HORIZON


def test_the_rows_needed_settle_the_difference_most_of_the_time() -> None:
    rng = np.random.default_rng(5)
    effect = 0.35
    undecided = [
        verdict
        for verdict in (compare(overlapping(rng, 200) + effect) for _ in range(20))
        if verdict.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    ]
    assert undecided
    assert all(verdict.rows_needed is None or verdict.rows_needed > 200 for verdict in undecided)
    # a long-run deviation of 6 * sqrt(5 / 3) needs ((1.645 + 0.842) * deviation / effect)^2 rows
    needed = int(((1.645 + 0.842) * HORIZON * (5 / 3) ** 0.5 / effect) ** 2)
    settled = [compare(overlapping(rng, needed) + effect).verdict for _ in range(100)]
    assert settled.count(Verdict.BETTER) >= 65


def test_identical_models_are_never_settled() -> None:
    verdict = gate([1.0] * 200, [1.0] * 200, HORIZON)
    assert verdict.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert verdict.rows_needed is None


def test_a_constant_advantage_is_better() -> None:
    assert gate([1.0] * 200, [0.5] * 200, HORIZON).verdict is Verdict.BETTER


def test_other_rows_are_refused() -> None:
    with pytest.raises(DataQualityError):
        gate([1.0] * 50, [1.0] * 51, HORIZON)
    with pytest.raises(DataQualityError):
        gate([1.0] * 50, [float("nan")] * 50, HORIZON)
