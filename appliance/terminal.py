"""What reaches a terminal: text alone, never commands to the terminal or characters that deceive the eye.

Names, logs, errors and stored text come from outside. On a terminal their control characters would move
the cursor, rewrite what was printed before, or set the clipboard; bidirectional and invisible ones would show
another text than there is. Every process that may have a terminal calls `guard` first; what it prints to
a pipe or a file stays as it is, as with `ls` and `git`.
"""

from __future__ import annotations

import codecs
import re
import sys
from io import TextIOBase
from typing import TextIO

# Control characters but tab and line break, format characters (category Cf), line and paragraph
# separators, blank letters (Hangul and Khmer fillers), surrogates of undecodable bytes, and tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0"
    "\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_COLOUR = re.compile("\x1b\\[[0-9;:]*m")
_UNDECODABLE = "appliance-terminal"


def clean(text: str) -> str:
    r"""Return `text` with everything hidden in it spelled out (`\x1b`); colours are dropped.

    Tabs and line breaks stay. What is visible stays, so cleaning twice is cleaning once.
    """
    return _HIDDEN.sub(_spelled, _COLOUR.sub("", text))


def clean_line(text: str) -> str:
    """Return `text` cleaned, on one line: its tabs and line breaks are spelled out as well."""
    return clean(text).replace("\n", "\\n").replace("\t", "\\t")


def clean_json(document: str) -> str:
    """Return JSON with everything hidden in its strings escaped, and so with the same meaning."""
    return _HIDDEN.sub(_json_escape, document)


def guard() -> None:
    """Clean what this process prints to a terminal from now on; a second call does nothing.

    Elsewhere undecodable bytes, such as in file names, come out as they went in, and what the output's
    encoding lacks is spelled out.
    """
    sys.stdout = _guarded(sys.stdout)
    sys.stderr = _guarded(sys.stderr)


class CleanStream(TextIOBase):
    """A terminal's text stream; all but its own commands are cleaned."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        """Write text, cleaned."""
        self._terminal.write(clean(text))
        return len(text)

    def rewrite_line(self, text: str) -> None:
        """Put a line in place of the one on which the cursor is, which stays there."""
        self._terminal.write(f"\r\x1b[K{clean_line(text)}")
        self._terminal.flush()

    def clear_screen(self) -> None:
        """Empty the screen and go to its top."""
        self._terminal.write("\x1b[H\x1b[2J")

    def flush(self) -> None:
        """Flush."""
        self._terminal.flush()

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return self._terminal.fileno()

    def isatty(self) -> bool:
        """Say that it is one."""
        return True

    def writable(self) -> bool:
        """Say that it is."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The terminal's encoding."""
        return self._terminal.encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What becomes of characters that the encoding lacks."""
        return str(self._terminal.errors)


def _guarded(stream: TextIO) -> TextIO:
    if stream is None or isinstance(stream, CleanStream) or not hasattr(stream, "reconfigure"):
        return stream
    codecs.register_error(_UNDECODABLE, _encoded)
    stream.reconfigure(errors=_UNDECODABLE)
    return CleanStream(stream) if stream.isatty() else stream  # type: ignore[return-value]


def _encoded(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _spelled(found: re.Match[str]) -> str:
    number = ord(found[0])
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x10000:
        return f"\\u{number:04x}" if number not in (0x0A, 0x0D, 0x09) else found[0]
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
