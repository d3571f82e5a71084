"""The drift table, worst feature first."""

from __future__ import annotations

from rich.text import Text

from appliance.domain.drift import DriftReport, DriftScore, DriftVerdict
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import UNKNOWN, age, fit, line, moment, rough_span
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    absent,
    empty,
    note,
    old_note,
    stale_note,
    title,
)
from appliance.tui.state import Board

NAME = "Drift"
_ROOMY = 56
"""From this width on a feature has words; the statistics are on the monitoring screen."""
_NEW_VALUES = 0.1
"""More of a feature's values than this beyond the reference are said rather than its distance."""
_JUDGED = {
    DriftVerdict.STABLE: "usual",
    DriftVerdict.WARNING: "unusual",
    DriftVerdict.DRIFTED: "drifted",
    DriftVerdict.INSUFFICIENT: "too few",
}


def present(board: Board, frame: Frame) -> PanelView:
    """Return the newest drift report's scores; the title carries verdict and counts."""
    if board.status.value is None:
        return absent(NAME, frame, board.status, "drift scores")
    report = board.project.drift if board.project else None
    if report is None:
        what = board.stale_reason("store") or "no drift report yet"
        return empty(NAME, frame, what, "the monitoring workflow writes one after each forecast")
    stale = old_note(board.status, frame.now) or stale_note(board, "store", frame.now)
    names = min(max((len(s.feature) for s in report.scores), default=8), _name_width(frame))
    rows = tuple(Row(s.feature, _row(s, names, frame), sort=_sort_values(s)) for s in report.ranked)
    mark = marks.DRIFT[report.verdict]
    details = [(f"{mark.glyph} {mark.word}", mark.style), *tally(report)]
    if report.loss is not None and report.loss.verdict is DriftVerdict.DRIFTED:
        details[0] = ("✖ loss out of its band", "bad")
    details.append((stale or age(report.computed_at, frame.now), "muted"))
    return PanelView(
        title(NAME, frame, *details),
        rows,
        _heading(names, frame),
        window_note(report, frame),
        is_stale=bool(stale),
        columns=("feature", "away", "chance", "verdict"),
    )


def _sort_values(score: DriftScore) -> tuple[SortValue, ...]:
    return (score.feature, score.wasserstein, score.p_value, score.verdict.value)


def window_note(report: DriftReport, frame: Frame) -> Text:
    """Return the window that was compared and the profile that it was compared with."""
    length = rough_span((report.window_end_at - report.window_start_at).total_seconds())
    until = moment(report.window_end_at, frame.now)
    words = f"{length} to {until} · profile of v{report.model_version}"
    return note(words, frame.width - 4)


def tally(report: DriftReport) -> list[tuple[str, str]]:
    """Return how many features are not stable, of how many."""
    verdicts = [score.verdict for score in report.scores]
    moved = sum(v in (DriftVerdict.DRIFTED, DriftVerdict.WARNING) for v in verdicts)
    return [(f"{moved} of {len(verdicts)} moved", "muted")] if verdicts else []


def _in_words(score: DriftScore) -> str:
    """Return how far a feature has moved, and how often it is so far in a stable market."""
    if score.verdict is DriftVerdict.INSUFFICIENT:
        return f"{score.rows:,} rows are too few to judge"
    if (score.outside or 0.0) > _NEW_VALUES:
        return f"{100 * (score.outside or 0.0):.0f} % of the values are new"
    return f"{_away(score)} away; {_chance(score)} of the time"


def speak(score: DriftScore) -> str:
    """Return in one sentence how far a feature has moved, and how often a stable market is so far."""
    judged = _JUDGED[score.verdict]
    if score.verdict is DriftVerdict.INSUFFICIENT:
        return _in_words(score)
    if score.p_value is None:
        return f"{_in_words(score)}; {judged}"
    far = _in_words(score).partition(";")[0]
    return f"{far}; a stable market does this {_chance(score)} of the time; {judged}"


def _away(score: DriftScore) -> str:
    return UNKNOWN if score.wasserstein is None else f"{score.wasserstein:.1f} σ"


def _chance(score: DriftScore) -> str:
    if score.p_value is None:
        return UNKNOWN
    share = 100 * score.p_value
    return "< 0.1 %" if share < 0.1 else f"{share:.1f} %" if share < 1 else f"{share:.0f} %"


def _name_width(frame: Frame) -> int:
    return max(frame.width - (44 if frame.width >= _ROOMY else 25), 8)


def _heading(names: int, frame: Frame) -> Text:
    is_roomy = frame.width >= _ROOMY
    figures = "how far; how often if stable" if is_roomy else f"{'away':>6}{'chance':>8}"
    return line((f"  {'feature':<{names}} {figures}", "heading"))


def _row(score: DriftScore, names: int, frame: Frame) -> Text:
    mark = marks.DRIFT[score.verdict]
    is_roomy = frame.width >= _ROOMY
    figures = f"{_in_words(score):<32}" if is_roomy else f"{_away(score):>6}{_chance(score):>8}"
    return line(
        (f"{mark.glyph} ", mark.style),
        (fit(score.feature, names), "plain"),
        (f" {figures}", "muted"),
        (f" {_JUDGED[score.verdict]}", mark.style),
    )
