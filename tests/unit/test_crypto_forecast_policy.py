"""Data quality, retrain policy: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from appliance.domain.drift import DriftVerdict, LossReport
from appliance.domain.forecast import Performance
from appliance.domain.trial import ParkedRetrain
from appliance.pipelines.forecasting.evaluator.retrain_policy import RetrainFacts, decide
from appliance.pipelines.forecasting.forecast_spec import MonitoringSpec, QualitySpec, RetrainSpec
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.pipelines.forecasting.preprocessor.quality import (
    MarketActivity,
    Quality,
    judge_quality,
)

NOW = datetime(2026, 3, 14, 5, 0, tzinfo=UTC)
PERFORMANCE = Performance(
    "crypto_forecast", "KRW-BTC", 1, 1, NOW, NOW, 1_440, 3e-4, 0.03, 0.01, 0.8, 4e-4, 0.5, NOW
)
CALM = RetrainFacts(
    new_rows=500,
    quality="good",
    trained_at=(NOW - timedelta(hours=5),),
    drift=DriftVerdict.STABLE,
    drifted_features=(),
    performance=PERFORMANCE,
    trained_skill=0.01,
)
DRIFTED = replace(CALM, drift=DriftVerdict.DRIFTED, drifted_features=("volatility", "idle"))


def settle(facts: RetrainFacts) -> tuple[str, str]:
    decision = decide(facts, MonitoringSpec(), RetrainSpec(), NOW)
    assert decision.reasons
    assert all(decision.reasons)
    return decision.decision, decision.code


def test_nothing_wrong_is_a_skip_with_a_reason() -> None:
    assert settle(CALM) == ("skip", "no_trigger")


def test_drift_retrains_and_names_the_features() -> None:
    decision = decide(DRIFTED, MonitoringSpec(), RetrainSpec(), NOW)
    assert decision.decision == "retrain"
    assert "volatility, idle" in decision.summary


def test_lost_skill_retrains() -> None:
    assert settle(replace(CALM, performance=replace(PERFORMANCE, skill_ewma=-0.1)))[0] == "retrain"


def test_wrong_coverage_retrains() -> None:
    assert settle(replace(CALM, performance=replace(PERFORMANCE, coverage=0.6)))[0] == "retrain"


def test_performance_over_few_rows_asks_for_nothing() -> None:
    few = replace(PERFORMANCE, coverage=0.1, skill_ewma=-1.0, rows=100)
    assert settle(replace(CALM, performance=few)) == ("skip", "no_trigger")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"new_rows": 3}, "new_rows"),
        ({"quality": "unusable"}, "quality"),
        ({"trained_at": tuple(NOW - timedelta(hours=h) for h in range(2, 9))}, "budget"),
        ({"trained_at": (NOW - timedelta(minutes=5),)}, "cooldown"),
    ],
)
def test_each_refusal_holds_back_a_trigger_and_says_so(
    change: dict[str, object], code: str
) -> None:
    facts = replace(DRIFTED, **change)  # type: ignore[arg-type]
    assert settle(facts) == ("skip", code)
    reasons = decide(facts, MonitoringSpec(), RetrainSpec(), NOW).reasons
    assert reasons[1].startswith("although 2 features have drifted")


def test_refusals_are_checked_in_order() -> None:
    worst = replace(
        DRIFTED,
        new_rows=0,
        quality="unusable",
        trained_at=tuple(NOW - timedelta(minutes=m) for m in range(7)),
    )
    assert settle(worst)[1] == "new_rows"
    assert settle(replace(worst, new_rows=500))[1] == "quality"
    assert settle(replace(worst, new_rows=500, quality="good"))[1] == "budget"


def test_trainings_of_yesterday_cost_no_budget() -> None:
    old = tuple(NOW - timedelta(hours=25 + h) for h in range(9))
    assert settle(replace(DRIFTED, trained_at=old))[0] == "retrain"


def prepared(count: int = 100) -> pd.DataFrame:
    times = pd.date_range(NOW - timedelta(minutes=count), periods=count, freq="1min")
    close = 100.0 + np.arange(count) % 2
    return pd.DataFrame({TIME: times, "close": close, "volatility": 0.1})


def judge(rows: pd.DataFrame, now_at: datetime = NOW) -> tuple[Quality, set[str]]:
    report = judge_quality(rows, 1, now_at, QualitySpec())
    return report.verdict, set(report.findings)


def test_complete_fresh_rows_are_good() -> None:
    assert judge(prepared()) == (Quality.GOOD, set())


def test_old_rows_are_a_warning() -> None:
    assert judge(prepared(), NOW + timedelta(minutes=30)) == (Quality.WARNING, {"stale"})


def test_few_missing_rows_are_a_warning_and_many_unusable() -> None:
    assert judge(prepared().drop(index=range(10, 15))) == (Quality.WARNING, {"gaps"})
    assert judge(prepared().drop(index=range(10, 60))) == (Quality.UNUSABLE, {"gaps"})


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("volatility", np.nan, "non_finite"),
        ("volatility", np.inf, "non_finite"),
        ("close", -1.0, "price"),
    ],
)
def test_broken_values_are_unusable(column: str, value: float, code: str) -> None:
    rows = prepared()
    rows.loc[7, column] = value
    verdict, codes = judge(rows)
    assert verdict is Quality.UNUSABLE
    assert code in codes


def test_repeated_rows_are_unusable() -> None:
    rows = pd.concat([prepared(), prepared().tail(1)])
    assert judge(rows)[0] is Quality.UNUSABLE


@pytest.mark.parametrize(
    ("price", "activity", "codes"),
    [
        (100.0, MarketActivity(), {"still"}),
        (None, MarketActivity(idle=0.8), {"idle"}),
        (None, MarketActivity(idle=0.2, widths=np.zeros(20)), {"no_width"}),
        (None, MarketActivity(idle=0.05, widths=np.full(20, 1e-3)), set()),
    ],
)
def test_what_leaves_nothing_to_forecast_is_a_warning(
    price: float | None, activity: MarketActivity, codes: set[str]
) -> None:
    rows = prepared()
    if price is not None:
        rows["close"] = price
    report = judge_quality(rows, 1, NOW, QualitySpec(), activity)
    assert set(report.findings) == codes
    assert (report.verdict is Quality.WARNING) == bool(codes)


def test_a_price_that_mostly_stands_is_named_with_its_share() -> None:
    rows = prepared()
    rows["close"] = np.where(np.arange(100) < 90, 100.0, rows["close"])
    report = judge_quality(rows, 1, NOW, QualitySpec())
    assert report.findings == {"still": "the price did not move in 91 % of the intervals"}


def test_a_price_jump_is_a_warning() -> None:
    rows = prepared()
    rows.loc[50:, "close"] += 30.0
    assert judge(rows) == (Quality.WARNING, {"price_jump"})


def test_a_retrain_held_back_by_time_is_parked_and_done_later() -> None:
    busy = replace(DRIFTED, trained_at=(NOW - timedelta(minutes=5),))
    held = decide(busy, MonitoringSpec(), RetrainSpec(), NOW)
    assert held.code == "cooldown"
    assert held.parked == ("2 features have drifted (volatility, idle)",)
    parked = ParkedRetrain("crypto_forecast", held.parked, NOW)
    later = decide(replace(CALM, parked=parked), MonitoringSpec(), RetrainSpec(), NOW)
    assert (later.decision, later.code) == ("retrain", "parked")
    assert "parked 0 minutes ago: 2 features have drifted" in later.summary


def test_at_most_one_retrain_is_parked_and_data_that_is_not_there_parks_none() -> None:
    parked = ParkedRetrain("crypto_forecast", ("the first reason",), NOW)
    again = replace(DRIFTED, trained_at=(NOW - timedelta(minutes=5),), parked=parked)
    decision = decide(again, MonitoringSpec(), RetrainSpec(), NOW)
    assert decision.parked == ()
    assert any("the first reason" in reason for reason in decision.reasons)
    assert decide(replace(DRIFTED, new_rows=0), MonitoringSpec(), RetrainSpec(), NOW).parked == ()


def test_a_loss_above_its_band_retrains_and_says_by_how_much() -> None:
    loss = LossReport(DriftVerdict.DRIFTED, 500, 4e-4, 0.5, 0.4, 2.0, 9.0)
    decision = decide(replace(CALM, loss=loss), MonitoringSpec(), RetrainSpec(), NOW)
    assert decision.decision == "retrain"
    assert "0.500" in decision.summary
    alarmed = replace(loss, relative=0.3, page_hinkley=12.0)
    summary = decide(replace(CALM, loss=alarmed), MonitoringSpec(), RetrainSpec(), NOW).summary
    assert "Page-Hinkley 12.0" in summary
    warned = replace(loss, verdict=DriftVerdict.WARNING)
    assert settle(replace(CALM, loss=warned)) == ("skip", "no_trigger")
