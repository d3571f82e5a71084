"""Sentences name the keys that the configuration gives actions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.tui import keymap
from appliance.tui.actions import action
from appliance.tui.presentation import candle_table, feature
from appliance.tui.presentation.explanation import Step
from appliance.tui.presentation.view import Frame
from appliance.tui.state import Board
from tests.builders import NOW, drift_report


@pytest.fixture
def other_keys() -> Iterator[None]:
    keymap.choose({"data": "ctrl+a", "monitoring": "ctrl+b", "travel": "ctrl+e"})
    yield
    keymap.choose({})


@pytest.mark.usefixtures("other_keys")
def test_an_empty_panel_and_a_blocked_action_name_the_chosen_key() -> None:
    frame = Frame(80, 20, NOW)
    candles = candle_table.present(
        candle_table.CandlesState(("KRW-BTC", 1), NOW, candles=()), frame
    )
    assert "ctrl+a shows" in "\n".join(row.text.plain for row in candles.rows)
    unknown = feature.present(feature.FeatureState("unknown", drift_report(), is_read=True), frame)
    assert "ctrl+b shows" in "\n".join(row.text.plain for row in unknown.rows)
    assert "ctrl+e goes" in action("past_back").blocked(Board())


@pytest.mark.usefixtures("other_keys")
def test_a_step_of_an_explanation_has_the_chosen_key() -> None:
    assert Step("what was decided about it", "monitoring").key == "ctrl+b"
    assert Step("nothing to do").key == ""
