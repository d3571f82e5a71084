"""The monitoring screen: features, losses, comparisons of versions, retraining."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from appliance.domain.drift import DriftReport, DriftScore, LossReport
from appliance.domain.monitoring import Monitoring
from appliance.domain.trial import LossEstimate, Trial, TrialState, TwinAccount
from appliance.tui.presentation import drift, marks
from appliance.tui.presentation.formats import UNKNOWN, age, count, fit, line, percent, rough_span
from appliance.tui.presentation.models import loss as basis_points
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    empty,
    failed,
    loading,
    title,
    wrapped,
)
from appliance.tui.state import Failure

FEATURES, LOSS, TRIALS, RETRAINING = "Features", "Loss", "Comparisons", "Retraining"
_BARS = "▁▂▃▄▅▆▇█"
_ENDED = {
    TrialState.PROMOTED: "good",
    TrialState.PASSED: "good",
    TrialState.BETTER: "good",
    TrialState.RESTORED: "bad",
    TrialState.WORSE: "muted",
}


@dataclass(frozen=True, slots=True)
class MonitoringState:
    """What was read last; None while the first answer is awaited."""

    known: Monitoring | None = None
    failure: Failure | None = None


def features(state: MonitoringState, frame: Frame) -> PanelView:
    """Return every feature's scores, by verdict and effect on the loss."""
    if (known := state.known) is None:
        return _absent(FEATURES, state, frame)
    if known.report is None:
        return empty(FEATURES, frame, "no report yet", "the monitoring workflow writes the first")
    report = known.report
    mark = marks.DRIFT[report.verdict]
    details = [(f"{mark.glyph} {mark.word}", mark.style), *drift.tally(report), _age(report, frame)]
    rows = tuple(
        Row(score.feature, _score(score, frame.width), sort=_score_values(score))
        for score in report.ranked
    )
    heading = line((_columns("  feature", frame.width, _HEADINGS), "heading"))
    footnote = drift.window_note(report, frame)
    text = title(FEATURES, frame, *details)
    return PanelView(text, rows, heading, footnote, _is_old(state), _SCORE_COLUMNS)


def _score_values(score: DriftScore) -> tuple[SortValue, ...]:
    figures = (score.effect, score.psi, score.ks, score.wasserstein, score.missing_rate)
    return (score.feature, score.verdict.value, *figures, score.p_value, score.rows)


def losses(state: MonitoringState, frame: Frame) -> PanelView:
    """Return the live loss beside its band, and what forecasts let one expect beside what came."""
    if (known := state.known) is None:
        return _absent(LOSS, state, frame)
    report = known.report.loss if known.report else None
    if report is None:
        return empty(LOSS, frame, "no loss to compare", "the model's profile does not hold one")
    mark = marks.DRIFT[report.verdict]
    details = [(f"{mark.glyph} {mark.word}", mark.style), (count(report.rows, "outcome"), "muted")]
    why = wrapped(f"cannot be judged: {report.why}", frame.width) if report.why else []
    rows = [
        *(line((text, "warning")) for text in why),
        *_loss_rows(report, frame.width),
        *_track(report, known.estimates, frame.width),
    ]
    return PanelView(
        title(LOSS, frame, *details),
        tuple(Row("", row) for row in rows),
        line((f"{'':<14}{'now':>10}{'limit':>10}", "heading")),
        is_stale=_is_old(state),
    )


def trials(state: MonitoringState, frame: Frame) -> PanelView:
    """Return the comparisons of versions, those that run first, each with its evidence in words."""
    if (known := state.known) is None:
        return _absent(TRIALS, state, frame)
    if not known.trials:
        return empty(TRIALS, frame, "none yet", "a second training begins one")
    running = [trial for trial in known.trials[::-1] if trial.state is TrialState.RUNNING]
    ended = [trial for trial in known.trials[::-1] if trial.state is not TrialState.RUNNING]
    rows = [row for trial in (*running, *ended) for row in _trial(trial, frame)]
    details = (f"{len(running)} running", "muted")
    return PanelView(title(TRIALS, frame, details), tuple(rows), is_stale=_is_old(state))


def retraining(state: MonitoringState, frame: Frame) -> PanelView:
    """Return the newest decision with its reasons, what waits, and what retraining was worth."""
    if (known := state.known) is None:
        return _absent(RETRAINING, state, frame)
    lines: list[Text] = []
    if (decision := known.decision) is None:
        lines += _paragraph("decision", "none yet", "muted", frame)
    else:
        words = f"{decision.summary} ({age(decision.at, frame.now)})"
        lines += _paragraph("decision", words, "plain", frame)
    if (parked := known.parked) is None:
        lines += _paragraph("parked", "no retrain waits", "muted", frame)
    else:
        words = f"▲ a retrain waits since {age(parked.parked_at, frame.now)}: "
        lines += _paragraph("parked", words + "; ".join(parked.reasons), "warning", frame)
    lines += _account(known.account, frame)
    return PanelView(
        title(RETRAINING, frame), tuple(Row("", text) for text in lines), is_stale=_is_old(state)
    )


def _absent(name: str, state: MonitoringState, frame: Frame) -> PanelView:
    return failed(name, frame, state.failure) if state.failure else loading(name, frame, "reports")


def _is_old(state: MonitoringState) -> bool:
    return state.failure is not None


def _age(report: DriftReport, frame: Frame) -> tuple[str, str]:
    return age(report.computed_at, frame.now), "muted"


