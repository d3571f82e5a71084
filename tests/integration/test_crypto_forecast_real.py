"""The project with MLflow behind it, and on recorded candles where they are present."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.pipelines.context import MarketSource, Resources
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.evaluator.walk_forward import evaluate_walk_forward
from appliance.pipelines.forecasting.preprocessor.labels import TIME, label_rows
from appliance.pipelines.forecasting.trainer.training import new_model
from appliance.pipelines.workflow import run_in_process
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.integration.test_crypto_forecast_workflows import settings_with

RECORDED = Path(__file__).parents[2].parent / "shared" / "data"
PROJECT = "crypto_forecast"


@pytest.mark.long
def test_two_trainings_and_forecasts_with_the_real_registry(home: Paths) -> None:
    settings: Settings = settings_with()
    now_at = ORIGIN + timedelta(minutes=2_500, seconds=5)
    market = FakeMarket("KRW-BTC", 1, synthetic_candles(3_000), now_at)
    resources = Resources.of_home(home, settings)
    resources.open_source = lambda: MarketSource(market, "fake")  # type: ignore[arg-type]
    try:
        for kind in WorkflowKind:
            result = run_in_process(home, settings, PROJECT, kind, resources=resources)
            assert set(result.states.values()) == {RunState.SUCCESS}
        run_in_process(home, settings, PROJECT, WorkflowKind.TRAIN, resources=resources)
        newest, champion = resources.registry.versions(PROJECT)
        assert champion.is_champion
        assert newest.version == 2
        assert newest.metrics["pinball"] > 0.0
        assert newest.tags["market"] == "KRW-BTC"
    finally:
        resources.close()


@pytest.mark.parametrize(
    ("config", "file", "skill_static", "skill_ewma", "coverage_error"),
    [
        ("krw_btc_1m", "upbit_krw_btc_1m", 0.02, -0.01, 0.1),
        ("krw_btc_60m", "upbit_krw_btc_60m", 0.04, 0.025, 0.02),
    ],
)
def test_forecasts_of_recorded_candles_have_skill(
    config: str, file: str, skill_static: float, skill_ewma: float, coverage_error: float
) -> None:
    path = RECORDED / f"{file}.parquet"
    if not path.exists():
        pytest.skip(f"no recorded candles at {path}")
    spec = load_spec_from_config(config)
    candles = (
        pd.read_parquet(path).iloc[:-1].tail(spec.training_rows + spec.features.lookback(spec.unit))
    )
    candles[TIME] = candles[TIME].dt.tz_localize("UTC")
    rows = label_rows(compute_rows(candles, [], spec.unit, spec.features), spec.unit, spec.horizon)
    scores = evaluate_walk_forward(
        rows, lambda: new_model(spec), spec.evaluation, spec.horizon
    ).overall
    assert scores.skill_static > skill_static
    assert scores.skill_ewma > skill_ewma
    assert abs(scores.coverage - 0.8) < coverage_error
