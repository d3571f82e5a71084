"""The recording's file format: sections of compressed, checksummed frames, appended only.

A frame is its kind (1 byte), the length and the CRC-32 of what follows (4 bytes each, big-endian), then
the content:

    H  begins a section: MAGIC, then JSON about it with the format's number, when it began and of what
    D  the newest record's time (8 bytes, milliseconds), then a piece of the section's one deflate stream
    E  the section ended in good order; empty

A record is a line of JSON: [milliseconds, subject, change, mark]. A section is complete in itself: its
first records hold the whole state. Files may be joined end to end. After a killed process the last
frame may be torn; it and whatever else is damaged is passed over up to the next section.
Frames of other kinds are passed over too: later formats may add some.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.errors import ConfigError

FORMAT = 1
MAGIC = b"appliance recording\n"
_FRAME = struct.Struct(">cII")
_TIME = struct.Struct(">q")
_LARGEST = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One change of one subject; `change` None means that the subject is known no more.

    `at` is in milliseconds since 1970, `mark` 1 where something happened that is worth a look.
    """

    at: int
    subject: str
    change: Mapping[str, Any] | None
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """Where a section lies in its file's content; `is_whole` when it ended in good order.

    `about` is what its head says; `begins_at` and `ends_at` are milliseconds. `damaged_bytes` could not
    be read.
    """

    about: Mapping[str, Any]
    begins_at: int
    ends_at: int
    pieces: tuple[tuple[int, int], ...]
    is_whole: bool
    damaged_bytes: int = 0


class Encoder:
    """Makes one section's frames: `head` first, `frame` for each batch, `tail` last."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(level=6)

    def head(self, at: int, about: Mapping[str, Any]) -> bytes:
        """Return the frame that begins the section."""
        text = json.dumps({**about, "format": FORMAT, "begins_at": at})
        return _frame(b"H", MAGIC + text.encode())

    def frame(self, records: Sequence[Record]) -> bytes:
        """Return the frame of a batch that is not empty."""
        lines = [json.dumps([r.at, r.subject, r.change, r.mark]) for r in records]
        piece = self._deflate.compress(("\n".join(lines) + "\n").encode())
        piece += self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _frame(b"D", _TIME.pack(records[-1].at) + piece)

    def tail(self) -> bytes:
        """Return the frame that ends the section."""
        return _frame(b"E", b"")


def _frame(kind: bytes, content: bytes) -> bytes:
    return _FRAME.pack(kind, len(content), zlib.crc32(content)) + content


def sections(content: bytes) -> Iterator[Section]:
    """Yield a file's sections without unpacking them.

    Raises:
        ConfigError: a section is of a later format.
    """
    at = 0
    while (start := _next_head(content, at)) is not None:
        section, at = _section(content, start)
        if section is not None:
            yield section


def read_records(content: bytes, section: Section) -> Iterator[Record]:
    """Yield a section's records; ends early, without an error, where its content is damaged."""
    inflate = zlib.decompressobj()
    rest = b""
    for first, end in section.pieces:
        try:
            *lines, rest = (rest + inflate.decompress(content[first:end])).split(b"\n")
            records = [Record(*json.loads(line)) for line in lines]
        except (zlib.error, ValueError, TypeError):
            return
        yield from records


def _next_head(content: bytes, at: int) -> int | None:
    found = content.find(MAGIC, at + _FRAME.size)
    return None if found < 0 else found - _FRAME.size


def _section(content: bytes, start: int) -> tuple[Section | None, int]:
    """Return the section that begins at `start`, None when its head is damaged, and where to go on."""
    head = _content(content, start)
    if head is None or content[start : start + 1] != b"H":
        return None, start + _FRAME.size
    about = json.loads(content[head[0] + len(MAGIC) : head[1]])
    _require_known(about)
    begins_at = ends_at = int(about["begins_at"])
    pieces: list[tuple[int, int]] = []
    at, is_whole = head[1], False
    while not is_whole and (found := _content(content, at)) is not None:
        kind = content[at : at + 1]
        if kind == b"H":
            break
        if kind == b"D":
            (ends_at,) = _TIME.unpack_from(content, found[0])
            pieces.append((found[0] + _TIME.size, found[1]))
        at, is_whole = found[1], kind == b"E"
    following = _next_head(content, at) if at < len(content) else None
    end = len(content) if following is None else following
    return Section(about, begins_at, ends_at, tuple(pieces), is_whole, end - at), at


def _content(content: bytes, at: int) -> tuple[int, int] | None:
    """Return where the content of the frame at `at` lies, None when there is none or it is damaged."""
    if at + _FRAME.size > len(content):
        return None
    _, length, checksum = _FRAME.unpack_from(content, at)
    first, end = at + _FRAME.size, at + _FRAME.size + length
    if length > _LARGEST or end > len(content) or zlib.crc32(content[first:end]) != checksum:
        return None
    return first, end


def _require_known(about: Mapping[str, Any]) -> None:
    if about.get("format") != FORMAT:
        raise ConfigError(
            f"this recording has format {about.get('format')!r}, expected {FORMAT}",
            code="recording.format",
            hint=f"replay it with the version that made it: {about.get('version', 'unknown')}",
        )
