"""Colours: a look is one palette, used by the style sheet and by name in every Rich text.

Presentation names a meaning (`good`, `muted`, `candle.up`); only this module knows its colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color, ColorType, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.theme import Theme as RichTheme
from textual.theme import Theme


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by their part; `ink` is written on the bright grounds `accent`, `good`, `warning` and `bad`."""

    background: str
    surface: str
    raised: str
    line: str
    text: str
    strong: str
    muted: str
    faint: str
    accent: str
    violet: str
    good: str
    warning: str
    bad: str
    info: str
    cursor: str
    fan: str
    band: str
    grid: str
    ink: str


@dataclass(frozen=True, slots=True)
class Look:
    """One look: Textual's theme, Rich's styles by meaning, and how the cursor's row looks."""

    name: str
    theme: Theme
    styles: dict[str, Style]
    cursor: Style
    is_ansi: bool = False

    @property
    def rich_theme(self) -> RichTheme:
        """The styles as Rich wants them."""
        return RichTheme(self.styles)


_NIGHT = Palette(
    background="#0e1218",
    surface="#131922",
    raised="#1c2430",
    line="#2c3747",
    text="#d3dae4",
    strong="#f1f5fa",
    muted="#7f8c9f",
    faint="#465366",
    accent="#58c4dc",
    violet="#b49cf5",
    good="#4fc58d",
    warning="#e8b75a",
    bad="#f4697b",
    info="#6fb3f2",
    cursor="#22303f",
    fan="#2b2748",
    band="#3b4f7a",
    grid="#222c39",
    ink="#0e1218",
)
_DAY = Palette(
    background="#fbfaf7",
    surface="#f2f0ea",
    raised="#e6e3da",
    line="#c3bfb3",
    text="#24292f",
    strong="#0b0e11",
    muted="#5f6873",
    faint="#a3a8ad",
    accent="#0b6f8c",
    violet="#6a3fb5",
    good="#157347",
    warning="#8a5a00",
    bad="#b3203a",
    info="#1f5fa8",
    cursor="#d7e6ec",
    fan="#e2daf3",
    band="#9db4dc",
    grid="#e4e1d8",
    ink="#fbfaf7",
)
_CONTRAST = Palette(
    background="#000000",
    surface="#000000",
    raised="#1c1c1c",
    line="#8a8a8a",
    text="#ffffff",
    strong="#ffffff",
    muted="#c6c6c6",
    faint="#8f8f8f",
    accent="#56b4e9",
    violet="#e3a6cc",
    good="#56b4e9",
    warning="#f0e442",
    bad="#ff9447",
    info="#ffffff",
    cursor="#00456b",
    fan="#3b2a45",
    band="#3a6ea5",
    grid="#3a3a3a",
    ink="#000000",
)
"""Blue, yellow and orange after Okabe and Ito: told apart by people who do not see red or green."""
_SIXTEEN = Palette(
    background="default",
    surface="default",
    raised="default",
    line="bright_black",
    text="default",
    strong="bright_white",
    muted="white",
    faint="bright_black",
    accent="bright_cyan",
    violet="bright_magenta",
    good="bright_green",
    warning="bright_yellow",
    bad="bright_red",
    info="bright_blue",
    cursor="blue",
    fan="magenta",
    band="blue",
    grid="bright_black",
    ink="black",
)
"""The terminal's own sixteen colours, whatever they are."""


def _styles(p: Palette) -> dict[str, Style]:
    return {
        "plain": Style(color=p.text),
        "strong": Style(color=p.strong, bold=True),
        "muted": Style(color=p.muted),
        "faint": Style(color=p.faint),
        "accent": Style(color=p.accent),
        "title": Style(color=p.text, bold=True),
        "key": Style(color=p.accent, bold=True),
        "heading": Style(color=p.muted),
        "good": Style(color=p.good),
        "warning": Style(color=p.warning),
        "bad": Style(color=p.bad),
        "info": Style(color=p.info),
        "model": Style(color=p.violet, bold=True),
        "brand": _chip(p, p.accent),
        "simulator": _chip(p, p.warning),
        "source": _chip(p, p.good),
        "alarm": _chip(p, p.bad),
        "caution": _chip(p, p.warning),
        "match": _chip(p, p.warning),
        "candle.up": Style(color=p.good),
        "candle.down": Style(color=p.bad),
        "candle.grid": Style(color=p.grid),
        "candle.axis": Style(color=p.muted),
        "candle.last.up": _chip(p, p.good),
        "candle.last.down": _chip(p, p.bad),
        "candle.fan": Style(color=p.fan),
        "chart.1": Style(color=p.accent, bold=True),
        "chart.2": Style(color=p.warning),
        "chart.3": Style(color=p.violet),
        "chart.4": Style(color=p.good),
        "chart.5": Style(color=p.info),
        "chart.6": Style(color=p.muted),
        "chart.band": Style(color=p.band),
        "candle.median": Style(color=p.violet, bgcolor=p.fan),
    }


