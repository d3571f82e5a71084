"""Configuration is layered, validated, and explains what is wrong."""

from __future__ import annotations

import pytest

from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.errors import ConfigError


def write(home: Paths, text: str, name: str = "appliance.toml") -> None:
    path = home.compose / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_home_overrides_what_is_shipped(home: Paths) -> None:
    write(home, '[ingest]\nmarkets = ["KRW-ETH"]\n')
    settings = load_settings(home)
    assert settings.ingest.markets == ("KRW-ETH",)
    assert settings.ingest.timeframes == (1, 60)


def test_the_environment_overrides_the_files(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "[airflow]\nport = 8001\n")
    monkeypatch.setenv("APPLIANCE__AIRFLOW__PORT", "8002")
    monkeypatch.setenv("APPLIANCE__INGEST__MARKETS", '["KRW-XRP"]')
    settings = load_settings(home)
    assert settings.airflow.port == 8002
    assert settings.ingest.markets == ("KRW-XRP",)


@pytest.mark.parametrize(
    ("text", "key", "suggestion"),
    [
        ("[ingest]\nmarket = []\n", "ingest.market", "markets"),
        ("[airflwo]\nport = 1\n", "airflwo", "airflow"),
        ('[projects.crypto_forecast]\npromotoin = "auto"\n', "promotoin", "promotion"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    home: Paths, text: str, key: str, suggestion: str
) -> None:
    write(home, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(home)
    assert key in caught.value.message
    assert str(home.compose) in caught.value.message
    assert suggestion in caught.value.hint


def test_a_wrong_value_names_key_file_and_value(home: Paths) -> None:
    write(home, '[ingest]\nmarkets = ["krw-btc"]\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(home)
    assert "ingest.markets" in caught.value.message
    assert "krw-btc" in caught.value.message
    assert str(home.compose) in caught.value.message


def test_text_that_is_not_toml_names_the_file_and_the_place(home: Paths) -> None:
    write(home, "[ingest\n")
    with pytest.raises(ConfigError, match=r"appliance\.toml is not valid TOML.*line 1"):
        load_settings(home)


def test_projects_have_a_file_each(home: Paths) -> None:
    write(home, "enabled = false\n", "projects/crypto_forecast.toml")
    assert not load_settings(home).projects["crypto_forecast"].enabled
