"""The flight recorder: what is kept, one file of it for others, and such a file shown again."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance import clock, zone
from appliance.cli import session
from appliance.cli.output import emit, emit_json, narrate
from appliance.config.arguments import FILE, NEW_FILE, WHEN

if TYPE_CHECKING:
    from appliance.cli.results import Kept
    from appliance.cli.session import Wiring

_DAY_SECONDS = 86_400
_LEAST_SECONDS = 600


@click.group("record", invoke_without_command=True)
@session.json_option
@click.pass_context
def record_command(context: click.Context, as_json: bool) -> None:
    """Show what the flight recorder has kept; `appliance --at TIME` shows the screens of then."""
    if context.invoked_subcommand is not None:
        return
    kept = _kept(session.paths().recording)
    if as_json:
        emit_json(kept)
        return
    per_day = f"{kept.bytes_per_day / 1e6:,.1f} MB" if kept.bytes_per_day else "not known yet"
    emit(f"recorded  {zone.stamp_with_name(kept.first_at)} to {zone.stamp_with_name(kept.last_at)}")
    emit(f"size      {kept.bytes / 1e6:,.1f} MB in {kept.files} files; a day: {per_day}")
    if kept.damaged_bytes:
        emit(f"damaged   {kept.damaged_bytes:,} bytes cannot be read and are passed over")


def _kept(folder: Path) -> Kept:
    from appliance.cli.results import Kept
    from appliance.control.recording.folder import recorded_files
    from appliance.control.recording.reader import RecordingReader

    reader = RecordingReader(folder)
    files = recorded_files(folder)
    size = sum(file.stat().st_size for file in files)
    seconds = sum(section.ends_at - section.begins_at for section in reader.sections) / 1000
    per_day = round(size / seconds * _DAY_SECONDS) if seconds >= _LEAST_SECONDS else None
    return Kept(
        folder, reader.first_at, reader.last_at, len(files), size, per_day, reader.damaged_bytes
    )


@record_command.command("export")
@click.argument("file", type=NEW_FILE)
@click.option("--from", "start_at", type=WHEN, help="02:13, 2026-01-31 09:00 or -2h; default: all.")
@click.option("--to", "end_at", type=WHEN, help="As --from; default: now.")
@session.json_option
def export_command(
    file: Path, start_at: datetime | None, end_at: datetime | None, as_json: bool
) -> None:
    """Write a span of the recording into the new FILE: a support case, without secrets.

    On any machine with the appliance, `appliance replay FILE` shows it.
    """
    from appliance.control.recording.export import export
    from appliance.control.recording.reader import RecordingReader
    from appliance.control.recording.secrets import blotter_of

    home = session.paths()
    reader = RecordingReader(home.recording)
    bounds = (start_at or reader.first_at, end_at or clock.now())
    made = export(reader, file, *bounds, blotter_of(home))
    if as_json:
        emit_json(made)
    else:
        emit(f"{made.file}  {made.bytes / 1e6:,.1f} MB")
        narrate(
            f"{zone.stamp_with_name(made.first_at)} to {zone.stamp_with_name(made.last_at)}; "
            f"show it: appliance replay {made.file}"
        )


@click.command("replay")
@click.argument("file", type=FILE)
@click.option("--at", type=WHEN, help="Time to show first; default: the recording's end.")
@click.pass_context
def replay_command(context: click.Context, file: Path, at: datetime | None) -> int:
    """Show the screens of a recording in FILE, of this machine or another."""
    from appliance.config.settings import DisplaySettings
    from appliance.control.recording.replay import ReplayRecording

    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise click.UsageError("a replay needs a terminal")
    recording = ReplayRecording(file, file.name)
    _, last_at = recording.span()
    wiring: Wiring = context.obj
    return wiring.dashboard(None, DisplaySettings(), recording, at or last_at)
