"""Charts over time: which there are, and the rows of each as named series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance import clock
from appliance.control import chart_series as series
from appliance.control.chart_span import Span, span_of
from appliance.control.market_clock import market_instant
from appliance.control.projects import Project
from appliance.domain.chart import Chart, ChartInfo, Marker, Share
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.event_filter import EventFilter
from appliance.errors import ConfigError
from store.drift import newest_reports_by_step
from store.events import find_events
from store.forecast_buckets import LossStep, forecast_span, interval_steps, loss_steps
from store.market_time import read_witnesses
from store.session import Session
from store.source import source_id

_EVENTS = 200
_SIMULATOR = "simulator:"
"""How the source of a simulated market begins."""
_MODEL_EVENTS = (
    EventKind.TRAINED,
    EventKind.PROMOTED,
    EventKind.ROLLED_BACK,
    EventKind.MODEL_HELD,
    EventKind.MODEL_REFUSED,
    EventKind.DRIFT_VERDICT,
    EventKind.RETRAIN_DECIDED,
    EventKind.PROBLEM_FOUND,
)
_CHANGES = (EventKind.PROMOTED, EventKind.ROLLED_BACK)
TARGET_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Source:
    """A chart: what it is, how many candles it shows first, which events mark it, how it is read."""

    info: ChartInfo
    candles: int
    kinds: tuple[EventKind, ...]
    fill: Callable[[Session, str, Span, Chart], Chart]


def list_charts() -> list[ChartInfo]:
    """Return every chart of a project."""
    return [source.info for source in _SOURCES]


def read_chart(
    session: Session,
    project: Project,
    key: str,
    start_at: datetime | None,
    end_at: datetime | None,
    points: int,
) -> Chart:
    """Return a chart with at most `points` values a series.

    Without `end_at` it ends at the newest value; without `start_at` it has its usual length, or begins
    with the oldest value where that is later.

    Raises:
        ConfigError: no chart has this key, the span is empty, or there are too many points.
    """
    source = _source(key)
    known = forecast_span(session, project.name)
    last_at = known[1] if known else clock.now()
    unit_seconds = 60 * max(project.unit, 1)
    first_at = known[0] if known else None
    span = span_of(start_at, end_at, points, last_at, unit_seconds, source.candles, first_at)
    chart = Chart(key, span.start_at, span.end_at, span.seconds)
    if known is None:
        return chart
    chart = replace(chart, first_at=known[0], last_at=known[1])
    chart = source.fill(session, project.name, span, chart)
    return replace(chart, markers=_markers(session, project.name, span, source.kinds))


def _source(key: str) -> Source:
    found = next((source for source in _SOURCES if source.info.key == key), None)
    if found is None:
        names = ", ".join(source.info.key for source in _SOURCES)
        raise ConfigError(
            f"no chart is called {key!r}", code="chart.unknown", hint=f"one of: {names}"
        )
    return found


def _markers(
    session: Session, project: str, span: Span, kinds: tuple[EventKind, ...]
) -> tuple[Marker, ...]:
    """Return the events of a span; where the market is simulated, at its time of then."""
    wanted = EventFilter(kinds=kinds, project=project, since=span.start_at, until=span.end_at)
    if (source_id(session) or "").startswith(_SIMULATOR):
        return _simulated_markers(session, wanted, span)
    return tuple(Marker(event.at, event) for event in _marking(session, wanted))


def _simulated_markers(session: Session, wanted: EventFilter, span: Span) -> tuple[Marker, ...]:
    """Return the events whose market time is known and lies in the span."""
    step = timedelta(seconds=span.seconds)
    witnesses = read_witnesses(
        session, wanted.project, span.start_at - 2 * step, span.end_at + 2 * step, step
    )
    if not witnesses:
        return ()
    last = witnesses[-1]
    until = last.wall_at if last.market_at > span.end_at else None
    wanted = replace(wanted, since=witnesses[0].wall_at, until=until)
    placed = [(market_instant(witnesses, e.at, step), e) for e in _marking(session, wanted)]
    return tuple(
        Marker(at, event)
        for at, event in placed
        if at is not None and span.start_at <= at < span.end_at
    )


def _marking(session: Session, wanted: EventFilter) -> list[Event]:
    return [event for event in find_events(session, wanted, limit=_EVENTS) if _is_marker(event)]


def _is_marker(event: Event) -> bool:
    """Whether an event belongs on a chart: everything but what says that all is as it was."""
    if event.kind is EventKind.RETRAIN_DECIDED:
        return event.details.get("decision") != "skip"
    return event.kind is not EventKind.DRIFT_VERDICT or event.severity is not Severity.INFO


def _intervals(session: Session, project: str, span: Span, chart: Chart, *, unit: str) -> Chart:
    steps = interval_steps(
        session, project, span.start_at, span.end_at, span.seconds, is_price=unit != "share"
    )
    share = Share(series.INSIDE, series.OUTCOMES, TARGET_SHARE)
    return replace(chart, series=series.intervals(steps, unit), share=share)


def _prices(session: Session, project: str, span: Span, chart: Chart) -> Chart:
    return _intervals(session, project, span, chart, unit="KRW")


def _returns(session: Session, project: str, span: Span, chart: Chart) -> Chart:
    return _intervals(session, project, span, chart, unit="share")


def _losses(session: Session, project: str, span: Span, chart: Chart) -> Chart:
    live = series.losses(_loss_steps(session, project, span), _width(span))
    reports = newest_reports_by_step(session, project, span.start_at, span.end_at, span.seconds)
    return replace(chart, series=series.by_default(*series.expected(reports), *live))


def _relative(session: Session, project: str, span: Span, chart: Chart) -> Chart:
    reports = newest_reports_by_step(session, project, span.start_at, span.end_at, span.seconds)
    return replace(chart, series=series.relative(reports))


def _skills(session: Session, project: str, span: Span, chart: Chart) -> Chart:
    return replace(chart, series=series.skills(_loss_steps(session, project, span), _width(span)))


def _coverages(session: Session, project: str, span: Span, chart: Chart) -> Chart:
    steps = _loss_steps(session, project, span)
    return replace(
        chart,
        series=series.coverages(steps, _width(span), TARGET_SHARE),
        share=Share(series.INSIDE, series.OUTCOMES, TARGET_SHARE),
    )


def _drifts(session: Session, project: str, span: Span, chart: Chart) -> Chart:
    reports = newest_reports_by_step(session, project, span.start_at, span.end_at, span.seconds)
    return replace(chart, series=series.drifts(reports))


def _width(span: Span) -> timedelta:
    """Return over how much time outcomes are averaged: single ones say nothing."""
    return timedelta(seconds=max(series.SMOOTHED * span.unit_seconds, span.seconds))


def _loss_steps(session: Session, project: str, span: Span) -> list[LossStep]:
    """Return the steps of a span, and those before that its first means need."""
    start_at = span.start_at - _width(span)
    return loss_steps(session, project, start_at, span.end_at, span.seconds)


def _info(key: str, title: str, group: str, about: str) -> ChartInfo:
    return ChartInfo(key, title, group, about)


_MODEL, _FORECASTS = "model", "forecasts"
_SOURCES = (
    Source(
        _info(
            "outcomes", "Outcomes", _FORECASTS, "the forecast interval and the returns that came"
        ),
        120,
        _CHANGES,
        _returns,
    ),
    Source(
        _info("prices", "Prices", _FORECASTS, "the same as prices"),
        120,
        _CHANGES,
        _prices,
    ),
    Source(
        _info("loss", "Loss", _MODEL, f"mean of {series.SMOOTHED} outcomes, expected, limit"),
        600,
        _MODEL_EVENTS,
        _losses,
    ),
    Source(
        _info("alarm", "Loss alarm", _MODEL, "loss over the usual width, and the detector"),
        600,
        _MODEL_EVENTS,
        _relative,
    ),
    Source(
        _info("skill", "Skill", _MODEL, "how much less is lost than by a benchmark; below 0: more"),
        600,
        _MODEL_EVENTS,
        _skills,
    ),
    Source(
        _info("coverage", "Coverage", _MODEL, "share of outcomes inside the interval"),
        600,
        _MODEL_EVENTS,
        _coverages,
    ),
    Source(
        _info(
            "drift", "Drift", _MODEL, "how far each feature has moved, in deviations at training"
        ),
        600,
        _MODEL_EVENTS,
        _drifts,
    ),
)
