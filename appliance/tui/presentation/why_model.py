"""Why the production model is as good or bad as it is, from what monitoring knows of it."""

from __future__ import annotations

from datetime import datetime

from appliance.control.api import ProjectStatus
from appliance.domain.drift import DriftReport, DriftVerdict, LossReport
from appliance.domain.monitoring import Monitoring
from appliance.tui.presentation.drift import speak
from appliance.tui.presentation.evidence import Evidence, FeatureOf, Nothing, VersionOf
from appliance.tui.presentation.explanation import Explanation, Step
from appliance.tui.presentation.formats import count, percent
from appliance.tui.state import Board

_CODES = ("model.loss", "model.coverage")
_NAMED = 3
_CALM = (DriftVerdict.STABLE, DriftVerdict.INSUFFICIENT)


def is_unwell(project: ProjectStatus, board: Board) -> bool:
    """Whether a problem says that a project's production model is worse than it was at training."""
    return _since(project, board) is not None


def explain_model(project: ProjectStatus, known: Monitoring, board: Board) -> Explanation:
    """Return how the live loss compares, where it is worst, what has moved, and what was decided."""
    report = known.report
    loss = report.loss if report else None
    is_bad = loss is not None and loss.verdict is DriftVerdict.DRIFTED
    moved = [s for s in report.ranked if s.verdict not in _CALM] if report else []
    evidence: Evidence = FeatureOf(moved[0].feature) if moved else VersionOf()
    return Explanation(
        what=_verdict(project, report, loss),
        meaning=_meaning(is_bad=is_bad, has_moved=bool(moved)),
        steps=_steps(is_bad=is_bad),
        since_at=_since(project, board) or (report.computed_at if report else None),
        rests_on=(
            *_loss_facts(loss),
            *_coverage_fact(project),
            *(f"{score.feature}: {speak(score)}" for score in moved[:_NAMED]),
            *([f"{len(moved) - _NAMED} more features moved"] if len(moved) > _NAMED else []),
            *([] if moved else ["no feature has moved farther than a stable market does"]),
            *_decisions(known),
        ),
        evidence=evidence if report else Nothing(),
        name=f"{project.name} v{report.model_version}" if report else project.name,
        style="bad" if is_bad else "plain",
    )


def _verdict(project: ProjectStatus, report: DriftReport | None, loss: LossReport | None) -> str:
    if report is None:
        return (
            f"{project.name}: nothing is known yet; the monitoring workflow writes the first report"
        )
    name = f"v{report.model_version}"
    if loss is None:
        return (
            f"{name}: its loss cannot be judged, its profile does not say what it was at training"
        )
    if loss.why:
        return f"{name}: its loss cannot be judged: {loss.why}"
    if loss.relative is None or loss.verdict is DriftVerdict.INSUFFICIENT:
        return f"{name}: {count(loss.rows, 'outcome')} are too few to judge its loss"
    if loss.verdict is DriftVerdict.DRIFTED:
        return f"{name} is worse than at its training, beyond what chance or a wild market explains"
    if loss.verdict is DriftVerdict.WARNING:
        return f"{name} is as good as at its training, and a higher loss is to be expected soon"
    return f"{name} is as good as at its training"


def _meaning(*, is_bad: bool, has_moved: bool) -> str:
    if is_bad and has_moved:
        return "The market has moved away from what the model learnt, and the forecasts suffer."
    if is_bad:
        return "No feature explains it: the relation between features and outcome may have changed."
    if has_moved:
        return "Features have moved and the loss has not: the model copes with it so far."
    return "Nothing is unusual."


def _steps(*, is_bad: bool) -> tuple[Step, ...]:
    if not is_bad:
        return (Step("nothing to do"),)
    return (
        Step("train anew now", "retrain"),
        Step("go back to the model before, where a promotion began it", "roll_back"),
    )


def _since(project: ProjectStatus, board: Board) -> datetime | None:
    status = board.status.value
    problems = status.problems if status else ()
    found = [p.since_at for p in problems if p.code in _CODES and p.subject == project.name]
    return min(found, default=None)


def _loss_facts(loss: LossReport | None) -> list[str]:
    if loss is None or loss.relative is None:
        return []
    facts = [
        f"live loss {loss.relative:.3f} of the EWMA width over {count(loss.rows, 'outcome')};"
        f" {_number(loss.relative_expected)} expected, {_number(loss.relative_high)} at most"
    ]
    if loss.regimes:
        worst = max(loss.regimes, key=lambda regime: regime.relative)
        parts = ", ".join(f"{r.regime} {r.relative:.3f} ({r.rows:,} rows)" for r in loss.regimes)
        facts.append(f"by regime: {parts}; worst where the market is {worst.regime}")
    if loss.page_hinkley is not None and loss.page_hinkley_limit is not None:
        facts.append(
            f"Page-Hinkley, which adds up small worsenings: {loss.page_hinkley:.1f},"
            f" alarm above {loss.page_hinkley_limit:.1f}"
        )
    return facts


def _number(value: float | None) -> str:
    return "an unknown value" if value is None else f"{value:.3f}"


def _coverage_fact(project: ProjectStatus) -> list[str]:
    measured = project.performance
    if measured is None:
        return []
    return [
        f"{percent(measured.coverage)} of {count(measured.rows, 'outcome')} inside the 80 % interval;"
        f" skill against EWMA {percent(measured.skill_ewma, signed=True)}"
    ]


def _decisions(known: Monitoring) -> list[str]:
    decided = [f"the appliance decided: {known.decision.summary}"] if known.decision else []
    if known.parked is not None:
        decided.append(f"a retrain waits: {'; '.join(known.parked.reasons)}")
    return decided or ["the appliance has decided nothing about it yet"]
