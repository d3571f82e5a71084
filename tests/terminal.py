"""A program in a real terminal, driven by tmux."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

import pytest

from tests.waiting import wait_until

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One tmux server with one window of a given size; use as a context manager."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int, rows: int
    ) -> None:
        self._socket = f"appliance-test-{os.getpid()}-{columns}x{rows}"
        size = ["-x", str(columns), "-y", str(rows)]
        subprocess.run(
            ["tmux", "-L", self._socket, "-f", os.devnull, "new-session", "-d", *size, *command],
            env={**_without_size(environment), "TERM": "xterm-256color"},
            check=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(
            ["tmux", "-L", self._socket, "kill-server"], check=False, capture_output=True
        )

    def screen(self) -> str:
        """Return what is on the screen, "" when the program has ended."""
        done = subprocess.run(
            ["tmux", "-L", self._socket, "capture-pane", "-p"],
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Type keys, in tmux's names."""
        subprocess.run(["tmux", "-L", self._socket, "send-keys", *keys], check=True)

    def wait_for(self, *texts: str, seconds: float = 15) -> str:
        """Wait until all texts are on the screen and return it."""

        def complete() -> str:
            screen = self.screen()
            return screen if all(text in screen for text in texts) else ""

        try:
            return wait_until(complete, seconds)
        except AssertionError:
            missing = [text for text in texts if text not in self.screen()]
            raise AssertionError(f"missing {missing} on screen:\n{self.screen()}") from None


def _without_size(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out a size that is not this window's: test workers name that of their own terminal."""
    return {name: value for name, value in environment.items() if name not in {"COLUMNS", "LINES"}}
