"""The rows of charts, on the file and through the service: steps of time, whole and in order."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.config.paths import Paths
from appliance.control.charts import list_charts, read_chart
from appliance.control.projects import Project
from appliance.domain.chart import Chart, Series, SeriesForm
from appliance.domain.drift import DriftReport, DriftScore, DriftVerdict
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.forecast import Forecast, Quantiles
from appliance.errors import ConfigError
from store import candles, drift, events, forecasts
from store.forecast_buckets import forecast_span, interval_steps, loss_steps
from store.open import open_store
from store.session import Session
from store.source import claim_source
from tests.contract.store_fixtures import market, project, session
from tests.monitoring_builder import loss_report
from tests.store_process import MINUTE, START, raw_candle

__all__ = ["market", "project", "session"]

STATIC = Quantiles(-0.03, 0.0, 0.03)
HORIZON = 2
HOUR = 60 * MINUTE


def fill(session: Session, project: str, market: str, minutes: int = 12) -> None:
    """Store candles at 100, 101, ... and a forecast of each minute; version 2 serves from the middle on."""
    rows = [replace(raw_candle(minute), market=market) for minute in range(minutes)]
    candles.store_candles(session, rows, "test", START)
    end_at = START + minutes * MINUTE
    made = [
        forecast(
            project, market, minute, version, is_serving=version == 1 + (2 * minute >= minutes)
        )
        for minute in range(minutes)
        for version in (1, 2)
    ]
    forecasts.insert_forecasts(session, made)
    forecasts.join_outcomes(session, project, end_at)


def forecast(project: str, market: str, minute: int, version: int, *, is_serving: bool) -> Forecast:
    """Return a forecast whose interval is too low every third minute."""
    at = START + minute * MINUTE
    quantiles = Quantiles(-0.001, 0.0, 0.001 if minute % 3 == 0 else 0.5)
    return Forecast(
        project, market, 1, at, HORIZON, at + HORIZON * MINUTE, version, 100.0, quantiles, STATIC,
        STATIC, at + MINUTE, is_production=is_serving,
    )  # fmt: skip


def chart(session: Session, project: str, market: str, key: str, points: int = 100) -> Chart:
    return read_chart(session, Project(project, market, 1, HORIZON), key, None, None, points)


def line(chart: Chart, name: str) -> Series:
    return next(series for series in chart.series if series.name == name)


def test_each_forecast_of_production_is_in_one_step(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    span = forecast_span(session, project)
    assert span == (START + 3 * MINUTE, START + 14 * MINUTE)
    for seconds in (60, 180, 3600):
        steps = interval_steps(session, project, *span, seconds, is_price=False)
        assert sum(step.forecasts for step in steps) == 12
        assert sum(step.outcomes for step in steps) == 10
        assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert steps[0].version == 2
    single = interval_steps(session, project, *span, 60, is_price=False)
    assert single[0].at == START + 3 * MINUTE
    assert single[0].above == pytest.approx(math.log(102 / 100), rel=0.05)
    assert single[1].usual is not None and single[1].above is None
    assert single[-1].outcomes == 0


def test_prices_are_the_base_price_moved_by_the_return(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    span = (START, START + 20 * MINUTE)
    first = interval_steps(session, project, *span, 60, is_price=True)[0]
    assert first.lower == pytest.approx(100 * math.exp(-0.001))


def test_losses_are_summed_by_version_and_tell_what_served(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    steps = loss_steps(session, project, START, START + 20 * MINUTE, 3600)
    served = {(step.version, step.served): step.outcomes for step in steps}
    assert served == {(1, True): 6, (1, False): 4, (2, False): 6, (2, True): 4}


@pytest.mark.parametrize("key", [info.key for info in list_charts()])
def test_a_project_without_forecasts_has_empty_charts(
    session: Session, project: str, market: str, key: str
) -> None:
    known = chart(session, project, market, key)
    assert known.series == () and known.last_at is None


def test_the_outcomes_chart_carries_its_share_and_its_promotions(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    at = START + 5 * MINUTE
    events.append_event(session, Event(EventKind.PROMOTED, "v2", "x", at, project=project))
    events.append_event(session, Event(EventKind.TRAINED, "v2", "x", at, project=project))
    known = chart(session, project, market, "outcomes")
    assert [marker.event.kind for marker in known.markers] == [EventKind.PROMOTED]
    assert known.share is not None and known.share.target == 0.8
    inside, outcomes = line(known, known.share.part), line(known, known.share.whole)
    assert sum(filter(None, outcomes.values)) == 10
    assert 0 < sum(filter(None, inside.values)) < 10
    assert line(known, "interval").form is SeriesForm.BAND


def test_fewer_points_mean_longer_steps(session: Session, project: str, market: str) -> None:
    fill(session, project, market)
    known = chart(session, project, market, "outcomes", points=10)
    assert known.step_seconds == 120
    assert len(line(known, "interval").at) <= 10


def test_loss_skill_and_coverage_are_of_production_and_of_each_version(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    names = [series.name for series in chart(session, project, market, "loss").series]
    assert names == ["in production, live", "v2, live", "v1, live"]
    skill = chart(session, project, market, "skill")
    assert [series.name for series in skill.series if series.is_shown] == [
        "in production, against EWMA",
        "as the benchmark",
    ]
    assert line(chart(session, project, market, "coverage"), "target").values[0] == 0.8


def test_drift_and_alarms_come_from_the_reports(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    end_at = START + 8 * MINUTE
    scores = (
        DriftScore("calm", DriftVerdict.STABLE, 100, wasserstein=0.1),
        DriftScore("wild", DriftVerdict.DRIFTED, 100, wasserstein=2.5),
    )
    for number, computed in enumerate((end_at, end_at + timedelta(seconds=1))):
        drift.write_report(
            session,
            DriftReport(
                project, 2, DriftVerdict.DRIFTED, START, end_at, computed, scores,
                loss_report(relative=0.1 * (1 + number)),
            ),
        )  # fmt: skip
    known = chart(session, project, market, "drift")
    assert [series.name for series in known.series] == ["wild", "calm"]
    assert line(known, "wild").values == (2.5,)
    alarm = chart(session, project, market, "alarm")
    assert line(alarm, "relative loss").values == (0.2,)
    assert line(alarm, "limit").form is SeriesForm.LIMIT
    assert line(chart(session, project, market, "loss"), "expected").values == (0.00061,)


def test_what_says_that_all_is_as_it_was_is_no_marker(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    at = START + 5 * MINUTE
    stable = Event(EventKind.DRIFT_VERDICT, "stable", "x", at, project=project)
    alarm = replace(stable, summary="drift", severity=Severity.WARNING)
    skip = Event(
        EventKind.RETRAIN_DECIDED, "skip", "x", at, project=project, details={"decision": "skip"}
    )
    for event in (stable, alarm, skip):
        events.append_event(session, event)
    assert [m.event.summary for m in chart(session, project, market, "loss").markers] == ["drift"]


def test_a_young_chart_begins_with_its_oldest_value_so_that_no_candle_is_averaged_away(
    session: Session, project: str, market: str
) -> None:
    fill(session, project, market)
    young = chart(session, project, market, "loss")
    assert young.start_at == START + 3 * MINUTE
    assert young.step_seconds == 60


def test_a_chart_that_cannot_be_is_refused_in_words(
    session: Session, project: str, market: str
) -> None:
    with pytest.raises(ConfigError, match="no chart is called 'x'") as unknown:
        chart(session, project, market, "x")
    assert "outcomes" in unknown.value.hint
    described = Project(project, market, 1, HORIZON)
    with pytest.raises(ConfigError, match="shows nothing"):
        read_chart(session, described, "loss", START, START, 10)
    with pytest.raises(ConfigError, match="1 to 2000"):
        read_chart(session, described, "loss", None, None, 0)


def test_events_stand_at_the_time_that_a_faster_market_had_then(
    tmp_path: Path, project: str, market: str
) -> None:
    paths = Paths(tmp_path / "home")
    paths.create()
    with open_store(paths) as session:
        claim_source(session, "simulator:seed=7")
        made = [
            replace(
                forecast(project, market, minute, 1, is_serving=True),
                made_at=START + timedelta(days=30, seconds=minute + 1),
            )
            for minute in range(240)
        ]
        forecasts.insert_forecasts(session, made)
        for name, seconds in (("early", -60), ("meant", 120.5), ("late", 600)):
            at = START + timedelta(days=30, seconds=seconds)
            events.append_event(session, Event(EventKind.PROMOTED, name, "x", at, project=project))
        in_market_time = Event(EventKind.PROMOTED, "wall", "x", START + HOUR, project=project)
        events.append_event(session, in_market_time)
        whole = read_chart(session, Project(project, market, 1, HORIZON), "loss", None, None, 100)
        (marker,) = whole.markers
        assert marker.event.summary == "meant"
        assert marker.event.at == START + timedelta(days=30, seconds=120.5)
        assert abs(marker.at - (START + 120.5 * MINUTE)) < MINUTE
        part = read_chart(
            session, Project(project, market, 1, HORIZON), "loss", START, START + HOUR, 100
        )
        assert part.markers == ()