def _chip(p: Palette, color: str) -> Style:
    """Return how a word on a bright ground looks; where colours may be missing, in reverse video."""
    if _is_ansi(p):
        return Style(color=color, reverse=True, bold=True)
    return Style(color=p.ink, bgcolor=color, bold=True)


def _is_ansi(p: Palette) -> bool:
    return not p.background.startswith("#")


def _css(color: str) -> str:
    """Return a colour as the style sheet writes it."""
    return color if color.startswith("#") else f"ansi_{color}"


def _look(name: str, p: Palette, *, is_dark: bool = True) -> Look:
    is_ansi = _is_ansi(p)
    css = _css
    theme = Theme(
        name=f"appliance-{name}",
        primary=css(p.accent),
        secondary=css(p.violet),
        accent=css(p.accent),
        warning=css(p.warning),
        error=css(p.bad),
        success=css(p.good),
        foreground=css(p.text),
        background=css(p.background),
        surface=css(p.surface),
        panel=css(p.raised),
        boost=css(p.background) if is_ansi else None,
        dark=is_dark,
        ansi=is_ansi,
        variables={
            "border": css(p.accent),
            "border-blurred": css(p.line),
            "block-cursor-background": css(p.cursor),
            "block-cursor-foreground": css(p.text),
            "block-cursor-text-style": "bold",
            "input-cursor-background": css(p.accent),
            "input-cursor-foreground": css(p.ink),
            "input-selection-background": css(p.cursor),
            "scrollbar": css(p.line),
            "scrollbar-hover": css(p.muted),
            "scrollbar-active": css(p.accent),
            "scrollbar-background": css(p.background),
            "scrollbar-background-hover": css(p.background),
            "scrollbar-background-active": css(p.background),
            "scrollbar-corner-color": css(p.background),
            "line": css(p.line),
            "muted": css(p.muted),
            "faint": css(p.faint),
            "text-muted": css(p.muted),
            **(
                {"ansi-background": "ansi_black", "ansi-foreground": "ansi_white"}
                if is_ansi
                else {}
            ),
        },
    )
    cursor = Style(reverse=True) if is_ansi else Style(bgcolor=p.cursor)
    return Look(name, theme, _styles(p), cursor, is_ansi)


NIGHT = _look("night", _NIGHT)
LOOKS = {
    look.name: look
    for look in (
        NIGHT,
        _look("day", _DAY, is_dark=False),
        _look("contrast", _CONTRAST),
        _look("16", _SIXTEEN),
    )
}
"""The looks to choose from; `auto` takes `16` on a terminal with no more colours, else `night`."""
LINE, MUTED = _NIGHT.line, _NIGHT.muted


def chosen_look(name: str, color_system: str | None, *, is_colourless: bool) -> Look:
    """Return the look of this name; `auto` is the one that suits the terminal's colours."""
    if name == "auto":
        return LOOKS["16"] if is_colourless or color_system in {None, "standard"} else NIGHT
    return LOOKS[name]


@lru_cache(maxsize=512)
def faded(style: Style | None, look_name: str = "night") -> Style:
    """Return `style` for a value that is old: the same hue, close to the background; without hues dim."""
    look = LOOKS[look_name]
    known = style or look.styles["plain"]
    if look.is_ansi:
        return known + Style(dim=True)
    ground = Color.parse(look.theme.background or "").get_truecolor()
    colors = [
        _blended(color, ground)
        for color in (known.color or look.styles["plain"].color, known.bgcolor)
    ]
    return Style(color=colors[0], bgcolor=colors[1])


def _blended(color: Color | None, ground: ColorTriplet) -> Color | None:
    if color is None or color.type is ColorType.DEFAULT:
        return color
    return Color.from_triplet(blend_rgb(color.get_truecolor(), ground, 0.62))
