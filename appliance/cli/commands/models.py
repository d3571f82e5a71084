"""Model versions: list, promote, roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance import clock
from appliance.cli import session
from appliance.cli.commands.reproduce import reproduce_command
from appliance.cli.commands.retention import gc_command
from appliance.cli.output import age, emit, emit_json, emit_table, narrate, percent
from appliance.config.arguments import VERSION
from appliance.domain.trial import describe_trials
from appliance.errors import ConfigError, ServiceError, StoreError
from appliance.registry.aliases import CHAMPION, rollback_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.domain.model_version import ModelVersion
    from store.mlflow_backend.prepare import Change


@click.group("models", invoke_without_command=True)
@session.json_option
@session.project_option
@click.pass_context
def models_command(context: click.Context, as_json: bool, project: str | None) -> None:
    """List model versions; promote one, roll back, or train one again and compare."""
    if context.invoked_subcommand is not None:
        return
    versions = _versions(session.choose_project(project))
    if as_json:
        emit_json(versions)
        return
    if not versions:
        narrate("no model yet; `appliance run train` makes one")
        return
    emit_table(
        ("VERSION", "ALIASES", "AGE", "SKILL EWMA", "SKILL STATIC", "COVERAGE", "PINBALL"),
        [
            (
                v.version,
                " ".join(v.aliases) or ("-" if v.has_files else "(no files)"),
                age(v.created_at, clock.now()),
                percent(v.metrics.get("skill_ewma")),
                percent(v.metrics.get("skill_static")),
                f"{v.metrics['coverage']:.1%}" if "coverage" in v.metrics else "-",
                v.metrics.get("pinball"),
            )
            for v in versions
        ],
    )


def _versions(project: str) -> list[ModelVersion]:
    if session.is_supervised():
        return session.control().models(project)
    from appliance.registry.client import open_registry

    return open_registry(session.paths()).versions(project)


models_command.add_command(reproduce_command)


@models_command.command("promote")
@click.argument("version", type=VERSION)
@session.project_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@session.json_option
def promote_command(version: int, project: str | None, yes: bool, as_json: bool) -> None:
    """Make VERSION the production model."""
    name = session.choose_project(project)
    seen = _champion(session.control().models(name))
    if not yes and seen != version:
        instead = f" in place of version {seen}" if seen else ""
        question = f"Make version {version} of {name} the production model{instead}?"
        _confirm(name, seen, version, question)
    _print_champion(session.control().promote(name, version, seen, actor="operator"), as_json)


@models_command.command("rollback")
@click.argument("version", type=VERSION, required=False)
@session.project_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@session.json_option
def rollback_command(version: int | None, project: str | None, yes: bool, as_json: bool) -> None:
    """Make the previous production model, VERSION, the production model again.

    Repeating it changes nothing: after a rollback there is no rollback target until the next promotion.
    """
    name = session.choose_project(project)
    versions = session.control().models(name)
    seen = _champion(versions)
    target = version or rollback_target(name, _aliases(versions))
    if not yes and seen != target:
        instead = f" in place of version {seen}" if seen else ""
        _confirm(name, seen, target, f"Roll {name} back to version {target}{instead}?")
    _print_champion(session.control().roll_back(name, target, seen, actor="operator"), as_json)


@models_command.command("reject")
@click.argument("version", type=VERSION)
@session.project_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@session.json_option
def reject_command(version: int, project: str | None, yes: bool, as_json: bool) -> None:
    """Compare VERSION no more with the production model: it is not promoted by itself.

    `promote` still puts it into production.
    """
    name = session.choose_project(project)
    seen = _champion(session.control().models(name))
    if not yes:
        _confirm(name, seen, version, f"Reject version {version} of {name}?")
    rejected = session.control().reject(name, version, seen, actor="operator")
    if as_json:
        emit_json(rejected)
    else:
        emit(f"{name}: version {version} is rejected")


def _aliases(versions: Sequence[ModelVersion]) -> dict[str, int]:
    return {alias: version.version for version in versions for alias in version.aliases}


def _champion(versions: Sequence[ModelVersion]) -> int:
    return _aliases(versions).get(CHAMPION, 0)


def _confirm(project: str, champion: int, version: int, question: str) -> None:
    """Show what the gate knows of the pair, then ask; anything but yes ends the command."""
    if champion:
        try:
            trials = session.control().verdicts(project, champion, version)
        except StoreError as error:
            narrate(f"the gate's verdict cannot be read: {error.message}")
        else:
            for sentence in describe_trials(trials, champion, version):
                narrate(sentence)
    click.confirm(question, abort=True, err=True)


models_command.add_command(gc_command)


@models_command.command("migrate")
@session.json_option
def migrate_command(as_json: bool) -> None:
    """Move the registry from SQLite to DuckDB, or to the schema of a newer MLflow; counts are verified.

    `appliance up` does the same. The old file is kept.
    """
    change = _migrate()
    if change is None:
        narrate("nothing to do: the registry is on DuckDB and of the installed MLflow")
    if as_json:
        kept, counts = (None, {}) if change is None else (change.kept, change.counts)
        emit_json({"kept": kept, "rows": counts})
    elif change is not None:
        emit_table(("TABLE", "ROWS"), [(t, n) for t, n in sorted(change.counts.items()) if n])
        narrate(f"{change.rows} rows are in DuckDB; the old file is kept: {change.kept}")


def _migrate() -> Change | None:
    home = session.paths()
    if session.settings().mlflow.database_url:
        raise ConfigError(
            "mlflow.database_url is set: the registry is not to be on DuckDB",
            hint="remove it from compose/appliance.toml first",
        )
    if session.is_supervised():
        raise ServiceError("the appliance is running", hint="appliance down")
    home.create()
    from store.mlflow_backend.prepare import prepare_home

    return prepare_home(home)


def _print_champion(champion: ModelVersion, as_json: bool) -> None:
    if as_json:
        emit_json(champion)
    else:
        emit(f"{champion.name}: version {champion.version} is the champion")
