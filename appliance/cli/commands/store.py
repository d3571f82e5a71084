"""The store file: backups, and whether a file is a whole store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import session
from appliance.cli.output import emit_json, emit_table, narrate, narrate_over
from appliance.config.arguments import FILE, NEW_FILE

if TYPE_CHECKING:
    from store.backup import StoreFacts


@click.group("store")
def store_command() -> None:
    """Back up the store's file, or check one."""


@store_command.command("backup")
@click.argument("file", type=NEW_FILE)
@session.json_option
def backup_command(file: Path, as_json: bool) -> None:
    """Copy the store as of now into the new FILE, while everything goes on, and verify the copy.

    Works with the appliance up and down. FILE appears when it is complete; nothing is overwritten. To
    restore: appliance down, put the file in the place of store/appliance.duckdb, appliance up.
    """
    from store.backup import backup

    with session.open_store() as store:
        facts = backup(store, file, _progress)
    _show(file, facts, as_json)


@store_command.command("check")
@click.argument("file", type=FILE)
@session.json_option
def check_command(file: Path, as_json: bool) -> None:
    """Read every row of FILE, a backup of the store, without changing it."""
    from store.backup import check

    _show(file, check(file, _progress), as_json)


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        narrate_over(f"{what} {done * 100 // max(total, 1)} %")


def _show(file: Path, facts: StoreFacts, as_json: bool) -> None:
    if sys.stderr.isatty():
        narrate_over("")
    if as_json:
        emit_json(facts)
        return
    emit_table(("TABLE", "ROWS"), [(table.name, table.rows) for table in facts.tables])
    narrate(f"{file}: {facts.size:,} bytes, schema {facts.schema}, every row read")
