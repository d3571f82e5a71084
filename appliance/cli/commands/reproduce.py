"""`appliance models reproduce`: train a version again and compare."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from appliance import zone
from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json, narrate
from appliance.config.arguments import VERSION

if TYPE_CHECKING:
    from appliance.domain.reproduction import Reproduction

_SHOWN = 8
"""Differences of one sort that are listed; `--json` has all."""


@click.command("reproduce")
@click.argument("version", type=VERSION)
@session.project_option
@session.json_option
def reproduce_command(version: int, project: str | None, as_json: bool) -> int:
    """Train VERSION again on the rows it was trained on, and compare predictions and metrics.

    Nothing is registered. Exit code 1 when they are not equal, with the differences.
    """
    from appliance.pipelines.progress import listening
    from appliance.pipelines.reproduction import reproduce

    name = session.choose_project(project)
    with listening(lambda text: narrate(f"  {text}")):
        result = reproduce(session.paths(), session.settings(), name, version)
    if as_json:
        emit_json(result)
    else:
        _print(result)
    return ExitCode.DONE if result.is_equal else ExitCode.FAILED


def _print(result: Reproduction) -> None:
    differing = result.differing_metrics
    is_close = result.largest_difference <= result.tolerance
    emit(
        f"{result.project} version {result.version}: {result.rows:,} rows from"
        f" {zone.utc_span(result.start_at, result.end_at)}"
    )
    emit(f"rows         {'the same' if result.has_same_rows else 'changed since the training'}")
    made_by, now = result.row_digest or "not noted", result.current_row_digest
    emit(f"made by      {'the same code' if made_by == now else f'other code: {made_by} -> {now}'}")
    if math.isfinite(result.largest_difference):
        emit(
            f"predictions  {'equal' if is_close else 'differ'}, largest difference"
            f" {result.largest_difference:.3g} of log return"
        )
    else:
        emit("predictions  cannot be compared: one is not a number")
    emit(f"metrics      {result.metrics - len(differing)} of {result.metrics} equal")
    for each in differing[:_SHOWN]:
        emit(f"  {each.name}: {each.recorded:.6g} -> {each.again:.6g}")
    _print_changes("code", result.code)
    _print_changes("packages", result.packages)
    emit(result.verdict)


def _print_changes(label: str, changes: dict[str, str]) -> None:
    emit(f"{label:12} {f'{len(changes)} changed' if changes else 'the same'}")
    for name, change in list(changes.items())[:_SHOWN]:
        emit(f"  {name}: {change}")
