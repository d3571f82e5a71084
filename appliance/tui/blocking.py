"""Why an action cannot run now, as a function of the board: empty when it can."""

from __future__ import annotations

from appliance.domain.workflow import WorkflowKind
from appliance.tui.action_keys import key_of
from appliance.tui.state import Board

NO_ANSWER = "the supervisor does not answer"


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
