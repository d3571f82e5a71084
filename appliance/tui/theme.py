"""Colours: one palette, used by the style sheet and by name in every Rich text.

Presentation names a meaning (`good`, `muted`, `candle.up`); only this module knows its colour.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color, blend_rgb
from rich.style import Style
from rich.theme import Theme as RichTheme
from textual.theme import Theme

BACKGROUND = "#0e1218"
SURFACE = "#131922"
RAISED = "#1c2430"
LINE = "#2c3747"
TEXT = "#d3dae4"
MUTED = "#7f8c9f"
FAINT = "#465366"
ACCENT = "#58c4dc"
VIOLET = "#b49cf5"
GOOD = "#4fc58d"
WARNING = "#e8b75a"
BAD = "#f4697b"
INFO = "#6fb3f2"
CURSOR = "#22303f"
FAN = "#2b2748"

NIGHT = Theme(
    name="appliance-night",
    primary=ACCENT,
    secondary=VIOLET,
    accent=ACCENT,
    warning=WARNING,
    error=BAD,
    success=GOOD,
    foreground=TEXT,
    background=BACKGROUND,
    surface=SURFACE,
    panel=RAISED,
    dark=True,
    variables={
        "border": ACCENT,
        "border-blurred": LINE,
        "block-cursor-background": CURSOR,
        "block-cursor-foreground": TEXT,
        "block-cursor-text-style": "bold",
        "input-cursor-background": ACCENT,
        "scrollbar": LINE,
        "scrollbar-hover": MUTED,
        "scrollbar-active": ACCENT,
        "scrollbar-background": BACKGROUND,
        "scrollbar-background-hover": BACKGROUND,
        "scrollbar-background-active": BACKGROUND,
        "line": LINE,
        "muted": MUTED,
        "faint": FAINT,
    },
)
"""The style sheet's theme."""

STYLES = {
    "plain": Style(color=TEXT),
    "strong": Style(color="#f1f5fa", bold=True),
    "muted": Style(color=MUTED),
    "faint": Style(color=FAINT),
    "accent": Style(color=ACCENT),
    "title": Style(color=TEXT, bold=True),
    "key": Style(color=ACCENT, bold=True),
    "heading": Style(color=MUTED),
    "good": Style(color=GOOD),
    "warning": Style(color=WARNING),
    "bad": Style(color=BAD),
    "info": Style(color=INFO),
    "model": Style(color=VIOLET, bold=True),
    "brand": Style(color=BACKGROUND, bgcolor=ACCENT, bold=True),
    "simulator": Style(color="#14100a", bgcolor=WARNING, bold=True),
    "source": Style(color=BACKGROUND, bgcolor=GOOD, bold=True),
    "alarm": Style(color="#1a0b0e", bgcolor=BAD, bold=True),
    "caution": Style(color="#14100a", bgcolor=WARNING, bold=True),
    "match": Style(color=BACKGROUND, bgcolor=WARNING),
    "candle.up": Style(color=GOOD),
    "candle.down": Style(color=BAD),
    "candle.grid": Style(color="#222c39"),
    "candle.axis": Style(color=MUTED),
    "candle.last.up": Style(color=BACKGROUND, bgcolor=GOOD, bold=True),
    "candle.last.down": Style(color=BACKGROUND, bgcolor=BAD, bold=True),
    "candle.fan": Style(color=FAN),
    "candle.median": Style(color=VIOLET, bgcolor=FAN),
}
"""Meaning to style; a Rich text's span names one of these keys."""

RICH_THEME = RichTheme(STYLES)
CURSOR_STYLE = Style(bgcolor=CURSOR)


@lru_cache(maxsize=256)
def faded(style: Style | None) -> Style:
    """Return `style` for a value that is old: the same hue, close to the background."""
    known = style or STYLES["plain"]
    ground = Color.parse(BACKGROUND).get_truecolor()
    colors = [
        Color.from_triplet(blend_rgb(color.get_truecolor(), ground, 0.62)) if color else None
        for color in (known.color or STYLES["plain"].color, known.bgcolor)
    ]
    return Style(color=colors[0], bgcolor=colors[1])
