"""The one registry of actions: key bindings, footer, palette and help all read it.

An action that cannot run now stays visible and says why: `blocked` returns the reason, empty when
it can run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.tui.action_keys import KEYS, key_of
from appliance.tui.blocking import (
    can_ask,
    can_change,
    can_change_timeframe,
    can_choose_market,
    can_lock,
    can_promote,
    can_read_models,
    can_reject,
    can_restart,
    can_retrain,
    can_roll_back,
    can_run,
    can_see_data,
    can_switch,
    can_undo,
    can_work_on_history,
    has_problems,
    is_past,
)
from appliance.tui.presentation.filters import HELP
from appliance.tui.state import Board

Blocked = Callable[[Board], str]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the operator can do.

    `id` names the operation, `label` is the footer's word (empty: not in the footer; `is_extra`: only in a
    wide one), `title` and `help` are the palette's and help's words.
    """

    id: str
    title: str
    help: str
    label: str = ""
    is_extra: bool = False
    group: str = "Act"
    blocked: Blocked = lambda _board: ""

    @property
    def key(self) -> str:
        """Its own key as Textual names it."""
        return KEYS[self.id].key

    @property
    def shown_key(self) -> str:
        """The key as the operator reads it; empty when only the palette has it."""
        return key_of(self.id)


