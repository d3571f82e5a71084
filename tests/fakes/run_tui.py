"""Runs the dashboard on the fake appliance in the terminal: `python -m tests.fakes.run_tui`."""

from __future__ import annotations

from appliance import clock
from appliance.tui import run_tui
from tests import builders
from tests.fakes.control import FakeControl

if __name__ == "__main__":
    started, real = clock.now(), clock.now
    clock.now = lambda: builders.NOW + (real() - started)
    raise SystemExit(run_tui(FakeControl()))
