"""The one registry of actions: key bindings, footer, palette and help all read it.

An action that cannot run now stays visible and says why: `blocked` returns the reason, empty when
it can run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.domain.workflow import WorkflowKind
from appliance.tui import keymap
from appliance.tui.presentation.filters import HELP
from appliance.tui.state import Board

Blocked = Callable[[Board], str]

NO_ANSWER = "the supervisor does not answer"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the operator can do.

    `id` names the operation, `key` Textual's key, `shown_key` how it is written, `label` the
    footer's word (empty: not in the footer; `is_extra`: only in a wide one), `title` and `help`
    the palette's and help's words.
    """

    id: str
    key: str
    title: str
    help: str
    label: str = ""
    is_extra: bool = False
    group: str = "Act"
    shown: str = ""
    blocked: Blocked = lambda _board: ""

    @property
    def shown_key(self) -> str:
        """The key as the operator reads it; empty when only the palette has it."""
        return keymap.chosen(self.id) or self.shown or self.key


def can_ask(board: Board) -> str:
    """Block what needs an answering supervisor."""
    return "" if board.is_connected or board.past else NO_ANSWER


def can_change(board: Board) -> str:
    """Block what changes something: no answer, read-only, no project."""
    status = board.status.value
    if board.past is not None:
        return (
            f"this is the past, nothing in it can be changed; {key_of('past_now')} returns to now"
        )
    if not board.is_connected or status is None:
        return NO_ANSWER
    if status.read_only:
        return "this console is read-only (--readonly)"
    return f"this console is read-only; {key_of('read_only')} unlocks it" if board.is_locked else ""


def can_run(board: Board) -> str:
    """Block workflow runs."""
    if reason := can_change(board):
        return reason
    if board.project is None:
        return "there is no project"
    stale = board.stale_reason("workflows")
    return f"Airflow does not answer: {stale}" if stale else ""


def can_retrain(board: Board) -> str:
    """Block a train run; a broken DAG file is named."""
    if reason := can_run(board):
        return reason
    workflows = board.project.workflows if board.project else ()
    train = [w for w in workflows if w.kind is WorkflowKind.TRAIN]
    if not train:
        return "Airflow does not know the train workflow yet"
    return "the train workflow's DAG file is broken" if train[0].import_error else ""


def can_read_models(board: Board) -> str:
    """Block what needs a project and the registry."""
    if reason := can_ask(board):
        return reason
    return "" if board.project else "there is no project"


def can_promote(board: Board) -> str:
    """Block a promotion while there is nothing else to promote."""
    if reason := can_change(board):
        return reason
    project = board.project
    if project is None:
        return "there is no project"
    if stale := board.stale_reason("models"):
        return f"the registry does not answer: {stale}"
    if project.newest_version is None:
        return f"no model has been trained yet; {key_of('retrain')} trains one"
    if project.champion and project.newest_version == project.champion.version == 1:
        return f"v1 is in production and the only version; {key_of('retrain')} trains another"
    return ""


def can_roll_back(board: Board) -> str:
    """Block a rollback without a previous champion."""
    if reason := can_change(board):
        return reason
    project = board.project
    if project is None or project.champion is None:
        return "no model is in production"
    return (
        ""
        if project.previous_champion
        else f"no earlier champion to go back to; {key_of('promote')} promotes any version"
    )


def can_reject(board: Board) -> str:
    """Block a rejection while no version is compared with the production model or held for a person."""
    if reason := can_change(board):
        return reason
    project = board.project
    return "" if project and (project.champion or project.held) else "no model is in production"


def can_restart(board: Board) -> str:
    """Block restarts."""
    return can_change(board)


def can_switch(board: Board) -> str:
    """Block switching without a second project."""
    status = board.status.value
    if status is None:
        return NO_ANSWER
    return "" if len(status.projects) > 1 else "there is only one project"


def can_choose_market(board: Board) -> str:
    """Block the chart's picker while there is nothing to pick from."""
    if not board.feeds:
        return NO_ANSWER
    return "" if len(board.feeds) > 1 else "only one market is ingested (ingest.markets)"


def can_change_timeframe(board: Board) -> str:
    """Block another timeframe where the market has only one."""
    if board.feed is None:
        return NO_ANSWER
    units = [unit for market, unit in board.feeds if market == board.feed[0]]
    return "" if len(units) > 1 else "only one timeframe is ingested (ingest.timeframes)"


