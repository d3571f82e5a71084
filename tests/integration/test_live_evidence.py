"""A model is promoted by itself only on forecasts that were made before their outcome was known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from appliance import clock
from appliance.config.paths import Paths
from appliance.domain.event import EventKind
from appliance.domain.trial import Trial, TrialPurpose, TrialState
from appliance.errors import ModelNotFound
from appliance.pipelines.context import MarketSource, Resources
from appliance.pipelines.forecasting.core.first_model import FIRST, MISSING
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.fakes.registry import FakeRegistry
from tests.integration.test_crypto_forecast_probation import DATA, INFERENCE, TRAIN, Live
from tests.integration.test_crypto_forecast_workflows import OVERRIDES, PROJECT, settings_with

LIVE_ROWS = 24
BAD = [-9.0, 0.0, 9.0]


def make(home: Paths, **evaluation: object) -> Live:
    overrides = {**OVERRIDES["evaluation"], "gate_live_rows": LIVE_ROWS, **evaluation}  # type: ignore[dict-item]
    settings = settings_with(evaluation=overrides)
    now_at = ORIGIN + timedelta(minutes=2_500, seconds=5)
    market = FakeMarket("KRW-BTC", 1, synthetic_candles(4_000), now_at)
    resources = Resources.of_home(home, settings)
    resources.open_source = lambda: MarketSource(market, "fake")  # type: ignore[arg-type]
    resources.open_registry = FakeRegistry  # type: ignore[assignment]
    return Live(home, settings, market, resources)


@pytest.fixture
def live(home: Paths) -> Iterator[Live]:
    live = make(home)
    yield live
    live.resources.close()


def challenge(live: Live) -> Trial:
    return live.trials(TrialPurpose.CHALLENGE)[-1]


def test_rows_filled_in_later_argue_and_live_ones_decide(live: Live) -> None:
    live.run(DATA)
    live.run(TRAIN)
    live.bend(1, BAD)
    live.run(TRAIN)
    trial = challenge(live)
    assert (trial.state, live.champion()) == (TrialState.RUNNING, 1)
    assert "better" in trial.words
    assert f"waits for {LIVE_ROWS} more rows that are forecast live" in trial.words
    while challenge(live).state is TrialState.RUNNING:
        live.pass_minutes(4)
        assert live.market.now_at < ORIGIN + timedelta(minutes=2_600)
    assert live.champion() == 2
    evidence = challenge(live).evidence
    assert LIVE_ROWS <= int(str(evidence["live_rows"])) < LIVE_ROWS + 8


def test_a_challenger_that_is_worse_live_is_not_promoted_for_what_was_filled_in(live: Live) -> None:
    live.run(DATA)
    live.run(TRAIN)
    first = live.resources.registry.load_model(PROJECT, 1)
    good = first.shifts_.tolist()  # type: ignore[attr-defined]
    live.bend(1, BAD)
    live.run(TRAIN)
    live.bend(1, good)
    live.bend(2, [-4.0, 0.0, 4.0])
    for _ in range(12):
        live.pass_minutes(4)
    trial = challenge(live)
    assert (trial.state, live.champion()) == (TrialState.RUNNING, 1)
    assert "its loss is not lower on the" in trial.words


def test_a_first_model_with_unbelievable_skill_is_held_and_not_trained_again(home: Paths) -> None:
    live = make(home, first_model_most_skill=1e-9)
    registry = live.resources.registry
    assert live.run(DATA).request == FIRST
    assert live.run(TRAIN).outputs["decide_promotion"]["decision"] == "held"
    with pytest.raises(ModelNotFound):
        registry.champion(PROJECT)
    (held,) = live.events(EventKind.MODEL_HELD)
    assert "version 1 is held for a person: skill" in held.summary
    assert not live.run(DATA).request
    registry.reject(PROJECT, 1, seen=0)
    assert not live.run(DATA).request, "the same code makes the same model"
    registry.promote(PROJECT, 1, seen=0)
    assert live.champion() == 1
    assert registry.version(PROJECT, 1).tags["gate.state"] == "promoted"
    live.resources.close()


def test_skill_that_no_model_ever_had_is_held_for_a_person(home: Paths) -> None:
    live = make(home, gate_live_rows=0, most_skill_gain=0.1)
    live.run(DATA)
    live.run(TRAIN)
    registry = live.resources.registry
    live.bend(1, BAD)
    assert isinstance(registry, FakeRegistry)
    registry.runs["run-1"].metrics["skill_ewma"] = -0.2
    live.run(TRAIN)
    trial = challenge(live)
    assert (trial.state, live.champion()) == (TrialState.BETTER, 1)
    assert "held for a person: skill" in trial.words
    assert registry.aliases["challenger"] == 2
    (verdict,) = live.events(EventKind.GATE_VERDICT)
    assert verdict.details["suggests"] is True
    live.resources.close()


def test_a_champion_that_is_gone_asks_at_once_also_soon_after_the_first_training(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now_at)  # within the same ten minutes
    first: Any = live.run(DATA).outputs["check_quality"]["request"]
    live.run(TRAIN)
    registry = live.resources.registry
    assert isinstance(registry, FakeRegistry)
    registry.aliases.clear()
    live.run(INFERENCE)
    again: Any = live.run(DATA).outputs["check_quality"]["request"]
    assert (first["reason"], again["reason"]) == (FIRST, MISSING)
    assert again["id"] != first["id"], "Airflow takes no second run of one id"
