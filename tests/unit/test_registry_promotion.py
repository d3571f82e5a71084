"""The gate lets a better model through and holds equal ones back at the stated rate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.errors import DataQualityError
from appliance.registry.promotion import GateVerdict, Verdict, gate
from tests.fakes.model_pairs import BETTER, EQUAL, PairedLosses, follow_trial, simulate_pair

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
    """A third of the rows needed, so that most samples are undecided and none is lucky."""
    rng = np.random.default_rng(5)
    effect = 0.6
    undecided = [
        verdict
        for verdict in (compare(overlapping(rng, 300) + effect) for _ in range(40))
        if verdict.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    ]
    estimates = [verdict.rows_needed for verdict in undecided if verdict.rows_needed]
    assert len(estimates) >= 20
    assert min(estimates) > 300
    # a long-run deviation of 6 * sqrt(5 / 3) needs ((2.8 + 0.84) * deviation / effect)^2 rows
    needed = int(((2.8 + 0.84) * HORIZON * (5 / 3) ** 0.5 / effect) ** 2)
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


def test_many_looks_at_equal_models_promote_no_more_often_than_stated() -> None:
    """The whole sequential procedure: a look every 48 rows, until promotion or the last row."""
    trials, alpha = 60, 0.05
    ends = [
        follow_trial(simulated(seed, EQUAL, 1_500), HORIZON, alpha, first=336, look=48)[0]
        for seed in range(trials)
    ]
    three_errors = 3 * (alpha * (1 - alpha) / trials) ** 0.5
    assert ends.count("promoted") / trials <= alpha + three_errors


def test_a_model_with_three_percent_lower_loss_is_promoted() -> None:
    ends = [
        follow_trial(simulated(seed, BETTER, 5_000), HORIZON, 0.05, first=336, look=96)[0]
        for seed in range(20)
    ]
    assert ends.count("promoted") >= 16


def simulated(seed: int, challenger_error: float, rows: int) -> PairedLosses:
    return simulate_pair(np.random.default_rng(seed), rows, HORIZON, EQUAL, challenger_error)


def test_a_challenger_that_is_better_but_harms_one_regime_is_not_promotable() -> None:
    rng = np.random.default_rng(3)
    advantage = np.where(np.arange(1200) % 24 < 18, 1.5, -3.0)
    loss = np.full(1200, 100.0)
    turbulent = np.arange(1200) % 24 >= 18
    groups = {"calm": ~turbulent, "turbulent": turbulent}
    verdict = gate(loss, loss - advantage - overlapping(rng, 1200) / 6, HORIZON, groups=groups)
    assert verdict.verdict is Verdict.BETTER
    assert verdict.harmed == ("turbulent",)
    assert not verdict.is_promotable
    calm, rough = verdict.groups
    assert calm.improvement > 0 > rough.improvement
    assert (calm.rows, rough.rows) == (900, 300)


def test_harm_is_found_in_equal_models_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(8)
    trials, alpha, part = 1000, 0.05, np.arange(600) % 3
    groups = {str(number): part == number for number in range(3)}
    loss = np.full(600, 100.0)
    found = sum(
        bool(gate(loss, loss - overlapping(rng, 600), HORIZON, alpha, groups).harmed)
        for _ in range(trials)
    )
    assert found / trials <= alpha + 3 * (alpha * (1 - alpha) / trials) ** 0.5


def test_too_small_a_group_is_not_judged() -> None:
    few = np.arange(200) < 10
    assert gate([1.0] * 200, [0.5] * 200, HORIZON, groups={"few": few}).groups == ()
