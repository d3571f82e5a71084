"""The key of each action: its own, and as the operator reads it where the configuration names another."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.tui import keymap


@dataclass(frozen=True, slots=True)
class ActionKey:
    """An action's own key as Textual names it, empty for what only the palette has.

    `shown` is how it is written where that differs.
    """

    key: str
    shown: str = ""


KEYS = {
    "retrain": ActionKey("r"),
    "run": ActionKey("w"),
    "promote": ActionKey("p"),
    "roll_back": ActionKey("b"),
    "reject": ActionKey("o"),
    "restart": ActionKey("s"),
    "backfill": ActionKey("i"),
    "repair": ActionKey("e"),
    "audit": ActionKey("a"),
    "data": ActionKey("d"),
    "logs": ActionKey("l"),
    "events": ActionKey("E"),
    "models": ActionKey("m"),
    "compare": ActionKey("C"),
    "monitoring": ActionKey("v"),
    "history": ActionKey("h"),
    "runs": ActionKey("t"),
    "problems": ActionKey("exclamation_mark", "!"),
    "travel": ActionKey("T"),
    "past_back": ActionKey("less_than_sign", "<"),
    "past_on": ActionKey("greater_than_sign", ">"),
    "past_event_back": ActionKey("left_parenthesis", "("),
    "past_event_on": ActionKey("right_parenthesis", ")"),
    "past_play": ActionKey("space"),
    "past_slower": ActionKey("left_curly_bracket", "{"),
    "past_faster": ActionKey("right_curly_bracket", "}"),
    "past_now": ActionKey("backspace"),
    "zoom": ActionKey("z"),
    "market": ActionKey("c"),
    "next_market": ActionKey("right_square_bracket", "]"),
    "previous_market": ActionKey("left_square_bracket", "["),
    "timeframe": ActionKey("u"),
    "project": ActionKey("n"),
    "switch_project": ActionKey("x"),
    "undo": ActionKey("U"),
    "test_alert": ActionKey(""),
    "shut_down": ActionKey(""),
    "help": ActionKey("question_mark", "?"),
    "command": ActionKey("colon", ":"),
    "home": ActionKey("H"),
    "copy": ActionKey("y"),
    "save": ActionKey("S"),
    "read_only": ActionKey("ctrl+r", "ctrl+r"),
    "palette": ActionKey("", "ctrl+p"),
    "leave": ActionKey("q"),
}
"""Every action's own key by its id, in the order of footer and help."""


def key_of(action_id: str) -> str:
    """Return the key of an action as the operator reads it, for sentences that name it."""
    own = KEYS[action_id]
    return keymap.chosen(action_id) or own.shown or own.key


def default_keys() -> dict[str, str]:
    """Return every action's own key by its id; empty for those that only the palette has."""
    return {action_id: own.key for action_id, own in KEYS.items()}
