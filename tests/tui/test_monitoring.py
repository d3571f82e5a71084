"""The monitoring screen, from the keyboard."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from appliance.domain.monitoring import Monitoring
from appliance.domain.trial import TrialState
from appliance.errors import StoreUnavailable
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation import monitoring
from appliance.tui.presentation.monitoring import MonitoringState
from appliance.tui.presentation.view import Frame, PanelView
from appliance.tui.screens.feature import FeaturePage
from appliance.tui.screens.monitoring import MonitoringPage
from appliance.tui.widgets.panel import Panel
from tests import builders, monitoring_builder
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

SIZES = [(80, 24), (120, 40)]
FRAME = Frame(76, 20, builders.NOW)
KNOWN = MonitoringState(monitoring_builder.monitoring())


def text(app: ApplianceApp, name: str) -> str:
    return shown(app.screen.query_one(f"#{name}", Panel).view)


def shown(view: PanelView) -> str:
    return "\n".join(row.text.plain for row in view.rows)


async def opened(app: ApplianceApp, pilot: Pilot[int]) -> None:
    await loaded(pilot)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(app.screen, MonitoringPage))
    await until(pilot, lambda: "volatility" in text(app, "features"))


@pytest.mark.parametrize("size", SIZES)
async def test_everything_that_monitoring_knows_is_on_the_screen(
    app: ApplianceApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        for name in ("features", "losses", "trials", "retraining"):
            panel = app.screen.query_one(f"#{name}", Panel)
            assert app.screen.region.contains_region(panel.region), name
            widths = [row.text.cell_len for row in panel.view.rows]
            assert max(widths) <= panel.scrollable_content_region.width, name
        assert text(app, "features").splitlines()[0].startswith("✖ volatility_30")
        for words in ("0.141", "0.172", "12.4", "6.10", "78 % of 41", "bias +6.0 %"):
            assert words in text(app, "losses")
        assert "380 more" in text(app, "trials")
        for words in ("skip: trained 14 minutes ago", "a retrain waits", "gained", "frozen"):
            assert words in text(app, "retraining")


async def test_enter_on_a_feature_of_the_drift_panel_opens_it_and_escape_returns(
    app: ApplianceApp,
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        app.screen.query_one("#drift", Panel).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FeaturePage))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, FeaturePage))


async def test_a_failed_reading_keeps_what_was_known(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot)
        control.failures["monitoring"] = StoreUnavailable("the store does not answer")
        page = app.screen
        assert isinstance(page, MonitoringPage)
        page.read()
        await until(pilot, lambda: page.query_one("#losses", Panel).view.is_stale)
        assert "0.141" in text(app, "losses")


def test_before_the_first_report_every_panel_says_what_comes() -> None:
    state = MonitoringState(Monitoring(builders.PROJECT))
    assert "no report yet" in shown(monitoring.features(state, FRAME))
    assert "no loss to compare" in shown(monitoring.losses(state, FRAME))
    assert "a second training begins one" in shown(monitoring.trials(state, FRAME))
    words = shown(monitoring.retraining(state, FRAME))
    assert "none yet" in words
    assert "no retrain waits" in words
    assert "nothing to account for yet" in words


def test_a_number_above_its_limit_is_bad() -> None:
    known = monitoring_builder.monitoring()
    assert known.report is not None
    loss = monitoring_builder.loss_report(relative=0.2)
    state = MonitoringState(replace(known, report=replace(known.report, loss=loss)))
    first = monitoring.losses(state, FRAME).rows[0].text
    assert "bad" in {str(span.style) for span in first.spans}


def test_running_comparisons_come_first_with_all_their_words() -> None:
    rows = monitoring.trials(KNOWN, FRAME).rows
    assert "v13 against v12" in rows[0].text.plain
    assert TrialState.RUNNING in rows[0].text.plain
    assert "v11 against v12" in rows[-2].text.plain
