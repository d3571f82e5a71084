"""`appliance models gc`: removing what of MLflow's runs and model files nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance import clock
from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit_json, emit_table, narrate, narrate_error
from appliance.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.registry.retention import Removable, Retention


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@session.json_option
def gc_command(dry_run: bool, as_json: bool) -> int:
    """Remove deleted runs and the files of old model versions, as `mlflow.*_days` say.

    Never those of a version with an alias (champion, challenger, previous), of the newest, of one in a trial,
    of the frozen twin, and nothing outside the artifact root. The supervisor does the same once a day.
    """
    from appliance.cli.results import Cleanup, RemovedFiles
    from appliance.registry.client import open_registry
    from appliance.registry.retention import Retention

    home, settings = session.paths(), session.settings()
    retention = Retention(home, settings, open_registry(home, settings))
    old = retention.find(_versions_in_use(tuple(settings.projects)), clock.now())
    found = [item for item in old if item.is_ours]
    for item in old:
        if not item.is_ours:
            narrate(
                f"left: {item.kind} {item.name} of {item.project}, outside the root: {item.uri}"
            )
    removed = found if dry_run else _remove(retention, found)
    total = sum(item.size for item in removed)
    if as_json:
        shown = tuple(
            RemovedFiles(item.kind, item.project, item.name, item.size, item.uri)
            for item in removed
        )
        changed = bool(removed) and not dry_run
        emit_json(Cleanup(changed, dry_run, shown, total, len(found) - len(removed)))
    else:
        emit_table(
            ("KIND", "PROJECT", "NAME", "BYTES"),
            [(item.kind, item.project, item.name, item.size) for item in removed],
        )
    narrate(f"{'would remove' if dry_run else 'removed'} {len(removed)}, {total:,} bytes")
    return ExitCode.DONE if len(removed) == len(found) else ExitCode.FAILED


def _versions_in_use(projects: Sequence[str]) -> dict[str, set[int]]:
    """Return the versions that running trials and the account of the frozen twin need."""
    from appliance.domain.trial import TrialState
    from store.retrains import twin_versions
    from store.trials import read_trials

    if not session.paths().store_file.exists():
        return {}
    with session.open_store() as store:
        return {
            project: twin_versions(store, project)
            | {
                version
                for trial in read_trials(store, project, TrialState.RUNNING, limit=1000)
                for version in (trial.champion, trial.challenger)
            }
            for project in projects
        }


def _remove(retention: Retention, found: Sequence[Removable]) -> list[Removable]:
    """Remove one after the other; what cannot be removed is told and stays."""
    removed = []
    for item in found:
        try:
            if retention.remove(item):
                removed.append(item)
        except RegistryError as error:
            narrate_error(error)
    _record(removed)
    return removed


def _record(removed: Sequence[Removable]) -> None:
    from appliance.domain.event import Event, EventKind
    from store.events import append_event

    if not removed or not session.paths().store_file.exists():
        return
    total = sum(item.size for item in removed)
    summary = f"removed {len(removed)} deleted runs and old models' files, {total:,} bytes"
    details: dict[str, object] = {
        "removed": [f"{item.kind} {item.project} {item.name}" for item in removed]
    }
    event = Event(EventKind.FILES_REMOVED, summary, "retention", clock.now(), details=details)
    with session.open_store() as store:
        append_event(store, event)
