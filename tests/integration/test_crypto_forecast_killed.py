"""A training killed at any moment leaves whole versions only, and the next one is clean."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from appliance.config.paths import Paths
from appliance.domain.event import EventKind
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import ModelNotFound
from appliance.pipelines.context import MarketSource, Resources
from appliance.pipelines.workflow import run_in_process
from store.drift import read_profile
from store.events import read_events
from store.open import open_store
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.integration.test_crypto_forecast_workflows import PROJECT, settings_with
from tests.training_process import kill_training_at

SHARED, CLIENT = "appliance.pipelines.forecasting", "mlflow:MlflowClient"
QUIET_POINTS = (
    f"{SHARED}.trainer.quantile_forecaster:QuantileForecaster.fit",
    "appliance.registry.flavour:save",
    "appliance.registry.artifacts:Artifacts.add_figures",
    "appliance.registry.artifacts:Artifacts.add_documents",
    f"+{SHARED}.core.train:_score_and_log",
    f"{SHARED}.core.evaluate:fold_figure",
    f"+{SHARED}.core.evaluate:evaluate_model",
    f"{CLIENT}.create_model_version",
)
"""Points before a version exists."""
FIRST_POINTS = (
    (f"+{CLIENT}.create_model_version", None),
    (f"{SHARED}.core.train:write_profile", None),
    (f"{CLIENT}.set_registered_model_alias", None),
    (f"+{CLIENT}.set_registered_model_alias", 4),
)
"""Points at which the first model has become a version, and the champion that is there then."""
LATER_POINTS = (
    f"+{CLIENT}.create_model_version",
    f"{SHARED}.core.evaluate:begin_challenge",
    f"{SHARED}.core.evaluate:judge_trial",
)
"""Points at which a later model has become a version beside a champion."""


@pytest.fixture
def prepared(home: Paths) -> Paths:
    """A home with prepared rows."""
    market = FakeMarket(
        "KRW-BTC", 1, synthetic_candles(3_000), ORIGIN + timedelta(minutes=2_500, seconds=5)
    )
    resources = Resources.of_home(home, settings_with())
    resources.open_source = lambda: MarketSource(market, "fake")  # type: ignore[arg-type]
    run_in_process(home, settings_with(), PROJECT, WorkflowKind.DATA, resources=resources)
    resources.close()
    return home


def look(home: Paths) -> tuple[list[Any], list[str], int | None]:
    """Return the versions, the states of all runs, and the champion; check that each version is whole."""
    from appliance.registry.client import open_registry

    registry = open_registry(home, settings_with())
    versions = registry.versions(PROJECT)
    for version in versions:
        assert registry.load_model(PROJECT, version.version) is not None
        profile: Any = registry.document(version.run_id, "reference_profile")
        assert profile["loss"]
        assert {"pinball", "holdout_pinball", "fold_1_pinball"} <= set(version.metrics)
        assert {"window_start_at", "window_end_at", "feature_names"} <= set(version.tags)
        assert registry._client.get_run(version.run_id).info.status == "FINISHED"
    experiment = registry._client.get_experiment_by_name(PROJECT)
    runs = registry._client.search_runs([experiment.experiment_id]) if experiment else []
    try:
        champion = registry.champion(PROJECT).version
    except ModelNotFound:
        champion = None
    return versions, [run.info.status for run in runs], champion


@pytest.mark.long
def test_a_training_killed_at_any_stage_leaves_whole_versions_and_the_next_is_clean(
    prepared: Paths,
) -> None:
    for point in QUIET_POINTS:
        kill_training_at(point)
        versions, _, champion = look(prepared)
        assert (versions, champion) == ([], None), point
    for count, (point, expected) in enumerate(FIRST_POINTS, start=1):
        kill_training_at(point)
        versions, _, champion = look(prepared)
        assert (len(versions), champion) == (count, expected), point
    for count, point in enumerate(LATER_POINTS, start=len(FIRST_POINTS) + 1):
        kill_training_at(point)
        versions, _, champion = look(prepared)
        assert (len(versions), champion) == (count, len(FIRST_POINTS)), point
    result = run_in_process(prepared, settings_with(), PROJECT, WorkflowKind.TRAIN)
    assert set(result.states.values()) == {RunState.SUCCESS}
    versions, states, champion = look(prepared)
    assert (len(versions), champion) == (len(FIRST_POINTS) + len(LATER_POINTS) + 1, 4)
    assert "RUNNING" not in states
    assert states.count("KILLED") == 3
    with open_store(prepared) as session:
        assert read_profile(session, PROJECT, versions[0].version) is not None
        assert [e.details["version"] for e in read_events(session, kinds=[EventKind.TRAINED])][
            -1
        ] == versions[0].version
