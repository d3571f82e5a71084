"""What monitoring knows: one feature drifted, a trial under way, a parked retrain."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

from appliance.domain.drift import DriftVerdict, Histogram, LossReport, RegimeLoss
from appliance.domain.event import EventKind
from appliance.domain.monitoring import Monitoring
from appliance.domain.trial import (
    LossEstimate,
    ParkedRetrain,
    Trial,
    TrialPurpose,
    TrialState,
    TwinAccount,
)
from tests.builders import PROJECT, ago, drift_report, event, performance

WORDS = (
    "not enough evidence: loss 0.84 % lower on 220 rows that neither was trained on (p = 0.201, about"
    " 380 more candles would tell)"
)


def loss_report(**changes: object) -> LossReport:
    """Return a live loss inside its band with an early warning and its track record."""
    known = LossReport(
        DriftVerdict.WARNING, 1_204, 0.000398, 0.141, 0.172, 12.4, 61.0, 0.00061, 0.00055, 41, 0.06, 0.78
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def histogram(distance: float | None) -> Histogram | None:
    """Return two bells over fourteen bins, the second one `distance` deviations to the right."""
    if distance is None:
        return None
    edges = tuple(-3.5 + 0.5 * number for number in range(15))

    def bell(centre: float) -> tuple[float, ...]:
        heights = [math.exp(-((edge + 0.25 - centre) ** 2) / 2) for edge in edges[:-1]]
        return tuple(height / sum(heights) for height in heights)

    return Histogram(edges, bell(0.0), bell(distance))


def bad_loss() -> LossReport:
    """Return a live loss that has left its band, in turbulent rows above all."""
    regimes = (
        RegimeLoss("calm", 401, 0.151),
        RegimeLoss("normal", 402, 0.174),
        RegimeLoss("turbulent", 401, 0.241),
    )
    return loss_report(
        verdict=DriftVerdict.DRIFTED, relative=0.189, regimes=regimes, relative_expected=0.139
    )


def estimates() -> tuple[LossEstimate, ...]:
    """Return twelve estimates of half an hour each, the newest without its outcome."""
    first_at, width = ago(hours=6), timedelta(minutes=30)
    return tuple(
        LossEstimate(
            PROJECT,
            12,
            first_at + number * width,
            first_at + (number + 1) * width,
            30,
            0.0004 + 0.00002 * (number % 5),
            None if number == 11 else 0.00042 + 0.00003 * (number % 3),
            first_at + (number + 1) * width,
        )
        for number in range(12)
    )


def trials() -> tuple[Trial, ...]:
    """Return a probation that was passed and a challenge that runs."""
    passed = Trial(
        PROJECT, TrialPurpose.PROBATION, 12, 11, ago(days=5), ago(days=5), TrialState.PASSED,
        {"words": "worse: loss 2.10 % higher on 3,120 rows that neither was trained on (p = 1.000)"},
        ago(days=3),
    )  # fmt: skip
    running = Trial(
        PROJECT, TrialPurpose.CHALLENGE, 12, 13, ago(hours=4), ago(hours=4), TrialState.RUNNING,
        {"words": WORDS, "verdict": {"rows": 220, "rows_needed": 600, "p_value": 0.201}},
        ago(minutes=4),
    )  # fmt: skip
    return passed, running


def monitoring() -> Monitoring:
    """Return everything that the monitoring screen can show."""
    report = drift_report()
    moved = {"volatility_30": 0.031, "volatility_120": 0.012, "volume_ratio": 0.0004}
    scores = tuple(
        replace(
            score,
            effect=moved.get(score.feature),
            missing_rate=0.002,
            histogram=histogram(score.wasserstein),
        )
        for score in report.scores
    )
    decision = event(
        11,
        EventKind.RETRAIN_DECIDED,
        "skip: trained 14 minutes ago, waiting 60; although 1 feature has drifted (volatility_30)",
        ago(minutes=4),
        decision="skip",
        code="cooldown",
        reasons=[
            "trained 14 minutes ago, waiting 60",
            "although 1 feature has drifted (volatility_30)",
        ],
    )
    return Monitoring(
        project=PROJECT,
        report=replace(report, scores=scores, loss=loss_report()),
        performances=(performance(11), performance()),
        estimates=estimates(),
        trials=trials(),
        decision=decision,
        parked=ParkedRetrain(PROJECT, ("1 feature has drifted (volatility_30)",), ago(minutes=4)),
        account=TwinAccount(PROJECT, 3, 2_880, 0.000401, 0.000412, "gained", ago(minutes=4)),
    )
