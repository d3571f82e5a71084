"""Two versions beside each other: what the store, the registry and the gate know of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.config.paths import Paths
from appliance.domain.model_comparison import ModelComparison
from appliance.errors import ModelNotFound
from appliance.pipelines.model_comparison import compare_versions, gate_alpha
from tests.fakes.registry import FakeRegistry
from tests.integration.test_crypto_forecast_probation import DATA, TRAIN, Live
from tests.integration.test_crypto_forecast_workflows import OVERRIDES, PROJECT, settings_with
from tests.integration.test_live_evidence import BAD, make


def compared(live: Live, first: int, second: int) -> ModelComparison:
    alpha = gate_alpha(live.settings, PROJECT)
    resources = live.resources
    return compare_versions(resources.session, resources.registry, PROJECT, first, second, alpha)


def test_a_better_version_beside_the_champion(home: Paths) -> None:
    live = make(home)
    live.run(DATA)
    live.run(TRAIN)
    live.bend(1, BAD)
    learner = {**OVERRIDES["learner"], "quantile_iter": 6}  # type: ignore[dict-item]
    live.settings = settings_with(learner=learner)
    live.run(TRAIN)
    found = compared(live, 1, 2)
    assert found.metrics["coverage"][0] is not None and found.metrics["coverage"][1] is not None
    assert not [name for name in found.metrics if name.startswith("fold_")]
    assert found.differing["learner.quantile_iter"] == ("5", "6")
    assert "market" not in found.differing
    same = found.same_rows
    assert same is not None and same.second.loss < same.first.loss
    assert same.words.startswith("better: loss ")
    assert (same.verdict, same.rows_missing) == ("better", 0)
    assert same.missing_words == "no row is missing: the evidence is settled"
    assert same.first.skill_ewma is not None and 0.0 <= same.second.coverage <= 1.0
    assert all(facts.seconds is not None and facts.model_bytes for facts in found.trainings)
    assert sum(regime.rows for regime in same.regimes) == same.rows
    assert [trial.challenger for trial in found.trials] == [2]
    swapped = compared(live, 2, 1)
    assert swapped.same_rows is not None
    assert swapped.same_rows.words.startswith("worse: loss ")
    with pytest.raises(ModelNotFound):
        compared(live, 1, 7)

    registry = live.resources.registry
    assert isinstance(registry, FakeRegistry)
    other = registry.registered[1]
    registry.registered[1] = replace(other, tags={**other.tags, "unit": "60"})
    elsewhere = compared(live, 1, 2)
    assert elsewhere.same_rows is None
    assert elsewhere.why_not == "they forecast different things"
    live.resources.close()
