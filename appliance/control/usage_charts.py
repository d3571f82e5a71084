"""Charts of the machine: CPU, memory, written bytes and restarts of each service, and the disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from appliance import clock
from appliance.config.paths import Paths
from appliance.control.chart_span import span_of
from appliance.domain.chart import Chart, ChartInfo, Marker, Series
from appliance.domain.event import Event, EventKind, Severity
from appliance.supervisor.usage_log import ServiceUsage, UsageSample, known_span, read_samples

MARKERS = (EventKind.SERVICE_STATE, EventKind.SERVICE_GIVEN_UP, EventKind.PROBLEM_FOUND)
MARKER_SEVERITIES = (Severity.WARNING, Severity.ERROR)
_SECONDS = 60
_MINUTES = 360
_SHOWN = 5
_GROUP = "machine"

Read = Callable[[datetime, datetime], Sequence[Event]]


@dataclass(frozen=True, slots=True)
class Measure:
    """What a chart of services shows: one number of each service's usage."""

    info: ChartInfo
    unit: str
    value: Callable[[ServiceUsage], float]
    fold: Callable[[Sequence[float]], float]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_MEASURES = (
    Measure(
        ChartInfo("cpu", "CPU", _GROUP, "cores that each service keeps busy"),
        "cores",
        lambda usage: usage.cores,
        _mean,
    ),
    Measure(
        ChartInfo("memory", "Memory", _GROUP, "of each service, shared pages counted once"),
        "bytes",
        lambda usage: usage.memory,
        max,
    ),
    Measure(
        ChartInfo("writes", "Writes", _GROUP, "bytes a second that each service sends to the disk"),
        "bytes/s",
        lambda usage: usage.written,
        _mean,
    ),
    Measure(
        ChartInfo("restarts", "Restarts", _GROUP, "since the supervisor started"),
        "",
        lambda usage: usage.restarts,
        max,
    ),
)
_DISK = ChartInfo("disk", "Disk", _GROUP, "free room on the home's disk; the store's size")
_BY_KEY = {measure.info.key: measure for measure in _MEASURES}


def usage_charts() -> list[ChartInfo]:
    """Return the charts of the machine."""
    return [*(measure.info for measure in _MEASURES), _DISK]


def is_usage_chart(key: str) -> bool:
    """Whether a chart is one of the machine's."""
    return key in _BY_KEY or key == _DISK.key


def read_usage_chart(
    paths: Paths,
    key: str,
    start_at: datetime | None,
    end_at: datetime | None,
    points: int,
    events: Read,
) -> Chart:
    """Return a chart of the machine; `events` reads the markers of a span."""
    known = known_span(paths)
    last_at = known[1] if known else clock.now()
    first_at = known[0] if known else None
    span = span_of(start_at, end_at, points, last_at, _SECONDS, _MINUTES, first_at)
    if known is None:
        return Chart(key, span.start_at, span.end_at, span.seconds)
    samples = _by_step(read_samples(paths, span.start_at, span.end_at), span.seconds)
    measure = _BY_KEY.get(key)
    series = _disk(samples) if measure is None else _services(samples, measure)
    marks = tuple(Marker(event.at, event) for event in events(span.start_at, span.end_at))
    return Chart(key, span.start_at, span.end_at, span.seconds, series, marks, known[0], known[1])


Steps = Mapping[datetime, Sequence[UsageSample]]


def _by_step(samples: Iterable[UsageSample], seconds: int) -> Steps:
    """Return the samples by the middle of their step; a step of one sample is at its own instant."""
    steps: dict[int, list[UsageSample]] = defaultdict(list)
    for sample in samples:
        steps[int(sample.at.timestamp()) // seconds].append(sample)
    return {_middle(step): step for step in steps.values()}


def _middle(samples: Sequence[UsageSample]) -> datetime:
    first, last = samples[0].at.timestamp(), samples[-1].at.timestamp()
    return datetime.fromtimestamp((first + last) / 2, UTC)


def _services(steps: Steps, measure: Measure) -> tuple[Series, ...]:
    """Return a series of each service; those with the largest values are shown at first."""
    names = dict.fromkeys(name for step in steps.values() for s in step for name in s.services)
    at = tuple(steps)
    found = {name: tuple(_value(step, name, measure) for step in steps.values()) for name in names}
    most = {
        name: max((v for v in values if v is not None), default=0.0)
        for name, values in found.items()
    }
    ranked = sorted(names, key=lambda name: -most[name])
    return tuple(
        Series(name, measure.unit, at, found[name], is_shown=rank < _SHOWN)
        for rank, name in enumerate(ranked)
    )


def _value(samples: Sequence[UsageSample], name: str, measure: Measure) -> float | None:
    known = [measure.value(s.services[name]) for s in samples if name in s.services]
    return float(measure.fold(known)) if known else None


def _disk(steps: Steps) -> tuple[Series, ...]:
    at = tuple(steps)
    free = tuple(float(min(sample.free for sample in step)) for step in steps.values())
    store = tuple(float(max(sample.store for sample in step)) for step in steps.values())
    return (
        Series("free", "bytes", at, free),
        Series("store", "bytes", at, store, is_shown=False),
    )
