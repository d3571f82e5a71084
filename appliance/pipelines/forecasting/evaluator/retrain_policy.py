"""Whether to retrain: a pure decision with its reasons in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.domain.drift import DriftVerdict, LossReport
from appliance.domain.forecast import Performance
from appliance.domain.trial import ParkedRetrain
from appliance.pipelines.forecasting.forecast_spec import (
    MonitoringSpec,
    RetrainSpec,
)

NOMINAL_COVERAGE = 0.8

PARKING = frozenset({"budget", "cooldown"})
"""Refusals that time alone lifts: what they hold back is parked."""


@dataclass(frozen=True, slots=True)
class RetrainFacts:
    """What the decision rests on.

    `new_rows` are prepared rows since the newest model's training data ended; `trained_at` the instants of
    trainings in the last 24 hours; `drifted_features` those that a training can do something
    about; `trained_skill` the production model's skill over EWMA at
    training; `quality` the newest data verdict; `loss` the live loss beside that at training;
    `parked` a retrain that was held back earlier.
    """

    new_rows: int
    quality: str
    trained_at: Sequence[datetime]
    drift: DriftVerdict
    drifted_features: Sequence[str]
    performance: Performance | None
    trained_skill: float | None
    loss: LossReport | None = None
    parked: ParkedRetrain | None = None


@dataclass(frozen=True, slots=True)
class RetrainDecision:
    """`decision` is `retrain` or `skip`; `code` the check that settled it; `reasons` in words.

    `parked` are the reasons of a retrain that is wanted and will be allowed later, () when there is none.
    """

    decision: str
    code: str
    reasons: tuple[str, ...]
    parked: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The decision in one sentence."""
        return f"{self.decision}: {'; '.join(self.reasons)}"


def decide(
    facts: RetrainFacts, monitoring: MonitoringSpec, spec: RetrainSpec, now_at: datetime
) -> RetrainDecision:
    """Check new rows, data quality, budget, cooldown and trigger, in this order.

    The first check that fails settles on `skip`; what would have triggered is told with it. Held back
    by budget or cooldown it is parked, and once allowed it is done even if its cause has passed.
    """
    triggers = find_triggers(facts, monitoring)
    wishes = [*triggers, *_parked_words(facts.parked, now_at)]
    refusal = _refusal(facts, spec, now_at)
    if refusal is not None:
        code, words = refusal
        waiting = tuple(f"although {wish}" for wish in wishes)
        parked = tuple(triggers) if code in PARKING and facts.parked is None else ()
        return RetrainDecision("skip", code, (words, *waiting), parked)
    if not wishes:
        return RetrainDecision("skip", "no_trigger", (_calm(facts),))
    return RetrainDecision("retrain", "trigger" if triggers else "parked", tuple(wishes))


def find_triggers(facts: RetrainFacts, monitoring: MonitoringSpec) -> list[str]:
    """Return what asks for a retrain, in words: drift, lost skill, wrong coverage."""
    triggers = []
    if facts.drift is DriftVerdict.DRIFTED and facts.drifted_features:
        named = ", ".join(facts.drifted_features[:4])
        count = len(facts.drifted_features)
        words = "1 feature has" if count == 1 else f"{count} features have"
        triggers.append(f"{words} drifted ({named})")
    if facts.loss is not None and facts.loss.verdict is DriftVerdict.DRIFTED:
        triggers.append(_loss_words(facts.loss))
    performance = facts.performance
    if performance is None or performance.rows < monitoring.min_performance_rows:
        return triggers
    if facts.trained_skill is not None and performance.skill_ewma is not None:
        drop = facts.trained_skill - performance.skill_ewma
        if drop > monitoring.max_skill_drop:
            triggers.append(
                f"realised skill over EWMA is {100 * performance.skill_ewma:+.1f} %,"
                f" {100 * facts.trained_skill:+.1f} % at training"
            )
    if abs(performance.coverage - NOMINAL_COVERAGE) > monitoring.max_coverage_error:
        triggers.append(f"the 80 % interval covers {100 * performance.coverage:.0f} % of outcomes")
    return triggers


def _refusal(facts: RetrainFacts, spec: RetrainSpec, now_at: datetime) -> tuple[str, str] | None:
    if facts.new_rows < spec.min_new_rows:
        words = f"{facts.new_rows} new rows since the newest model, {spec.min_new_rows} are needed"
        return "new_rows", words
    if facts.quality == "unusable":
        return "quality", "the newest data is unusable"
    today = [at for at in facts.trained_at if now_at - at < timedelta(hours=24)]
    if len(today) >= spec.per_day:
        return "budget", f"{len(today)} trainings in 24 hours, {spec.per_day} are allowed"
    if today:
        age = now_at - max(today)
        cooldown = timedelta(minutes=spec.cooldown_minutes)
        if age < cooldown:
            return "cooldown", f"trained {age.total_seconds() / 60:.0f} minutes ago, waiting" + (
                f" {spec.cooldown_minutes}"
            )
    return None


def _loss_words(loss: LossReport) -> str:
    if (loss.relative or 0.0) > (loss.relative_high or 0.0):
        return (
            f"the loss, {loss.relative:.3f} of the benchmark's interval, is above its training-time"
            f" band, {loss.relative_high:.3f}"
        )
    return (
        f"the loss has grown for good (Page-Hinkley {loss.page_hinkley:.1f}, limit"
        f" {loss.page_hinkley_limit:.1f})"
    )


def _parked_words(parked: ParkedRetrain | None, now_at: datetime) -> list[str]:
    if parked is None:
        return []
    minutes = (now_at - parked.parked_at).total_seconds() / 60
    return [f"parked {minutes:.0f} minutes ago: {reason}" for reason in parked.reasons]


def _calm(facts: RetrainFacts) -> str:
    if facts.drift is DriftVerdict.INSUFFICIENT:
        return "too few rows to judge drift, and performance gives no cause"
    if facts.loss is not None and facts.loss.why:
        return f"drift is {facts.drift.value}, and the loss cannot be judged: {facts.loss.why}"
    return f"drift is {facts.drift.value} and performance gives no cause"
