"""The command lines that were entered, those of earlier consoles among them."""

from __future__ import annotations

from appliance.tui.background import in_background
from appliance.tui.keeping import HISTORY_LINES, Keeping


class TypedLines:
    """Lines that the command line recalls, each once; read when first asked for, kept in the background."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._lines: list[str] | None = None

    @property
    def lines(self) -> list[str]:
        """What was entered before, oldest first."""
        if self._lines is None:
            self._lines = self._keeping.history()
        return self._lines

    def add(self, text: str) -> None:
        """Make a line the newest."""
        earlier = [line for line in self.lines if line != text]
        self._lines = lines = [*earlier, text][-HISTORY_LINES:]
        in_background(lambda: self._keeping.keep_history(lines))
