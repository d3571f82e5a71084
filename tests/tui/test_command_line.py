"""The command line, copy, save, undo, crumbs and the read-only key."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from appliance.domain.history_job import HistoryKind
from appliance.domain.workflow import WorkflowKind
from appliance.tui.actions import ACTIONS
from appliance.tui.app import ApplianceApp
from appliance.tui.keeping import HISTORY_LINES, Keeping
from appliance.tui.preferences import Preferences
from appliance.tui.presentation import banner
from appliance.tui.presentation.command_line import (
    completion_lines,
    completions,
    find,
    nearest,
    unknown_words,
)
from appliance.tui.presentation.view import Frame
from appliance.tui.screens.dashboard import Dashboard
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.modals import ChallengeModal, ConfirmModal
from appliance.tui.screens.models import ModelsPage
from appliance.tui.state import Board, Reading
from appliance.tui.typed_commands import COMMANDS, specs
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.command_bar import CommandBar
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.builders import NOW
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

FRAME = Frame(80, 7, NOW)


def board() -> Board:
    markets = builders.markets(3, (1, 60))
    return Board(status=Reading(builders.status(markets=markets), NOW))


def panel(app: ApplianceApp, name: str) -> Panel:
    return app.screen.query_one(f"#{name}", Panel)


def toasts(app: ApplianceApp) -> str:
    return "\n".join(f"{note.title}: {note.message}" for note in app._notifications)


async def enter(pilot: Pilot[int], text: str) -> None:
    app = pilot.app
    await pilot.press("colon")
    assert isinstance(app, ApplianceApp)
    app.screen.query_one(CommandBar).field.value = text
    await pilot.press("enter")


def test_every_action_is_a_command_and_no_name_means_two() -> None:
    known = specs()
    names = [name for spec in known for name in (spec.name, *spec.aliases)]
    assert len(names) == len(set(names))
    assert {action.id for action in ACTIONS if action.id != "command"} <= set(names)
    assert all(find(known, command.spec.name) is command.spec for command in COMMANDS)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("mod", "models"),
        (":mod", "models"),
        ("models ", "models 13"),
        ("logs st", "logs store"),
        ("log air sch", None),
        ("run mon", "run monitoring"),
        ("market k", "market KRW-BTC"),
        ("qui", "quit"),
        ("xyzzy", None),
    ],
)
def test_completion_knows_names_and_arguments(text: str, first: str | None) -> None:
    found = completions(specs(), text, board())
    assert (found[0].line if found else None) == first


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    assert nearest(specs(), "modles")[0] == "models"
    assert unknown_words(specs(), "modles") == "there is no command :modles; did you mean :models?"
    assert ":help lists all" in unknown_words(specs(), "xyzzy")
    assert "did you mean" in completion_lines(specs(), "modles 3", board(), FRAME)[0].plain


def test_completions_fit_and_say_how_many_more_there_are() -> None:
    lines = completion_lines(specs(), "", board(), FRAME)
    assert len(lines) == 7
    assert all(line.cell_len <= 80 for line in lines)
    assert "more" in lines[-1].plain


async def test_commands_take_arguments(app: ApplianceApp, control: FakeControl) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await enter(pilot, "models 11")
        assert isinstance(app.screen, ModelsPage)
        await until(pilot, lambda: panel(app, "models").selected_key == "11")
        await enter(pilot, "logs st")
        assert isinstance(app.screen, LogsPage)
        assert app.screen.source.title == "store"
        crumbs = app.screen.query_one("#top", Lines).lines[0].plain
        assert "… › models › v11 › log › store" in crumbs
        await pilot.press("H")
        assert isinstance(app.screen, Dashboard)
        await enter(pilot, "run data full=true")
        await until(pilot, lambda: control.commands)
        assert control.commands[0][:4] == (
            "run_workflow",
            "crypto_forecast",
            WorkflowKind.DATA,
            {"full": "true"},
        )


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("modles 3", "did you mean :models?"),
        ("models twelve", "“twelve” is no version"),
        ("logs nothing", "service “nothing” is unknown"),
        ("logs airflow", "service “airflow” is not unique"),
        ("run data full", "“full” is not name=value"),
        ("enable", ":enable needs NAME"),
        ("zoom 3", ":zoom takes no argument, got “3”"),
        ("data KRW-XXX", "market “KRW-XXX” is unknown"),
    ],
)
async def test_a_wrong_command_says_what_is_wrong(
    app: ApplianceApp, control: FakeControl, typed: str, words: str
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await enter(pilot, typed)
        assert words in toasts(app)
        assert isinstance(app.screen, Dashboard)
        assert control.commands == []


async def test_tab_completes_arrows_recall_and_history_is_kept(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "console")
    app = ApplianceApp(FakeControl(), Preferences(keeping=keeping))
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("colon", *"logs", "space", *"mlf", "tab")
        assert app.screen.query_one(CommandBar).field.value == "logs mlflow "
        await pilot.press("enter")
        assert isinstance(app.screen, LogsPage)
        await until(pilot, lambda: keeping.history() == ["logs mlflow"])
    again = ApplianceApp(FakeControl(), Preferences(keeping=keeping))
    async with again.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("colon", "up")
        assert again.screen.query_one(CommandBar).field.value == "logs mlflow"
        await pilot.press("escape", "j")
        assert panel(again, "services").has_focus
    mode = (tmp_path / "console/history").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE((tmp_path / "console").stat().st_mode) == 0o700


def test_history_keeps_the_newest_lines_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    keeping.keep_history([f"models {number}" for number in range(HISTORY_LINES + 5)])
    assert keeping.history()[0] == "models 5"
    (tmp_path / "history").write_bytes(b"\xff\xfe\n\nmodels 3\n")
    assert keeping.history()[-1] == "models 3"
    assert Keeping().history() == []


async def test_copy_takes_the_row_its_id_or_the_screen(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await pilot.press("j", "y")
        assert "postgres" in app.clipboard
        assert "\n" not in app.clipboard
        await enter(pilot, "copy id")
        assert app.clipboard == "postgres"
        await pilot.press("space", "space", "y")
        assert len(app.clipboard.splitlines()) == 2
        await enter(pilot, "copy screen")
        assert "Workflows" in app.clipboard
        assert "OSC 52" in toasts(app)


async def test_a_screen_is_saved_as_text_and_svg_and_named(tmp_path: Path) -> None:
    app = ApplianceApp(FakeControl(), Preferences(keeping=Keeping(tmp_path)))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await pilot.press("S")
        await until(pilot, lambda: "Saved" in toasts(app))
    text, svg = sorted((tmp_path / "screens").iterdir(), key=lambda file: file.suffix == ".svg")
    assert "Workflows" in text.read_text()
    assert svg.read_text().startswith("<svg")
    assert {stat.S_IMODE(file.stat().st_mode) for file in (text, svg)} == {0o600}


async def test_undo_names_itself_and_asks_as_the_action_does(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await pilot.press("U")
        assert "nothing was done here that can be taken back" in toasts(app)
        await enter(pilot, "promote 13")
        await until(pilot, lambda: isinstance(app.screen, ChallengeModal))
        await pilot.press("1", "3", "enter")
        await until(pilot, lambda: "U rolls back to v12" in toasts(app))
        await pilot.press("U")
        assert isinstance(app.screen, ChallengeModal)
        assert app.screen.expected == "12"
        await pilot.press("1", "2", "enter")
        await until(pilot, lambda: len(control.commands) == 2)
        assert control.commands[1][:4] == ("roll_back", "crypto_forecast", 12, 13)


async def test_work_on_history_is_undone_by_cancelling_it(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "U cancels the repair" in toasts(app))
        assert control.commands[0][:2] == ("start_history", HistoryKind.REPAIR)
        await pilot.press("U")
        assert isinstance(app.screen, ConfirmModal)
        await pilot.press("y")
        await until(pilot, lambda: control.commands[-1][0] == "cancel_history")


async def test_several_versions_are_rejected_at_once(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("m")
        await until(pilot, lambda: len(panel(app, "models").view.rows) == 5)
        await pilot.press("space", "j", "space", "o")
        assert isinstance(app.screen, ChallengeModal)
        expected = app.screen.expected
        assert len(expected.split()) == 2
        await pilot.press(*("space" if c == " " else c for c in expected), "enter")
        await until(pilot, lambda: len(control.commands) == 2)
        assert [command[0] for command in control.commands] == ["reject", "reject"]


async def test_selected_services_are_restarted_after_one_question(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("space", "space", "s")
        assert isinstance(app.screen, ConfirmModal)
        await pilot.press("y")
        await until(pilot, lambda: len(control.commands) == 2)


async def test_the_read_only_key_blocks_every_change_and_says_so_above(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await pilot.press("ctrl+r", "r")
        assert "READ-ONLY" in app.screen.query_one("#top", Lines).lines[0].plain
        assert "read-only; ctrl+r unlocks it" in toasts(app)
        await enter(pilot, "promote 13")
        assert isinstance(app.screen, Dashboard)
        await pilot.press("ctrl+r", "r")
        await until(pilot, lambda: control.commands)
        assert [command[0] for command in control.commands] == ["run_workflow"]


def test_crumbs_give_way_to_the_rest_of_the_line() -> None:
    crumbs = ("dashboard", "models › v12", "log › airflow-dag-processor")
    text = banner.top_line(board(), Frame(80, 1, NOW), crumbs)
    assert text.cell_len <= 80
    assert text.plain.startswith(" … › log › airflow-dag-processor ")


async def test_what_was_done_in_another_project_is_undone_there() -> None:
    first = builders.project()
    other = replace(first, name="eth_forecast")
    control = FakeControl(builders.status(projects=(first, other)))
    app = ApplianceApp(control, origin=builders.KIM)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await enter(pilot, "promote 13")
        await until(pilot, lambda: isinstance(app.screen, ChallengeModal))
        await pilot.press("1", "3", "enter")
        await until(pilot, lambda: "U rolls back to v12" in toasts(app))
        app.choose_project(other.name)
        await pilot.press("U")
        assert app.board.project_name == first.name
        await pilot.press("1", "2", "enter")
        await until(pilot, lambda: len(control.commands) == 2)
        assert control.commands[1][:4] == ("roll_back", first.name, 12, 13)
