"""The page below a dialog."""

from __future__ import annotations

from unittest.mock import patch

from rich.segment import ControlType, Segment
from rich.style import Style
from textual.color import Color
from textual.renderables.background_screen import BackgroundScreen

from appliance.tui.widgets.dimmed import DimmedScreen, _tinted

TINT = Color.parse("#102030").with_alpha(0.6)
SEGMENTS = [
    Segment("plain"),
    Segment("red", Style(color="red", bold=True)),
    Segment("on blue", Style(color="#aabbcc", bgcolor="blue", link="https://example.org")),
    Segment("red again", Style(color="red", bold=True)),
    Segment("", None, [(ControlType.HOME,)]),
] * 50


def test_a_page_below_is_tinted_as_textual_tints_it() -> None:
    expected = list(BackgroundScreen.process_segments(SEGMENTS, TINT))
    assert list(DimmedScreen.process_segments(SEGMENTS, TINT)) == expected


def test_each_style_is_tinted_once() -> None:
    _tinted.cache_clear()
    tint = BackgroundScreen.process_segments
    with patch.object(BackgroundScreen, "process_segments", side_effect=tint) as counted:
        assert len(list(DimmedScreen.process_segments(SEGMENTS, TINT))) == len(SEGMENTS)
    assert counted.call_count == 3
