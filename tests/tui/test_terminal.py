"""The dashboard in a real terminal (tmux): complete, taking keys, left without a trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import Terminal, needs_tmux
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
TITLES = ("KRW-BTC 1m", "Workflows", "Events", "Services", "Model", "Drift", "SIMULATOR", "q Quit")

pytestmark = [pytest.mark.long, needs_tmux]


COMMAND = (
    "sh",
    "-c",
    f"cd {ROOT} && {sys.executable} -m tests.fakes.run_tui; echo left $?; exec sleep 60",
)


@pytest.fixture(params=[(80, 24), (120, 40)], ids=["80x24", "120x40"])
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    with Terminal(COMMAND, os.environ, *request.param) as window:
        yield window


def test_the_dashboard_is_complete_takes_keys_and_leaves(terminal: Terminal) -> None:
    terminal.wait_for(*TITLES)
    terminal.wait_for("▸159", "v12 champion", "train run requested")
    terminal.press("r")
    terminal.wait_for("train workflow started", "manual__")
    terminal.press("?")
    terminal.wait_for("Retrain: start the train workflow at once")
    terminal.press("Escape")
    wait_until(lambda: "start the train workflow at once" not in terminal.screen(), 5)
    terminal.press("q")
    terminal.wait_for("The appliance keeps running.", "left 0")
