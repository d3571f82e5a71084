"""The one kind of input line; its cursor stands still, so that nothing repaints at rest."""

from __future__ import annotations

from textual.widgets import Input


class Field(Input):
    """A compact input line without a blinking cursor."""

    def __init__(self, *, id: str, placeholder: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, placeholder=placeholder, compact=True)
        self.cursor_blink = False
