"""What needs the operator most comes first: markets and projects by need; pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from appliance.control.api import ApplianceStatus, MarketStatus, ProjectStatus
from appliance.domain.candle import IngestionState

LATE_SECONDS = 90.0
"""A newest stored candle older than this, beyond its own width, is late."""

_STOPPED = frozenset(
    {
        IngestionState.DISCONNECTED,
        IngestionState.BLOCKED,
        IngestionState.GARBLED,
        IngestionState.REJECTED,
        IngestionState.STORE_DOWN,
    }
)
_WARNED = frozenset({IngestionState.SILENT, IngestionState.MISCONFIGURED})


class Need(IntEnum):
    """How much a market needs the operator."""

    NONE = 0
    UNKNOWN = 1
    GAPS = 2
    WARNED = 3
    LATE = 4
    STOPPED = 5


WORDS = {
    Need.STOPPED: "without candles",
    Need.LATE: "late",
    Need.WARNED: "with a warning",
    Need.GAPS: "with gaps",
    Need.UNKNOWN: "unknown",
    Need.NONE: "well",
}
"""How many markets have a need is said with these: `3 late`."""


def is_late(market: MarketStatus) -> bool:
    """Whether the newest stored candle closed longer ago than a candle's width and a bit."""
    return (market.lag_seconds or 0.0) > market.unit * 60 + LATE_SECONDS


def market_need(market: MarketStatus) -> Need:
    """Return the most pressing need of a market and timeframe."""
    state = market.ingestion.state if market.ingestion else ""
    if state in _STOPPED:
        return Need.STOPPED
    if is_late(market):
        return Need.LATE
    if state in _WARNED:
        return Need.WARNED
    if market.gaps:
        return Need.GAPS
    return Need.UNKNOWN if market.ingestion is None else Need.NONE


def markets_by_need(markets: Iterable[MarketStatus]) -> list[MarketStatus]:
    """Return the markets with the most pressing first, those of one need the latest first."""
    return sorted(
        markets,
        key=lambda m: (-(need := market_need(m)), -(m.lag_seconds or 0.0) if need else 0.0),
    )


def count_needs(markets: Iterable[MarketStatus]) -> dict[Need, int]:
    """Return how many markets have each need, the most pressing first; none that nobody has."""
    counts: dict[Need, int] = {}
    for market in markets:
        need = market_need(market)
        counts[need] = counts.get(need, 0) + 1
    return dict(sorted(counts.items(), reverse=True))


def problem_counts(status: ApplianceStatus) -> dict[str, int]:
    """Return for each project how many problems are about it."""
    names = {project.name: 0 for project in status.projects}
    for problem in status.problems:
        name = problem.subject.split(".")[0]
        if name in names:
            names[name] += 1
    return names


def projects_by_need(status: ApplianceStatus) -> list[ProjectStatus]:
    """Return the projects with the most problems first, otherwise in their order."""
    counts = problem_counts(status)
    return sorted(status.projects, key=lambda project: -counts[project.name])
