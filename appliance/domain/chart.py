"""What a chart over time holds: named series with a unit, a limit, and events as markers.

Nothing here knows what is measured: a loss, a share, a price and a process' memory are series alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.domain.event import Event

LEAST_SPAN = timedelta(minutes=10)
"""What a chart shows at least, however young its values are and however close one looks."""


class SeriesForm(StrEnum):
    """How a series is drawn; a later form lies above an earlier one."""

    BAND = "band"
    """The room between `values` and `upper`."""
    LIMIT = "limit"
    """A dashed line that others should not cross."""
    LINE = "line"
    """Values joined by a line, interrupted where one is unknown."""
    POINTS = "points"
    """A dot per value."""
    OUTLIERS = "outliers"
    """A cross per value: what should not be there."""
    COUNT = "count"
    """Not drawn; said in words and summed up."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values at ascending instants, None where nothing is known.

    `unit` is a currency, `bytes`, `bytes/s`, `share` (a fraction shown in per cent) or "" for a plain
    number. A band's `values` are its lower bounds. `is_shown` says whether it is drawn before anybody has
    chosen.
    """

    name: str
    unit: str
    at: tuple[datetime, ...]
    values: tuple[float | None, ...]
    form: SeriesForm = SeriesForm.LINE
    upper: tuple[float | None, ...] = ()
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class Share:
    """The sum of one series of counts in that of another, and the fraction that it should be."""

    part: str
    whole: str
    target: float


@dataclass(frozen=True, slots=True)
class ChartInfo:
    """A chart that can be asked for: `group` names what it belongs to, `about` says what it shows."""

    key: str
    title: str
    group: str
    about: str


@dataclass(frozen=True, slots=True)
class Marker:
    """An event at its place on a chart's axis: `at` is market time on charts of the market, as all values."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart in [start_at, end_at], a value per `step_seconds`.

    `first_at` and `last_at` are the oldest and the newest instant with values at all, None when there is
    none. `markers` ascend.
    """

    key: str
    start_at: datetime
    end_at: datetime
    step_seconds: int
    series: tuple[Series, ...] = ()
    markers: tuple[Marker, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    share: Share | None = None
