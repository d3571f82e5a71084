"""A frozen clock, a fake appliance, and ways to wait for what a background thread brings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from textual.pilot import Pilot

from appliance import clock
from appliance.tui.app import ApplianceApp
from tests import builders
from tests.fakes.control import FakeControl

DEADLINE_SECONDS = 20.0
"""Generous, for a machine that does other work."""


class FrozenClock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.at = builders.NOW

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """The wall clock of the whole process, at 14:02:31 KST."""
    stopped = FrozenClock()
    monkeypatch.setattr(clock, "now", stopped)
    monkeypatch.setenv("COLORTERM", "truecolor")
    return stopped


@pytest.fixture
def control() -> FakeControl:
    """A healthy appliance on the simulator."""
    return FakeControl()


@pytest.fixture
def app(control: FakeControl) -> ApplianceApp:
    """The application on that appliance; not running yet."""
    return ApplianceApp(control, origin=builders.KIM)


async def until(pilot: Pilot[int], condition: Callable[[], object], message: str = "") -> None:
    """Let the application run until `condition` holds; fail at the deadline."""
    deadline = clock.monotonic() + DEADLINE_SECONDS
    while clock.monotonic() < deadline:
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError(f"not within {DEADLINE_SECONDS:g} s: {message or condition}")


async def loaded(pilot: Pilot[int]) -> None:
    """Wait until the dashboard has everything that the fake appliance can say."""
    board = lambda: pilot.app.board  # type: ignore[attr-defined]  # noqa: E731
    await until(pilot, lambda: board().is_connected and board().events.at and board().candles.at)
