"""Two versions beside each other: verdict, metrics on the same rows, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from appliance.control.api import ProjectStatus
from appliance.domain.model_comparison import (
    BETTER,
    COVERAGE_TARGET,
    WORSE,
    ModelComparison,
    RegimeLosses,
    SameRows,
    TrainingFacts,
)
from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import describe_trials
from appliance.tui.action_keys import key_of
from appliance.tui.presentation.formats import (
    UNKNOWN,
    age,
    clip,
    count,
    fit,
    line,
    moment,
    percent,
    span,
)
from appliance.tui.presentation.models import loss as basis_points
from appliance.tui.presentation.view import Frame, PanelView, Row, failed, loading, title, wrapped
from appliance.tui.state import Failure

VERDICT, SCORES, DIFFERS = "Verdict", "Metrics", "Differences"
_NAME, _CELL, _CHANGE = 17, 9, 11
_LOSSES = ("loss", "pinball", "mae", "rmse")
_MARKS = {BETTER: ("✔", "good"), WORSE: ("✖", "bad")}


@dataclass(frozen=True, slots=True)
class ComparisonState:
    """The pairs to step through, `first` beside each of `others`, and what was read of the one shown."""

    project: str
    first: int
    others: tuple[int, ...]
    index: int = 0
    known: ModelComparison | None = None
    failure: Failure | None = None

    @property
    def second(self) -> int:
        """The version that is measured by the first."""
        return self.others[self.index]


def choose_versions(
    project: ProjectStatus, chosen: Sequence[int]
) -> tuple[int, tuple[int, ...]] | str:
    """Return the version to measure by and those beside it, or why there is nothing to compare.

    Args:
        project: its production model is what others are measured by.
        chosen: versions picked from the list; none means the challenger, else the newest.
    """
    champion = project.champion.version if project.champion else None
    if champion is None:
        if len(chosen) < 2:
            return (
                "no model is in production; select two versions with space in the models page (m)"
            )
        first, *others = sorted(set(chosen))
        return first, tuple(others)
    others = [version for version in dict.fromkeys(chosen) if version != champion]
    if not others:
        proposed = project.challenger or project.newest_version
        others = [proposed] if proposed and proposed != champion else []
    if not others and project.previous_champion:
        others = [project.previous_champion]
    if not others:
        return f"v{champion} is the only version; {key_of('retrain')} trains another"
    return champion, tuple(others)


def present_verdict(state: ComparisonState, frame: Frame) -> PanelView:
    """Return the verdict with its evidence, the rows that are missing, and the gate's comparisons."""
    name = f"v{state.second} beside v{state.first}"
    if state.known is None:
        what = f"v{state.second} and v{state.first}"
        return failed(name, frame, state.failure) if state.failure else loading(name, frame, what)
    known, same = state.known, state.known.same_rows
    details = [(_standing(known.first), "model"), (_step(state), "muted")]
    if state.failure:
        details.append((f"old: {state.failure.message}", "warning"))
    lines: list[Text] = []
    if same is None:
        lines += _wrapped(f"▲ cannot be judged: {known.why_not}", "warning", frame)
    else:
        glyph, style = verdict_mark(same)
        lines += _wrapped(f"{glyph} {same.words}", style, frame)
        lines += _wrapped(f"→ {same.missing_words}", "accent", frame)
    for sentence in describe_trials(known.trials, known.first.version, known.second.version):
        lines += _wrapped(f"· {sentence}", "muted", frame)
    return PanelView(title(name, frame, *details), _rows(lines), is_stale=state.failure is not None)


def verdict_mark(same: SameRows) -> tuple[str, str]:
    """Return the glyph and style of a verdict; a better version that does harm warns."""
    if same.verdict == BETTER and any(regime.is_harmed for regime in same.regimes):
        return "▲", "warning"
    return _MARKS.get(same.verdict, ("◌", "warning"))


def _standing(version: ModelVersion) -> str:
    return f"v{version.version} {' and '.join(version.aliases) or 'has no alias'}"


def _step(state: ComparisonState) -> str:
    if len(state.others) < 2:
        return ""
    return f"{state.index + 1} of {len(state.others)}: {key_of('compare')} shows the next"


def present_scores(state: ComparisonState, frame: Frame) -> PanelView:
    """Return metrics with their difference: on the same rows, by regime, and of the trainings."""
    if (known := state.known) is None:
        return PanelView(title(SCORES, frame), ())
    heading = line(
        (f"{'':<{_NAME}}{'v' + str(known.second.version):>{_CELL}}", "heading"),
        (f"{'v' + str(known.first.version):>{_CELL}}{'difference':>{_CHANGE}}", "heading"),
    )
    lines = _same_rows(known.same_rows, known.why_not, frame) + _trainings(known)
    return PanelView(
        title(SCORES, frame), _rows(lines), heading, is_stale=state.failure is not None
    )


def _same_rows(same: SameRows | None, why_not: str, frame: Frame) -> list[Text]:
    if same is None:
        return [line(("on the same rows", "title")), *_wrapped(f"none: {why_not}", "muted", frame)]
    live = f" on the same {same.rows:,} rows, {same.live_rows:,} live"
    first, second = same.first, same.second
    lines = [
        line((clip(live.strip(), frame.width), "title")),
        _score("loss", first.loss, second.loss),
        _score("skill/EWMA", first.skill_ewma, second.skill_ewma),
        _score("skill/static", first.skill_static, second.skill_static),
        _score("coverage", first.coverage, second.coverage),
    ]
    lines += [_regime(regime, frame) for regime in same.regimes]
    since = f"{moment(same.start_at, frame.now)} to {moment(same.end_at, frame.now)}"
    return [*lines, line((clip(since, frame.width), "faint"))]


