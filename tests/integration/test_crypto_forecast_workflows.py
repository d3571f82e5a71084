"""The four workflows in process: a real store, a market from arrays, a registry in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import IngestSettings, ProjectSettings, Settings
from appliance.domain.coverage import ProofMethod
from appliance.domain.event import Event, EventKind
from appliance.domain.origin import Origin
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import (
    ApplianceError,
    ConfigError,
    DataQualityError,
    ExchangeUnavailable,
    InsufficientData,
    ModelNotFound,
    TransientError,
    UnrepairedGap,
)
from appliance.pipelines.context import (
    Json,
    MarketSource,
    Resources,
    StageContext,
    StageSkipped,
)
from appliance.pipelines.crypto_forecast.preprocessor import transformation
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.forecasting import row_digest as row_digest_module
from appliance.pipelines.forecasting.core.first_model import UNSERVED
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.spec import describe_project
from appliance.pipelines.workflow import (
    WorkflowResult,
    execute_stage,
    live_stages,
    run_in_process,
)
from store import forecasts
from store.coverage import proof, proven_from
from store.drift import latest_report, read_profile
from store.events import read_events
from store.features import read_features
from store.open import open_store
from store.performance import latest_performance
from store.session import Session, Statement
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles, without_rows
from tests.fakes.registry import FakeRegistry

DATA, TRAIN = WorkflowKind.DATA, WorkflowKind.TRAIN
INFERENCE, MONITORING = WorkflowKind.INFERENCE, WorkflowKind.MONITORING
PROJECT = "crypto_forecast"
OVERRIDES = {
    "horizon": 5,
    "training_rows": 1_500,
    "min_rows": 900,
    "catch_up_rows": 300,
    "features": {"half_lives": [4, 10, 30], "scale_half_life": 10, "return_lags": [1, 5]},
    "learner": {
        "scale_iter": 10,
        "quantile_iter": 5,
        "scale_leaf_rows": 50,
        "quantile_leaf_rows": 50,
    },
    "evaluation": {
        **{"folds": 2, "purge": 5, "embargo": 0, "comparison_rows": 200},
        **{"gate_live_rows": 0, "most_skill_gain": 0.99},
    },
    "monitoring": {"window_rows": 200, "min_rows": 50, "min_new_outcomes": 20, "persistence": 2},
    "retrain": {"min_new_rows": 10, "cooldown_minutes": 0},
}
HISTORY = 1_600
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
ROWS = 4_000


@dataclass
class Bench:
    """A home with its own market; `run` runs one workflow as the CLI would."""

    home: Paths
    settings: Settings
    market: FakeMarket
    registry: FakeRegistry
    session: Session

    @property
    def spec(self) -> ForecastSpec:
        spec = describe_project(self.settings, PROJECT)
        assert isinstance(spec, ForecastSpec)
        return spec

    def run(
        self,
        kind: WorkflowKind,
        until_stage: str = "",
        *,
        is_configured: bool = True,
        **params: str,
    ) -> WorkflowResult:
        resources = Resources(
            open_session=lambda: self.session,
            open_registry=lambda: self.registry,  # type: ignore[arg-type, return-value]
            open_source=lambda: MarketSource(self.market, "fake"),  # type: ignore[arg-type]
        )
        return run_in_process(
            self.home,
            self.settings,
            PROJECT,
            kind,
            params,
            until_stage=until_stage,
            resources=resources,
            is_configured=is_configured,
        )

    def pass_minutes(self, minutes: int) -> None:
        self.market.now_at += timedelta(minutes=minutes)

    def events(self, kind: EventKind) -> list[Event]:
        return read_events(self.session, kinds=[kind])


def settings_with(**changes: object) -> Settings:
    project = ProjectSettings(config="krw_btc_1m", overrides={**OVERRIDES, **changes})
    return Settings(ingest=IngestSettings(history_candles=HISTORY), projects={PROJECT: project})


@pytest.fixture
def bench(home: Paths) -> Iterator[Bench]:
    frame = without_rows(synthetic_candles(ROWS), [1_000, 1_001, 1_700])
    market = FakeMarket("KRW-BTC", 1, frame, ORIGIN + timedelta(minutes=2_500, seconds=5))
    with open_store(home) as session:
        yield Bench(home, settings_with(), market, FakeRegistry(), session)


@pytest.fixture
def trained(bench: Bench) -> Bench:
    bench.run(DATA)
    bench.run(TRAIN)
    return bench


def stored_rows(bench: Bench) -> pd.DataFrame:
    table = read_features(bench.session, PROJECT, "KRW-BTC", 1, row_digest(bench.spec))
    return table.to_pandas()


def expected_rows(bench: Bench) -> pd.DataFrame:
    frame = bench.market.frame
    end_at = bench.market.now_at.replace(second=0)
    known = frame[frame[TIME] < end_at]
    return compute_rows(known, [], 1, bench.spec.features, end_at)


def assert_stored_is_computed(bench: Bench) -> None:
    stored, expected = stored_rows(bench), expected_rows(bench)
    expected = expected[expected[TIME] >= stored[TIME].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(stored, expected, rtol=1e-11, atol=1e-14, check_dtype=False)


def test_all_four_workflows_run_on_a_fresh_store(bench: Bench) -> None:
    asked = bench.run(DATA)
    assert asked.request == "first model"
    for kind in (TRAIN, INFERENCE, MONITORING):
        result = bench.run(kind)
        assert set(result.states.values()) == {RunState.SUCCESS}, kind
    assert bench.registry.aliases == {"champion": 1}
    newest = forecasts.latest_forecasts(bench.session, PROJECT, 1)[0]
    assert newest.candle_date_time_utc == stored_rows(bench)[TIME].iloc[-1]
    assert newest.quantiles.lower <= newest.quantiles.median <= newest.quantiles.upper
    assert latest_performance(bench.session, PROJECT) is not None
    assert latest_report(bench.session, PROJECT) is not None
    assert len(bench.events(EventKind.RETRAIN_DECIDED)) == 1


def test_rows_prepared_minute_by_minute_equal_rows_computed_at_once(bench: Bench) -> None:
    bench.run(DATA)
    for minutes in (1, 1, 7, 1, 40):
        bench.pass_minutes(minutes)
        result = bench.run(DATA)
        assert result.outputs["prepare_features"]["written"] == minutes
    assert_stored_is_computed(bench)


def test_a_second_run_without_news_writes_nothing(bench: Bench) -> None:
    bench.run(DATA)
    result = bench.run(DATA)
    assert result.outputs["load_candles"]["inserted"] == 0
    assert result.outputs["prepare_features"]["written"] == 0
    assert len(bench.events(EventKind.QUALITY_CHECKED)) == 1


def test_older_candles_of_a_backfill_become_rows(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(
        update={"ingest": IngestSettings(history_candles=400)}
    )
    bench.run(DATA)
    few = len(stored_rows(bench))
    bench.settings = settings_with()
    bench.pass_minutes(1)
    result = bench.run(DATA)
    assert result.outputs["prepare_features"]["older"] == len(stored_rows(bench)) - few - 1
    assert len(stored_rows(bench)) > few + 1_000
    assert result.request == ""
    assert bench.run(DATA).request == "first model"
    assert_stored_is_computed(bench)


def run_live(bench: Bench) -> list[dict[str, Json]]:
    """Run the live path's stages with the registry's models."""
    resources = Resources(
        open_session=lambda: bench.session,
        open_registry=lambda: pytest.fail("the live path opened the registry"),
        open_source=lambda: pytest.fail("the live path asked the exchange"),
        warm_models=bench.registry,
    )
    context = StageContext(
        project=PROJECT,
        kind=INFERENCE,
        spec=bench.spec,
        settings=bench.settings,
        paths=bench.home,
        params={},
        origin=Origin("forecaster"),
        run_id="live",
        upstream={},
        resources=resources,
    )
    return [execute_stage(stage, context) for stage in live_stages(PROJECT)]


def test_the_live_path_leaves_nothing_for_the_workflows(trained: Bench) -> None:
    trained.run(INFERENCE)
    for minutes in (1, 1, 7, 1, 40):
        trained.pass_minutes(minutes)
        trained.run(DATA, until_stage="load_candles")
        prepared, forecast = run_live(trained)
        assert (prepared["written"], forecast["forecasts"]) == (minutes, minutes)
        assert run_live(trained)[1]["forecasts"] == 0
        assert trained.run(DATA).outputs["prepare_features"]["written"] == 0
        assert trained.run(INFERENCE).outputs["forecast_candles"]["forecasts"] == 0
    assert_stored_is_computed(trained)


def test_live_forecasts_equal_those_of_the_workflow(trained: Bench) -> None:
    trained.run(INFERENCE)
    trained.pass_minutes(6)
    trained.run(DATA, until_stage="load_candles")
    run_live(trained)
    live = forecasts.latest_forecasts(trained.session, PROJECT, 6)
    trained.session.write(Statement("DELETE FROM forecasts WHERE made_at >= ?", (live[0].made_at,)))
    trained.run(DATA)
    trained.run(INFERENCE)
    filled = forecasts.latest_forecasts(trained.session, PROJECT, 6)
    assert [replace(each, made_at=NEVER) for each in live] == [
        replace(each, made_at=NEVER) for each in filled
    ]


def test_the_live_path_waits_for_the_first_rows_and_the_first_model(bench: Bench) -> None:
    with pytest.raises(StageSkipped):
        run_live(bench)
    bench.run(DATA)
    assert run_live(bench)[1]["note"] == "no production model yet"


def test_without_enough_rows_no_training_is_asked_for_and_none_happens(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(
        update={"ingest": IngestSettings(history_candles=400)}
    )
    assert bench.run(DATA).request == ""
    with pytest.raises(InsufficientData):
        bench.run(TRAIN)


def test_a_failed_stage_stops_the_run_and_is_recorded(bench: Bench) -> None:
    bench.market.failure = ExchangeUnavailable("no route")
    with pytest.raises(ExchangeUnavailable):
        bench.run(DATA)
    (event,) = bench.events(EventKind.WORKFLOW_FAILED)
    assert event.details["task"] == "load_candles"
    assert event.details["workflow"] == "data"
    assert event.actor == "data_wf"
    assert event.done_by == f"data run {event.details['run_id']}"


def test_the_report_tells_every_stage_and_its_seconds(bench: Bench) -> None:
    told: list[tuple[str, RunState, bool]] = []
    resources = Resources(
        lambda: bench.session,
        lambda: bench.registry,  # type: ignore[arg-type, return-value]
        lambda: MarketSource(bench.market, "fake"),  # type: ignore[arg-type]
    )
    bench.market.failure = ExchangeUnavailable("no route")
    with pytest.raises(ApplianceError):
        run_in_process(
            bench.home,
            bench.settings,
            PROJECT,
            DATA,
            {},
            lambda stage, state, seconds: told.append((stage, state, seconds is not None)),
            resources=resources,
        )
    assert told == [
        ("load_candles", RunState.RUNNING, False),
        ("load_candles", RunState.FAILED, True),
    ]


def test_before_the_first_candle_nothing_fails(bench: Bench) -> None:
    bench.market.now_at = ORIGIN
    result = bench.run(DATA)
    assert result.states == {
        "load_candles": RunState.SUCCESS,
        "prepare_features": RunState.SKIPPED,
        "check_quality": RunState.SKIPPED,
    }


def test_inference_without_a_model_succeeds_and_says_so(bench: Bench) -> None:
    bench.run(DATA)
    result = bench.run(INFERENCE)
    assert result.outputs["forecast_candles"]["note"] == "no production model yet"
    assert forecasts.count_forecasts(bench.session, PROJECT) == 0


def test_a_first_model_is_trained_once(trained: Bench) -> None:
    result = trained.run(TRAIN, reason="first model")
    assert set(result.states.values()) == {RunState.SKIPPED}
    assert len(trained.registry.registered) == 1


def test_a_promotion_meanwhile_wins_over_that_of_the_first_model(
    trained: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StageContext, "champion", lambda self: None)  # read before the other's move
    result = trained.run(TRAIN)
    decided = result.outputs["decide_promotion"]
    assert decided["decision"] == "kept"
    assert "nothing was changed" in str(decided["evidence"])
    assert trained.registry.aliases == {"champion": 1}


def test_a_training_documents_itself(trained: Bench) -> None:
    (run,) = trained.registry.runs.values()
    assert {"pinball", "skill_static", "skill_ewma", "coverage", "mae", "rmse", "direction"} <= set(
        run.metrics
    )
    assert {"holdout_pinball", "fold_1_skill_ewma"} <= set(run.metrics)
    assert run.figures == {"calibration", "forecast_fan", "fold_skill", "feature_importance"}
    assert set(run.documents) == {
        "config", "data_window", "feature_schema", "feature_importance", "environment",
        "code_version", "reference_profile",
    }  # fmt: skip
    importance = run.documents["feature_importance"]
    assert isinstance(importance, dict)
    assert list(importance) == trained.spec.recipe.feature_names(trained.spec)
    assert max(importance.values()) > 0.0
    logged = json.loads(json.dumps(run.documents["reference_profile"]))
    assert read_profile(trained.session, PROJECT, 1) == logged
    (event,) = trained.events(EventKind.TRAINED)
    assert event.details["version"] == 1


def test_no_row_that_a_model_was_trained_on_is_forecast(trained: Bench) -> None:
    trained.run(INFERENCE)
    made = forecasts.latest_forecasts(trained.session, PROJECT, 10_000)
    window_end = trained.registry.registered[0].tags["window_end_at"]
    horizon = timedelta(minutes=trained.spec.horizon)
    assert made[0].candle_date_time_utc > pd.Timestamp(window_end).to_pydatetime() + horizon
    assert made[-1].target_at == made[-1].candle_date_time_utc + horizon


def test_each_new_candle_is_forecast_once_and_idle_runs_load_no_model(trained: Bench) -> None:
    trained.run(INFERENCE)
    before, loads = forecasts.count_forecasts(trained.session, PROJECT), trained.registry.loads
    trained.run(INFERENCE)
    assert trained.registry.loads == loads
    trained.pass_minutes(3)
    trained.run(DATA)
    assert trained.run(INFERENCE).outputs["forecast_candles"]["forecasts"] == 3
    assert forecasts.count_forecasts(trained.session, PROJECT) == before + 3


def test_a_forecast_is_what_the_model_says_of_the_stored_row(trained: Bench) -> None:
    trained.run(INFERENCE)
    newest = forecasts.latest_forecasts(trained.session, PROJECT, 1)[0]
    row = stored_rows(trained).tail(1)
    model = trained.registry.load_model(PROJECT, 1)
    lower, median, upper = model.predict(row)[0]  # type: ignore[attr-defined]
    made = newest.quantiles
    np.testing.assert_allclose((made.lower, made.median, made.upper), (lower, median, upper))
    assert newest.base_price == row["close"].iloc[0]


def test_outcomes_and_performance_follow_from_stored_candles(trained: Bench) -> None:
    trained.run(INFERENCE)
    table = forecasts.read_outcomes(trained.session, PROJECT).to_pandas()
    close = expected_rows(trained).set_index(TIME)["close"]
    realised = np.log(close.loc[table["target_at"]].to_numpy() / table["base_price"].to_numpy())
    np.testing.assert_allclose(table["realised_return"], realised, atol=1e-12)
    performance = latest_performance(trained.session, PROJECT)
    assert performance is not None
    assert performance.rows == len(table)
    assert performance.pinball == pytest.approx(table["pinball"].mean())
    assert performance.coverage == pytest.approx(table["is_inside"].mean())


def test_a_chosen_version_forecasts_and_an_unknown_one_is_refused(trained: Bench) -> None:
    trained.run(TRAIN)
    result = trained.run(INFERENCE, model_version="2")
    assert result.outputs["forecast_candles"]["model_version"] == 2
    with pytest.raises(ModelNotFound):
        trained.run(INFERENCE, model_version="9")
    with pytest.raises(ConfigError):
        trained.run(INFERENCE, model_version="two")


def test_monitoring_waits_for_new_outcomes(trained: Bench) -> None:
    trained.run(INFERENCE)
    trained.run(MONITORING)
    trained.pass_minutes(4)
    trained.run(DATA)
    assert trained.run(INFERENCE).states["measure_performance"] is RunState.SKIPPED
    trained.pass_minutes(30)
    trained.run(DATA)
    assert trained.run(INFERENCE).states["measure_performance"] is RunState.SUCCESS


def test_an_equal_model_is_not_promoted_and_the_verdict_has_evidence(trained: Bench) -> None:
    result = trained.run(TRAIN)
    assert result.outputs["decide_promotion"]["decision"] == "kept"
    assert trained.registry.aliases["champion"] == 1
    (event,) = trained.events(EventKind.GATE_VERDICT)
    assert {"champion_loss", "challenger_loss", "verdict", "start_at"} <= set(event.details)


def spoil_champion(bench: Bench) -> None:
    """Replace version 1 by one that learnt returns of another scale."""
    import skops.io

    model = bench.registry.load_model(PROJECT, 1)
    model.shifts_ = np.array([-9.0, 0.0, 9.0])  # type: ignore[attr-defined]
    bench.registry.runs["run-1"].model = skops.io.dumps(model)


def test_a_better_model_is_promoted(trained: Bench) -> None:
    spoil_champion(trained)
    result = trained.run(TRAIN)
    assert result.outputs["decide_promotion"]["decision"] == "promoted"
    assert trained.registry.aliases == {"champion": 2, "previous": 1}
    assert len(trained.events(EventKind.PROMOTED)) == 2


@pytest.mark.parametrize("mode", ["suggest", "manual"])
def test_other_promotion_modes_only_name_the_challenger(trained: Bench, mode: str) -> None:
    spoil_champion(trained)
    project = trained.settings.projects[PROJECT].model_copy(update={"promotion": mode})
    trained.settings = trained.settings.model_copy(update={"projects": {PROJECT: project}})
    assert trained.run(TRAIN).outputs["decide_promotion"]["decision"] == "challenger"
    assert trained.registry.aliases == {"champion": 1, "challenger": 2}
    verdict = trained.events(EventKind.GATE_VERDICT)[-1]
    assert verdict.details["suggests"] is (mode == "suggest")


def test_a_model_of_another_config_does_not_serve(trained: Bench) -> None:
    trained.settings = settings_with(horizon=7)
    result = trained.run(INFERENCE)
    assert result.outputs["forecast_candles"]["note"] == "no production model yet"
    assert trained.run(DATA).request == UNSERVED
    decided = trained.run(TRAIN, reason=UNSERVED).outputs["decide_promotion"]
    assert (decided["version"], decided["evidence"]) == (2, "version 1 serves another config")
    assert trained.registry.aliases["champion"] == 2


def test_a_training_of_another_config_leaves_production_as_it_is(trained: Bench) -> None:
    before = dict(trained.registry.aliases)
    own = trained.settings
    trained.settings = settings_with(horizon=7)
    for kind in (DATA, TRAIN, INFERENCE, MONITORING):
        result = trained.run(kind, is_configured=False)
        if kind is TRAIN:
            decided = result.outputs["decide_promotion"]
            assert (decided["decision"], decided["version"]) == ("kept", 2)
    assert trained.registry.aliases == before
    trained.settings = own
    trained.pass_minutes(3)
    trained.run(DATA)
    made = trained.run(INFERENCE).outputs["forecast_candles"]
    assert made["model_version"] == 1
    assert forecasts.latest_forecasts(trained.session, PROJECT, 1)[0].horizon == own_horizon()


def own_horizon() -> int:
    return int(str(OVERRIDES["horizon"]))


def test_changed_code_makes_new_rows_and_the_same_rows_keep_the_model(
    trained: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained.run(INFERENCE)
    monkeypatch.setitem(row_digest_module._codes, type(trained.spec), "the same, written otherwise")
    trained.pass_minutes(20)
    trained.run(DATA)
    assert_stored_is_computed(trained)
    assert trained.run(INFERENCE).outputs["forecast_candles"]["forecasts"] == 20
    assert trained.run(DATA).request == ""


def test_a_model_of_rows_that_other_code_made_does_not_serve(
    trained: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained.run(INFERENCE)
    honest = transformation.engineer_features

    def corrected(series, scale, spec):  # type: ignore[no-untyped-def]
        features = honest(series, scale, spec)
        return {**features, "range_now": features["range_now"] * 2.0}

    monkeypatch.setattr(transformation, "engineer_features", corrected)
    monkeypatch.setitem(row_digest_module._codes, type(trained.spec), "corrected")
    trained.pass_minutes(20)
    asked = trained.run(DATA)
    assert trained.run(INFERENCE).outputs["forecast_candles"]["note"] == "no production model yet"
    assert asked.request == UNSERVED
    decided = trained.run(TRAIN, reason=asked.request).outputs["decide_promotion"]
    assert decided["evidence"] == "version 1 learnt from rows that other code made"
    newest = trained.registry.registered[-1]
    assert newest.tags["row_digest"] == row_digest(trained.spec)
    assert trained.run(TRAIN, reason=UNSERVED).states["check_rows"] is RunState.SKIPPED


def test_a_regime_shift_leads_to_a_retrain_with_reasons(trained: Bench) -> None:
    trained.run(INFERENCE)
    trained.run(MONITORING)
    wild = synthetic_candles(
        600, seed=3, volatility=5e-3, start_at=ORIGIN + timedelta(minutes=2_500)
    )
    calm = trained.market.frame
    frame = pd.concat([calm[calm[TIME] < wild[TIME].iloc[0]], wild], ignore_index=True)
    trained.market = FakeMarket("KRW-BTC", 1, frame, trained.market.now_at)
    for _ in range(2):
        trained.pass_minutes(150)
        trained.run(DATA)
        trained.run(INFERENCE)
        result = trained.run(MONITORING)
    assert result.outputs["measure_drift"]["verdict"] == "drifted"
    assert result.outputs["decide_retrain"]["decision"] == "retrain"
    assert "drifted" in result.request
    assert trained.events(EventKind.RETRAIN_DECIDED)[-1].details["reasons"]
    request = result.outputs["decide_retrain"]["request"]
    assert isinstance(request, dict)
    assert trained.run(TRAIN, reason=str(request["reason"])).outputs["register_model"] == {
        "version": 2
    }


def test_new_rows_count_from_the_newest_row_that_a_training_looked_at(bench: Bench) -> None:
    """Also where the history is so short that fewer rows than usual are kept back."""
    bench.settings = settings_with(
        evaluation={**OVERRIDES["evaluation"], "comparison_rows": 5_000},  # type: ignore[dict-item]
        retrain={"min_new_rows": 50, "cooldown_minutes": 0},
    )
    for kind in (DATA, TRAIN, INFERENCE):
        bench.run(kind)
    first = bench.run(MONITORING).outputs["decide_retrain"]["reasons"]
    assert str(first).count("0 new rows") == 1
    bench.pass_minutes(50)
    for kind in (DATA, INFERENCE):
        bench.run(kind)
    assert "new rows" not in str(bench.run(MONITORING).outputs["decide_retrain"]["reasons"])


def test_the_same_skip_is_recorded_once(trained: Bench) -> None:
    trained.run(INFERENCE)
    for _ in range(3):
        trained.run(MONITORING)
    assert len(trained.events(EventKind.RETRAIN_DECIDED)) == 1


def test_a_repaired_gap_becomes_rows(bench: Bench) -> None:
    from store.session import Statement

    bench.run(DATA)
    whole = len(stored_rows(bench))
    first_at = bench.market.now_at.replace(second=0) - timedelta(minutes=300)
    bounds = (first_at, first_at + timedelta(minutes=60))
    bench.session.write(
        Statement(
            "DELETE FROM features WHERE candle_date_time_utc >= ? AND candle_date_time_utc < ?",
            bounds,
        )
    )
    bench.pass_minutes(1)
    bench.run(DATA)
    assert len(stored_rows(bench)) == whole + 1 - 60
    from store.events import append_event

    details = {"market": "KRW-BTC", "unit": 1}
    details |= {"start_at": bounds[0].isoformat(), "end_at": bounds[1].isoformat()}
    append_event(
        bench.session,
        Event(EventKind.GAP_REPAIRED, "repaired", "ingestor", clock.now(), details=details),
    )
    assert bench.run(DATA).outputs["prepare_features"]["written"] == 60
    assert_stored_is_computed(bench)


def forget_candles(bench: Bench, minutes: int) -> None:
    """Take the proof of candles away, as of a stretch that nobody could fetch."""
    from store.session import Statement

    start_at = bench.market.now_at.replace(second=0) - timedelta(minutes=100)
    end_at = start_at + timedelta(minutes=minutes)
    first_at, last_at = proven_from(bench.session, "KRW-BTC", 1), ORIGIN + timedelta(days=30)
    assert first_at is not None
    now_at = clock.now()
    bench.session.write(
        Statement("DELETE FROM coverage"),
        *proof("KRW-BTC", 1, first_at, start_at, ProofMethod.BACKFILL, now_at),
        *proof("KRW-BTC", 1, end_at, last_at, ProofMethod.BACKFILL, now_at),
    )


def test_a_window_with_an_unrepaired_gap_is_refused_unless_allowed(trained: Bench) -> None:
    trained.pass_minutes(5)
    trained.run(DATA)
    forget_candles(trained, 7)
    for kind in (TRAIN, INFERENCE):
        with pytest.raises(UnrepairedGap) as raised:
            trained.run(kind)
        assert isinstance(raised.value, TransientError)
        assert "KRW-BTC 1m has 7 unknown candles" in raised.value.message
        assert "appliance backfill KRW-BTC --unit 1 --from" in raised.value.hint
    trained.settings = settings_with(quality={"max_missing_candles": 7})
    trained.run(INFERENCE)
    trained.run(TRAIN)


def test_unusable_rows_stop_the_data_workflow_once_recorded(bench: Bench) -> None:
    bench.run(DATA)
    from store.session import Statement

    now_at = bench.market.now_at.replace(second=0)
    bench.session.write(
        Statement(
            "DELETE FROM features WHERE candle_date_time_utc >= ? AND candle_date_time_utc < ?",
            (now_at - timedelta(minutes=150), now_at - timedelta(minutes=5)),
        )
    )
    for _ in range(2):
        with pytest.raises(DataQualityError) as raised:
            bench.run(DATA)
        assert "full=true" in raised.value.hint
    assert [e.details["verdict"] for e in bench.events(EventKind.QUALITY_CHECKED)] == [
        "good",
        "unusable",
    ]
    bench.run(DATA, full="true")
    assert_stored_is_computed(bench)