ACTIONS = (
    Action(
        "retrain",
        "Retrain",
        "start the train workflow at once",
        "Retrain",
        blocked=can_retrain,
    ),
    Action(
        "run",
        "Run a workflow …",
        "choose one of the four, with parameters",
        "Run",
        blocked=can_run,
    ),
    Action(
        "promote",
        "Promote a model …",
        "put another version into production; asks for its number",
        "Promote",
        blocked=can_promote,
    ),
    Action(
        "roll_back",
        "Roll back the model …",
        "return to the previous champion; asks for its number",
        "Rollback",
        blocked=can_roll_back,
    ),
    Action(
        "reject",
        "Reject a challenger …",
        "compare a version no more; asks for its number",
        blocked=can_reject,
    ),
    Action(
        "restart",
        "Restart a service …",
        "stop and start one service; asks",
        "Restart",
        blocked=can_restart,
    ),
    Action(
        "backfill",
        "Backfill a range …",
        "load a market's history from … to …, at the exchange's limit",
        blocked=can_work_on_history,
    ),
    Action(
        "repair",
        "Repair gaps now",
        "fetch what is missing of the chosen market at once",
        blocked=can_work_on_history,
    ),
    Action(
        "audit",
        "Audit now",
        "compare the chosen market's last week with the exchange and correct it",
        blocked=can_work_on_history,
    ),
    Action(
        "data",
        "Market data",
        "feeds, coverage, gaps, backfills",
        "Data",
        group="Look",
        blocked=can_see_data,
    ),
    Action("logs", "Logs …", "read the services' logs", "Logs", group="Look", blocked=can_ask),
    Action(
        "events",
        "Events",
        "every event and who did it, back to the beginning; there, the last 12 h, 24 h, 7 days",
        "Events",
        is_extra=True,
        group="Look",
        blocked=can_ask,
    ),
    Action(
        "models",
        "Models",
        "every version with its metrics; promote and reject the chosen one from there",
        "Models",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "compare",
        "Compare versions",
        "production beside the challenger, or the versions chosen in the models page: metrics, verdict",
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "monitoring",
        "Monitoring",
        "drift per feature, losses, comparisons of versions, retraining and its reasons",
        "Monitor",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "history",
        "Charts over time",
        "forecasts and outcomes, losses, skill, drift, with what happened; pan, zoom, values in words",
        "Charts",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "runs",
        "Runs and tasks",
        "the runs of a workflow, their tasks, the tasks' logs",
        "Runs",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "problems",
        "Problems",
        "everything that needs you, with what to do",
        "Problems",
        is_extra=True,
        group="Look",
        blocked=has_problems,
    ),
    Action(
        "travel",
        "Go to another time …",
        "show every screen as it was; on an event, when it happened",
        "Time",
        is_extra=True,
        group="Look",
    ),
    *(
        Action(action_id, title, words, group="Look", blocked=is_past)
        for action_id, title, words in (
            ("past_back", "Change before", "in the past: the change before"),
            ("past_on", "Change after", "in the past: the next change"),
            ("past_event_back", "Event before", "the event before"),
            ("past_event_on", "Event after", "the next event"),
            ("past_play", "Play the past", "play on from here, or stand still"),
            ("past_slower", "Play slower", "down to real speed"),
            ("past_faster", "Play faster", "up to 1200 times"),
            ("past_now", "Return to now", "leave the past"),
        )
    ),
    Action(
        "zoom",
        "Zoom",
        "give the panel in focus the whole screen; esc returns",
        "Zoom",
        is_extra=True,
        group="Look",
    ),
    Action(
        "market",
        "Chart of another market …",
        "choose market and timeframe from a list",
        "Chart",
        is_extra=True,
        group="Look",
        blocked=can_choose_market,
    ),
    Action(
        "next_market",
        "Next market",
        "show the next market in the chart",
        group="Look",
        blocked=can_choose_market,
    ),
    Action(
        "previous_market",
        "Previous market",
        "show the market before in the chart",
        group="Look",
        blocked=can_choose_market,
    ),
    Action(
        "timeframe",
        "Next timeframe",
        "show the market's next candle width in the chart",
        group="Look",
        blocked=can_change_timeframe,
    ),
    Action(
        "project",
        "Next project",
        "show the next project; with more than four a list asks which",
        group="Look",
        blocked=can_switch,
    ),
    Action(
        "switch_project",
        "Enable or disable a project …",
        "choose a project; a disabled one runs, forecasts and alerts nothing",
        group="Act",
        blocked=can_change,
    ),
    Action(
        "undo",
        "Undo …",
        "take back the last promotion, rollback, switch or work on history; asks as that did",
        blocked=can_undo,
    ),
    Action("test_alert", "Send a test alert", "hand a test message to Slack", blocked=can_change),
    Action(
        "shut_down",
        "Stop the whole appliance …",
        "stop every service; asks",
        blocked=can_change,
    ),
    Action("help", "Help", "keys, marks and words", "Help", group="Move"),
    Action(
        "command",
        "Command line",
        "type a command, such as models 3 or logs store; tab completes, ↑ recalls",
        "Command",
        is_extra=True,
        group="Move",
    ),
    Action("home", "Home", "back to the dashboard from anywhere", group="Move"),
    Action(
        "copy",
        "Copy",
        "copy the chosen row, or the panel's text, to the terminal's clipboard (OSC 52)",
        group="Move",
    ),
    Action(
        "save",
        "Save the screen",
        "write it as text and SVG into the home's console/screens",
        group="Move",
    ),
    Action(
        "read_only",
        "Read-only on or off",
        "let this console change nothing, or act again",
        group="Move",
        blocked=can_lock,
    ),
    Action(
        "palette",
        "Command palette",
        "find any action by a part of its name",
        group="Move",
    ),
    Action("leave", "Quit", "leave the dashboard; everything keeps running", "Quit", group="Move"),
)
"""In the order of footer and help."""

MOVES = (
    ("tab / shift+tab, ← →", "next and previous panel"),
    ("j k, ↑ ↓, g G", "move in a panel"),
    ("enter", "open: service → its log, workflow → its runs, run → task → log"),
    ("in a chart: ← →", "cursor; shift moves the chart by half, + - zoom, g G ends"),
    ("in a chart: ↑ ↓", "event before and next; enter opens it; 1-9 choose a chart, space a line"),
    ("enter", "on what is not well: why, in words; again: its evidence; failed run → failing line"),
    ("/", f"filter the list in focus ({HELP}); esc clears"),
    (". ,", "sort by the next column; the other order"),
    ("space", "select a row, for actions that take several"),
    ("f", "follow a log's end, or new events"),
    ("n N", "in a log: next, previous match; without a filter the next warning or error"),
    ("L", "in a log: warnings and errors, errors, all"),
    ("esc", "back"),
    ("ctrl+q", "quit from anywhere"),
)
"""Keys that are no actions."""


def action(action_id: str) -> Action:
    """Return the action with this id; raises KeyError when there is none."""
    return {known.id: known for known in ACTIONS}[action_id]
