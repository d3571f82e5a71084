"""Progress on stderr."""

from __future__ import annotations

import sys

from appliance import clock
from appliance.cli.output import narrate, narrate_over


class ProgressLine:
    """One line on stderr, rewritten on a terminal and repeated every few seconds elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._every = 0.2 if self._is_terminal else 5.0
        self._shown_at = clock.monotonic() - self._every
        self._is_open = False

    def show(self, text: str, is_last: bool) -> None:
        """Show it unless something was shown a moment ago; the last one always."""
        now = clock.monotonic()
        if now - self._shown_at < self._every and not is_last:
            return
        self._shown_at = now
        if not self._is_terminal:
            narrate(text)
            return
        narrate_over(text)
        self._is_open = True

    def end(self) -> None:
        """Leave the line standing."""
        if self._is_open:
            narrate("")
        self._is_open = False
