"""A feature or label that knows the future, put live by code: nothing of it is ever registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from appliance.config.paths import Paths
from appliance.domain.event import EventKind
from appliance.errors import DataQualityError
from appliance.pipelines.crypto_forecast.core import stages
from appliance.pipelines.crypto_forecast.preprocessor import cross_features, transformation
from appliance.pipelines.forecasting.core import soundness as stage
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.pipelines.forecasting.row_digest import row_digest
from store.features import read_features
from store.open import open_store
from store.session import Statement
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.fakes.registry import FakeRegistry
from tests.integration.test_crypto_forecast_workflows import (
    DATA,
    OVERRIDES,
    PROJECT,
    TRAIN,
    Bench,
    settings_with,
)

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def bench(home: Paths) -> Iterator[Bench]:
    market = FakeMarket("KRW-BTC", 1, synthetic_candles(4_000), ORIGIN + timedelta(minutes=2_500))
    features = {**OVERRIDES["features"], "cross_timeframes": [15], "cross_half_lives": [4]}  # type: ignore[dict-item]
    with open_store(home) as session:
        yield Bench(home, settings_with(features=features), market, FakeRegistry(), session)


def ahead(candles: int) -> Patch:
    """A feature that is the return of the coming candles."""
    honest = transformation.engineer_features

    def leaking(series, scale, spec):  # type: ignore[no-untyped-def]
        features = honest(series, scale, spec)
        future = np.zeros(series.log_close.size)
        future[:-candles] = series.log_close[candles:] - series.log_close[:-candles]
        return {**features, "return_5": np.nan_to_num(future) / scale}

    return lambda patch: patch.setattr(transformation, "engineer_features", leaking)


def rows_changed(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Patch:
    honest = transformation.compute_rows
    return lambda patch: patch.setattr(
        transformation, "compute_rows", lambda *args, **options: change(honest(*args, **options))
    )


def scaled_on_all(rows: pd.DataFrame) -> pd.DataFrame:
    values = rows.drop(columns=[TIME, "close"])
    return pd.concat(
        [rows[[TIME, "close"]], (values - values.mean()) / (values.std() + 1e-9)], axis=1
    )


def next_close(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(close=rows["close"].shift(-1).ffill())


def last_close(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(close=rows["close"].shift(1).bfill())


def unclosed(patch: pytest.MonkeyPatch) -> None:
    """A row knows the wider candle that it lies in, as soon as the candles of it are stored."""
    honest = cross_features._known

    def eager(values, positions):  # type: ignore[no-untyped-def]
        return honest(values, np.minimum(positions + 1, len(values) - 1))

    patch.setattr(cross_features, "_known", eager)


LEAKS: dict[str, tuple[Patch, str]] = {
    "1 candle": (ahead(1), "return_5"),
    "3 candles": (ahead(3), "return_5"),
    "10 candles": (ahead(10), "return_5"),
    "label from the next close": (rows_changed(next_close), "close"),
    "label from the last close": (rows_changed(last_close), "close"),
    "scaler fitted on all rows": (rows_changed(scaled_on_all), "feature"),
    "wider candle not closed yet": (unclosed, "15m_return"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_never_registered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, leak: str
) -> None:
    put_live, feature = LEAKS[leak]
    put_live(monkeypatch)
    bench.run(DATA)
    with pytest.raises(DataQualityError, match=r"nothing was trained or registered") as refused:
        bench.run(TRAIN)
    assert feature in refused.value.message
    assert "of the row of 20" in refused.value.message
    assert refused.value.hint
    assert not bench.registry.registered
    assert not bench.registry.runs
    (failed,) = bench.events(EventKind.WORKFLOW_FAILED)
    assert refused.value.message in failed.summary


def test_a_project_without_the_stage_is_judged_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(DATA)
    older = [
        replace(workflow, stages=tuple(s for s in workflow.stages if s.name != "check_rows"))
        for workflow in stages.WORKFLOWS
    ]
    monkeypatch.setattr(stages, "WORKFLOWS", older)
    ahead(3)(monkeypatch)
    with pytest.raises(DataQualityError, match="look-ahead"):
        bench.run(TRAIN)
    assert not bench.registry.runs


def test_honest_rows_are_judged_in_a_fraction_of_the_time(bench: Bench) -> None:
    bench.run(DATA)
    judged = bench.run(TRAIN, until_stage="check_rows").outputs["check_rows"]
    assert judged["rows"] == stage.ROWS
    assert judged["renewed"] == 0


def test_rows_that_take_too_long_to_judge_are_not_trained_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(DATA)
    monkeypatch.setattr(stage, "SECONDS", 0.0)
    with pytest.raises(DataQualityError, match="cannot be judged"):
        bench.run(TRAIN)


def test_rows_that_are_not_made_again_cannot_be_judged_and_are_not_trained_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(DATA)
    rows_changed(lambda rows: rows.iloc[:0])(monkeypatch)
    with pytest.raises(DataQualityError, match=r"cannot be judged: .* there are 0 of"):
        bench.run(TRAIN)


def test_rows_of_a_candle_that_was_corrected_are_made_anew(bench: Bench) -> None:
    bench.run(DATA)
    newest = read_features(bench.session, PROJECT, "KRW-BTC", 1, row_digest(bench.spec), limit=100)
    at = newest.column(TIME).to_pylist()[0]
    bench.session.write(
        Statement("UPDATE candles SET volume = volume * 2 WHERE candle_date_time_utc = ?", (at,))
    )
    judged = bench.run(TRAIN, until_stage="check_rows").outputs["check_rows"]
    assert judged["renewed"] == 100
