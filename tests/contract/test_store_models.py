"""Features, forecasts, outcomes, drift, events and alerts, on the file and through the service."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from appliance.domain.alert import Alert
from appliance.domain.coverage import ProofMethod
from appliance.domain.drift import DriftReport, DriftScore, DriftVerdict, Histogram, LossReport
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.event_filter import EventFilter
from appliance.domain.forecast import Forecast, Performance, Quantiles
from appliance.domain.origin import Origin, Through
from appliance.domain.trial import (
    LossEstimate,
    ParkedRetrain,
    Trial,
    TrialPurpose,
    TrialState,
    TwinAccount,
)
from appliance.errors import StoreError
from store import (
    alerts,
    candles,
    coverage,
    drift,
    events,
    features,
    forecasts,
    performance,
    retrains,
    trials,
)
from store.session import Session, Statement
from tests.builders import KIM
from tests.contract.store_fixtures import market, project, session
from tests.store_process import MINUTE, START, raw_candle

__all__ = ["market", "project", "session"]

MODEL = Quantiles(-0.02, 0.001, 0.02)
STATIC = Quantiles(-0.03, 0.0, 0.03)
EWMA = Quantiles(-0.01, 0.0, 0.01)


def _at(minute: int) -> datetime:
    return START + minute * MINUTE


def _features(*minutes: int, **columns: list[float | None]) -> pa.Table:
    return pa.table(
        {
            "candle_date_time_utc": pa.array([_at(n) for n in minutes], pa.timestamp("us", "UTC")),
            "close": [float(n) for n in minutes],
            **columns,
        }
    )


def _forecast(
    project: str, market: str, minute: int, horizon: int = 2, version: int = 1
) -> Forecast:
    return Forecast(
        project, market, 1, _at(minute), horizon, _at(minute + horizon), version,
        100.0 + minute, MODEL, STATIC, EWMA, _at(minute + 1),
    )  # fmt: skip


def _loss(y: float, quantiles: Quantiles) -> float:
    forecast = ((0.1, quantiles.lower), (0.5, quantiles.median), (0.9, quantiles.upper))
    return sum(max(q * (y - f), (q - 1) * (y - f)) for q, f in forecast) / 3


def test_features_come_back_in_the_form_they_were_written(
    session: Session, project: str, market: str
) -> None:
    columns: dict[str, list[float | None]] = {
        "r 1": [0.5, None, math.inf],
        'odd"name': [1.0, 2.0, 3.0],
    }
    table = _features(0, 1, 2, **columns)
    assert features.write_features(session, project, market, 1, "d1", table) == 3
    assert features.read_features(session, project, market, 1, "d1").equals(table)
    assert features.feature_names(session, project, "d1") == ["r 1", 'odd"name']
    assert features.newest_feature_at(session, project, market, 1, "d1") == _at(2)


def test_features_are_upserted_and_unchanged_rows_not_rewritten(
    session: Session, project: str, market: str
) -> None:
    write = features.write_features
    assert write(session, project, market, 1, "d1", _features(0, 1, a=[1.0, 2.0])) == 2
    assert write(session, project, market, 1, "d1", _features(0, 1, 2, a=[1.0, 5.0, 3.0])) == 2
    table = features.read_features(session, project, market, 1, "d1", _at(0), _at(9), limit=2)
    assert table.equals(_features(1, 2, a=[5.0, 3.0]))


def test_rows_of_other_code_are_kept_apart(session: Session, project: str, market: str) -> None:
    write, read = features.write_features, features.read_features
    write(session, project, market, 1, "d1", _features(0, 1, a=[1.0, 2.0]))
    write(session, project, market, 1, "d2", _features(1, a=[7.0]))
    assert read(session, project, market, 1, "d1").equals(_features(0, 1, a=[1.0, 2.0]))
    assert read(session, project, market, 1, "d2").equals(_features(1, a=[7.0]))
    write(session, project, market, 1, "d1", _features(2, a=[3.0]))
    assert features.oldest_feature_at(session, project, market, 1, "d1") == _at(0)
    assert features.newest_feature_at(session, project, market, 1, "d2") == _at(1)


def test_rows_of_two_digests_are_the_same_to_rounding(
    session: Session, project: str, market: str
) -> None:
    def note(digest: str) -> dict[str, tuple[int, int]]:
        return features.note_equal_rows(
            session, project, market, 1, digest, _at(9), least=2, relative=1e-8, absolute=1e-11
        )

    write, are_equal = features.write_features, features.has_equal_rows
    write(session, project, market, 1, "d1", _features(0, 1, 2, a=[1.0, 2.0, 3.0]))
    write(session, project, market, 1, "d2", _features(1, 2, 3, a=[2.0 + 1e-12, 3.0, 4.0]))
    write(session, project, market, 1, "d3", _features(1, 2, a=[2.0, 3.1]))
    write(session, project, market, 1, "d4", _features(2, a=[3.0]))
    assert note("d2") == {"d1": (2, 0), "d3": (2, 1)}
    assert are_equal(session, project, "d2", "d1")
    assert not are_equal(session, project, "d2", "d3")
    assert not are_equal(session, project, "d2", "d4")
    assert note("d4") == {}


def test_rows_of_code_that_runs_no_more_are_forgotten(
    session: Session, project: str, market: str
) -> None:
    write, read = features.write_features, features.read_features
    write(session, project, market, 1, "d1", _features(0, 1, a=[1.0, 2.0]))
    features.forget(session, _at(5))
    assert read(session, project, market, 1, "d1").num_rows == 2
    write(session, project, market, 1, "d2", _features(3, a=[1.0]))
    features.forget(session, _at(1))
    assert read(session, project, market, 1, "d1").num_rows == 2
    features.forget(session, _at(2))
    assert read(session, project, market, 1, "d1").num_rows == 0
    assert read(session, project, market, 1, "d2").num_rows == 1


def test_a_project_without_features_reads_as_empty(
    session: Session, project: str, market: str
) -> None:
    assert features.read_features(session, project, market, 1, "d1").num_rows == 0
    assert features.newest_feature_at(session, project, market, 1, "d1") is None


@pytest.mark.parametrize(
    "names", [["close", "candle_date_time_utc", "a"], ["candle_date_time_utc"]]
)
def test_other_columns_are_refused(
    session: Session, project: str, market: str, names: list[str]
) -> None:
    table = pa.table({name: [1.0] for name in names})
    with pytest.raises(StoreError):
        features.write_features(session, project, market, 1, "d1", table)


def test_a_forecast_is_written_once(session: Session, project: str, market: str) -> None:
    first = _forecast(project, market, 0)
    assert forecasts.insert_forecasts(session, [first, _forecast(project, market, 1)]) == 2
    again = [replace(first, base_price=1.0), _forecast(project, market, 0, version=2)]
    assert forecasts.insert_forecasts(session, again) == 1
    assert forecasts.latest_forecasts(session, project, 9, model_version=1)[0] == first
    assert forecasts.count_forecasts(session, project) == 3
    assert forecasts.insert_forecasts(session, []) == 0


def test_the_latest_forecasts_are_ascending(session: Session, project: str, market: str) -> None:
    made = [_forecast(project, market, minute) for minute in range(5)]
    forecasts.insert_forecasts(session, list(reversed(made)))
    assert forecasts.latest_forecasts(session, project, 2) == made[-2:]


def test_unforecast_candles_are_those_without_this_versions_forecast(
    session: Session, project: str, market: str
) -> None:
    table = _features(0, 1, 2, 3, a=[1.0, 2.0, 3.0, 4.0])
    features.write_features(session, project, market, 1, "d1", table)
    forecasts.insert_forecasts(session, [_forecast(project, market, 2)])

    def missing(horizon: int, version: int) -> list[datetime]:
        return forecasts.unforecast_candles(
            session, project, market, 1, horizon, version, _at(1), "d1"
        )

    assert missing(2, 1) == [_at(1), _at(3)]
    assert missing(2, 2) == [_at(1), _at(2), _at(3)]
    assert missing(3, 1) == [_at(1), _at(2), _at(3)]


def test_unserved_candles_are_those_that_no_production_forecast_was_made_of(
    session: Session, project: str, market: str
) -> None:
    table = _features(*range(8), a=[float(minute) for minute in range(8)])
    features.write_features(session, project, market, 1, "d1", table)
    served = [_forecast(project, market, minute) for minute in (1, 2, 5)]
    by_another = replace(_forecast(project, market, 6), model_version=9)
    shadow = replace(_forecast(project, market, 4), is_production=False)
    forecasts.insert_forecasts(session, [*served, by_another, shadow])

    def unserved(version: int, since: int) -> list[datetime]:
        return forecasts.unserved_candles(
            session, project, market, 1, served[0].horizon, version, _at(since), "d1"
        )

    assert unserved(2, 0) == [_at(3), _at(4), _at(7)]
    assert unserved(served[0].model_version, 0) == [_at(3), _at(7)]
    assert unserved(2, 4) == [_at(4), _at(7)]
    assert forecasts.unserved_candles(session, "nobody", market, 1, 2, 1, _at(0), "d1") == []


def test_an_outcome_is_joined_once_when_the_target_has_closed(
    session: Session, project: str, market: str
) -> None:
    raw = [raw_candle(minute, market=market) for minute in range(4)]
    candles.store_candles(session, raw, "rest", START)
    made = [_forecast(project, market, minute) for minute in range(4)]
    forecasts.insert_forecasts(session, made)
    assert forecasts.join_outcomes(session, project, _at(2)) == 0
    assert forecasts.join_outcomes(session, project, _at(3)) == 1
    assert forecasts.join_outcomes(session, project, _at(99)) == 1
    assert forecasts.join_outcomes(session, project, _at(99)) == 0
    table = forecasts.read_outcomes(session, project)
    assert table.column("candle_date_time_utc").to_pylist() == [_at(0), _at(1)]
    row = table.to_pylist()[0]
    y = math.log(102.0 / 100.0)
    assert row["realised_return"] == pytest.approx(y)
    assert row["pinball"] == pytest.approx(_loss(y, MODEL))
    assert row["pinball_static"] == pytest.approx(_loss(y, STATIC))
    assert row["pinball_ewma"] == pytest.approx(_loss(y, EWMA))
    assert row["is_inside"] is True
    assert (row["lower"], row["static_upper"], row["ewma_median"]) == (-0.02, 0.03, 0.0)


def test_a_return_outside_the_interval_is_outside(
    session: Session, project: str, market: str
) -> None:
    raw = [raw_candle(0, market=market), raw_candle(2, 50.0, market)]
    candles.store_candles(session, raw, "rest", START)
    forecasts.insert_forecasts(session, [_forecast(project, market, 0)])
    forecasts.join_outcomes(session, project, _at(9))
    (row,) = forecasts.read_outcomes(session, project, model_version=1, limit=5).to_pylist()
    assert row["is_inside"] is False
    assert row["pinball"] == pytest.approx(_loss(math.log(0.5), MODEL))


def test_a_proven_no_trade_target_takes_the_last_close_before_it(
    session: Session, project: str, market: str
) -> None:
    raw = [raw_candle(minute, market=market) for minute in (0, 1, 2, 3)]
    candles.store_candles(session, raw, "rest", START)
    forecasts.insert_forecasts(session, [_forecast(project, market, 3, horizon=2)])
    assert forecasts.join_outcomes(session, project, _at(9)) == 0
    coverage.prove_span(session, market, 1, _at(0), _at(5), ProofMethod.LIVE, START)
    assert forecasts.join_outcomes(session, project, _at(9)) == 0
    coverage.prove_span(session, market, 1, _at(5), _at(6), ProofMethod.LIVE, START)
    assert forecasts.join_outcomes(session, project, _at(9)) == 1
    (row,) = forecasts.read_outcomes(session, project).to_pylist()
    assert row["realised_return"] == 0.0


def test_a_gap_before_a_no_trade_target_keeps_the_outcome_waiting(
    session: Session, project: str, market: str
) -> None:
    raw = [raw_candle(minute, market=market) for minute in (0, 2)]
    candles.store_candles(session, raw[:1], "rest", START)
    coverage.prove_span(session, market, 1, _at(0), _at(1), ProofMethod.LIVE, START)
    coverage.prove_span(session, market, 1, _at(3), _at(9), ProofMethod.LIVE, START)
    forecasts.insert_forecasts(session, [_forecast(project, market, 0, horizon=4)])
    assert forecasts.join_outcomes(session, project, _at(9)) == 0
    candles.store_candles(session, raw[1:], ProofMethod.LIVE, START)
    assert forecasts.join_outcomes(session, project, _at(9)) == 1
    (row,) = forecasts.read_outcomes(session, project).to_pylist()
    assert row["realised_return"] == pytest.approx(math.log(102.0 / 100.0))


def test_performance_is_the_newest_evaluation(session: Session, project: str, market: str) -> None:
    old = Performance(
        project, market, 1, 1, _at(0), _at(9), 9, 0.1, 0.2, 0.3, 0.8, 0.4, 0.5, _at(10)
    )
    new = replace(old, model_version=2, computed_at=_at(11))
    for each in (new, old, replace(old, rows=10)):
        performance.write_performance(session, each)
    assert performance.latest_performance(session, project) == new
    assert performance.latest_performance(session, project, 1) == replace(old, rows=10)
    assert performance.latest_performance(session, project, 3) is None


def test_a_profile_belongs_to_its_version(session: Session, project: str) -> None:
    profile: dict[str, object] = {"rsi": {"edges": [-math.inf, 0.5, math.inf], "counts": [1, 2]}}
    drift.write_profile(session, project, 1, {"old": 1})
    drift.write_profile(session, project, 1, profile)
    assert drift.read_profile(session, project, 1) == profile
    assert drift.read_profile(session, project, 2) is None


def test_drift_reports_come_back_whole_and_newest_first(session: Session, project: str) -> None:
    scores = (
        DriftScore(
            "rsi",
            DriftVerdict.DRIFTED,
            500,
            0.31,
            0.2,
            1e-9,
            0.7,
            histogram=Histogram((0.0, 0.5, 1.0), (0.5, 0.5), (0.1, 0.9)),
        ),
        DriftScore("return_1", DriftVerdict.INSUFFICIENT, 3),
    )
    report = DriftReport(project, 1, DriftVerdict.DRIFTED, _at(0), _at(9), _at(10), scores)
    stable = replace(report, verdict=DriftVerdict.STABLE, computed_at=_at(5), scores=())
    for each in (report, stable, report):
        drift.write_report(session, each)
    assert drift.latest_report(session, project) == report
    older = replace(stable, window_end_at=_at(3), computed_at=_at(3))
    drift.write_report(session, older)
    assert drift.read_reports(session, project, 1, _at(0)) == [older, stable, report]
    assert drift.read_reports(session, project, 1, _at(9)) == [stable, report]
    assert drift.read_reports(session, project, 2, _at(0)) == []
    assert drift.latest_report(session, "nobody") is None


def test_a_drift_report_of_before_distributions_were_kept_is_read(
    session: Session, project: str
) -> None:
    loss = LossReport(DriftVerdict.STABLE, 500, 0.0004)
    scores = (DriftScore("rsi", DriftVerdict.STABLE, 500),)
    report = DriftReport(project, 1, DriftVerdict.STABLE, _at(0), _at(9), _at(10), scores, loss)
    drift.write_report(session, report)
    old = '[{"feature": "rsi", "verdict": "stable", "rows": 500}]'
    old_loss = '{"verdict": "stable", "rows": 500, "realised": 0.0004}'
    sql = "UPDATE drift_reports SET scores = ?, loss = ? WHERE project = ?"
    session.write(Statement(sql, (old, old_loss, project)))
    assert drift.latest_report(session, project) == report


def test_an_event_that_is_tried_again_is_stored_once(session: Session, project: str) -> None:
    event = Event(EventKind.PROMOTED, "v2", "operator", _at(0), project=project)
    other = replace(event, at=_at(1))
    ids = [events.append_event(session, each) for each in (event, other, event)]
    assert ids[0] == ids[2] != ids[1]
    assert [found.id for found in events.read_events(session, project=project)] == ids[:2]


def test_events_are_numbered_in_order_and_read_newest_last(session: Session, project: str) -> None:
    made = [
        Event(EventKind.TRAINED, "trained", "train_wf", _at(0), project=project),
        Event(
            EventKind.RETRAIN_DECIDED, "skip", "monitoring_wf", _at(1), Severity.WARNING, project,
            {"reasons": ["too few rows"], "rows": 7},
        ),
        Event(EventKind.PROMOTED, "v2", "operator", _at(2), project=project),
    ]  # fmt: skip
    ids = [events.append_event(session, event) for event in made]
    assert ids == sorted(set(ids))
    stored = [replace(event, id=id_) for event, id_ in zip(made, ids, strict=True)]
    read = events.read_events
    assert read(session, project=project) == stored
    assert read(session, project=project, limit=2) == stored[1:]
    assert read(session, after_id=ids[0], project=project) == stored[1:]
    kinds = [EventKind.PROMOTED, EventKind.TRAINED]
    assert read(session, kinds=kinds, project=project) == [stored[0], stored[2]]
    assert read(session, after_id=ids[-1]) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2]),
        ({"severities": (Severity.WARNING, Severity.ERROR)}, [1]),
        ({"actors": ("OPER",)}, [0, 2]),
        ({"actors": ("%",)}, []),
        ({"actors": ("kim", "PTS/3")}, [1]),
        ({"without_actors": ("monitoring",)}, [0, 2]),
        ({"texts": ("Version 2",)}, [2]),
        ({"texts": ("version", "rejected")}, [2]),
        ({"without_texts": ("promoted", "Rejected")}, [1]),
        ({"since": "1"}, [1, 2]),
        ({"until": "1"}, [0]),
        ({"since": "1", "until": "2", "kinds": (EventKind.ROLLED_BACK,)}, [1]),
    ],
)
def test_events_are_found_by_who_when_and_what(
    session: Session, project: str, wanted: dict[str, Any], found: list[int]
) -> None:
    made = [
        Event(EventKind.PROMOTED, "version 1", "operator", _at(0), project=project),
        Event(
            EventKind.ROLLED_BACK, "to version 1", "monitoring_wf", _at(1), Severity.WARNING, project,
            origin=Origin("monitoring_wf", Through.WORKFLOW, run_id="r1", cause=KIM),
        ),
        Event(EventKind.REJECTED, "version 2", "operator", _at(2), project=project),
    ]  # fmt: skip
    for event in made:
        events.append_event(session, event)
    moments = {name: _at(int(wanted[name])) for name in ("since", "until") if name in wanted}
    filtered = EventFilter(**{"project": project, **wanted, **moments})
    stored = events.find_events(session, filtered)
    assert [event.summary for event in stored] == [made[index].summary for index in found]
    assert sum(count.events for count in events.count_events(session, filtered)) == len(found)
    assert [event for event in made if filtered.wants(event)] == [made[index] for index in found]


def test_events_are_read_back_to_the_beginning_page_by_page(session: Session, project: str) -> None:
    for minute in range(7):
        event = Event(
            EventKind.AUDITED, f"{minute}", "kim", _at(minute), project=project, origin=KIM
        )
        events.append_event(session, event)
    wanted, read, before = EventFilter(project=project), [], 0
    while page := events.find_events(session, wanted, limit=3, before_id=before):
        read, before = page + read, page[0].id
    assert events.next_events(session, wanted, read[1].id, 3) == read[2:5]
    assert [(event.summary, event.origin) for event in read] == [(f"{n}", KIM) for n in range(7)]


def test_an_alert_is_enqueued_once_and_due_until_sent(session: Session, project: str) -> None:
    assert alerts.enqueue(session, project, "promoted", _at(0)) is True
    assert alerts.enqueue(session, project, "again", _at(1)) is False

    def mine(minute: int) -> list[Alert]:
        found = [each for each in alerts.waiting(session, 1_000) if each.key == project]
        return [e for e in found if e.next_attempt_at is None or e.next_attempt_at <= _at(minute)]

    (alert,) = mine(0)
    alerts.mark_failed(session, alert.id, "HTTP 500", _at(5))
    assert mine(4) == []
    (alert,) = mine(5)
    assert (alert.attempts, alert.last_error, alert.text) == (1, "HTTP 500", "promoted")
    alerts.mark_sent(session, alert.id, _at(6))
    assert mine(9) == []
    assert alerts.enqueue(session, project, "again", _at(9)) is False


def test_a_forecast_made_after_its_outcome_is_marked_as_filled(
    session: Session, project: str, market: str
) -> None:
    raw = [raw_candle(minute, market=market) for minute in range(4)]
    candles.store_candles(session, raw, "rest", START)
    forecasts.insert_forecasts(session, [_forecast(project, market, n) for n in (1, 2, 3)])
    candles.store_candles(session, [raw_candle(n, market=market) for n in (4, 5)], "rest", START)
    forecasts.join_outcomes(session, project, _at(9))
    table = forecasts.read_outcomes(session, project)
    assert table.column("is_live").to_pylist() == [False, True, True]


def test_losses_are_paired_on_candles_that_both_versions_forecast(
    session: Session, project: str, market: str
) -> None:
    raw = [raw_candle(minute, market=market) for minute in range(8)]
    candles.store_candles(session, raw, "rest", START)
    wide = Quantiles(-0.5, 0.0, 0.5)
    second = [_forecast(project, market, n, version=2) for n in (1, 2, 3)]
    shadow = [replace(each, quantiles=wide, is_production=False) for each in second]
    forecasts.insert_forecasts(session, [_forecast(project, market, n) for n in (0, 1, 2)])
    forecasts.insert_forecasts(session, [*shadow, _forecast(project, market, 2, horizon=3)])
    forecasts.join_outcomes(session, project, _at(9))
    table = trials.paired_losses(session, project, 1, 2, 1, 2, _at(0))
    assert table.column("candle_date_time_utc").to_pylist() == [_at(1), _at(2)]
    row = table.to_pylist()[0]
    y = math.log(103.0 / 101.0)
    assert row["champion_loss"] == pytest.approx(_loss(y, MODEL))
    assert row["challenger_loss"] == pytest.approx(_loss(y, wide))
    assert row["spread"] == pytest.approx(0.02)
    assert trials.paired_losses(session, project, 1, 2, 1, 2, _at(2)).num_rows == 1
    assert trials.production_losses(session, project, 2, 1, 2, _at(0)).num_rows == 2
    assert trials.production_losses(session, project, 1, 1, 2, _at(0)).num_rows == 0


def test_a_trial_keeps_its_newest_state_and_evidence(session: Session, project: str) -> None:
    trial = Trial(project, TrialPurpose.CHALLENGE, 1, 2, _at(0), _at(0), changed_at=_at(1))
    trials.write_trial(session, trial)
    other = replace(trial, purpose=TrialPurpose.PROBATION, started_at=_at(1))
    trials.write_trial(session, other)
    ended = replace(trial, state=TrialState.WORSE, evidence={"rows": 7}, changed_at=_at(2))
    trials.write_trial(session, ended)
    assert trials.read_trials(session, project) == [other, ended]
    assert trials.read_trials(session, project, TrialState.RUNNING) == [other]


def test_at_most_one_retrain_is_parked(session: Session, project: str) -> None:
    first = ParkedRetrain(project, ("drift", "skill"), _at(0))
    retrains.park_retrain(session, first)
    retrains.park_retrain(session, ParkedRetrain(project, ("later",), _at(5)))
    assert retrains.parked_retrain(session, project) == first
    retrains.clear_parked(session, project)
    assert retrains.parked_retrain(session, project) is None


def test_the_twin_of_a_config_never_changes(session: Session, project: str) -> None:
    assert retrains.claim_twin(session, project, "a", 3, _at(0)) == 3
    assert retrains.claim_twin(session, project, "a", 4, _at(1)) == 3
    assert retrains.claim_twin(session, project, "b", 4, _at(1)) == 4
    account = TwinAccount(project, 3, 10, 0.9, 1.0, "gained", _at(2))
    retrains.write_account(session, replace(account, rows=5))
    retrains.write_account(session, account)
    assert retrains.latest_account(session, project) == account
    assert account.gain == pytest.approx(0.1)


def test_an_estimate_is_reconciled_once_all_its_forecasts_matured(
    session: Session, project: str, market: str
) -> None:
    raw = [raw_candle(minute, market=market) for minute in range(5)]
    candles.store_candles(session, raw, "rest", START)
    forecasts.insert_forecasts(session, [_forecast(project, market, n) for n in (0, 1, 2)])
    estimate = LossEstimate(project, 1, _at(0), _at(2), 3, 0.004, None, _at(3))
    retrains.write_estimate(session, estimate)
    retrains.write_estimate(session, replace(estimate, expected=9.0))
    forecasts.join_outcomes(session, project, _at(4))
    retrains.reconcile_estimates(session, project, 1)
    assert retrains.read_estimates(session, project, 1) == [estimate]
    forecasts.join_outcomes(session, project, _at(5))
    retrains.reconcile_estimates(session, project, 1)
    (known,) = retrains.read_estimates(session, project, 1)
    losses = forecasts.read_outcomes(session, project).column("pinball").to_pylist()
    assert known.realised == pytest.approx(sum(losses) / 3)
    assert known.expected == 0.004


def test_a_target_without_a_trade_counts_across_a_change_of_method(
    session: Session, project: str, market: str
) -> None:
    candles.store_candles(session, [raw_candle(0, market=market)], "rest", START)
    coverage.prove_span(session, market, 1, _at(0), _at(2), ProofMethod.BACKFILL, START)
    coverage.prove_span(session, market, 1, _at(2), _at(9), ProofMethod.LIVE, START)
    forecasts.insert_forecasts(session, [_forecast(project, market, 0, horizon=4)])
    assert forecasts.join_outcomes(session, project, _at(9)) == 1
