"""Characters for the Linux console, whose font has 256 or 512: what it lacks is written with what it has.

Every replacement has the width of the original, so that columns stay where they are.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_PAIRS = {
    "✔": "√", "✖": "x", "▲": "^", "△": "^", "▼": "v", "▽": "v", "●": "*", "○": "o", "◌": ".", "◐": "o",
    "◑": "o", "◆": "+", "◇": "o", "▶": ">", "▷": ">", "▸": ">", "◂": "<", "◀": "<", "★": "*", "☆": "*",
    "↻": "@", "↳": ">", "…": "~", "–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'",
    "›": ">", "‖": "=", "╭": "┌", "╮": "┐", "╰": "└", "╯": "┘", "━": "─", "┃": "║", "╸": "─", "╺": "─",
    "▁": "_", "▂": "_", "▃": "▄", "▅": "▄", "▆": "▄", "▇": "█", "▏": "│", "▎": "│", "▍": "▌", "▋": "▌",
    "▊": "█", "▉": "█", "▔": "▀", "▕": "│", "╵": "│", "╷": "│", "╽": "║", "╿": "║", "╹": "║", "╻": "║",
    "┆": "│", "┊": "│", "╌": "─", "┄": "─", "┈": "·", "σ": "s", "×": "x", "→": "→", "⟨": "<", "⟩": ">",
}  # fmt: skip
_BRAILLE = "".join(" .:!"[min((bits.bit_count() + 1) // 2, 3)] for bits in range(256))
_TABLE = str.maketrans(_PAIRS) | {0x2800 + bits: glyph for bits, glyph in enumerate(_BRAILLE)}


def plain(text: str) -> str:
    """Return `text` with characters of the console's font."""
    return text if text.isascii() else text.translate(_TABLE)


class PlainGlyphs(LineFilter):
    """Replaces characters just before they are written."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with plain characters."""
        del background
        return [Segment(plain(text), style, control) for text, style, control in segments]
