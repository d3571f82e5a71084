"""The dashboard in a real terminal (tmux): painted quickly, quiet at rest, left without a trace."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
TITLES = ("KRW-BTC 1m", "Workflows", "Events", "Services", "Model", "Drift", "SIMULATOR", "q Quit")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed"),
]


class Terminal:
    """One tmux server of its own with one window."""

    def __init__(self, socket: Path, size: tuple[int, int]) -> None:
        self._base = ["tmux", "-S", str(socket)]
        shell = f"cd {ROOT} && {sys.executable} -m tests.fakes.run_tui; echo left $?; exec sleep 60"
        width, height = (str(number) for number in size)
        self.run("new-session", "-d", "-x", width, "-y", height, shell)

    def run(self, *words: str) -> str:
        done = subprocess.run([*self._base, *words], check=True, capture_output=True, text=True)
        return done.stdout

    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def shows(self, *words: str) -> bool:
        text = self.screen()
        return all(word in text for word in words)


@pytest.fixture(params=[(80, 24), (120, 40)], ids=["80x24", "120x40"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    window = Terminal(tmp_path / "tmux", request.param)
    yield window
    window.run("kill-server")


def test_the_dashboard_is_complete_takes_keys_and_leaves(terminal: Terminal) -> None:
    started = time.monotonic()
    wait_until(lambda: terminal.shows(*TITLES), 15, "every panel")
    wait_until(lambda: terminal.shows("▸159", "v12 champion", "train run requested"), 5, "the data")
    assert time.monotonic() - started < 10
    terminal.run("send-keys", "r")
    wait_until(lambda: terminal.shows("train workflow started", "manual__"), 5, "the toast")
    terminal.run("send-keys", "?")
    wait_until(lambda: terminal.shows("Retrain: start the train workflow at once"), 5, "help")
    terminal.run("send-keys", "Escape")
    wait_until(lambda: not terminal.shows("start the train workflow at once"), 5, "the dashboard")
    terminal.run("send-keys", "q")
    wait_until(lambda: terminal.shows("The appliance keeps running.", "left 0"), 5, "the shell")
