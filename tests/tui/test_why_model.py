"""Why the model or a feature is as it is: in words, with what they rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.control.api import Problem
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation.explanation import Explanation, explain_page
from appliance.tui.presentation.view import Frame
from appliance.tui.presentation.why_model import explain_model
from appliance.tui.screens.feature import FeaturePage
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.why import WhyModal
from appliance.tui.state import Board, Reading
from appliance.tui.widgets.panel import Panel
from tests import builders, monitoring_builder
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

FRAME = Frame(76, 20, builders.NOW)


def board(**changes: object) -> Board:
    return Board(status=Reading(builders.status(**changes), builders.NOW))


def words(explanation: Explanation) -> str:
    return "\n".join(line.plain for line in explain_page(explanation, FRAME))


def rows(app: ApplianceApp, name: str) -> str:
    return "\n".join(row.text.plain for row in panel(app, name).view.rows)


def panel(app: ApplianceApp, name: str) -> Panel:
    return app.screen.query_one(f"#{name}", Panel)


async def test_enter_on_a_feature_shows_its_statistics_and_both_distributions(
    app: ApplianceApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        panel(app, "drift").focus()
        await pilot.press("enter")
        assert isinstance(app.screen, FeaturePage)
        await until(pilot, lambda: "current window" in rows(app, "feature"))
        shown = rows(app, "feature")
        assert "0.6 σ away; a stable market does this < 0.1 % of the time; drifted" in shown
        assert "population stability index" in shown
        bars = [row for row in shown.splitlines() if "█" in row]
        assert len(bars) >= 10
        assert all(row.text.cell_len <= 78 for row in panel(app, "feature").view.rows)


async def test_a_report_of_before_distributions_were_kept_still_opens(
    app: ApplianceApp, control: FakeControl
) -> None:
    known = control.known_monitoring
    assert known.report is not None
    scores = tuple(replace(score, histogram=None) for score in known.report.scores)
    control.known_monitoring = replace(known, report=replace(known.report, scores=scores))
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        panel(app, "drift").focus()
        await pilot.press("enter")
        await until(pilot, lambda: "before distributions were kept" in rows(app, "feature"))


def worse(control: FakeControl) -> None:
    """Let the production model be worse than at its training."""
    known = control.known_monitoring
    assert known.report is not None
    report = replace(known.report, loss=monitoring_builder.bad_loss())
    control.known_monitoring = replace(known, report=report)
    problem = Problem(
        "model.loss",
        "v12's loss has left its band",
        "train",
        builders.ago(hours=2),
        "crypto_forecast",
    )
    control.snapshot = builders.status(problems=(problem,))


@pytest.mark.parametrize("keys", [("tab", "enter"), ("exclamation_mark", "enter", "enter")])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_why_the_model_is_worse_takes_at_most_three_keys(
    control: FakeControl, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    worse(control)
    app = ApplianceApp(control)
    async with app.run_test(size=size) as pilot:
        await loaded(pilot)
        await pilot.press(*keys)
        await until(pilot, lambda: isinstance(app.screen, WhyModal))
        await until(pilot, lambda: "v12 is worse" in rows(app, "page"))
        shown = " ".join(rows(app, "page").split())
        assert "live loss 0.189" in shown
        assert "0.139 expected, 0.172 at most" in shown
        assert "worst where the market is turbulent" in shown
        assert "volatility_30: 0.6 σ away" in shown
        assert "2 h ago" in shown
        assert "the appliance decided: skip: trained 14 minutes ago" in shown
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FeaturePage))


async def test_a_model_that_is_well_opens_its_versions(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("tab", "enter")
        assert isinstance(app.screen, ModelsPage)


def test_a_model_that_cannot_be_judged_says_so() -> None:
    known = monitoring_builder.monitoring()
    project = builders.project()
    for changes, said in (
        ({"why": "no price moved"}, "cannot be judged: no price moved"),
        ({"relative": None}, "too few to judge"),
    ):
        loss = monitoring_builder.loss_report(**changes)
        report = replace(known.report, loss=loss) if known.report else None
        explanation = explain_model(project, replace(known, report=report), board())
        assert said in explanation.what
    nothing = explain_model(project, replace(known, report=None), board())
    assert "nothing is known yet" in nothing.what
