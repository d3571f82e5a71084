"""The top line (what this is, how it is, where prices come from) and the notices under it."""

from __future__ import annotations

from rich.text import Text

from appliance.control.api import Problem, SourceStatus
from appliance.tui.presentation.formats import (
    age,
    clip,
    clock_time,
    count,
    line,
    short_span,
    spread,
)
from appliance.tui.presentation.view import Frame, wrapped
from appliance.tui.state import Board

NEEDED_WIDTH = 72
"""Below this width the panels cannot keep what matters."""
SIMULATED = "SIMULATOR - synthetic prices"


def top_line(board: Board, frame: Frame) -> Text:
    """Return the one line above the panels."""
    if frame.width < NEEDED_WIDTH:
        return line((clip(" enlarge the terminal to 80x24 or more ", frame.width), "caution"))
    left = line((" APPLIANCE ", "brand"), " ", _health(board), *_project(board))
    clock = line((f"  {clock_time(frame.now)} KST ", "muted"))
    room = frame.width - left.cell_len - clock.cell_len - 1
    chip = source_chip(board.status.value.source, room) if board.status.value else line()
    return spread(left, line().append_text(chip).append_text(clock), frame.width)


def _health(board: Board) -> tuple[str, str]:
    status = board.status.value
    if status is None:
        word = "no answer" if board.status.failure else "connecting …"
        return (f"✖ {word}", "bad") if board.status.failure else (f"◌ {word}", "muted")
    if not board.is_connected:
        return ("✖ connection lost", "bad")
    if status.is_healthy:
        return ("● healthy", "good")
    if status.problems:
        return (f"▲ {count(len(status.problems), 'problem')}", "warning")
    if status.stale and all(service.is_ready for service in status.services):
        return (f"◌ no answer from {', '.join(status.stale)}", "warning")
    waiting = sum(not service.is_ready for service in status.services)
    return (f"◐ {waiting} of {len(status.services)} not ready", "warning")


def _project(board: Board) -> tuple[tuple[str, str], ...]:
    """Which project all panels show, while there are several."""
    project, status = board.project, board.status.value
    if status is None:
        return ()
    off = f"  {', '.join(status.disabled)} disabled: x enables" if status.disabled else ""
    name = f"  {project.name}" if project is not None and len(status.projects) > 1 else ""
    return ((name, "accent"), (off, "warning"))


def source_chip(source: SourceStatus, width: int) -> Text:
    """Return the source's banner in at most `width` cells; a simulated source is loud."""
    if source.is_simulated:
        label = source.label if "simulator" in source.label.lower() else SIMULATED
        fitting = [words for words in (label, SIMULATED) if len(words) + 4 <= width]
        return line((f" ▲ {(fitting or ['SIMULATOR'])[0]} ", "simulator"))
    return line((f" ● {source.label} ", "source"))


def notices(board: Board, frame: Frame) -> tuple[Text, ...]:
    """Return the lines about a lost connection and about problems, at most `frame.height`."""
    lines = _connection(board, frame) + _problems(board, frame)
    if len(lines) <= frame.height:
        return tuple(lines)
    problems = board.status.value.problems if board.status.value else ()
    rest = line(
        (clip(f"  … {count(len(problems), 'problem')}: ! shows all", frame.width), "warning")
    )
    return (*lines[: max(frame.height - 1, 1)], rest)


def _connection(board: Board, frame: Frame) -> list[Text]:
    failure = board.status.failure
    if failure is None:
        return []
    texts = [f" ✖ {lost_words(board, frame)} "]
    if failure.message and failure.code != "appliance.not_running":
        texts.append(f"   {failure.message}")
    return [
        line((piece.ljust(frame.width) if index == 0 else piece, "alarm" if index == 0 else "bad"))
        for index, piece in enumerate(clip(text, frame.width) for text in texts)
    ]


def lost_words(board: Board, frame: Frame) -> str:
    """Return what a lost connection means and what ends it, as long as the width allows."""
    retry, at = board.retry_at, board.status.at
    seconds = (retry - frame.now).total_seconds() if retry else 0.0
    again = f"reconnecting in {seconds:.0f} s" if seconds >= 1 else "reconnecting …"
    old = short_span((frame.now - at).total_seconds()) if at else ""
    long_old = f" · values are {old} old" if old else ""
    long = f"supervisor does not answer{long_old} · {again} · `appliance up` starts it"
    if len(long) + 4 <= frame.width:
        return long
    short_old = f" · values {old} old" if old else ""
    return f"supervisor does not answer, reconnecting{short_old} · `appliance up`"


def _problems(board: Board, frame: Frame) -> list[Text]:
    status = board.status.value
    return [text for p in (status.problems if status else ()) for text in _problem(p, frame)]


def _problem(problem: Problem, frame: Frame) -> list[Text]:
    first, *rest = wrapped(f"{problem.message}", frame.width - 5) or [problem.code]
    lines = [line((" ▲ ", "caution"), (f" {first}", "warning"))]
    lines += [line((f"    {piece}", "warning")) for piece in rest]
    lines += [
        line((f"    → {piece}" if i == 0 else f"      {piece}", "plain"))
        for i, piece in enumerate(wrapped(problem.hint, frame.width - 6))
    ]
    return lines


def problem_page(board: Board, frame: Frame) -> list[Text]:
    """Return every problem in full, with since when."""
    status = board.status.value
    lines: list[Text] = []
    for problem in status.problems if status else ():
        lines += [*_problem(problem, frame)]
        lines += [
            line((f"    {problem.code}, since {age(problem.since_at, frame.now)}", "muted")),
            line(),
        ]
    for part, reason in ((status.stale or {}) if status else {}).items():
        lines += [line((clip(f" ◌ {part} cannot be read: {reason}", frame.width), "muted"))]
    return lines or [line(("● nothing needs you", "good"))]
