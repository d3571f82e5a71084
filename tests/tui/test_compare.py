"""Versions beside each other: which, how they are told apart, and acting on exactly that pair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.domain.model_comparison import ModelComparison, RegimeLosses, TrainingFacts
from appliance.errors import RegistryUnavailable
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation import comparison
from appliance.tui.presentation.comparison import ComparisonState, choose_versions
from appliance.tui.presentation.view import Frame, PanelView
from appliance.tui.screens.compare import ComparePage
from appliance.tui.screens.modals import ChallengeModal
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.builders import NOW
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

NARROW, WIDE = Frame(51, 20, NOW), Frame(110, 20, NOW)


def state(known: ModelComparison | None = None) -> ComparisonState:
    return ComparisonState(builders.PROJECT, 12, (13,), known=known or builders.comparison())


def text(view: PanelView) -> str:
    return "\n".join([view.title.plain, *(row.text.plain for row in view.rows)])


def test_the_challenger_is_proposed_else_the_newest_else_the_previous() -> None:
    project = builders.project()
    assert choose_versions(project, []) == (12, (13,))
    assert choose_versions(project, [12]) == (12, (13,))
    assert choose_versions(project, [9, 12, 10]) == (12, (9, 10))
    newest = replace(project, challenger=None, newest_version=14)
    assert choose_versions(newest, []) == (12, (14,))
    assert choose_versions(replace(newest, newest_version=12), []) == (12, (11,))


def test_what_cannot_be_compared_says_why() -> None:
    alone = builders.project(challenger=None, newest_version=12, previous_champion=None)
    assert choose_versions(alone, []) == "v12 is the only version; r trains another"
    unserved = builders.project(champion=None)
    assert "select two versions" in choose_versions(unserved, [3])[0:90]
    assert choose_versions(unserved, [5, 3]) == (3, (5,))


def test_the_verdict_says_what_is_missing_and_how_long_it_takes() -> None:
    shown = text(comparison.present_verdict(state(), WIDE))
    assert "◌ not enough evidence: loss 1.76 % lower on 1204 rows" in shown
    assert "→ about 1,830 more rows would tell, 30 h at the present 60 rows an hour" in shown
    assert "the gate has no verdict" in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows_per_hour": None}, "how long that takes is not known"),
        ({"rows_per_hour": 0.0}, "one of the two makes no live forecast"),
        ({"rows_missing": None}, "the difference is too small"),
        ({"verdict": "better", "rows_missing": 0}, "the evidence is settled"),
        ({"is_void": True}, "more rows tell nothing"),
        ({"rows_missing": 20}, "20 min at the present"),
        ({"rows_missing": 7200}, "5.0 days at the present"),
    ],
)
def test_missing_rows_are_told_in_words(changes: dict[str, object], words: str) -> None:
    assert words in builders.same_rows(**changes).missing_words


def test_a_better_version_that_does_harm_is_not_called_better() -> None:
    harmed = (RegimeLosses("KRW-BTC turbulent", 401, -0.2, is_harmed=True),)
    same = builders.same_rows(verdict="better", rows_missing=0, regimes=harmed)
    assert comparison.verdict_mark(same) == ("▲", "warning")
    shown = text(comparison.present_scores(state(builders.comparison(same_rows=same)), WIDE))
    assert "✖ KRW-BTC turbulent  loss 20.0 % higher, 401 rows, harmed" in shown


def test_metrics_carry_their_difference_and_who_is_better() -> None:
    view = comparison.present_scores(state(), NARROW)
    rows = {row.text.plain[:17].strip(): row.text.plain for row in view.rows}
    assert rows["loss"].split() == ["loss", "3.91", "bp", "3.98", "bp", "✔", "−1.8", "%"]
    assert rows["skill/EWMA"].endswith("✔ +1.7 pp")
    assert max(row.text.cell_len for row in view.rows) <= NARROW.width


def test_what_is_not_recorded_says_so() -> None:
    bare = builders.comparison(
        same_rows=None,
        why_not="they forecast different things",
        differing={},
        trainings=(TrainingFacts(), TrainingFacts(51.7, None)),
    )
    assert "▲ cannot be judged: they forecast different things" in text(
        comparison.present_verdict(state(bare), WIDE)
    )
    shown = text(comparison.present_differences(state(bare), NARROW))
    assert "training took  52 s  was not recorded" in shown
    assert "model size  not known  was not known" in shown
    assert "parameters and features are the same" in shown


async def test_c_opens_champion_beside_challenger_and_p_promotes_that_version(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("C")
        assert isinstance(app.screen, ComparePage)
        await until(pilot, lambda: len(app.screen.query_one("#scores", Panel).view.rows) > 8)
        assert (app.screen.state.first, app.screen.state.second) == (12, 13)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ChallengeModal))
        await pilot.press("1", "3", "enter")
        await until(pilot, lambda: control.commands)
        assert control.commands[0][:4] == ("promote", builders.PROJECT, 13, 12)


async def test_from_the_models_page_the_version_under_the_cursor_is_compared(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("m")
        await until(pilot, lambda: len(app.screen.query_one("#models", Panel).view.rows) == 5)
        await pilot.press("G", "C")
        await until(pilot, lambda: isinstance(app.screen, ComparePage))
        page = app.screen
        assert isinstance(page, ComparePage) and page.state.second == 9
        await until(pilot, lambda: page.chosen is not None)
        await pilot.press("C")
        await until(pilot, lambda: len(app.screen.query_one("#choices", Panel).view.rows) == 4)
        await pilot.press("g", "enter")
        await until(pilot, lambda: page.chosen is not None and page.chosen.version == 13)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, ChallengeModal))
        await pilot.press("1", "3", "enter")
        await until(pilot, lambda: control.commands)
        assert control.commands[0][:4] == ("reject", builders.PROJECT, 13, 12)


async def test_a_comparison_that_fails_says_why_and_what_to_do(
    app: ApplianceApp, control: FakeControl
) -> None:
    control.failures["compare"] = RegistryUnavailable("MLflow does not answer", hint="wait")
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("C")
        verdict = app.screen.query_one("#verdict", Panel)
        await until(pilot, lambda: "✖ MLflow does not answer" in text(verdict.view))
        assert "→ wait" in text(verdict.view)


async def test_several_selected_versions_are_stepped_through(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("m")
        await until(pilot, lambda: len(app.screen.query_one("#models", Panel).view.rows) == 5)
        await pilot.press("j", "j", "space", "space", "C")
        await until(pilot, lambda: isinstance(app.screen, ComparePage))
        page = app.screen
        assert isinstance(page, ComparePage) and page.state.others == (11, 10)
        await until(pilot, lambda: page.chosen is not None and page.chosen.version == 11)
        await pilot.press("C")
        await until(pilot, lambda: page.chosen is not None and page.chosen.version == 10)
        assert "2 of 2" in page.query_one("#verdict", Panel).view.title.plain