_HEADINGS = ("effect", "PSI", "KS", "W/σ", "missing", "p", "rows")
_SCORE_COLUMNS = ("feature", "verdict", *_HEADINGS)
_WIDTHS = (8, 8, 6, 7, 9, 9, 9)
_NAME, _VERDICT = 20, 9


def _columns(name: str, width: int, cells: Iterable[str]) -> str:
    """Return the name and as many right-aligned cells as fit beside the verdict's word."""
    shown = [f"{cell:>{size}}" for cell, size in zip(cells, _WIDTHS, strict=True)]
    while len(shown) > 2 and _NAME + sum(map(len, shown)) + _VERDICT > width:
        shown.pop()
    room = max(min(width - sum(map(len, shown)) - _VERDICT, 22), 8)
    return fit(name, room) + "".join(shown)


def _score(score: DriftScore, width: int) -> Text:
    mark = marks.DRIFT[score.verdict]
    cells = (
        percent(score.effect, 2),
        _number(score.psi, 3),
        _number(score.ks, 2),
        _number(score.wasserstein, 2),
        percent(score.missing_rate),
        _number(score.p_value, 5),
        f"{score.rows:,}",
    )
    text = _columns(f"{mark.glyph} {score.feature}", width, cells)
    return line((text[:2], mark.style), (text[2:], "plain"), (f" {mark.word}", mark.style))


def _loss_rows(report: LossReport, width: int) -> list[Text]:
    relative, limit = report.relative, report.relative_high
    return [
        _measure("of EWMA width", relative, limit, width, decimals=3),
        _measure("Page-Hinkley", report.page_hinkley, report.page_hinkley_limit, width),
        _measure("expected, bp", _in_bp(report.expected), _in_bp(report.expected_high), width, 2),
    ]


def _in_bp(value: float | None) -> float | None:
    return None if value is None else 1e4 * value


def _measure(
    name: str, value: float | None, limit: float | None, width: int, decimals: int = 1
) -> Text:
    """Return a number beside its limit, with a bar of how near it is."""
    is_above = value is not None and limit is not None and value > limit
    style = "muted" if value is None else "bad" if is_above else "good"
    texts = [
        (f"{name:<14}", "plain"),
        (f"{_number(value, decimals):>10}", style),
        (f"{_number(limit, decimals):>10}", "muted"),
    ]
    room = width - 36
    if room > 4 and value is not None and limit:
        filled = min(round(room * value / limit), room)
        texts.append((f"  {'━' * filled}{'┄' * (room - filled)}", style))
    return line(*texts)


def _track(report: LossReport, estimates: tuple[LossEstimate, ...], width: int) -> list[Text]:
    rows = [line((f"{'realised':<14}", "plain"), (f"{basis_points(report.realised):>10}", "muted"))]
    if report.track_hits is not None:
        words = f"{percent(report.track_hits, 0)} of {report.tracked} came within 25 %"
        rows.append(_fact("estimates", f"{words}, bias {percent(report.track_bias, signed=True)}"))
    room = max(width - 16, 8)
    known = [each for each in estimates[-room:] if each.realised is not None]
    if known:
        top = max(max(each.expected, each.realised or 0.0) for each in known)
        expected = "".join(_bar(each.expected, top) for each in known)
        realised = "".join(_bar(each.realised or 0.0, top) for each in known)
        rows += [_fact("  expected", expected), _fact("  realised", realised)]
    return rows


def _fact(name: str, words: str) -> Text:
    return line((f"{name:<14}", "plain"), (f"{words}", "muted"))


def _bar(value: float, top: float) -> str:
    return _BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1)] if top > 0 else _BARS[0]


def _trial(trial: Trial, frame: Frame) -> list[Row]:
    key = f"{trial.purpose}-{trial.champion}-{trial.challenger}-{trial.started_at.isoformat()}"
    is_running = trial.state is TrialState.RUNNING
    glyph = "▶" if is_running else "○"
    style = "info" if is_running else _ENDED.get(trial.state, "muted")
    since = (
        rough_span(_seconds(trial, frame.now)) if is_running else age(trial.changed_at, frame.now)
    )
    head = line(
        (f"{glyph} ", style),
        (f"v{trial.challenger} against v{trial.champion}", "model"),
        (f"  {trial.purpose}  ", "muted"),
        (f"{trial.state} {since}", style),
    )
    words = trial.words or "no common row with an outcome yet"
    rest = [Row("", line((f"  {piece}", "plain"))) for piece in wrapped(words, frame.width - 2)]
    return [Row(key, head, search=words), *(rest if is_running else rest[:1])]


def _seconds(trial: Trial, now: datetime) -> float:
    return (now - trial.started_at).total_seconds()


def _account(account: TwinAccount | None, frame: Frame) -> list[Text]:
    if account is None:
        words = "nothing to account for yet: no retrain, or no candle that both forecast"
        return _paragraph("worth", words, "muted", frame)
    style = {"gained": "good", "lost": "bad"}.get(account.verdict, "plain")
    words = (
        f"{account.verdict}: loss {percent(account.gain, 2, signed=True)} lower than that of"
        f" v{account.model_version}, frozen, over {account.rows:,} candles"
    )
    return _paragraph("worth", words, style, frame)


def _paragraph(name: str, words: str, style: str, frame: Frame) -> list[Text]:
    return [
        line((f"{name if index == 0 else '':<10}", "muted"), (piece, style))
        for index, piece in enumerate(wrapped(words, max(frame.width - 10, 10)))
    ]


def _number(value: float | None, decimals: int) -> str:
    return UNKNOWN if value is None else f"{value:.{decimals}f}"
