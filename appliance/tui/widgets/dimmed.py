"""The page below a dialog: as Textual tints it, but each style once instead of each stretch of text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.renderables.background_screen import BackgroundScreen


class DimmedScreen(BackgroundScreen):
    """Textual's renderable of a screen below, of which a page has some thousand stretches in few styles."""

    @classmethod
    def process_segments(cls, segments: Iterable[Segment], color: Color) -> Iterable[Segment]:
        """Return the segments tinted with a colour."""
        return (
            segment if segment.control else Segment(segment.text, _tinted(segment.style, color))
            for segment in segments
        )


@lru_cache(maxsize=512)
def _tinted(style: Style | None, color: Color) -> Style | None:
    (tinted,) = BackgroundScreen.process_segments([Segment("", style)], color)
    return tinted.style
