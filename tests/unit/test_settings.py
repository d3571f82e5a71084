"""Configuration is layered, validated, and explains what is wrong."""

from __future__ import annotations

import os

import pytest

from appliance.cli.configuration_check import find_problems
from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.config.toml_lines import line_of
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


NONSENSE = [
    ("[source]", 'rest_url = "ftp://api.upbit.com"'),
    ("[source]", 'rest_url = "https://me:secret@api.upbit.com"'),
    ("[source]", 'websocket_url = "https://api.upbit.com"'),
    ("[source]", "requests_per_second = true"),
    ("[simulator]", "speed = inf"),
    ("[simulator]", "speed = nan"),
    ("[simulator]", 'start = "yesterday"'),
    ("[simulator]", 'start = "0001-01-01"'),
    ("[simulator]", "seed = -1"),
    ("[simulator]", 'scenario = "a\\u0000b"'),
    ("[ingest]", "markets = []"),
    ("[ingest]", 'markets = ["KRW-BTC", "KRW-BTC"]'),
    ("[ingest]", "timeframes = [true]"),
    ("[ingest]", "timeframes = [1.0]"),
    ("[ingest]", "timeframes = [60, 60]"),
    ("[ingest]", "history_candles = 20000.0"),
    ("[ingest]", 'audit_at = "24:00"'),
    ("[store]", 'memory_limit = "plenty"'),
    ("[store]", 'memory_limit = "1KB"'),
    ("[store]", 'memory_limit = "900PB"'),
    ("[store]", 'raw_days = "90"'),
    ("[airflow]", "port = 80"),
    ("[airflow]", "port = 70000"),
    ("[airflow]", 'database_url = "mysql://host/airflow"'),
    ("[airflow]", 'database_url = "postgresql://"'),
    ("[mlflow]", 'database_url = "mongodb://host/db"'),
    ("[mlflow]", 'artifact_root = "gs://bucket/models"'),
    ("[mlflow]", 'artifact_root = "s3://"'),
    ("[s3]", 'endpoint_url = "minio:9000"'),
    ("[s3]", 'region = "two words"'),
    ("[slack]", 'channel = "two words"'),
    ("[slack]", 'base_url = "http://slack.example/api/"'),
]


@pytest.mark.parametrize(("section", "line"), NONSENSE)
def test_nonsense_is_refused_with_file_line_and_key(home: Paths, section: str, line: str) -> None:
    write(home, f"# a comment\n\n{section}\n\n{line}\n")
    key = f"{section.strip('[]')}.{line.partition(' ')[0]}"
    with pytest.raises(ConfigError) as caught:
        load_settings(home)
    assert f"{home.compose / 'appliance.toml'}, line 5: {key}" in caught.value.message
    assert "was" in caught.value.message
    assert caught.value.hint


VALID = [
    ("[simulator]", "start = 2026-01-01T00:00:00Z"),
    ("[simulator]", 'start = "2026-01-01"'),
    ("[store]", 'memory_limit = "1.5 GiB"'),
    ("[airflow]", 'database_url = "postgresql+psycopg2://a@/db?host=/run/postgresql"'),
    ("[mlflow]", 'database_url = "postgresql://a:b@db.internal:5432/mlflow"'),
    ("[mlflow]", 'artifact_root = "s3://models/appliance"'),
    ("[mlflow]", 'artifact_root = "/srv/models"'),
    ("[s3]", 'endpoint_url = "http://[::1]:9000"'),
    ("[slack]", 'channel = "#경보"'),
    ("[source]", 'rest_url = "http://127.0.0.1:18000"'),
]


@pytest.mark.parametrize(("section", "line"), VALID)
def test_what_is_meaningful_is_taken(home: Paths, section: str, line: str) -> None:
    write(home, f"{section}\n{line}\n")
    load_settings(home)


def test_two_services_on_one_chosen_port_are_refused(home: Paths) -> None:
    write(home, "[mlflow]\nport = 5001\n[airflow]\nport = 5001\n")
    with pytest.raises(ConfigError, match=r"line 4: airflow\.port must differ from mlflow\.port"):
        load_settings(home)


def test_a_section_and_a_value_of_one_name_are_refused(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE__AIRFLOW", "8001")
    monkeypatch.setenv("APPLIANCE__AIRFLOW__PORT", "8001")
    with pytest.raises(ConfigError, match="APPLIANCE__AIRFLOW__PORT"):
        load_settings(home)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("APPLIANCE__AIRFLOW__PORT", "80", "airflow.port"),
        ("APPLIANCE__AIRFLOW__PORT", "[" * 5000, "nested"),
        ("APPLIANCE__AIRFLOW__PORT", "9" * 5000, "APPLIANCE__AIRFLOW__PORT"),
        ("APPLIANCE__", "1", "names no key"),
        ("APPLIANCE__S3__REGION", "a\x1b[31m", "not plain text"),
    ],
)
def test_a_wrong_variable_is_named(
    home: Paths, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load_settings(home)
    assert told in caught.value.message
    assert variable in caught.value.message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe[\x00", "not UTF-8"),
        (b"a = " + b"[" * 20_000, "nested"),
        (b".".join([b"a"] * 3000) + b" = 1", "nested"),
        (b"#" * 5_000_000, "larger than"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(home: Paths, content: bytes, told: str) -> None:
    (home.compose / "appliance.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=told) as caught:
        load_settings(home)
    assert str(home.compose / "appliance.toml") in caught.value.message


def test_a_byte_order_mark_is_no_error(home: Paths) -> None:
    (home.compose / "appliance.toml").write_bytes(
        b"\xef\xbb\xbf[ingest]\r\nmarkets = ['KRW-ETH']\r\n"
    )
    assert load_settings(home).ingest.markets == ("KRW-ETH",)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop", "dangling"])
def test_what_is_no_file_is_named(home: Paths, kind: str) -> None:
    path = home.compose / "appliance.toml"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to(path)
        case _:
            path.symlink_to(home.home / "nothing")
    with pytest.raises(ConfigError) as caught:
        load_settings(home)
    assert str(path) in caught.value.message


def test_every_error_is_listed(home: Paths) -> None:
    write(home, '[airflow]\nport = 1\nprot = 2\n[store]\nmemory_limit = "x"\n')
    write(home, "[overrides]\nhorizn = 2\n", "projects/crypto_forecast.toml")
    write(home, "", "projects/nothing_forecast.toml")
    keys = {".".join(problem.key) for problem in find_problems(home)}
    assert keys == {
        "airflow.port",
        "airflow.prot",
        "store.memory_limit",
        "projects.crypto_forecast.overrides.horizn",
        "projects.nothing_forecast",
    }


@pytest.mark.parametrize("key", ["scenario", "faults"])
def test_a_file_that_is_named_must_be_there(home: Paths, key: str) -> None:
    write(home, f'[simulator]\n{key} = "/nowhere.toml"\n')
    (problem,) = find_problems(home)
    assert "line 2" in problem.place
    assert "/nowhere.toml does not exist" in problem.message


@pytest.mark.parametrize(
    ("key", "line"), [("a", 1), ("b.c", 4), ("b.d.1", 5), ("b.e.f", 9), ("b.g", 3), ("x", None)]
)
def test_the_line_of_a_key_is_found(key: str, line: int | None) -> None:
    text = 'a = """\n"""\n[b]\nc = 1\nd = [\n  1,\n  2,\n]\ne = { f = 1 }\n'
    assert line_of(text, tuple(key.split("."))) == line
