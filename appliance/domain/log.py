"""Logs in pages: lines with their place in the file, so that a screen holds a part of any length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from appliance.domain.text_filter import parse_filter

NEWEST = -1
"""As a position: the end of the log."""


class LogLevel(IntEnum):
    """How loud a line is; what follows a line without naming a level has that line's."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; `at` is its place in bytes since the log's beginning.

    `is_context` when it does not match and stands beside one that does, `follows_gap` when lines before
    it were left out.
    """

    at: int
    text: str
    level: LogLevel = LogLevel.INFO
    is_context: bool = False
    follows_gap: bool = False


@dataclass(frozen=True, slots=True)
class LogPage:
    """Neighbouring lines of a log, or those of them that match.

    All bytes from `start` to `end` have been looked at; `size` is where the log ended then. Positions
    hold while `file` stays the same; a rotation that drops the oldest part changes it.
    """

    lines: tuple[LogLine, ...]
    start: int
    end: int
    size: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines: at most `lines` before position `at`, or from it on when `is_forward`.

    `needle` (a filter as `text_filter` takes it) and the least `level` choose among them; `context` lines
    around each chosen one come along. `around_at` takes the place of `at`: the newest
    line that says a time up to then.
    """

    at: int = NEWEST
    lines: int = 400
    is_forward: bool = False
    needle: str = ""
    level: LogLevel = LogLevel.DEBUG
    context: int = 0
    around_at: datetime | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether lines are chosen among."""
        return bool(parse_filter(self.needle).needle) or self.level > LogLevel.DEBUG


_NAMED = re.compile(
    r"\b(?:(?P<error>ERROR|CRITICAL|FATAL|PANIC|Traceback|\w*Error|\w*Exception|level=(?:error|critical))"
    r"|(?P<warning>WARN|WARNING|level=warn\w*)|(?P<debug>DEBUG|level=debug)|(?P<info>INFO|level=info))\b"
    r"|^\S+ (?:(?P<task_error>error|critical)|(?P<task_warning>warning)|(?P<task_debug>debug)) ",
    re.A,
)
_LEVELS = {"error": LogLevel.ERROR, "warning": LogLevel.WARNING, "debug": LogLevel.DEBUG}
_NEW_RECORD = re.compile(r"^(\[?\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|--- |[A-Z]+:? )", re.A)


def level_of(text: str, before: LogLevel = LogLevel.INFO) -> LogLevel:
    """Return a line's level by its words; one that begins no record of its own goes with the one before."""
    if named := _NAMED.search(text):
        return _LEVELS.get(str(named.lastgroup).removeprefix("task_"), LogLevel.INFO)
    return LogLevel.INFO if _NEW_RECORD.match(text) else before
