"""What the forecaster says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter

REPORT = b"report\n"
"""The one request; the answer is a `ForecasterReport`, one JSON document."""


class LiveState(StrEnum):
    """What the forecaster does for a project."""

    WAITING = "waiting"  # for the first candles, rows or model
    FORECASTING = "forecasting"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class LiveTiming:
    """The way of the newest forecast that was made alone, not with older ones; host instants.

    `seen_at`: the closed candle was found in the store; `prepared_at`: its features were stored;
    `made_at`: the forecast existed; `stored_at`: it was in the store.
    """

    candle_date_time_utc: datetime
    seen_at: datetime
    prepared_at: datetime
    made_at: datetime
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class LiveProject:
    """One project on the live path; `message` says what it waits for or what went wrong."""

    project: str
    market: str
    unit: int
    state: LiveState
    since_at: datetime
    message: str = ""
    next_step: str = ""
    model_version: int | None = None
    newest_at: datetime | None = None
    timing: LiveTiming | None = None


@dataclass(frozen=True, slots=True)
class ForecasterReport:
    """The forecaster as it is now; the messages are empty while all is well.

    `registry_message` says why the registry cannot be followed since `registry_lost_at`, and
    `config_message` why the newest configuration is not used.
    """

    pid: int
    projects: tuple[LiveProject, ...] = ()
    registry_message: str = ""
    registry_lost_at: datetime | None = None
    config_message: str = ""


REPORT_JSON = TypeAdapter(ForecasterReport)
"""The report's wire form."""
