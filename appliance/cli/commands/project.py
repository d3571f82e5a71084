"""`appliance new-project` and `appliance project`: make a project, and check that it keeps the rules."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import click

from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json, emit_table, narrate
from appliance.config.arguments import TEXT, unknown

if TYPE_CHECKING:
    from appliance.project_kit.finding import Report


@click.command("new-project")
@click.argument("name", type=TEXT)
@session.json_option
def new_project_command(name: str, as_json: bool) -> None:
    """Make a project that runs at once beside the others; nothing is overwritten.

    NAME is lower-case letters and digits, joined by single underscores. It becomes the name of the folder,
    the DAGs, the MLflow experiment and the registered model, and the key in the store's tables.
    """
    from appliance.cli.results import ProjectMade
    from appliance.config.paths import SOURCE_ROOT
    from appliance.project_kit.scaffold import create_project

    made = [str(path) for path in create_project(name, SOURCE_ROOT)]
    if as_json:
        emit_json(ProjectMade(True, name, SOURCE_ROOT, tuple(made)))
    else:
        for path in made:
            emit(path)
    running = "it is taken in within a minute" if session.is_running() else "start it: appliance up"
    narrate(f"made project {name} in {SOURCE_ROOT}; {running}")
    narrate(f"next:  write your features in {made[0]}/preprocessor/feature_engineering.py,")
    narrate(f"       then `appliance project check {name}`; docs/projects.md is the guide")


@click.group("project")
def project_command() -> None:
    """List projects, and check whether one keeps the rules."""


@project_command.command("list")
@session.json_option
def list_command(as_json: bool) -> None:
    """Print every project that is there, enabled or not."""
    from appliance.cli.results import ProjectRow
    from appliance.errors import ConfigError
    from appliance.pipelines.spec import describe_project, project_names

    settings = session.settings()
    rows = []
    for name in project_names():
        section = settings.projects.get(name)
        is_enabled = section is not None and section.enabled
        try:
            spec = describe_project(settings, name)
            rows.append(ProjectRow(name, is_enabled, spec.market, spec.unit, spec.horizon, ""))
        except ConfigError as error:
            rows.append(ProjectRow(name, is_enabled, None, None, None, error.message))
    if as_json:
        emit_json(rows)
    else:
        emit_table(
            ("PROJECT", "ENABLED", "MARKET", "UNIT", "HORIZON", "PROBLEM"),
            [astuple(row) for row in rows],
        )


@project_command.command("check")
@click.argument("name", type=TEXT)
@session.json_option
def check_command(name: str, as_json: bool) -> int:
    """Run the conformance kit on a project; exit 1 when it does not keep a rule.

    It needs neither a running appliance nor a network, and changes nothing.
    """
    from appliance.project_kit.check import check_project

    report = check_project(
        name, session.settings(), progress=lambda what: narrate(f"checking {what} ...")
    )
    if as_json:
        emit_json(report)
    else:
        _print(report)
    return ExitCode.DONE if report.is_conforming else ExitCode.FAILED


@project_command.command("enable")
@click.argument("name", type=TEXT)
@session.json_option
def enable_command(name: str, as_json: bool) -> None:
    """Let workflows, forecasts and alerts of a project run again; effective within seconds."""
    _switch(name, is_enabled=True, as_json=as_json)


@project_command.command("disable")
@click.argument("name", type=TEXT)
@session.json_option
def disable_command(name: str, as_json: bool) -> None:
    """Run, forecast and alert nothing for a project; what is stored stays.

    Its DAGs are paused in Airflow until it is enabled, runs that go on are ended.
    """
    _switch(name, is_enabled=False, as_json=as_json)


def _switch(name: str, *, is_enabled: bool, as_json: bool) -> None:
    from appliance.cli.results import ProjectSwitch

    configured = session.settings().projects
    if name not in configured:
        raise unknown("project", name, sorted(configured))
    changed = configured[name].enabled != is_enabled
    if session.is_supervised():
        session.control().enable_project(name, is_enabled, session.origin())
    else:
        from appliance.config.enabling import enable_project

        enable_project(session.paths(), name, is_enabled=is_enabled)
    if as_json:
        emit_json(ProjectSwitch(changed, name, is_enabled))
    else:
        already = "" if changed else " already; nothing was changed"
        emit(f"{name} is {'enabled' if is_enabled else 'disabled'}{already}")


def _print(report: Report) -> None:
    broken = {finding.check for finding in report.findings}
    for name in report.checks:
        emit(f"{'FAIL' if name in broken else 'ok':5} {name}")
    for name in report.skipped:
        emit(f"{'-':5} {name} (not checked: correct the others first)")
    for finding in report.findings:
        emit(f"\n{finding.check}: {finding.message}\n  next: {finding.hint}")
    count = len(report.findings)
    told = "conforms" if not count else f"has {count} finding{'s' if count > 1 else ''}"
    emit(f"\nproject {report.project} {told}")
