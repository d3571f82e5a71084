"""The top line (what this is, how it is, where prices come from) and the notices under it."""

from __future__ import annotations

from rich.text import Text

from appliance.control.api import SourceStatus
from appliance.control.problem_groups import ProblemGroup, group_problems
from appliance.tui.action_keys import key_of
from appliance.tui.presentation.formats import (
    clip,
    clock_time,
    count,
    line,
    short_span,
    spread,
    zone_name,
)
from appliance.tui.presentation.past import past_lines
from appliance.tui.presentation.view import Frame, wrapped
from appliance.tui.state import Board

NEEDED_WIDTH = 56
"""Below this width the panels cannot keep what matters."""
_LEAST_CHIP = 15
"""Cells of the shortest words about the source; the clock gives way to them."""
SIMULATED = "SIMULATOR - synthetic prices"


def top_line(board: Board, frame: Frame, crumbs: tuple[str, ...] = ("dashboard",)) -> Text:
    """Return the one line above the panels; below the dashboard it begins with where one is."""
    if frame.width < NEEDED_WIDTH:
        return line((clip(" enlarge the terminal to 60x20 or more ", frame.width), "caution"))
    left = line(
        (f" {_place(crumbs, frame.width * 2 // 5)} ", "brand"),
        " ",
        _health(board),
        *_project(board),
    )
    clock = line((f"  {clock_time(frame.now)} {zone_name(frame.now)} ", "muted"))
    if frame.width - left.cell_len - clock.cell_len < _LEAST_CHIP:
        clock = line()
    room = frame.width - left.cell_len - clock.cell_len - 1
    chip = source_chip(board.status.value.source, room) if board.status.value else line()
    return spread(left, line().append_text(chip).append_text(clock), frame.width)


def _place(crumbs: tuple[str, ...], room: int) -> str:
    """Return where one is; the way there gives way, from its beginning."""
    if len(crumbs) < 2:
        return "APPLIANCE"
    for first in range(len(crumbs)):
        words = " › ".join(("…", *crumbs[first:]) if first else crumbs)
        if len(words) <= room:
            return words
    return clip(crumbs[-1], room)


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
        return (f"▲ {count(len(problem_groups(board)), 'problem')}", "warning")
    if status.stale and all(service.is_ready for service in status.services):
        return (f"◌ no answer from {', '.join(status.stale)}", "warning")
    waiting = sum(not service.is_ready for service in status.services)
    return (f"◐ {waiting} of {len(status.services)} not ready", "warning")


def _project(board: Board) -> tuple[tuple[str, str], ...]:
    """Which project all panels show, while there are several."""
    project, status = board.project, board.status.value
    if status is None:
        return ()
    off = (
        f"  {', '.join(status.disabled)} disabled: {key_of('switch_project')} enables"
        if status.disabled
        else ""
    )
    watching = "READ-ONLY" if status.read_only or board.is_locked else ""
    name = f"  {project.name}" if project is not None and len(status.projects) > 1 else ""
    return (
        (" " if watching else "", ""),
        (watching and f" {watching} ", "caution"),
        (name, "accent"),
        (off, "warning"),
    )


def source_chip(source: SourceStatus, width: int) -> Text:
    """Return the source's banner in at most `width` cells; a simulated source is loud."""
    if source.is_simulated:
        label = source.label if "simulator" in source.label.lower() else SIMULATED
        fitting = [words for words in (label, SIMULATED) if len(words) + 4 <= width]
        return line((f" ▲ {(fitting or ['SIMULATOR'])[0]} ", "simulator"))
    return line((f" ● {source.label} ", "source"))


def notices(board: Board, frame: Frame) -> tuple[Text, ...]:
    """Return the lines about a lost connection and about problems, at most `frame.height`."""
    lines = past_lines(board, frame) + _connection(board, frame) + _problems(board, frame)
    if len(lines) <= frame.height:
        return tuple(lines)
    words = f"  … {count(len(problem_groups(board)), 'problem')}: {key_of('problems')} shows all"
    return (*lines[: max(frame.height - 1, 1)], line((clip(words, frame.width), "warning")))


def problem_groups(board: Board) -> tuple[ProblemGroup, ...]:
    """Return what needs the operator, problems of one cause as one."""
    return group_problems(board.status.value.problems if board.status.value else ())


def _connection(board: Board, frame: Frame) -> list[Text]:
    failure = board.status.failure
    if failure is None or board.past is not None:
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
    return [text for group in problem_groups(board) for text in problem_lines(group, frame)]


def problem_lines(group: ProblemGroup, frame: Frame) -> list[Text]:
    """Return what is wrong and what to do, wrapped."""
    words = (
        group.message if group.is_single else f"{group.message}; {key_of('problems')} lists them"
    )
    first, *rest = wrapped(words, frame.width - 5) or [group.code]
    lines = [line((" ▲ ", "caution"), (f" {first}", "warning"))]
    lines += [line((f"    {piece}", "warning")) for piece in rest]
    lines += [
        line((f"    → {piece}" if i == 0 else f"      {piece}", "plain"))
        for i, piece in enumerate(wrapped(group.hint, frame.width - 6))
    ]
    return lines
