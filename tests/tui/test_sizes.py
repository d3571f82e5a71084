"""Every dialog at every size: its question, its fields and its keys are visible, also after a resize."""

from __future__ import annotations

import pytest
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Input

from appliance.tui.app import ApplianceApp
from appliance.tui.screens.modals import Dialog
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

pytestmark = pytest.mark.long

SIZES = [(60, 20), (200, 60), (80, 24), (60, 20)]
DIALOGS = {
    "run": ("w",),
    "version": ("p",),
    "promote": ("p", "enter"),
    "rollback": ("b",),
    "reject": ("o",),
    "services": ("s",),
    "restart": ("s", "enter"),
    "backfill": ("i",),
    "projects": ("x",),
    "markets": ("c",),
    "help": ("question_mark",),
}


def hidden(app: ApplianceApp, widget: Widget) -> str:
    """Return why a widget cannot be seen in full, empty when it can."""
    screen = Region(0, 0, *app.size)
    found = app.screen.find_widget(widget)
    region, clip = found.region, found.clip
    if not region.area:
        return f"{widget} has no room"
    visible = region.intersection(clip).intersection(screen)
    return "" if visible == region else f"{widget} is cut: {region} in {clip}"


@pytest.mark.parametrize("keys", DIALOGS.values(), ids=DIALOGS)
async def test_nothing_that_asks_is_cut(keys: tuple[str, ...]) -> None:
    app = ApplianceApp(FakeControl(builders.status(markets=builders.markets(30, (1, 60)))))
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        for key in keys:
            await pilot.press(key)
            choices = list(app.screen.query("#choices").results(Panel))
            await until(pilot, lambda shown=choices: all(p.view.is_list for p in shown))
        assert isinstance(app.screen, Dialog)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause(0.05)
            asked = [app.screen.query_one("#dialog-keys"), *app.screen.query(Input)]
            wrong = [hidden(app, widget) for widget in asked if widget.display]
            assert [words for words in wrong if words] == [], size
            lists = [panel for panel in app.screen.query(Panel) if panel.display]
            assert all(panel.frame_height >= min(len(panel.view.rows), 4) for panel in lists), size


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_no_page_is_wider_than_the_terminal(size: tuple[int, int]) -> None:
    app = ApplianceApp(FakeControl())
    async with app.run_test(size=size) as pilot:
        await loaded(pilot)
        for key in ("m", "d", "v", "t", "l"):
            await pilot.press(key)
            await pilot.pause(0.05)
            for panel in app.screen.query(Panel):
                region = app.screen.find_widget(panel).region
                assert region.right <= size[0], (key, panel)
            await pilot.press("H")
