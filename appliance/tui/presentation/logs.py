"""Log lines: coloured by level, wrapped, with what was left out between matches marked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.text import Text

from appliance import zone
from appliance.domain.log import LogLevel, LogLine, LogPage
from appliance.domain.text_filter import parse_filter
from appliance.terminal import clean
from appliance.tui.presentation.formats import count, line, percent
from appliance.tui.presentation.view import Frame, PanelView, Row, empty, failed, loading, title
from appliance.tui.state import Failure

_STYLES = {
    LogLevel.ERROR: "bad",
    LogLevel.WARNING: "warning",
    LogLevel.INFO: "plain",
    LogLevel.DEBUG: "faint",
}
LEVEL_WORDS = {
    LogLevel.DEBUG: "",
    LogLevel.WARNING: "warnings and errors",
    LogLevel.ERROR: "errors",
}
"""The steps of the level filter, in their order."""
CONTEXT_LINES = 2
MOST_LINES = 2000
"""Lines held at once; beyond, the farther end is let go and read again when it is scrolled to."""


@dataclass(frozen=True, slots=True)
class LogState:
    """A log as the screen has it; `page` is None while the first answer is awaited.

    `needle` and `level` choose lines. `note` says what the last search came to.
    """

    name: str
    page: LogPage | None = None
    failure: Failure | None = None
    needle: str = ""
    level: LogLevel = LogLevel.DEBUG
    is_following: bool = True
    note: str = ""

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """The lines held."""
        return self.page.lines if self.page else ()

    @property
    def is_filtered(self) -> bool:
        """Whether only some lines are asked for."""
        return bool(self.needle) or self.level > LogLevel.DEBUG

    @property
    def is_at_end(self) -> bool:
        """Whether the newest line is held."""
        return self.page is not None and self.page.end >= self.page.size


def joined(before: LogPage, after: LogPage) -> LogPage:
    """Return two neighbouring pages as one; the newer answer wins where both have a line."""
    kept = tuple(line for line in before.lines if line.at < after.start)
    return LogPage(
        kept + after.lines, before.start, max(after.end, after.start), after.size, after.file
    )


def shortened(page: LogPage, *, keep_end: bool) -> LogPage:
    """Return a page of at most `MOST_LINES` lines, the first or the last ones."""
    if len(page.lines) <= MOST_LINES:
        return page
    if keep_end:
        lines = page.lines[-MOST_LINES:]
        return LogPage(lines, lines[0].at, page.end, page.size, page.file)
    lines = page.lines[: MOST_LINES + 1]
    return LogPage(lines[:-1], page.start, lines[-1].at, page.size, page.file)


def present(state: LogState, frame: Frame) -> PanelView:
    """Return the lines held, wrapped; the title says what part of the log they are."""
    name = f"Log of {state.name}"
    page = state.page
    if page is None:
        if state.failure is not None:
            return failed(name, frame, state.failure)
        return loading(name, frame, "the log")
    if not page.size:
        return empty(name, frame, "the log is empty", "it fills as soon as the process writes")
    if not page.lines:
        return _nothing(name, state, page, frame)
    rows: list[Row] = []
    for each in page.lines:
        if each.follows_gap and rows:
            rows.append(Row("", line(("  ⋯", "faint"))))
        wanted = parse_filter(state.needle)
        needle = "" if wanted.is_inverse or wanted.is_fuzzy else wanted.needle
        pieces = _pieces(each.text, each.level, each.is_context, needle, max(frame.width, 10))
        rows += [Row(f"{each.at}.{number}", piece) for number, piece in enumerate(pieces)]
    view_title = _title(name, state, page, frame)
    is_stale = state.failure is not None
    return PanelView(view_title, tuple(rows), is_stale=is_stale, is_fixed=True)


def _nothing(name: str, state: LogState, page: LogPage, frame: Frame) -> PanelView:
    wanted = f"no line matches “{state.needle}”" if state.needle else "no line"
    if level := LEVEL_WORDS[state.level]:
        wanted = f"{wanted} among {level}" if state.needle else f"no {level}"
    if page.start > 0:
        looked = percent(1 - page.start / page.size, 0)
        return empty(name, frame, f"{wanted} in the newest {looked}", "searching on …")
    return empty(name, frame, wanted, "esc clears the filter, L shows every level")


def _title(name: str, state: LogState, page: LogPage, frame: Frame) -> Text:
    follow = ("▼ following", "good") if state.is_following else ("‖ held", "warning")
    needle = (f"/{state.needle}", "accent") if state.needle else ("", "")
    level = (LEVEL_WORDS[state.level], "accent")
    lost = ("cannot be read now", "bad") if state.failure else ("", "")
    note = (state.note, "warning")
    return title(name, frame, follow, needle, level, note, (_part(page), "muted"), lost)


def _part(page: LogPage) -> str:
    shown = count(sum(not each.is_context for each in page.lines), "line")
    if page.start <= 0 and page.end >= page.size:
        return shown
    where = percent(page.end / page.size, 0)
    return f"{shown} up to {where} of {page.size / 1e6:,.1f} MB"


@lru_cache(maxsize=8192)
def _pieces(
    text: str, level: LogLevel, is_context: bool, needle: str, width: int
) -> tuple[Text, ...]:
    style = "faint" if is_context else _STYLES[level]
    shown = clean(zone.in_zone(text).expandtabs(4))
    pieces = tuple(line((part, style)) for part in folded(shown, width))
    if needle and not is_context:
        for piece in pieces:
            piece.highlight_words([needle], "match", case_sensitive=False)
    return pieces


def folded(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width`, broken after a word where one ends late enough."""
    parts = []
    while len(text) > width:
        space = text.rfind(" ", width // 2, width + 1)
        end = space if space > 0 else width
        parts.append(text[:end])
        text = "  " + text[end:].lstrip()
    return [*parts, text]