def _regime(regime: RegimeLosses, frame: Frame) -> Text:
    is_lower = regime.improvement >= 0
    glyph, style = ("✔", "good") if is_lower else ("✖", "bad")
    if not regime.is_harmed and not is_lower:
        glyph, style = "·", "muted"
    word = "lower" if is_lower else "higher"
    text = f"loss {percent(abs(regime.improvement), 1)} {word}, {regime.rows:,} rows"
    harm = ", harmed" if regime.is_harmed else ""
    name = f" {fit(regime.regime, 18)} "
    return line(
        (glyph, style), (name, "plain"), (clip(text + harm, frame.width - len(name) - 1), style)
    )


def _trainings(known: ModelComparison) -> list[Text]:
    lines = [line(("in training and evaluation", "title"))]
    if not known.metrics:
        return [*lines, line(("no metric is recorded", "muted"))]
    return [*lines, *(_score(name, *pair) for name, pair in known.metrics.items())]


def _score(name: str, first: float | None, second: float | None) -> Text:
    """Return a metric of both with the difference; the glyph says which is better."""
    kind = name.removeprefix("holdout_")
    difference, style = _difference(kind, first, second)
    return line(
        (fit(name, _NAME), "plain"),
        (f"{_value(kind, second):>{_CELL}}", "strong"),
        (f"{_value(kind, first):>{_CELL}}", "muted"),
        (f"{difference:>{_CHANGE}}", style),
    )


def _value(kind: str, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if kind in _LOSSES:
        return basis_points(value)
    if kind.startswith("skill"):
        return percent(value, signed=True)
    return percent(value) if kind in ("coverage", "direction") else f"{value:.4g}"


def _difference(kind: str, first: float | None, second: float | None) -> tuple[str, str]:
    if first is None or second is None:
        return UNKNOWN, "muted"
    if kind in _LOSSES:
        change = second / first - 1.0 if first else 0.0
        return _marked(percent(change, signed=True), -change)
    if kind == "coverage":
        gain = abs(first - COVERAGE_TARGET) - abs(second - COVERAGE_TARGET)
        return _marked(_points(second - first), gain)
    if kind.startswith("skill") or kind == "direction":
        return _marked(_points(second - first), second - first)
    return f"{second - first:+.4g}".replace("-", "−"), "muted"


def _points(difference: float) -> str:
    """Return a difference of two percentages in points of percent."""
    return f"{100 * difference:+.1f} pp".replace("-", "−")


def _marked(text: str, gain: float) -> tuple[str, str]:
    if gain == 0.0:
        return f"= {text}", "muted"
    return (f"✔ {text}", "good") if gain > 0 else (f"✖ {text}", "bad")


def present_differences(state: ComparisonState, frame: Frame) -> PanelView:
    """Return age, size and seconds to train of both, and the parameters and features that differ."""
    if (known := state.known) is None:
        return PanelView(title(DIFFERS, frame), ())
    lines = [text for fact in _facts(known, frame) for text in fact]
    lines.append(line())
    if not known.differing:
        lines += _wrapped("parameters and features are the same", "muted", frame)
    for name, (first, second) in known.differing.items():
        lines += _pair(name, second or UNKNOWN, first or UNKNOWN, known, frame)
    number = count(len(known.differing), "difference")
    return PanelView(
        title(DIFFERS, frame, (number, "muted")), _rows(lines), is_stale=state.failure is not None
    )


def _facts(known: ModelComparison, frame: Frame) -> list[list[Text]]:
    one, two = known.trainings
    facts = (
        (
            "trained",
            age(known.second.created_at, frame.now),
            age(known.first.created_at, frame.now),
        ),
        ("training took", _took(two), _took(one)),
        ("model size", _size(two), _size(one)),
    )
    return [_pair(name, second, first, known, frame) for name, second, first in facts]


def _took(facts: TrainingFacts) -> str:
    return "not recorded" if facts.seconds is None else span(facts.seconds)


def _size(facts: TrainingFacts) -> str:
    return "not known" if facts.model_bytes is None else f"{facts.model_bytes / 1e6:.2f} MB"


def _pair(name: str, second: str, first: str, known: ModelComparison, frame: Frame) -> list[Text]:
    """Return one line where both values fit in it, otherwise a line each."""
    short = f"{name}  {second}  was {first}"
    if len(short) <= frame.width:
        return [line((f"{name}  ", "muted"), (second, "strong"), (f"  was {first}", "muted"))]
    lines = [line((clip(name, frame.width), "muted"))]
    for version, value, style in ((known.second, second, "strong"), (known.first, first, "muted")):
        head = f"  v{version.version}: "
        pieces = wrapped(value, frame.width - len(head)) or [UNKNOWN]
        lines += [
            line((head if i == 0 else " " * len(head), "muted"), (piece, style))
            for i, piece in enumerate(pieces)
        ]
    return lines


def _wrapped(words: str, style: str, frame: Frame) -> list[Text]:
    first, *rest = wrapped(words, frame.width) or [""]
    return [line((first, style)), *(line((piece, style)) for piece in rest)]


def _rows(lines: Sequence[Text]) -> tuple[Row, ...]:
    return tuple(Row("", text) for text in lines)
