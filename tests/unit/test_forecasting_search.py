"""The search for learner parameters: its budget, its going on, and what it may look at."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec, FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.forecast_spec import LearnerSpec
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows, label_rows
from appliance.pipelines.forecasting.trainer import search
from appliance.pipelines.forecasting.trainer.search import search_learner, space_of
from appliance.pipelines.progress import listening
from tests.fakes.market import synthetic_candles

FEATURES = {"half_lives": [4, 10, 30], "scale_half_life": 10, "return_lags": [1, 5]}


def spec(seconds: int, **changes: object) -> CryptoSpec:
    overrides = {
        "horizon": 5,
        "features": FEATURES,
        "learner": {"kind": "linear"},
        "evaluation": {"purge": 5, "embargo": 0, "folds": 2},
        "search": {"seconds": seconds},
        **changes,
    }
    chosen = load_spec_from_config("krw_btc_1m", overrides)
    assert isinstance(chosen, CryptoSpec)
    return chosen


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    candles = synthetic_candles(1_200)
    return label_rows(compute_rows(candles, [], 1, FeatureSpec.model_validate(FEATURES)), 1, 5)


def test_it_is_off_by_default_and_loads_nothing(rows: LabelledRows, tmp_path: Path) -> None:
    sys.modules.pop("optuna", None)
    assert search_learner(rows, spec(0), tmp_path) == spec(0).learner
    assert list(tmp_path.iterdir()) == []
    assert "optuna" not in sys.modules


def test_a_spent_budget_is_not_spent_again(rows: LabelledRows, tmp_path: Path) -> None:
    found = search_learner(rows, spec(1), tmp_path)
    said: list[str] = []
    with listening(said.append):
        again = search_learner(rows, spec(1), tmp_path)
    assert again == found
    assert said[0].endswith("0 s left")
    assert not any(text.startswith("trial") for text in said)


def test_an_interrupted_search_goes_on_with_what_it_knows(
    rows: LabelledRows, tmp_path: Path
) -> None:
    def interrupt(text: str) -> None:
        if text.startswith("trial 3"):
            raise KeyboardInterrupt

    with listening(interrupt), pytest.raises(KeyboardInterrupt):
        search_learner(rows, spec(3_600), tmp_path)
    said: list[str] = []

    def stop(text: str) -> None:
        said.append(text)
        if text.startswith("trial"):
            raise KeyboardInterrupt

    with listening(stop), pytest.raises(KeyboardInterrupt):
        search_learner(rows, spec(3_600), tmp_path)
    assert said[0].startswith("searching learner parameters: 2 trials known")
    assert said[1].startswith("trial 4")


def test_a_damaged_search_begins_anew(rows: LabelledRows, tmp_path: Path) -> None:
    search_learner(rows, spec(1), tmp_path)
    (journal,) = tmp_path.glob("*.journal")
    journal.write_text('{"op_code": 0, "study_na\n{}\n')
    said: list[str] = []
    with listening(said.append):
        search_learner(rows, spec(1), tmp_path)
    assert said[0].startswith("searching learner parameters: 0 trials known")


def test_another_config_is_another_search_and_only_the_newest_is_kept(
    rows: LabelledRows, tmp_path: Path
) -> None:
    search_learner(rows, spec(1), tmp_path)
    (first,) = tmp_path.glob("*.journal")
    search_learner(rows, spec(1, quantiles=[0.05, 0.5, 0.95]), tmp_path)
    (second,) = tmp_path.glob("*.journal")
    assert first != second


def test_no_row_of_the_evaluation_is_searched_on(
    rows: LabelledRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    usual = search.evaluate_walk_forward

    def watched(part: LabelledRows, *rest: object) -> object:
        seen.append(len(part))
        return usual(part, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "evaluate_walk_forward", watched)
    chosen = spec(1)
    search_learner(rows, chosen, tmp_path)
    assert seen
    assert max(seen) <= len(rows) * (1.0 - chosen.evaluation.test_fraction)


def test_the_space_contains_the_configs_own_values_and_what_is_0_stays_0() -> None:
    own = LearnerSpec(scale_iter=5, l2_regularization=0.0, kind="blend")
    space = space_of(own)
    assert "l2_regularization" not in space
    assert all(low <= getattr(own, name) <= high for name, (low, high) in space.items())
