"""`appliance logs`: what services and tasks have written, read from their files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import session
from appliance.cli.output import emit, emit_table, narrate
from appliance.config.arguments import TEXT, unknown
from appliance.domain.workflow import WorkflowKind, dag_id

if TYPE_CHECKING:
    from appliance.supervisor.log_pages import LogParts, Render

_FOLLOW_SECONDS = 0.3
_MOST_LINES = 100_000


@click.command("logs")
@click.argument("service", type=TEXT, required=False)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(1, _MOST_LINES),
    default=50,
    show_default=True,
    help="At most so many, the newest.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on printing new lines.")
@click.option(
    "--run", type=TEXT, default=None, help="A task's log: of this run, or of a workflow's newest."
)
@click.option(
    "--task", type=TEXT, default=None, help="Which task; else the one that failed, or ran last."
)
@session.project_option
def logs_command(
    service: str | None,
    lines: int,
    follow: bool,
    run: str | None,
    task: str | None,
    project: str | None,
) -> None:
    """Show a service's log, or with --run a task's; without either, which services' logs there are."""
    if service is not None and run is not None:
        raise click.UsageError("name a service or a --run, not both")
    if task is not None and run is None:
        raise click.UsageError("--task needs --run, such as --run train")
    if run is not None:
        _show_task(run, task, project, lines, follow=follow)
    elif service is None:
        emit_table(
            ("SERVICE", "BYTES", "FILE"),
            [(name, path.stat().st_size, path) for name, path in _service_logs().items()],
        )
    else:
        _show_service(service, lines, follow=follow)


def _service_logs() -> dict[str, Path]:
    return {path.stem: path for path in sorted(session.paths().logs.glob("*.log"))}


def _show_service(name: str, lines: int, *, follow: bool) -> None:
    from appliance.supervisor.log_file import all_parts
    from appliance.supervisor.log_pages import LogParts, plain

    logs = _service_logs()
    if name not in logs:
        raise unknown("log of", name, list(logs))
    _show(lambda: LogParts(all_parts(logs[name])), plain, lines, follow=follow)


def _show_task(
    run: str, task: str | None, project: str | None, lines: int, *, follow: bool
) -> None:
    from appliance.airflow_api.task_log import newest_log, render_record
    from appliance.supervisor.log_pages import LogParts

    folder = session.paths().airflow / "logs"
    dag, run_id = _run_of(folder, run, session.choose_project(project))
    tasks = _tasks(folder / f"dag_id={dag}" / f"run_id={run_id}")
    if task is not None and task not in tasks:
        raise unknown("task of this run:", task, tasks)
    chosen = task or _failed_task(dag, run_id) or tasks[-1]
    path = newest_log(folder, dag, run_id, chosen)
    narrate(f"{dag} {run_id}: {chosen}, try {path.stem.removeprefix('attempt=') if path else 0}")
    _show(lambda: LogParts([path] if path else []), render_record, lines, follow=follow)


def _run_of(folder: Path, run: str, project: str) -> tuple[str, str]:
    """Return DAG and id of a run that has logged: the newest of a workflow, or the one with this id."""
    kinds = [kind for kind in WorkflowKind if run in (kind.value, "")] or list(WorkflowKind)
    found = [
        path
        for kind in kinds
        for path in folder.glob(f"dag_id={dag_id(project, kind)}/run_id=*")
        if len(kinds) == 1 or path.name == f"run_id={run}"
    ]
    if not found:
        words = [kind.value for kind in WorkflowKind]
        raise unknown("log of a run of this project:", run, words)
    newest = max(found, key=lambda path: path.stat().st_mtime)
    return newest.parent.name.removeprefix("dag_id="), newest.name.removeprefix("run_id=")


def _tasks(run: Path) -> list[str]:
    """Return the tasks of a run that have logged, the one that ran last at the end."""
    logs = sorted(run.glob("task_id=*/attempt=*.log"), key=lambda path: path.stat().st_mtime)
    names = [path.parent.name.removeprefix("task_id=") for path in logs]
    if not names:
        raise click.UsageError("no task of this run has logged anything yet")
    return list(dict.fromkeys(names))


def _failed_task(dag: str, run_id: str) -> str:
    from appliance.pipelines.task_log import logged_error

    return logged_error(session.paths(), dag, run_id)[0]


def _show(read: Callable[[], LogParts], render: Render, lines: int, *, follow: bool) -> None:
    from appliance.domain.log import LogQuery
    from appliance.supervisor.log_pages import read_log_page

    page = read_log_page(read(), LogQuery(lines=lines), render)
    for line in page.lines[-lines:]:
        if not follow or line.at < page.end:
            emit(line.text)
    while follow:
        time.sleep(_FOLLOW_SECONDS)
        parts = read()
        is_same = parts.file == page.file and parts.size >= page.end
        at = page.end if is_same else parts.newest_start
        page = read_log_page(parts, LogQuery(at, _MOST_LINES, is_forward=True), render)
        for line in page.lines:
            emit(line.text)
