"""The stream is open and sends nothing, or there is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import Kind, find_state
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_KIND = Kind(
    "stream.silent",
    "the stream is connected but sends nothing; the price on the screen stands still",
    "it reconnects by itself; closed candles go on arriving by REST",
)
_DOWN = Kind(
    "stream.down",
    "no stream at the moment; the price on the screen stands still",
    _KIND.hint,
    timedelta(seconds=30),
)


def find_stream_silent(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets whose forming candle is not sent any more."""
    yield from find_state(status, IngestionState.SILENT, _KIND)
    yield from find_state(status, IngestionState.POLLING, _DOWN)
