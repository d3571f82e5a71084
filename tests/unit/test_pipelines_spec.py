"""Configs by name, overrides, and what is said when one does not exist."""

from __future__ import annotations

import pytest

from appliance.config.paths import SOURCE_ROOT
from appliance.config.settings import ProjectSettings, Settings
from appliance.domain.workflow import WorkflowKind
from appliance.errors import ConfigError
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import (
    CONFIGS,
    load_spec_from_config,
)
from appliance.pipelines.spec import describe_project, project_names
from appliance.pipelines.workflow import find_stage, find_workflow


def test_the_default_config_is_the_next_hour() -> None:
    spec = load_spec_from_config()
    assert (spec.market, spec.unit, spec.horizon) == ("KRW-BTC", 60, 1)


def test_every_config_file_is_registered() -> None:
    folder = SOURCE_ROOT / "appliance" / "pipelines" / "crypto_forecast" / "configs"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "crypto_spec"}
    assert files == set(CONFIGS)
    for name in CONFIGS:
        spec = load_spec_from_config(name)
        assert spec.evaluation.purge >= spec.horizon
        for wrong in ({"horizon": 0}, {"market": "btc"}, {"unit": 7}):
            with pytest.raises(ConfigError):
                load_spec_from_config(name, wrong)


def test_overrides_merge_key_by_key() -> None:
    spec = load_spec_from_config("krw_btc_60m", {"horizon": 3, "features": {"return_lags": [1, 2]}})
    assert spec.horizon == 3
    assert spec.features.return_lags == (1, 2)
    assert spec.features.half_lives == (6, 24, 120)


def test_an_unknown_config_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as raised:
        load_spec_from_config("krw_btc_1min")
    assert raised.value.hint == "did you mean 'krw_btc_1m'?"


@pytest.mark.parametrize(
    ("overrides", "key", "hint"),
    [
        ({"horizn": 3}, "horizn", "did you mean 'horizon'?"),
        ({"learner": {"scale_iters": 3}}, "learner.scale_iters", "did you mean 'scale_iter'?"),
        ({"horizon": 0}, "horizon", "correct horizon under [overrides]"),
        ({"unit": 7}, "unit", "correct unit under [overrides]"),
    ],
)
def test_a_wrong_override_says_which_and_what_next(
    overrides: dict[str, object], key: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_spec_from_config("krw_btc_1m", overrides)
    assert key in raised.value.message
    assert hint in raised.value.hint


def test_settings_choose_config_and_overrides() -> None:
    project = ProjectSettings(config="krw_btc_60m", overrides={"market": "KRW-ETH"})
    spec = describe_project(Settings(projects={"crypto_forecast": project}), "crypto_forecast")
    assert (spec.market, spec.unit) == ("KRW-ETH", 60)


def test_an_unknown_project_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as raised:
        describe_project(Settings(), "crypto_forcast")
    assert "crypto_forecast" in raised.value.hint
    assert "crypto_forecast" in project_names()


def test_stage_names_are_unique_functions_that_exist() -> None:
    from importlib import import_module

    names = [
        stage.name
        for kind in WorkflowKind
        for stage in find_workflow("crypto_forecast", kind).stages
    ]
    assert len(names) == len(set(names))
    for name in names:
        _, stage = find_stage("crypto_forecast", name)
        module = import_module(f"appliance.pipelines.crypto_forecast.core.{stage.module}")
        assert callable(getattr(module, name))
    with pytest.raises(ConfigError):
        find_stage("crypto_forecast", "no_such_stage")
