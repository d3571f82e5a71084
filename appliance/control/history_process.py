"""One job on stored history in a process of its own: `python -m appliance.control.history_process`.

Arguments: kind, market, unit, origin as JSON, start and end as ISO instants or `-`. Writes one JSON object a
line to stdout: progress, and at last the outcome or the error. Ends when nobody reads any more.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from appliance import zone
from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.domain.history_job import HistoryKind
from appliance.domain.origin import Origin, origin_from_json
from appliance.errors import ApplianceError
from appliance.exchange.source import open_source, resolve_source
from appliance.ingest.audit import audit, settled_window
from appliance.ingest.fill_range import RangeProgress, fill_range
from appliance.ingest.intake import Intake
from appliance.terminal import guard
from store.client import FlightSession
from store.coverage import proven_from

_EMPTY = "-"


def main(arguments: list[str]) -> int:
    """Do the job; return the exit code."""
    guard()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # a cancelled job still records itself
    kind, market, unit, origin, start, end = arguments
    try:
        with _intake(market, int(unit), origin_from_json(origin)) as intake:
            _say(message=_work(HistoryKind(kind), intake, _instant(start), _instant(end)))
    except ApplianceError as error:
        _say(error=error.message, hint=error.hint)
        return 1
    return 0


@contextmanager
def _intake(market: str, unit: int, origin: Origin | None) -> Iterator[Intake]:
    paths = Paths.from_environment()
    settings = load_settings(paths)
    source = resolve_source(settings, paths)
    session = FlightSession(paths.store_socket)
    try:
        with open_source(source, settings, paths) as client:
            yield Intake(session, client, market, unit, source.source_id, origin=origin)
    finally:
        session.close()


def _work(
    kind: HistoryKind, intake: Intake, start_at: datetime | None, end_at: datetime | None
) -> str:
    if kind is HistoryKind.AUDIT:
        return _audit(intake, start_at, end_at)
    if kind is HistoryKind.REPAIR or start_at is None:
        start_at = proven_from(intake.session, intake.market, intake.unit)
        if start_at is None:
            return "nothing is known yet: the ingestor fetches the first candles"
    result = fill_range(intake, start_at, end_at, _show)
    if not result.fetched:
        return "nothing was missing"
    first = f"; nothing before {zone.utc_text(result.first_at)}" if result.first_at else ""
    return f"{result.fetched:,} candles received, {result.inserted:,} new{first}"


def _audit(intake: Intake, start_at: datetime | None, end_at: datetime | None) -> str:
    window = settled_window(intake, start_at, end_at)
    if window is None:
        return "nothing has settled yet that could be compared"
    done = audit(
        intake, *window, lambda p: _say(done=p.checked, wanted=p.wanted, seconds=p.seconds)
    )
    return (
        f"{done.checked:,} intervals compared: {done.corrected} corrected, "
        f"{done.recovered} recovered, {done.removed} removed"
    )


def _show(progress: RangeProgress) -> None:
    _say(
        done=progress.done,
        wanted=progress.wanted,
        fetched=progress.fetched,
        seconds=progress.seconds,
    )


def _say(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def _instant(text: str) -> datetime | None:
    return None if text == _EMPTY else datetime.fromisoformat(text)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(130)
