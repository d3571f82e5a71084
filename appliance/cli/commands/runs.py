"""`appliance runs`: what the workflows have done, and the log of what failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from appliance import clock
from appliance.cli import session
from appliance.cli.output import age, emit, emit_json, emit_table, lasted, narrate
from appliance.domain.workflow import RunState, WorkflowKind

if TYPE_CHECKING:
    from appliance.control.api import Control
    from appliance.domain.workflow import DagRun


@dataclass(frozen=True, slots=True)
class _Known:
    project: str
    kind: WorkflowKind
    run: DagRun


_NEVER = datetime.min.replace(tzinfo=UTC)


@click.command("runs")
@click.argument("kind", type=click.Choice([kind.value for kind in WorkflowKind]), required=False)
@session.projects_option
@session.limit_option(10, 100)
@click.option("--failed", is_flag=True, help="Only those of the newest that failed.")
@click.option(
    "--log", "with_log", is_flag=True, help="Print what the tasks of the newest failed run logged."
)
@click.option(
    "--log-lines",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Of each task.",
)
@session.json_option
def runs_command(
    kind: str | None,
    project: str | None,
    limit: int,
    failed: bool,
    with_log: bool,
    log_lines: int,
    as_json: bool,
) -> None:
    """Show the newest runs of a workflow, or of all, newest first; of every project unless one is named.

    With --log, why the newest one failed.
    """
    names, control = session.choose_projects(project), session.control()
    kinds = [WorkflowKind(kind)] if kind else list(WorkflowKind)
    found = [
        _Known(name, each, run)
        for name in names
        for each in kinds
        for run in control.dag_runs(name, each, limit)
    ]
    found.sort(key=lambda known: _began_at(known.run), reverse=True)
    shown = [known for known in found if known.run.has_failed or not failed][:limit]
    broken = next((known for known in found if known.run.has_failed), None)
    if as_json:
        emit_json([known.run for known in shown])
    elif shown:
        _print(shown, has_several=len(names) > 1)
    else:
        narrate("no run has failed" if failed else "no run yet; `appliance run data` makes one")
    if with_log and not as_json:
        if broken is None:
            narrate(f"none of the newest {limit} of each workflow has failed")
        else:
            _print_log(control, broken, log_lines)


def _print(shown: list[_Known], *, has_several: bool) -> None:
    headings: tuple[str, ...] = ("WORKFLOW", "RUN", "STATE", "AGO", "LASTED", "BY")
    now = clock.now()
    rows: list[tuple[object, ...]] = [
        (
            known.kind,
            known.run.run_id,
            "ended" if known.run.was_ended else known.run.state,
            age(known.run.started_at or known.run.queued_at, now),
            lasted(known.run.duration),
            known.run.cause.brief if known.run.cause else known.run.run_type or "-",
        )
        for known in shown
    ]
    if has_several:
        headings = ("PROJECT", *headings)
        rows = [(known.project, *row) for known, row in zip(shown, rows, strict=True)]
    emit_table(headings, rows)


def _print_log(control: Control, broken: _Known, lines: int) -> None:
    """Print the log of each failed task; what came after it did not run."""
    where = (broken.project, broken.kind, broken.run.run_id)
    for task in control.dag_run(*where).tasks:
        if task.state is RunState.FAILED:
            emit(
                f"--- {broken.run.dag_id} {broken.run.run_id}: {task.task_id}, try {task.try_number}"
            )
            for line in control.task_log(*where, task.task_id, lines):
                emit(line)


def _began_at(run: DagRun) -> datetime:
    return run.started_at or run.queued_at or _NEVER
