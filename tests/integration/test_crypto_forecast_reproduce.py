"""A version is trained again from what its run has recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.domain.origin import Origin
from appliance.domain.reproduction import Reproduction
from appliance.domain.workflow import WorkflowKind
from appliance.errors import DataQualityError, ModelNotFound
from appliance.pipelines.context import MarketSource, Resources, StageContext
from appliance.pipelines.forecasting import row_digest
from appliance.pipelines.forecasting.core.reproduce import reproduce_model
from appliance.pipelines.progress import listening
from appliance.pipelines.provenance import code_version, differences, environment
from store.session import Statement
from tests.integration.test_crypto_forecast_workflows import (
    DATA,
    PROJECT,
    TRAIN,
    Bench,
    bench,
    settings_with,
    trained,
)

__all__ = ["bench", "trained"]


def reproduce(bench: Bench, version: int = 1) -> Reproduction:
    resources = Resources(
        open_session=lambda: bench.session,
        open_registry=lambda: bench.registry,  # type: ignore[arg-type, return-value]
        open_source=lambda: MarketSource(bench.market, "fake"),  # type: ignore[arg-type]
    )
    context = StageContext(
        project=PROJECT,
        kind=WorkflowKind.TRAIN,
        spec=bench.spec,
        settings=bench.settings,
        paths=bench.home,
        params={},
        origin=Origin("operator"),
        run_id="again",
        upstream={},
        resources=resources,
    )
    return reproduce_model(context, version)


def test_training_again_later_gives_the_same_predictions_and_metrics(trained: Bench) -> None:
    trained.pass_minutes(40)
    trained.run(DATA)
    trained.settings = settings_with(horizon=7, learner={"scale_iter": 3})
    again = reproduce(trained)
    assert again.is_equal
    assert again.has_same_rows
    assert again.largest_difference == 0.0
    assert again.metrics > 30
    assert again.differing_metrics == ()
    assert (again.code, again.packages) == ({}, {})
    assert len(trained.registry.registered) == 1


def test_rows_that_have_changed_since_are_told(trained: Bench) -> None:
    at = trained.registry.registered[0].tags["window_end_at"]
    trained.session.write(
        Statement(
            "UPDATE features SET feature_values = list_transform(feature_values, x -> x * 1.5)"
            " WHERE candle_date_time_utc BETWEEN ?::TIMESTAMPTZ - INTERVAL 300 MINUTE AND ?",
            (at, at),
        )
    )
    again = reproduce(trained)
    assert not again.is_equal
    assert not again.has_same_rows
    assert again.largest_difference > 0.0
    assert "pinball" in {each.name for each in again.differing_metrics}


def test_another_model_than_the_recorded_one_is_not_equal(trained: Bench) -> None:
    (run,) = trained.registry.runs.values()
    config = run.documents["config"]
    assert isinstance(config, dict)
    config["learner"] = {**config["learner"], "scale_iter": 40}
    again = reproduce(trained)
    assert again.has_same_rows
    assert again.largest_difference > again.tolerance
    assert not again.is_equal


def test_rows_that_are_gone_are_an_error_with_the_way_to_get_them_back(trained: Bench) -> None:
    at = trained.registry.registered[0].tags["window_start_at"]
    trained.session.write(Statement("DELETE FROM features WHERE candle_date_time_utc = ?", (at,)))
    with pytest.raises(DataQualityError) as raised:
        reproduce(trained)
    assert "no longer all stored" in raised.value.message
    assert "appliance backfill KRW-BTC --unit 1 --from" in raised.value.hint


def test_rows_of_other_features_do_not_take_the_place_of_the_trainings(trained: Bench) -> None:
    features = {"half_lives": [4, 10, 30], "scale_half_life": 10, "return_lags": [1, 5, 9]}
    trained.settings = settings_with(features=features)
    trained.run(DATA)
    assert reproduce(trained).is_equal


def test_a_model_of_rows_that_other_code_made_is_not_reproduced(
    trained: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(row_digest._codes, type(trained.spec), "changed code")
    with pytest.raises(DataQualityError, match="no longer all stored"):
        reproduce(trained)
    trained.run(DATA)
    again = reproduce(trained)
    assert again.has_same_rows
    assert again.row_digest != again.current_row_digest
    assert not again.is_equal
    assert again.verdict == "not equal"


def test_a_version_that_does_not_say_what_made_its_rows_cannot_be_judged(trained: Bench) -> None:
    (run,) = trained.registry.runs.values()
    del run.documents["data_window"]["row_digest"]  # type: ignore[attr-defined]
    again = reproduce(trained)
    assert not again.is_equal
    assert again.verdict.startswith("cannot be judged")


def test_a_version_without_records_or_of_another_number_is_not_found(trained: Bench) -> None:
    with pytest.raises(ModelNotFound):
        reproduce(trained, 9)
    (run,) = trained.registry.runs.values()
    del run.documents["config"]
    with pytest.raises(ModelNotFound):
        reproduce(trained)


def test_a_profile_lost_by_a_kill_is_taken_from_the_run(trained: Bench) -> None:
    trained.session.write(Statement("DELETE FROM reference_profiles"))
    trained.run(WorkflowKind.INFERENCE)
    trained.pass_minutes(60)
    trained.run(DATA)
    trained.run(WorkflowKind.INFERENCE)
    drift = trained.run(WorkflowKind.MONITORING).outputs["measure_drift"]
    assert drift["verdict"] != "insufficient" or drift["rows"]
    count = trained.session.read("SELECT count(*) AS n FROM reference_profiles").to_pylist()
    assert count == [{"n": 1}]


def test_a_training_tells_how_far_it_is(bench: Bench) -> None:
    bench.run(DATA)
    said: list[str] = []
    with listening(said.append):
        bench.run(TRAIN)
    bench.run(TRAIN)
    assert [text.split(":")[0] for text in said if text.startswith("fold")] == [
        "fold 1 of 2",
        "fold 2 of 2",
    ]
    assert said[0].startswith("checking the newest 1,200 rows")
    assert said[1].startswith("fitting on 1,2")


def test_the_parameters_that_a_search_finds_are_recorded_and_reproduced(bench: Bench) -> None:
    bench.settings = settings_with(search={"seconds": 1})
    bench.run(DATA)
    said: list[str] = []
    with listening(said.append):
        bench.run(TRAIN)
    assert any(text.startswith("best of ") for text in said)
    (run,) = bench.registry.runs.values()
    config = run.documents["config"]
    assert isinstance(config, dict)
    assert config["learner"]["learning_rate"] == run.params["learner.learning_rate"]
    bench.pass_minutes(60)
    bench.settings = settings_with()
    assert reproduce(bench).is_equal


def test_provenance_names_packages_and_tells_changed_code_apart() -> None:
    packages = environment()
    assert {"python", "scikit-learn", "numpy", "pandas"} <= set(packages)
    code = code_version(PROJECT)
    assert len(code["sources_sha256"]) == 64
    assert code["sources_sha256"] != code_version("template")["sources_sha256"]
    assert differences(packages, packages) == {}
    changed = {**packages, "numpy": "0.1"}
    assert differences(packages, changed) == {"numpy": f"{packages['numpy']} -> 0.1"}


def test_equality_needs_the_same_rows_and_the_same_results(trained: Bench) -> None:
    again = reproduce(trained)
    assert not replace(again, has_same_rows=False).is_equal
    assert not replace(again, largest_difference=1e-6).is_equal


def test_a_reproduction_that_compares_nothing_is_no_success(trained: Bench) -> None:
    again = reproduce(trained)
    assert again.is_equal
    for nothing in (
        replace(again, metrics=0),
        replace(again, rows=0),
        replace(again, largest_difference=float("nan")),
    ):
        assert not nothing.is_equal
        assert nothing.verdict.startswith("cannot be judged: ")
