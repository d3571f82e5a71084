"""The dialog that asks for a range of time."""

from __future__ import annotations

from datetime import datetime

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from appliance import clock
from appliance.config.forms import parse_instant
from appliance.errors import ConfigError
from appliance.tui.presentation.formats import line, zone_name
from appliance.tui.screens.modals import Dialog
from appliance.tui.widgets.field import Field

Range = tuple[datetime, datetime | None]


def parse_range(start: str, end: str) -> Range:
    """Return the range that two ISO texts name, in the zone without an offset; no end means until now.

    Raises:
        ConfigError: a text is no instant, or the end is not after the start.
    """
    start_at = _instant(start, "from")
    end_at = _instant(end, "to") if end.strip() else None
    if end_at is not None and end_at <= start_at:
        raise ConfigError("`to` is not after `from`")
    return start_at, end_at


def _instant(text: str, name: str) -> datetime:
    try:
        return parse_instant(text, is_typed=True)
    except ValueError as error:
        raise ConfigError(
            f"`{name}` is not a time such as 2026-03-01 or 2026-03-01T09:30"
        ) from error


class RangeModal(Dialog[Range]):
    """Asks from when until when; `end` may stay empty."""

    AUTO_FOCUS = "#from"
    KEYS = (("enter", "start"), ("tab", "next field"), ("esc", "cancel"))

    def __init__(self, title: str, start: str, end: str) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._bounds = (start, end)

    def compose_body(self) -> ComposeResult:
        """Place words and fields."""
        named = zone_name(clock.now())
        words = f"Loads what is not proven yet, newest first. {named} unless an offset is given."
        yield Static(line((words, "plain")), classes="words")
        yield Field(id="from", placeholder="from: 2026-03-01 or 2026-03-01T09:30")
        yield Field(id="to", placeholder="to, exclusive; empty: the newest closed candle")
        yield Static("", id="wrong")

    def on_mount(self) -> None:
        """Propose the bounds."""
        for name, text in zip(("#from", "#to"), self._bounds, strict=True):
            self.query_one(name, Input).value = text

    @on(Input.Submitted, "#from, #to")
    def _take(self) -> None:
        texts = [self.query_one(name, Input).value for name in ("#from", "#to")]
        try:
            self.dismiss(parse_range(*texts))
        except ConfigError as error:
            self.query_one("#wrong", Static).update(line((f"✖ {error.message}", "bad")))
