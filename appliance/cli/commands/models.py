"""Model versions: list, promote, roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance import clock
from appliance.cli import session
from appliance.cli.commands.compare import compare_command
from appliance.cli.commands.reproduce import reproduce_command
from appliance.cli.commands.retention import gc_command
from appliance.cli.output import (
    age,
    emit,
    emit_json,
    emit_table,
    narrate,
    percent,
    share,
    three_digits,
)
from appliance.cli.question import require_yes
from appliance.config.arguments import VERSION
from appliance.domain.trial import describe_trials
from appliance.errors import ConfigError, ServiceError, StoreError
from appliance.registry.aliases import CHALLENGER, CHAMPION, REJECTED, STATE, rollback_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.cli.results import ProductionChange
    from appliance.domain.model_version import ModelVersion
    from store.mlflow_backend.prepare import Change


@click.group("models", invoke_without_command=True)
@session.json_option
@session.projects_option
@click.pass_context
def models_command(context: click.Context, as_json: bool, project: str | None) -> None:
    """List model versions of every project, or of one; promote one, roll back, train one again, compare."""
    if context.invoked_subcommand is not None:
        return
    names = session.choose_projects(project)
    versions = [version for name in names for version in _versions(name)]
    if as_json:
        emit_json(versions)
    elif versions:
        _print(versions, has_several=len(names) > 1)
    else:
        narrate("no model yet; `appliance run train` makes one")


def _print(versions: Sequence[ModelVersion], *, has_several: bool) -> None:
    headings: tuple[str, ...] = ("VERSION", "ALIASES", "AGE")
    headings += ("SKILL EWMA", "SKILL STATIC", "COVERAGE", "PINBALL BP", "PROMOTED BY")
    now = clock.now()
    rows: list[tuple[object, ...]] = [
        (
            v.version,
            " ".join(v.aliases) or ("-" if v.has_files else "(no files)"),
            age(v.created_at, now),
            percent(v.metrics.get("skill_ewma")),
            percent(v.metrics.get("skill_static")),
            share(v.metrics.get("coverage")),
            three_digits(v.metrics.get("pinball"), 1e4),
            v.promoted.brief if v.promoted else "-",
        )
        for v in versions
    ]
    if has_several:
        headings = ("PROJECT", *headings)
        rows = [(v.name, *row) for v, row in zip(versions, rows, strict=True)]
    emit_table(headings, rows)


def _versions(project: str) -> list[ModelVersion]:
    if session.is_supervised():
        return session.control().models(project)
    from appliance.registry.client import open_registry

    return open_registry(session.paths()).versions(project)


models_command.add_command(compare_command)
models_command.add_command(reproduce_command)


@models_command.command("promote")
@click.argument("version", type=VERSION)
@session.project_option
@session.yes_option
@session.json_option
def promote_command(version: int, project: str | None, yes: bool, as_json: bool) -> None:
    """Make VERSION the production model."""
    from appliance.cli.results import ProductionChange

    name = session.choose_project(project)
    seen = _champion(session.control().models(name))
    if not yes and seen != version:
        instead = f" in place of version {seen}" if seen else ""
        question = f"Make version {version} of {name} the production model{instead}?"
        _confirm(name, seen, version, question)
    model = session.control().promote(name, version, seen, session.origin())
    _print_champion(ProductionChange(seen != version, name, version, model), as_json)


@models_command.command("rollback")
@click.argument("version", type=VERSION, required=False)
@session.project_option
@session.yes_option
@session.json_option
def rollback_command(version: int | None, project: str | None, yes: bool, as_json: bool) -> None:
    """Make the previous production model, VERSION, the production model again.

    Repeating it changes nothing: after a rollback there is no rollback target until the next promotion.
    """
    from appliance.cli.results import ProductionChange

    name = session.choose_project(project)
    versions = session.control().models(name)
    seen = _champion(versions)
    target = version or rollback_target(name, _aliases(versions))
    if not yes and seen != target:
        instead = f" in place of version {seen}" if seen else ""
        _confirm(name, seen, target, f"Roll {name} back to version {target}{instead}?")
    model = session.control().roll_back(name, target, seen, session.origin())
    _print_champion(ProductionChange(seen != target, name, target, model), as_json)


@models_command.command("reject")
@click.argument("version", type=VERSION)
@session.project_option
@session.yes_option
@session.json_option
def reject_command(version: int, project: str | None, yes: bool, as_json: bool) -> None:
    """Compare VERSION no more with the production model: it is not promoted by itself.

    `promote` still puts it into production.
    """
    from appliance.cli.results import ProductionChange

    name = session.choose_project(project)
    versions = session.control().models(name)
    seen = _champion(versions)
    is_rejected = any(
        each.version == version
        and each.tags.get(STATE) == REJECTED
        and CHALLENGER not in each.aliases
        for each in versions
    )
    if not yes and not is_rejected:
        _confirm(name, seen, version, f"Reject version {version} of {name}?")
    before = session.control().reject(name, version, seen, session.origin())
    if as_json:
        now = next((v for v in session.control().models(name) if v.version == version), before)
        emit_json(ProductionChange(not is_rejected, name, version, now))
    else:
        already = " already; nothing was changed" if is_rejected else ""
        emit(f"{name}: version {version} is rejected{already}")


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
    require_yes(question)


models_command.add_command(gc_command)


@models_command.command("migrate")
@session.json_option
def migrate_command(as_json: bool) -> None:
    """Move the registry from SQLite to DuckDB, or to the schema of a newer MLflow; counts are verified.

    `appliance up` does the same. The old file is kept.
    """
    from appliance.cli.results import RegistryMove

    change = _migrate()
    if change is None:
        narrate("nothing to do: the registry is on DuckDB and of the installed MLflow")
    if as_json:
        kept, counts = (None, {}) if change is None else (str(change.kept), dict(change.counts))
        emit_json(RegistryMove(change is not None, kept, counts))
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


def _print_champion(change: ProductionChange, as_json: bool) -> None:
    if as_json:
        emit_json(change)
    else:
        already = "" if change.changed else " already; nothing was changed"
        emit(f"{change.project}: version {change.version} is the champion{already}")
