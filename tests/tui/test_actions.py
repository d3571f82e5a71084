"""The action registry: one list behind keys, footer, palette and help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.errors import ConfigError
from appliance.tui.actions import ACTIONS, action
from appliance.tui.operations import OPERATIONS, parse_params
from appliance.tui.presentation import banner
from appliance.tui.presentation.keys import help_page, key_line
from appliance.tui.presentation.view import Frame
from appliance.tui.state import Board, Failure, Reading
from appliance.tui.time_operations import PAST_KEYS
from tests import builders
from tests.builders import NOW


def board(**changes: object) -> Board:
    return Board(status=Reading(builders.status(**changes), NOW))


def test_every_action_has_an_operation_and_every_operation_an_action() -> None:
    assert {known.id for known in ACTIONS} == set(OPERATIONS)


def test_no_key_means_two_things() -> None:
    keys = [known.key for known in ACTIONS if known.key]
    assert len(keys) == len(set(keys))


def test_everything_can_run_on_a_healthy_appliance_except_what_has_no_subject() -> None:
    blocked = {known.id for known in ACTIONS if known.blocked(board())}
    assert blocked == {
        *("problems", "project", "undo"),
        *PAST_KEYS,
        *("market", "next_market", "previous_market", "timeframe"),
    }


def test_a_lost_connection_blocks_commands_but_neither_help_nor_quit() -> None:
    lost = Failure("gone", "", "appliance.not_running", NOW)
    gone = replace(board(), status=board().status.failed(lost))
    blocked = {known.id for known in ACTIONS if known.blocked(gone)}
    assert {"retrain", "run", "promote", "roll_back", "restart", "logs", "models"} <= blocked
    assert not blocked & {"help", "palette", "leave", "zoom"}


def test_several_markets_and_timeframes_unblock_the_charts_choice() -> None:
    several = board(markets=builders.markets(3, (1, 60)))
    chart = ("market", "next_market", "previous_market", "timeframe")
    assert [action(known).blocked(several) for known in chart] == [""] * 4


@pytest.mark.parametrize(
    ("action_id", "project", "words"),
    [
        ("roll_back", {"previous_champion": None}, "no earlier champion"),
        ("roll_back", {"champion": None}, "no model is in production"),
        ("promote", {"newest_version": None}, "no model has been trained"),
        ("retrain", {"workflows": ()}, "does not know the train workflow"),
    ],
)
def test_a_blocked_action_says_why(action_id: str, project: dict[str, object], words: str) -> None:
    changed = board(projects=(builders.project(**project),))
    assert words in action(action_id).blocked(changed)


def test_a_broken_train_dag_blocks_the_retrain() -> None:
    data, train, *rest = builders.workflows()
    flows = (data, replace(train, import_error="SyntaxError"), *rest)
    changed = board(projects=(builders.project(workflows=flows),))
    assert "broken" in action("retrain").blocked(changed)
    assert action("run").blocked(changed) == ""


def test_a_read_only_console_takes_no_command_and_says_so_above_the_panels() -> None:
    assert "READ-ONLY" in banner.top_line(board(read_only=True), Frame(80, 1, NOW)).plain
    assert "read-only" in action("retrain").blocked(board(read_only=True))
    assert action("logs").blocked(board(read_only=True)) == ""


def test_the_footer_fits_80_columns_with_every_main_key() -> None:
    text = key_line(board(), Frame(80, 1, NOW))
    assert text.cell_len <= 80
    for key in ("r Retrain", "w Run", "p Promote", "b Rollback", "s Restart", "l Logs", "q Quit"):
        assert f" {key}" in text.plain


def test_the_footer_keeps_help_and_quit_whatever_a_screen_adds() -> None:
    own = (("esc", "Back"), ("/", "Filter"), ("f", "Follow"), ("tab", "Service"))
    text = key_line(board(), Frame(80, 1, NOW), own)
    assert text.plain.endswith("? Help q Quit")
    assert text.cell_len <= 80


def test_a_blocked_key_stays_in_the_footer_but_faint() -> None:
    text = key_line(Board(), Frame(80, 1, NOW))
    assert "r Retrain" in text.plain
    assert text.spans[0].style == "faint"


def test_help_lists_every_action_and_the_reason_of_blocked_ones() -> None:
    page = "\n".join(line.plain for line in help_page(board(), Frame(76, 60, NOW)))
    for known in ACTIONS:
        assert known.title.removesuffix(" …") in page
    assert "not now: there are no problems" in page
    assert "EWMA" in page


def test_parameters_are_name_value_pairs() -> None:
    assert parse_params("rows=5000 market=KRW-BTC") == {"rows": "5000", "market": "KRW-BTC"}
    with pytest.raises(ConfigError, match="name=value"):
        parse_params("rows")
