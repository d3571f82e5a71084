"""Pages of a log of any length, read by position: only what is asked for is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from appliance import clock
from appliance.domain.log import NEWEST, LogLevel, LogLine, LogPage, LogQuery, level_of
from appliance.domain.text_filter import parse_filter

Rendered = Sequence[tuple[str, LogLevel]]
Render = Callable[[bytes, LogLevel], Rendered]
"""Turns one record of the file (a line without its end) and the level before it into lines to show."""

FIRST_BLOCK_BYTES = 65_536
BLOCK_BYTES = 1_048_576
"""Blocks grow from the first size to this one, so that a page is quick and so is a search."""
SEARCH_SECONDS = 1.0
"""After this long a search returns what it has looked at; the caller asks on from there."""
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")


class LogParts:
    """The files of one log as one row of bytes, the oldest first; missing ones are left out."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._parts: list[tuple[Path, int, int]] = []
        self.size = 0
        self.file = ""
        for path in paths:
            try:
                seen = path.stat()
            except OSError:
                continue
            self.file = self.file or f"{seen.st_dev:x}-{seen.st_ino:x}"
            self._parts.append((path, self.size, self.size + seen.st_size))
            self.size += seen.st_size

    @property
    def newest_start(self) -> int:
        """Where the newest file begins."""
        return self._parts[-1][1] if self._parts else 0

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer where a file was cut meanwhile."""
        content = b""
        for path, first, last in self._parts:
            if first < end and last > start:
                with path.open("rb") as file:
                    file.seek(max(start - first, 0))
                    content += file.read(min(end, last) - max(start, first))
        return content

    def record_start(self, at: int) -> int:
        """Return where the record that holds position `at` begins."""
        at = min(self.size, at)
        first = max(at - BLOCK_BYTES, 0)
        before = self.read(first, at)
        end = before.rfind(b"\n")
        return first if end < 0 else first + end + 1


def plain(record: bytes, before: LogLevel) -> Rendered:
    """Render a record of text as the one line that it is."""
    text = record.decode("utf-8", "replace").rstrip("\r")
    return ((text, level_of(text, before)),)


def read_log_page(
    parts: LogParts, query: LogQuery, render: Render = plain, seconds: float = SEARCH_SECONDS
) -> LogPage:
    """Return the page that `query` asks for; a search ends early after `seconds`.

    A last line that is not finished is on the page and behind its `end`, so that asking on from there
    brings it whole.
    """
    if query.around_at is not None:
        at = _at_time(parts, query.around_at)
        query = replace(query, at=at, around_at=None, is_forward=True)
    at = parts.size if query.at == NEWEST else min(query.at, parts.size)
    if query.at != NEWEST:
        at = parts.record_start(at)
    blocks = _blocks_after(parts, at) if query.is_forward else _blocks_before(parts, at)
    stop_at = clock.monotonic() + seconds
    collected: list[_Shown] = []
    start = end = at
    for block in blocks:
        shown = _chosen(block, query, render)
        if query.is_forward:
            collected, end = collected + shown, block.end
        else:
            collected, start = shown + collected, block.start
        if len(collected) >= query.lines or clock.monotonic() > stop_at:
            break
    kept = _cut(collected, query)
    if len(kept) < len(collected):
        start = start if query.is_forward else kept[0].start
        end = kept[-1].end if query.is_forward else end
    if not query.is_forward:
        end = min(end, _finished(parts, end))
    lines = tuple(shown.line for shown in kept)
    return LogPage(lines, start, end, parts.size, parts.file)


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int
    content: bytes


@dataclass(frozen=True, slots=True)
class _Shown:
    """A line to show, and where its record begins and ends."""

    start: int
    end: int
    line: LogLine


def _blocks_before(parts: LogParts, at: int) -> Iterator[_Block]:
    """Yield blocks of whole records, the last one first; a record longer than a block is cut."""
    length = FIRST_BLOCK_BYTES
    while at > 0:
        first = max(at - length, 0)
        content = parts.read(first, at)
        if first and parts.read(first - 1, first) != b"\n":
            cut = content.find(b"\n", 0, len(content) - 1) + 1
            first, content = first + cut, content[cut:]
        yield _Block(first, at, content)
        at, length = first, min(2 * length, BLOCK_BYTES)


def _blocks_after(parts: LogParts, at: int) -> Iterator[_Block]:
    """Yield blocks of whole records; one that is not finished is left for later."""
    length = FIRST_BLOCK_BYTES
    while at < parts.size:
        content = parts.read(at, min(at + length, parts.size))
        whole = content.rfind(b"\n") + 1
        if not whole:
            if at + len(content) >= parts.size:
                return
            whole = len(content)
        yield _Block(at, at + whole, content[:whole])
        at, length = at + whole, min(2 * length, BLOCK_BYTES)


def _finished(parts: LogParts, end: int) -> int:
    if end < parts.size or not end or parts.read(end - 1, end) == b"\n":
        return end
    return parts.record_start(end)


def _chosen(block: _Block, query: LogQuery, render: Render) -> list[_Shown]:
    """Return the lines of a block that the query asks for, those around them included."""
    if render is plain and _cannot_match(block.content, query):
        return []
    shown = list(_lines(block, render))
    if not query.is_filtered:
        return shown
    wanted = parse_filter(query.needle)
    hits = [
        index
        for index, each in enumerate(shown)
        if each.line.level >= query.level and wanted.keeps(each.line.text)
    ]
    matching = set(hits)
    near = {
        index
        for hit in hits
        for index in range(hit - query.context, hit + query.context + 1)
        if 0 <= index < len(shown)
    }
    return [
        _marked(shown[index], is_context=index not in matching, follows_gap=index - 1 not in near)
        for index in sorted(near)
    ]


def _marked(shown: _Shown, *, is_context: bool, follows_gap: bool) -> _Shown:
    return replace(shown, line=replace(shown.line, is_context=is_context, follows_gap=follows_gap))


def _cannot_match(content: bytes, query: LogQuery) -> bool:
    """Whether a look at the bytes proves that no line has the needle."""
    wanted = parse_filter(query.needle)
    is_plain = wanted.needle.isascii() and not (wanted.is_inverse or wanted.is_fuzzy)
    return is_plain and wanted.needle.encode() not in content.lower()


def _lines(block: _Block, render: Render) -> Iterator[_Shown]:
    level, at = LogLevel.INFO, block.start
    for record in block.content.removesuffix(b"\n").split(b"\n"):
        end = at + len(record) + 1
        for number, (text, line_level) in enumerate(render(record, level)):
            level = line_level
            yield _Shown(at, end, LogLine(at + number, text, line_level))
        at = end


def _cut(collected: list[_Shown], query: LogQuery) -> list[_Shown]:
    """Keep the lines nearest to where the query began, records whole."""
    if len(collected) <= query.lines:
        return collected
    if query.is_forward:
        last = collected[query.lines - 1].start
        return [shown for shown in collected if shown.start <= last]
    first = collected[-query.lines].start
    return [shown for shown in collected if shown.start >= first]


def _at_time(parts: LogParts, wanted: datetime) -> int:
    """Return where the newest record that says a time up to `wanted` begins, by bisection."""
    text = wanted.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
    low, high = 0, parts.size
    while high - low > BLOCK_BYTES:
        middle = (low + high) // 2
        stamp = _STAMP.search(parts.read(middle, min(middle + BLOCK_BYTES, parts.size)))
        if stamp is not None and b"T".join(stamp.groups()) <= text:
            low = middle
        else:
            high = middle
    low = parts.record_start(low)
    content = parts.read(low, min(high + BLOCK_BYTES, parts.size))
    stamps = [found for found in _STAMP.finditer(content) if b"T".join(found.groups()) <= text]
    return parts.record_start(low + stamps[-1].start()) if stamps else low
