"""Pages of a log of which the newest lines are recorded."""

from __future__ import annotations

from appliance.domain.log import NEWEST, LogLevel, LogLine, LogPage, LogQuery, level_of
from appliance.domain.text_filter import parse_filter

LOG_LINES = 500
"""Newest lines that are recorded of each log."""


def page_of(lines: list[str], query: LogQuery) -> LogPage:
    """Return the lines that a query wants; they count from the first one that is recorded."""
    wanted, known = parse_filter(query.needle), list[LogLine]()
    size, level = 0, LogLevel.INFO
    for text in lines:
        level = level_of(text, level)
        known.append(LogLine(size, text, level))
        size += len(text.encode()) + 1
    at = size if query.at == NEWEST else query.at
    chosen = [
        line
        for line in known
        if (line.at >= at) is query.is_forward
        and line.level >= query.level
        and wanted.keeps(line.text)
    ]
    if query.is_forward:
        return LogPage(tuple(chosen[: query.lines]), at, size, size)
    return LogPage(tuple(chosen[-query.lines :]), 0, at, size)
