"""Promotion and rollback move the aliases as the operator expects."""

from __future__ import annotations

import pytest

from appliance.errors import ModelNotFound, ProductionMoved
from appliance.registry.aliases import (
    AliasMove,
    promotion_moves,
    require_champion,
    require_target,
    rollback_moves,
    rollback_target,
)


def after(aliases: dict[str, int], moves: list[AliasMove]) -> dict[str, int]:
    """Apply moves."""
    result = dict(aliases)
    for move in moves:
        if move.version is None:
            result.pop(move.alias, None)
        else:
            result[move.alias] = move.version
    return result


def test_the_first_promotion_has_no_previous() -> None:
    assert after({}, promotion_moves({}, 1)) == {"champion": 1}


def test_the_deposed_champion_becomes_previous_and_the_challenger_alias_goes() -> None:
    aliases = {"champion": 1, "challenger": 2}
    assert after(aliases, promotion_moves(aliases, 2)) == {"champion": 2, "previous": 1}


def test_another_versions_challenger_alias_stays() -> None:
    aliases = {"champion": 1, "challenger": 3}
    assert after(aliases, promotion_moves(aliases, 2))["challenger"] == 3


def test_promoting_the_champion_keeps_the_rollback_target() -> None:
    aliases = {"champion": 2, "previous": 1}
    assert after(aliases, promotion_moves(aliases, 2)) == aliases


def test_a_promotion_cut_short_never_loses_the_way_back() -> None:
    aliases = {"champion": 1}
    moves = promotion_moves(aliases, 2)
    for cut in range(len(moves) + 1):
        state = after(aliases, moves[:cut])
        assert state["champion"] == 1 or state["previous"] == 1


def test_rolling_back_twice_is_rolling_back_once() -> None:
    aliases = {"champion": 2, "previous": 1}
    once = after(aliases, rollback_moves(aliases, 1))
    assert once == {"champion": 1}
    assert after(once, rollback_moves(once, 1)) == once


def test_a_rollback_cut_short_is_done_or_not_done() -> None:
    aliases = {"champion": 2, "previous": 1}
    moves = rollback_moves(aliases, 1)
    for cut in range(len(moves) + 1):
        assert after(aliases, moves[:cut])["champion"] == (2 if cut == 0 else 1)


@pytest.mark.parametrize("aliases", [{}, {"champion": 1}, {"champion": 1, "previous": 1}])
def test_without_a_previous_champion_a_rollback_says_what_to_do(aliases: dict[str, int]) -> None:
    with pytest.raises(ModelNotFound) as raised:
        rollback_target("p", aliases)
    assert raised.value.hint


def test_a_decision_on_what_has_moved_is_refused() -> None:
    aliases = {"champion": 3, "previous": 2}
    require_champion("p", aliases, 3)
    require_champion("p", {}, 0)
    require_target("p", aliases, 2)
    for seen in (0, 2):
        with pytest.raises(ProductionMoved, match="version 3"):
            require_champion("p", aliases, seen)
    with pytest.raises(ProductionMoved, match="no model"):
        require_champion("p", {}, 3)
    with pytest.raises(ProductionMoved, match="version 2, not version 1"):
        require_target("p", aliases, 1)
