"""Configs by the name of their file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.crypto_forecast.configs.krw_btc_1m import KrwBtc1m
from appliance.pipelines.crypto_forecast.configs.krw_btc_60m import KrwBtc60m
from appliance.pipelines.spec import ProjectSpec, build_spec, choose_config

PROJECT = "crypto_forecast"

CONFIGS: dict[str, type[ProjectSpec]] = {
    "krw_btc_60m": KrwBtc60m,
    "krw_btc_1m": KrwBtc1m,
}
"""Every config; the first is used when the settings name none."""


def load_spec_from_config(
    name: str = "",
    overrides: Mapping[str, Any] | None = None,
) -> CryptoSpec:
    """Return the config called `name` with `overrides` applied.

    Raises:
        ConfigError: no such config, an unknown override or a value that is not allowed.
    """
    config = choose_config(CONFIGS, name or next(iter(CONFIGS)), PROJECT)
    return cast("CryptoSpec", build_spec(config, overrides or {}, PROJECT))
