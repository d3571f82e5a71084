"""One feature's drift: the sentence, the statistics behind it, and both distributions."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from appliance.domain.drift import DriftReport, DriftScore, DriftVerdict, Histogram
from appliance.tui.action_keys import key_of
from appliance.tui.presentation import drift, marks
from appliance.tui.presentation.formats import UNKNOWN, line, percent
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    empty,
    failed,
    loading,
    title,
    wrapped,
)
from appliance.tui.state import Failure

_PARTS = " ▏▎▍▌▋▊▉█"
_EDGE = 10


@dataclass(frozen=True, slots=True)
class FeatureState:
    """The report that a feature is looked at in; an empty name is the one that has moved most."""

    feature: str
    report: DriftReport | None = None
    is_read: bool = False
    failure: Failure | None = None

    @property
    def score(self) -> DriftScore | None:
        """The feature's score."""
        ranked = self.report.ranked if self.report else []
        return next((s for s in ranked if self.feature in ("", s.feature)), None)


def present(state: FeatureState, frame: Frame) -> PanelView:
    """Return everything that is known of one feature's drift."""
    name = state.feature or "Feature"
    score, report = state.score, state.report
    if score is None or report is None:
        if state.failure is not None:
            return failed(name, frame, state.failure)
        if not state.is_read:
            return loading(name, frame, "the report")
        return empty(
            name,
            frame,
            f"the newest report does not have {name}",
            f"{key_of('monitoring')} shows what it has",
        )
    mark = marks.DRIFT[score.verdict]
    lines = [line((piece, "strong")) for piece in wrapped(drift.speak(score), frame.width)]
    lines += [line(), *_histogram(score, report, frame), line(), *_statistics(score, frame)]
    return PanelView(
        title(score.feature, frame, (f"{mark.glyph} {mark.word}", mark.style)),
        tuple(Row("", text) for text in lines),
        footnote=drift.window_note(report, frame),
        is_stale=state.failure is not None,
    )


def _histogram(score: DriftScore, report: DriftReport, frame: Frame) -> list[Text]:
    """Draw both distributions over the same bins, side by side."""
    if (known := score.histogram) is None:
        why = (
            "too few rows to draw"
            if score.verdict is DriftVerdict.INSUFFICIENT
            else "this report is of before distributions were kept; the next one has them"
        )
        return [line((why, "muted"))]
    room = max((frame.width - _EDGE - 14) // 2, 6)
    top = max(*known.reference, *known.current, 1e-9)
    left = f"reference, v{report.model_version}"
    head = f"{'from':>{_EDGE}} {left:<{room + 6}} current window"
    return [
        line((head, "heading")),
        *(_bin(known, index, top, room) for index in range(len(known.reference))),
    ]


def _bin(known: Histogram, index: int, top: float, room: int) -> Text:
    before, after = known.reference[index], known.current[index]
    change = "▲" if after > 2 * before + 0.01 else "▼" if before > 2 * after + 0.01 else " "
    return line(
        (f"{known.edges[index]:>{_EDGE}.3g} ", "muted"),
        (_bar(before / top, room), "info"),
        (f"{percent(before, 0):>6}", "muted"),
        " ",
        (_bar(after / top, room), "model"),
        (f"{percent(after, 0):>6}", "muted"),
        (change, "warning"),
    )


def _bar(fraction: float, room: int) -> str:
    eighths = round(fraction * room * 8)
    bar = "█" * (eighths // 8) + _PARTS[eighths % 8].strip()
    return f"{bar:<{room}}"


def _statistics(score: DriftScore, frame: Frame) -> list[Text]:
    facts = (
        ("away", _figure(score.wasserstein, 2, " σ"), "how far it has moved, in deviations of the reference"),
        ("chance", percent(score.p_value, 2), "how often a stable market is that far; this decides"),
        ("PSI", _figure(score.psi, 3), "population stability index: size only, it moves without drift too"),
        ("KS", _figure(score.ks, 2), "largest difference of the two cumulative distributions"),
        ("new", percent(score.outside), "values beyond what the model was trained on"),
        ("missing", percent(score.missing_rate), "candles of the window without a value"),
        ("effect", percent(score.effect, 2), "part of the loss that hangs on it, times its distance"),
        ("rows", f"{score.rows:,}", "in the current window"),
    )  # fmt: skip
    rows: list[Text] = []
    for name, value, words in facts:
        pieces = wrapped(words, max(frame.width - 20, 20))
        rows.append(line((f"{name:<9}", "muted"), (f"{value:>9}  ", "plain"), (pieces[0], "muted")))
        rows += [line((" " * 20, "muted"), (piece, "muted")) for piece in pieces[1:]]
    return rows


def _figure(value: float | None, decimals: int, unit: str = "") -> str:
    return UNKNOWN if value is None else f"{value:.{decimals}f}{unit}"
