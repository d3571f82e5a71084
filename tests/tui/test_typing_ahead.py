"""Keys that come faster than the screens that they open: as pasted, over a slow line, by a macro."""

from __future__ import annotations

import pytest
from textual.events import Key
from textual.pilot import Pilot

from appliance.control.api import Problem
from appliance.tui.actions import ACTIONS
from appliance.tui.app import ApplianceApp
from appliance.tui.screens.dashboard import Dashboard
from appliance.tui.screens.logs import LogsPage
from tests import builders
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

OPENING = sorted({known.key for known in ACTIONS if known.group == "Look" and known.key})


def burst(app: ApplianceApp, *keys: str) -> None:
    """Let keys arrive at once, as a terminal hands them over."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None))


async def returns_home(pilot: Pilot[int], app: ApplianceApp) -> None:
    """Leave whatever is open."""
    for _ in range(8):
        await pilot.press("escape")
    assert isinstance(app.screen, Dashboard), app.screen
    assert len(app.screen_stack) == 1


async def test_three_keys_at_once_lead_to_the_line_that_failed(control: FakeControl) -> None:
    problem = Problem(
        "workflow.failed", "data failed", "run it", builders.NOW, "crypto_forecast.data"
    )
    control.snapshot = builders.status(problems=(problem,))
    app = ApplianceApp(control)
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        burst(app, "exclamation_mark", "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, LogsPage))


@pytest.mark.parametrize("key", OPENING)
async def test_whatever_is_typed_at_once_the_console_goes_on(app: ApplianceApp, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        burst(app, key, "enter", "escape", "E", key, "question_mark", "escape", "enter", "escape")
        await until(pilot, lambda: not app._waiting_keys, "every key is handled")
        await returns_home(pilot, app)
