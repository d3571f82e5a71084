"""`python -m store.mlflow_backend`: MLflow's databases made ready, upgraded, moved from SQLite."""

from __future__ import annotations

from pathlib import Path

import click
from mlflow.exceptions import MlflowException

from appliance.terminal import guard
from store.mlflow_backend.copy import Counts
from store.mlflow_backend.prepare import move_sqlite, prepare_uri
from store.mlflow_backend.upgrade import upgrade
from store.mlflow_backend.uri import database_path

_SQLITE = "sqlite:///"


@click.group()
def main() -> None:
    """MLflow's DuckDB files."""
    guard()


@main.command("upgrade")
@click.argument("file", type=click.Path(path_type=Path))
def upgrade_command(file: Path) -> None:
    """Bring FILE to the installed MLflow's schema; the old file is kept beside it."""
    try:
        done = upgrade(file)
    except MlflowException as error:
        raise click.ClickException(error.message) from error
    if done is None:
        click.echo(f"{file} is up to date")
    else:
        click.echo(f"{file} is upgraded ({_total(done[1])}); the old file is {done[0]}")


@main.command("prepare")
@click.argument("uri", envvar="_MLFLOW_SERVER_FILE_STORE")
@click.option("--from-sqlite", type=click.Path(path_type=Path), help="Rows for a new DuckDB file.")
def prepare_command(uri: str, from_sqlite: Path | None) -> None:
    """Create the database of the backend store URI, upgrade it, or move it over from SQLite.

    The server's own variable for the URI is read too: a password does not belong on a command line.
    """
    try:
        change = prepare_uri(uri, from_sqlite)
    except MlflowException as error:
        raise click.ClickException(error.message) from error
    if change is not None:
        click.echo(f"{_total(change.counts)}; the old file is kept: {change.kept}")


@main.command("copy")
@click.argument("source_uri")
@click.argument("target_uri")
def copy_command(source_uri: str, target_uri: str) -> None:
    """Copy SOURCE_URI (sqlite:///...) into a new file TARGET_URI (duckdb:///...)."""
    if not source_uri.startswith(_SQLITE):
        raise click.UsageError(f"SOURCE_URI is {source_uri}, expected {_SQLITE} and a path")
    try:
        source, target = Path(source_uri.removeprefix(_SQLITE)), database_path(target_uri)
        counts = move_sqlite(source, target)
    except MlflowException as error:
        raise click.ClickException(error.message) from error
    for table, count in sorted(counts.items()):
        if count:
            click.echo(f"{table:<32}{count:>10}")
    click.echo(f"{target} has {_total(counts)}, the same as {source}")


def _total(counts: Counts) -> str:
    return f"{sum(counts.values())} rows in {len(counts)} tables"


if __name__ == "__main__":
    main()
