"""A home has one source, and it never flips by itself."""

from __future__ import annotations

import json

import pytest

from appliance.config import exchanges
from appliance.config.exchanges import ExchangeEntry
from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.config.validation import InvalidValues, validated
from appliance.errors import ApplianceNotRunning
from appliance.exchange.source import resolve_source, source_kind
from tests.listening import announce
from tests.simulator_fixtures import running_simulator

NOBODY = "http://127.0.0.1:9"


def settings(**source: str) -> Settings:
    return Settings.model_validate({"source": source})


def test_a_kind_that_is_none_is_one_problem_that_names_those_there_are() -> None:
    with pytest.raises(InvalidValues, match="must be one of auto, upbit, simulator") as refused:
        validated(Settings, {"source": {"kind": "Upbit"}})
    assert len(refused.value.problems) == 1


def test_upbit_itself_and_a_compatible_server_have_different_names(home: Paths) -> None:
    real = resolve_source(settings(kind="upbit"), home)
    assert (real.source_id, real.label, real.is_simulated) == ("upbit", "Upbit", False)
    other = resolve_source(settings(kind="upbit", rest_url="http://127.0.0.1:9999/"), home)
    assert other.source_id == "upbit@127.0.0.1:9999"
    assert other.label == "Upbit-compatible server at http://127.0.0.1:9999"


def test_a_recorded_exchange_keeps_its_addresses_when_auto_stands_for_another(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.home / "source.json").write_text('{"kind": "upbit"}')
    other = ExchangeEntry("Other", "tests.fakes.tiny_exchange", NOBODY, "ws://127.0.0.1:9")
    monkeypatch.setitem(exchanges.EXCHANGES, "other", other)
    monkeypatch.setattr(exchanges, "AUTO", "other")
    assert settings(kind="auto").source.rest_url == NOBODY
    source = resolve_source(settings(kind="auto"), home)
    assert (source.source_id, source.rest_url) == ("upbit", "https://api.upbit.com")


def test_the_simulator_is_named_by_its_seed_and_says_so_loudly(home: Paths) -> None:
    announce(home, "simulator", 18000)
    source = resolve_source(settings(kind="simulator"), home)
    assert source.rest_url == "http://127.0.0.1:18000"
    assert source.websocket_url == "ws://127.0.0.1:18000/websocket/v1"
    assert source.source_id == "simulator:seed=7"
    assert source.label == "SIMULATOR - synthetic prices, not the market"
    assert source.is_simulated


def test_a_simulator_that_never_ran_is_said_with_the_next_step(home: Paths) -> None:
    with pytest.raises(ApplianceNotRunning):
        resolve_source(settings(kind="simulator"), home)


def test_auto_keeps_its_first_choice_when_upbit_disappears(home: Paths) -> None:
    with running_simulator() as url:
        assert source_kind(settings(kind="auto", rest_url=url), home) == "upbit"
    assert source_kind(settings(kind="auto", rest_url=NOBODY), home) == "upbit"
    assert json.loads((home.home / "source.json").read_text())["kind"] == "upbit"


def test_auto_takes_the_simulator_when_nobody_answers_and_keeps_it(home: Paths) -> None:
    assert source_kind(settings(kind="auto", rest_url=NOBODY), home) == "simulator"
    with running_simulator() as url:
        assert source_kind(settings(kind="auto", rest_url=url), home) == "simulator"
