"""Page-Hinkley and the live loss beside what it was at training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from appliance.domain.drift import DriftVerdict
from appliance.drift.loss_reference import LiveLosses, LossReference, build_reference, judge_loss
from appliance.drift.page_hinkley import PageHinkley

NOTHING = np.empty(0)


def losses(rng: np.random.Generator, rows: int, scale: float = 1.0) -> np.ndarray:
    return np.abs(rng.normal(size=rows)) * scale


def reference() -> LossReference:
    rng = np.random.default_rng(1)
    return build_reference(losses(rng, 8_000), np.full(8_000, 2.0), np.full(8_000, 2.5), 720)


def live(values: np.ndarray, widths: float = 2.0, coming: float = 2.5) -> LiveLosses:
    expected = np.full(values.size, widths)
    return LiveLosses(values, expected, np.full(15, coming), np.array([[1.0, 1.1], [1.0, 2.0]]))


def test_page_hinkley_matches_the_recursion_by_hand() -> None:
    detector = PageHinkley(mean=1.0, tolerance=0.5, threshold=3.0)
    values = np.array([1.0, 0.0, 4.0, 1.0, 3.0, 2.0])
    total, lowest, expected = 0.0, 0.0, []
    for value in values:
        total += value - 1.5
        lowest = min(lowest, total)
        expected.append(total - lowest)
    assert detector.scores(values).tolist() == pytest.approx(expected)
    assert detector.alarm_at(values) == 4
    assert detector.alarm_at(values[:4]) is None


def test_a_lasting_increase_is_found_soon_and_noise_is_not() -> None:
    rng = np.random.default_rng(2)
    detector = reference().detector
    assert detector.alarm_at(losses(rng, 4_000) / 2.0) is None
    shifted = np.concatenate((losses(rng, 1_000), losses(rng, 2_000, 1.6))) / 2.0
    alarm_at = detector.alarm_at(shifted)
    assert alarm_at is not None
    assert 1_000 <= alarm_at < 1_500


def test_the_same_loss_in_a_turbulent_market_is_stable() -> None:
    rng = np.random.default_rng(3)
    report = judge_loss(reference(), live(losses(rng, 720, 3.0), widths=6.0), 120)
    assert report.verdict is DriftVerdict.STABLE
    assert report.realised == pytest.approx(3.0 * np.sqrt(2 / np.pi), rel=0.1)


def test_a_loss_above_the_band_has_drifted() -> None:
    report = judge_loss(reference(), live(losses(np.random.default_rng(4), 720, 2.0)), 120)
    assert report.verdict is DriftVerdict.DRIFTED
    assert report.relative is not None
    assert report.relative_high is not None
    assert report.relative > report.relative_high


def test_wide_coming_forecasts_warn_before_any_outcome() -> None:
    report = judge_loss(reference(), live(losses(np.random.default_rng(5), 720), coming=9.0), 120)
    assert report.verdict is DriftVerdict.WARNING
    assert report.expected is not None
    assert report.expected_high is not None
    assert report.expected > report.expected_high
    assert (report.tracked, report.track_hits) == (2, 0.5)
    assert report.track_bias == pytest.approx(2.0 / 3.1 - 1.0)


def test_too_few_outcomes_say_nothing() -> None:
    few = judge_loss(reference(), live(losses(np.random.default_rng(6), 60, 9.0)), 120)
    assert few.verdict is DriftVerdict.INSUFFICIENT
    none = LiveLosses(NOTHING, NOTHING, NOTHING, np.empty((0, 2)))
    report = judge_loss(reference(), none, 120)
    assert (report.verdict, report.expected, report.tracked) == (DriftVerdict.INSUFFICIENT, None, 0)


def test_a_reference_survives_json() -> None:
    stored = reference()
    assert LossReference.from_json(json.loads(json.dumps(stored.to_json()))) == stored


def test_a_benchmark_without_width_cannot_be_judged_and_says_why() -> None:
    rng = np.random.default_rng(7)
    values = losses(rng, 720)
    report = judge_loss(reference(), live(values, widths=0.0), 120)
    assert report.verdict is DriftVerdict.INSUFFICIENT
    assert report.relative is report.page_hinkley is None
    assert "no width in 720 of 720 rows" in report.why
    still = build_reference(np.zeros(800), np.zeros(800), np.zeros(800), 100)
    assert not still.is_judged
    stored = json.loads(json.dumps(still.to_json(), allow_nan=False))
    report = judge_loss(LossReference.from_json(stored), live(values), 120)
    assert report.verdict is DriftVerdict.INSUFFICIENT
    assert "at training" in report.why
    assert report.expected is None


def test_rows_without_width_are_left_out_while_most_have_one() -> None:
    rng = np.random.default_rng(8)
    window = live(losses(rng, 720))
    window.ewma_widths[:200] = 0.0
    report = judge_loss(reference(), window, 120)
    assert report.verdict is DriftVerdict.STABLE
    assert report.relative is not None and np.isfinite(report.relative)
    assert report.why == ""
