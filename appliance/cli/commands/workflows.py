"""`appliance run`: one workflow, through Airflow when the appliance is up, in process when not."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from appliance import clock
from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json, emit_table, narrate, narrate_error
from appliance.cli.task_progress import TaskProgress
from appliance.cli.waiting_for import WaitingFor
from appliance.config.arguments import PAIR
from appliance.domain.workflow import DagRun, RunState, WorkflowKind
from appliance.errors import AirflowApiError, ApplianceError, ConfigError, TransientError

if TYPE_CHECKING:
    from appliance.control.api import Control

POLL_SECONDS = 0.3
RETRY_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
"""How long the appliance may be away, as in a restart, before waiting for a run ends."""


@click.command("run")
@click.argument("kind", type=click.Choice([kind.value for kind in WorkflowKind]))
@session.project_option
@click.option(
    "--param",
    "params",
    type=PAIR,
    multiple=True,
    metavar="KEY=VALUE",
    help="Workflow parameter, such as full=true.",
)
@click.option("--list-parameters", is_flag=True, help="Print the parameters that KIND takes.")
@click.option("--unpause", is_flag=True, help="Unpause it first when it is paused in Airflow.")
@click.option("--no-wait", is_flag=True, help="Return once the DAG run exists.")
@session.json_option
def run_command(
    kind: str,
    project: str | None,
    params: tuple[tuple[str, str], ...],
    list_parameters: bool,
    unpause: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Run one workflow and wait for it: data, train, inference or monitoring.

    A parameter that it does not take is refused.
    """
    name = session.choose_project(project)
    chosen = WorkflowKind(kind)
    if list_parameters:
        return _list_parameters(name, chosen, as_json=as_json)
    parsed = dict(params)
    if session.is_supervised():
        if unpause:
            session.control().unpause(name, chosen, session.origin())
        return _run_in_airflow(name, chosen, parsed, no_wait=no_wait, as_json=as_json)
    return _run_here(name, chosen, parsed, as_json=as_json)


def _list_parameters(project: str, kind: WorkflowKind, *, as_json: bool) -> int:
    from appliance.cli.results import WorkflowParameter, WorkflowParameters
    from appliance.pipelines.workflow import parameters_of

    known = [WorkflowParameter(name, text) for name, text in parameters_of(project, kind).items()]
    if as_json:
        emit_json(WorkflowParameters(project, kind, tuple(known)))
    elif known:
        emit_table(("PARAMETER", "MEANING"), [(each.name, each.meaning) for each in known])
    else:
        narrate(f"{project} {kind} takes no parameter")
    return ExitCode.DONE


def _run_in_airflow(
    project: str, kind: WorkflowKind, params: dict[str, str], *, no_wait: bool, as_json: bool
) -> int:
    from appliance.cli.results import WorkflowRun

    control = session.control()
    run = _request(control, project, kind, params, patience=0 if no_wait else PATIENCE_SECONDS)
    narrate(f"{run.dag_id} {run.run_id}: {run.state}")
    if not no_wait:
        try:
            run = _follow(control, project, kind, run)
        except KeyboardInterrupt:
            narrate(f"no longer waiting; {run.run_id} goes on in Airflow")
            raise
    if as_json:
        emit_json(WorkflowRun(True, project, kind, run.state, run))
    else:
        emit(f"{run.dag_id} {run.run_id} {run.state}")
    return ExitCode.DONE if no_wait or run.state is RunState.SUCCESS else ExitCode.FAILED


def _request(
    control: Control, project: str, kind: WorkflowKind, params: dict[str, str], patience: float
) -> DagRun:
    """Create the DAG run; while Airflow is away, say what is waited for and ask again."""
    narrate(f"asking Airflow for a run of {project} {kind}")
    request, deadline = (
        f"{clock.now().isoformat()}__{os.urandom(3).hex()}",
        time.monotonic() + patience,
    )
    while True:
        try:
            return control.run_workflow(project, kind, params, session.origin(), request)
        except TransientError as error:
            if time.monotonic() > deadline or not session.is_supervised():
                raise
            narrate(f"  waiting: {error.message}")
            time.sleep(RETRY_SECONDS)
        except AirflowApiError as error:
            is_asked = error.code == "airflow.paused" and sys.stdin.isatty()
            if not is_asked or not click.confirm(f"{error.message}. Unpause it?", err=True):
                raise
            control.unpause(project, kind, session.origin())


def _follow(control: Control, project: str, kind: WorkflowKind, run: DagRun) -> DagRun:
    """Narrate task states until the run is final; print the log of what failed."""
    shown: dict[str, RunState] = {}
    progress, waiting = TaskProgress(control, project, kind, run.run_id), WaitingFor(control)
    answered_at = time.monotonic()
    while True:
        try:
            run = control.dag_run(project, kind, run.run_id)
        except TransientError as error:
            if time.monotonic() - answered_at > PATIENCE_SECONDS:
                raise
            narrate(f"  waiting: {error.message}")
            time.sleep(RETRY_SECONDS)
            continue
        answered_at = time.monotonic()
        progress.narrate({task.task_id for task in run.tasks if task.state is RunState.RUNNING})
        for task in run.tasks:
            if task.state not in (shown.get(task.task_id), RunState.NONE):
                seconds = f" {task.duration:.1f} s" if task.duration and task.ended_at else ""
                narrate(f"  {task.task_id:28} {task.state}{seconds}")
                shown[task.task_id] = task.state
                waiting.note_news()
        waiting.narrate()
        if run.state.is_finished:
            break
        time.sleep(POLL_SECONDS)
    for task in run.tasks:
        if task.state is RunState.FAILED:
            narrate(f"--- log of {task.task_id}, try {task.try_number}, last lines")
            for line in control.task_log(project, kind, run.run_id, task.task_id, lines=30):
                narrate(line)
    return run


def _run_here(project: str, kind: WorkflowKind, params: dict[str, str], *, as_json: bool) -> int:
    from appliance.cli.embedded_simulator import simulator_for
    from appliance.cli.results import WorkflowRun
    from appliance.pipelines.progress import listening
    from appliance.pipelines.workflow import run_in_process

    home, settings = session.paths(), session.settings()
    home.create()
    narrate(f"the appliance is not running: {project} {kind} runs in this process")
    results = []
    with simulator_for(settings, home), listening(lambda text: narrate(f"    {text}")):
        try:
            work = (home, settings, project)
            cause = session.origin()
            results.append(run_in_process(*work, kind, params, _narrate_stage, cause=cause))
            if reason := results[0].request:
                narrate(f"  {kind} asks for a training: {reason}")
                train = WorkflowKind.TRAIN
                asked = {"reason": reason}
                results.append(run_in_process(*work, train, asked, _narrate_stage, cause=cause))
        except ConfigError:
            raise
        except ApplianceError as error:
            narrate_error(error)
            if as_json:
                emit_json(WorkflowRun(True, project, kind, RunState.FAILED, error=error.message))
            return ExitCode.FAILED
    if as_json:
        wish = results[0].request
        emit_json(WorkflowRun(True, project, kind, RunState.SUCCESS, requested_training=wish))
    else:
        for result in results:
            emit(f"{result.project} {result.kind} {RunState.SUCCESS}")
    return ExitCode.DONE


def _narrate_stage(stage: str, state: RunState, seconds: float | None) -> None:
    duration = "" if seconds is None or state is RunState.RUNNING else f" {seconds:.1f} s"
    narrate(f"  {stage:28} {state}{duration}")
