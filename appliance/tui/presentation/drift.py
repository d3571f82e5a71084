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
    absent,
    empty,
    note,
    old_note,
    stale_note,
    title,
)
from appliance.tui.state import Board

NAME = "Drift"
_ROOMY = 60
"""From this width on, every statistic has a column."""


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
    rows = tuple(Row(s.feature, _row(s, names, frame)) for s in report.ranked)
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
    )


def window_note(report: DriftReport, frame: Frame) -> Text:
    """Return the window that was compared and the profile that it was compared with."""
    length = rough_span((report.window_end_at - report.window_start_at).total_seconds())
    until = moment(report.window_end_at, frame.now)
    words = f"{length} to {until} KST · profile of v{report.model_version}"
    return note(words, frame.width - 4)


def tally(report: DriftReport) -> list[tuple[str, str]]:
    """Return how many features are not stable, of how many."""
    verdicts = [score.verdict for score in report.scores]
    moved = sum(v in (DriftVerdict.DRIFTED, DriftVerdict.WARNING) for v in verdicts)
    return [(f"{moved} of {len(verdicts)} moved", "muted")] if verdicts else []


def _name_width(frame: Frame) -> int:
    used = 2 + 7 + 6 + (24 if frame.width >= _ROOMY else 0) + 8
    return max(frame.width - used, 8)


def _heading(names: int, frame: Frame) -> Text:
    more = f"{'p':>8}{'W/σ':>7}{'rows':>9}" if frame.width >= _ROOMY else ""
    return line((f"  {'feature':<{names}}{'PSI':>7}{'KS':>6}{more}", "heading"))


def _row(score: DriftScore, names: int, frame: Frame) -> Text:
    mark = marks.DRIFT[score.verdict]
    texts = [
        (f"{mark.glyph} ", mark.style),
        (fit(score.feature, names), "plain"),
        (f"{_number(score.psi, 3):>7}", mark.style),
        (f"{_number(score.ks, 2):>6}", "muted"),
    ]
    if frame.width >= _ROOMY:
        more = f"{_number(score.p_value, 4):>8}{_number(score.wasserstein, 2):>7}"
        texts.append((f"{more}{score.rows:>9,}", "muted"))
    return line(*texts, (f" {mark.word}", mark.style))


def _number(value: float | None, decimals: int) -> str:
    return UNKNOWN if value is None else f"{value:.{decimals}f}"
