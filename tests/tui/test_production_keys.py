"""Promotion, rollback and rejection by key: each asks for a number, and shows the evidence before."""

from __future__ import annotations

from textual.widgets import Input, Static

from appliance.tui.app import ApplianceApp
from appliance.tui.screens.dashboard import Dashboard
from appliance.tui.screens.modals import ChallengeModal
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.versions import VersionModal
from appliance.tui.widgets.panel import Panel
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until


def panel(app: ApplianceApp, name: str) -> Panel:
    return app.screen.query_one(f"#{name}", Panel)


def toasts(app: ApplianceApp) -> str:
    return "\n".join(f"{toast.title}: {toast.message}" for toast in app._notifications)


async def test_promotion_asks_for_the_version_number(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p")
        assert isinstance(app.screen, VersionModal)
        await until(pilot, lambda: panel(app, "choices").selected_key == "13")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChallengeModal))
        await until(pilot, lambda: "not enough evidence" in evidence(app))
        assert "version 13 against 12" in evidence(app)
        await pilot.press(*"12", "enter")
        assert control.commands == []
        assert "that is not 13" in str(app.screen.query_one("#wrong").render())
        app.screen.query_one("#challenge", Input).value = ""
        await pilot.press(*"13", "enter")
        await until(pilot, lambda: control.commands)
        assert control.commands == [("promote", "crypto_forecast", 13, 12, "kim")]


def evidence(app: ApplianceApp) -> str:
    """Return what the open dialog says of its pair."""
    return str(app.screen.query_one("#pair-verdict", Static).render())


async def test_rollback_asks_for_the_previous_version(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("b")
        assert isinstance(app.screen, ChallengeModal)
        assert app.screen.expected == "11"
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)
        assert control.commands == []
        await pilot.press("b", *"v11", "enter")
        await until(pilot, lambda: control.commands)
        assert control.commands == [("roll_back", "crypto_forecast", 11, 12, "kim")]


async def test_reject_asks_for_the_challengers_number(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, ChallengeModal))
        assert isinstance(app.screen, ChallengeModal)
        assert app.screen.expected == "13"
        await pilot.press(*"13", "enter")
        await until(pilot, lambda: control.commands)
        assert control.commands == [("reject", "crypto_forecast", 13, 12, "kim")]


async def test_promote_on_the_models_page_takes_the_version_under_the_cursor(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("m")
        assert isinstance(app.screen, ModelsPage)
        await until(pilot, lambda: len(panel(app, "models").view.rows) == 5)
        await pilot.press("j", "j")
        await until(pilot, lambda: panel(app, "models").selected_key == "11")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ChallengeModal))
        assert isinstance(app.screen, ChallengeModal)
        assert app.screen.expected == "11"
