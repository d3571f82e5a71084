"""Long output on a terminal goes through the pager of `$PAGER`; short output, pipes and files do not."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase

from appliance.terminal import clean

_SCREEN_IS_LEFT = "FRX"
"""What less does unless `$LESS` says otherwise: ends when all fits, and leaves the text on the screen."""


def pager_command() -> list[str]:
    """Return the pager's words: `$PAGER`, else less where there is one; [] for none."""
    chosen = os.environ.get("PAGER")
    if chosen is None:
        return ["less"] if shutil.which("less") else []
    try:
        words = shlex.split(chosen)
    except ValueError:  # a quote without its end
        return []
    return [] if words in ([], ["cat"]) else words


class PagerStream(TextIOBase):
    """Keeps what is printed until it is longer than the terminal, then hands all of it to a pager."""

    def __init__(self, terminal: TextIOBase, words: list[str], rows: int) -> None:
        self._terminal = terminal
        self._words = words
        self._rows = rows
        self._held: list[str] = []
        self._lines = 0
        self._pager: subprocess.Popen[str] | None = None

    @property
    def is_paging(self) -> bool:
        """Whether a pager was started."""
        return self._pager is not None

    def write(self, text: str) -> int:
        """Keep text or send it on; raises `BrokenPipeError` when the reader has left the pager."""
        if self._pager is not None and self._pager.stdin is not None:
            self._pager.stdin.write(clean(text))
            return len(text)
        self._held.append(text)
        self._lines += text.count("\n")
        if self._lines >= self._rows and self._words:
            self._start()
        return len(text)

    def isatty(self) -> bool:
        """Say that it is one: a person reads it."""
        return True

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return self._terminal.fileno()

    def end(self) -> None:
        """Print what is kept, or wait until the reader has left the pager."""
        if self._pager is None:
            self._terminal.write("".join(self._held))
            self._terminal.flush()
            return
        with suppress(BrokenPipeError):
            if self._pager.stdin is not None:
                self._pager.stdin.close()
        while True:
            with suppress(KeyboardInterrupt):  # is meant for the pager
                self._pager.wait()
                return

    def _start(self) -> None:
        try:
            self._pager = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                text=True,
                encoding=self._terminal.encoding,
                errors="backslashreplace",
                env={"LESS": _SCREEN_IS_LEFT, **os.environ},
            )
        except OSError:
            self._words = []
            return
        held, self._held = "".join(self._held), []
        self.write(held)


@contextmanager
def paged() -> Iterator[None]:
    """Print to a pager what is longer than the terminal."""
    terminal, words = sys.stdout, pager_command()
    if not words or not terminal.isatty():
        yield
        return
    rows = shutil.get_terminal_size().lines
    stream = PagerStream(terminal, words, rows)  # type: ignore[arg-type]
    sys.stdout = stream
    try:
        yield
    except BrokenPipeError:
        if not stream.is_paging:
            raise
    finally:
        sys.stdout = terminal
        stream.end()
