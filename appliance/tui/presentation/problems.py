"""The list of problems, those of one cause in one row, and the chosen one in full."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text

from appliance.control.api import Problem
from appliance.control.problem_groups import ProblemGroup, subject_names
from appliance.tui.presentation.banner import problem_groups
from appliance.tui.presentation.formats import age, clip, count, fit, line
from appliance.tui.presentation.view import Frame, PanelView, Row, title, wrapped
from appliance.tui.state import Board

NAME = "Problems"
_STALE = "stale:"


def present(board: Board, frame: Frame) -> PanelView:
    """Return one row a cause, the most fundamental first, and one for each part that cannot be read."""
    groups, stale = problem_groups(board), _stale(board)
    rows = [
        Row(group_key(group), _row(group, frame), " ".join(subject_names(group.problems)))
        for group in groups
    ]
    rows += [
        Row(
            f"{_STALE}{part}",
            line((clip(f" ◌ {part} cannot be read: {why}", frame.width), "muted")),
        )
        for part, why in stale.items()
    ]
    if not rows:
        return PanelView(title(NAME, frame), (Row("", line(("● nothing needs you", "good"))),))
    details = (count(len(groups), "problem"), "warning") if groups else ("", "")
    return PanelView(title(NAME, frame, details), tuple(rows))


def _row(group: ProblemGroup, frame: Frame) -> Text:
    since = age(group.since_at, frame.now).removesuffix(" ago")
    room = max(frame.width - 3 - 9, 10)
    return line((" ▲ ", "warning"), (fit(group.message, room), "plain"), (f"{since:>9}", "muted"))


def group_key(group: ProblemGroup) -> str:
    """Return what tells the group from others while it lasts."""
    return f"{group.code} {group.problems[0].subject if group.is_single else ''}"


def first_problem(board: Board, key: str) -> Problem | None:
    """Return the problem of the row `key`, a group's words and its first subject; None for a stale part."""
    group = next((each for each in problem_groups(board) if group_key(each) == key), None)
    if group is None:
        return None
    first = group.problems[0]
    return replace(first, message=group.message, hint=group.hint, since_at=group.since_at)


def detail(board: Board, key: str, frame: Frame) -> PanelView:
    """Return the chosen problem in full; of a group, everything that it speaks for."""
    if key.startswith(_STALE):
        return _stale_detail(board, key.removeprefix(_STALE), frame)
    group = next((each for each in problem_groups(board) if group_key(each) == key), None)
    if group is None:
        return PanelView(title("What to do", frame), ())
    lines = [line((piece, "warning")) for piece in wrapped(group.message, frame.width)]
    lines += [
        line((f"{'→' if i == 0 else ' '} {piece}", "plain"))
        for i, piece in enumerate(wrapped(group.hint, frame.width - 2))
    ]
    lines.append(line((f"{group.code}, since {age(group.since_at, frame.now)}", "muted")))
    if not group.is_single:
        lines.append(line())
        lines += [text for problem in group.problems for text in _bullet(problem.message, frame)]
    rows = tuple(Row("", text) for text in lines)
    return PanelView(title("What to do", frame), rows, is_text=True)


def _bullet(words: str, frame: Frame) -> list[Text]:
    return [
        line((f"{'·' if i == 0 else ' '} {piece}", "plain"))
        for i, piece in enumerate(wrapped(words, frame.width - 2))
    ]


def _stale(board: Board) -> dict[str, str]:
    status = board.status.value
    return dict((status.stale or {}) if status else {})


def _stale_detail(board: Board, part: str, frame: Frame) -> PanelView:
    reason = _stale(board).get(part, "it can be read again")
    read_at = board.read_at(part)
    as_of = f"the values shown are of {age(read_at, frame.now)}" if read_at else "it was never read"
    rows = [
        line((piece, "plain"))
        for words in (f"{part}: {reason}", as_of)
        for piece in wrapped(words, frame.width)
    ]
    return PanelView(title("What to do", frame), tuple(Row("", text) for text in rows))