def can_see_data(board: Board) -> str:
    """Block what is about markets while none is known."""
    return "" if board.feeds else NO_ANSWER


def can_work_on_history(board: Board) -> str:
    """Block work on history: no answer, read-only, no market, no store."""
    if reason := can_change(board) or can_see_data(board):
        return reason
    stale = board.stale_reason("store")
    return f"the store does not answer: {stale}" if stale else ""


def is_past(board: Board) -> str:
    """Block what steps through a recording while now is shown."""
    return "" if board.past else f"now is shown; {key_of('travel')} goes to another time"


def has_problems(board: Board) -> str:
    """Block the list of problems when there is none."""
    status = board.status.value
    return "" if status and (status.problems or status.stale) else "there are no problems"


def can_undo(board: Board) -> str:
    """Block undo while nothing was done that has an opposite."""
    if reason := can_change(board):
        return reason
    return "" if board.undo else "nothing was done here that can be taken back"


def can_lock(board: Board) -> str:
    """Block unlocking a console that was opened read-only."""
    is_fixed = board.status.value is not None and board.status.value.read_only
    return "it was opened with --readonly; `appliance` opens one that acts" if is_fixed else ""


ACTIONS = (
    Action(
        "retrain",
        "r",
        "Retrain",
        "start the train workflow at once",
        "Retrain",
        blocked=can_retrain,
    ),
    Action(
        "run",
        "w",
        "Run a workflow …",
        "choose one of the four, with parameters",
        "Run",
        blocked=can_run,
    ),
    Action(
        "promote",
        "p",
        "Promote a model …",
        "put another version into production; asks for its number",
        "Promote",
        blocked=can_promote,
    ),
    Action(
        "roll_back",
        "b",
        "Roll back the model …",
        "return to the previous champion; asks for its number",
        "Rollback",
        blocked=can_roll_back,
    ),
    Action(
        "reject",
        "o",
        "Reject a challenger …",
        "compare a version no more; asks for its number",
        blocked=can_reject,
    ),
    Action(
        "restart",
        "s",
        "Restart a service …",
        "stop and start one service; asks",
        "Restart",
        blocked=can_restart,
    ),
    Action(
        "backfill",
        "i",
        "Backfill a range …",
        "load a market's history from … to …, at the exchange's limit",
        blocked=can_work_on_history,
    ),
    Action(
        "repair",
        "e",
        "Repair gaps now",
        "fetch what is missing of the chosen market at once",
        blocked=can_work_on_history,
    ),
    Action(
        "audit",
        "a",
        "Audit now",
        "compare the chosen market's last week with the exchange and correct it",
        blocked=can_work_on_history,
    ),
    Action(
        "data",
        "d",
        "Market data",
        "feeds, coverage, gaps, backfills",
        "Data",
        group="Look",
        blocked=can_see_data,
    ),
    Action("logs", "l", "Logs …", "read the services' logs", "Logs", group="Look", blocked=can_ask),
    Action(
        "events",
        "E",
        "Events",
        "every event and who did it, back to the beginning; there, the last 12 h, 24 h, 7 days",
        "Events",
        is_extra=True,
        group="Look",
        blocked=can_ask,
    ),
    Action(
        "models",
        "m",
        "Models",
        "every version with its metrics; promote and reject the chosen one from there",
        "Models",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "compare",
        "C",
        "Compare versions",
        "production beside the challenger, or the versions chosen in the models page: metrics, verdict",
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "monitoring",
        "v",
        "Monitoring",
        "drift per feature, losses, comparisons of versions, retraining and its reasons",
        "Monitor",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "history",
        "h",
        "Charts over time",
        "forecasts and outcomes, losses, skill, drift, with what happened; pan, zoom, values in words",
        "Charts",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "runs",
        "t",
        "Runs and tasks",
        "the runs of a workflow, their tasks, the tasks' logs",
        "Runs",
        is_extra=True,
        group="Look",
        blocked=can_read_models,
    ),
    Action(
        "problems",
        "exclamation_mark",
        "Problems",
        "everything that needs you, with what to do",
        "Problems",
        is_extra=True,
        group="Look",
        shown="!",
        blocked=has_problems,
    ),
    Action(
        "travel",
        "T",
        "Go to another time …",
        "show every screen as it was; on an event, when it happened",
        "Time",
        is_extra=True,
        group="Look",
    ),
    *(
        Action(action_id, key, title, words, group="Look", shown=shown, blocked=is_past)
        for action_id, key, shown, title, words in (
            ("past_back", "less_than_sign", "<", "Change before", "in the past: the change before"),
            ("past_on", "greater_than_sign", ">", "Change after", "in the past: the next change"),
            ("past_event_back", "left_parenthesis", "(", "Event before", "the event before"),
            ("past_event_on", "right_parenthesis", ")", "Event after", "the next event"),
            ("past_play", "space", "", "Play the past", "play on from here, or stand still"),
            ("past_slower", "left_curly_bracket", "{", "Play slower", "down to real speed"),
            ("past_faster", "right_curly_bracket", "}", "Play faster", "up to 1200 times"),
            ("past_now", "backspace", "", "Return to now", "leave the past"),
        )
    ),
    Action(
        "zoom",
        "z",
        "Zoom",
        "give the panel in focus the whole screen; esc returns",
        "Zoom",
        is_extra=True,
        group="Look",
    ),
    Action(
        "market",
        "c",
        "Chart of another market …",
        "choose market and timeframe from a list",
        "Chart",
        is_extra=True,
        group="Look",
        blocked=can_choose_market,
    ),
    Action(
        "next_market",
        "right_square_bracket",
        "Next market",
        "show the next market in the chart",
        group="Look",
        shown="]",
        blocked=can_choose_market,
    ),
    Action(
        "previous_market",
        "left_square_bracket",
        "Previous market",
        "show the market before in the chart",
        group="Look",
        shown="[",
        blocked=can_choose_market,
    ),
    Action(
        "timeframe",
        "u",
        "Next timeframe",
        "show the market's next candle width in the chart",
        group="Look",
        blocked=can_change_timeframe,
    ),
    Action(
        "project",
        "n",
        "Next project",
        "show the next project; with more than four a list asks which",
        group="Look",
        blocked=can_switch,
    ),
    Action(
        "switch_project",
        "x",
        "Enable or disable a project …",
        "choose a project; a disabled one runs, forecasts and alerts nothing",
        group="Act",
        blocked=can_change,
    ),
    Action(
        "undo",
        "U",
        "Undo …",
        "take back the last promotion, rollback, switch or work on history; asks as that did",
        blocked=can_undo,
    ),
    Action(
        "test_alert", "", "Send a test alert", "hand a test message to Slack", blocked=can_change
    ),
    Action(
        "shut_down",
        "",
        "Stop the whole appliance …",
        "stop every service; asks",
        blocked=can_change,
    ),
    Action(
        "help", "question_mark", "Help", "keys, marks and words", "Help", group="Move", shown="?"
    ),
    Action(
        "command",
        "colon",
        "Command line",
        "type a command, such as models 3 or logs store; tab completes, ↑ recalls",
        "Command",
        is_extra=True,
        group="Move",
        shown=":",
    ),
    Action("home", "H", "Home", "back to the dashboard from anywhere", group="Move"),
    Action(
        "copy",
        "y",
        "Copy",
        "copy the chosen row, or the panel's text, to the terminal's clipboard (OSC 52)",
        group="Move",
    ),
    Action(
        "save",
        "S",
        "Save the screen",
        "write it as text and SVG into the home's console/screens",
        group="Move",
    ),
    Action(
        "read_only",
        "ctrl+r",
        "Read-only on or off",
        "let this console change nothing, or act again",
        group="Move",
        blocked=can_lock,
        shown="ctrl+r",
    ),
    Action(
        "palette",
        "",
        "Command palette",
        "find any action by a part of its name",
        group="Move",
        shown="ctrl+p",
    ),
    Action(
        "leave", "q", "Quit", "leave the dashboard; everything keeps running", "Quit", group="Move"
    ),
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


def key_of(action_id: str) -> str:
    """Return the key of an action as the operator reads it, for sentences that name it."""
    return action(action_id).shown_key


def default_keys() -> dict[str, str]:
    """Return every action's own key by its id; empty for those that only the palette has."""
    return {known.id: known.key for known in ACTIONS}
