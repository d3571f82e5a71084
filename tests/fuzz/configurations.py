"""Configurations: each key with values that mean something and values that do not, and whole odd files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.config.paths import Paths

WRONG_NUMBERS = (
    "true",
    "1.5",
    '"5"',
    "nan",
    "inf",
    "-inf",
    "1e400",
    "[]",
    "{}",
    "9" * 30,
    "2026-01-01",
)
WRONG_TEXTS = ("5", "true", "[]", "{}", '"\\u0000"', '"\\u001b[31m"', f'"{"x" * 5000}"', "nan")
WRONG_BOOLS = ("1", "0", '"yes"', '"true"', "[]")
WRONG_URLS = (
    *(
        '"upbit"',
        '"ftp://host"',
        '"//host"',
        '"https://"',
        '"https://a b"',
        '"https://u:p@host"',
        '"file:///etc/passwd"',
    ),
    *(
        '"https://host:99999"',
        '"https://host:0"',
        '"https://host/?a=1"',
        '"https://host/#a"',
        '"javascript:alert(1)"',
    ),
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A home's configuration: files below `compose/`, variables, and the key that is wrong in it, if any.

    `key` is "" for a valid one; `told` are further words that the error must have.
    """

    key: str
    files: dict[str, bytes] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    make: Callable[[Path], object] | None = None

    def write(self, paths: Paths) -> None:
        """Put the files into a home's `compose/`, in place of any before."""
        for name, content in self.files.items():
            path = paths.compose / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        if self.make is not None:
            self.make(paths.compose / "appliance.toml")


VALID: dict[str, tuple[str, ...]] = {
    "source.kind": ('"auto"', '"upbit"', '"simulator"'),
    "source.rest_url": (
        '"https://api.upbit.com"',
        '"http://127.0.0.1:18000"',
        '"http://[::1]:18000/"',
    ),
    "source.websocket_url": (
        '"wss://api.upbit.com/websocket/v1"',
        '"ws://127.0.0.1:18000/websocket/v1"',
    ),
    "source.requests_per_second": ("1", "10"),
    "simulator.port": ("0", "1024", "65535"),
    "simulator.seed": ("0", "7", "9223372036854775807"),
    "simulator.speed": ("1", "0.5", "600"),
    "simulator.start": (
        '""',
        '"2026-01-01"',
        "2026-01-01",
        "2026-01-01T09:00:00+09:00",
        '"2026-01-01T00:00:00Z"',
    ),
    "ingest.markets": ('["KRW-BTC"]', '["KRW-1INCH", "BTC-ETH", "USDT-XRP"]'),
    "ingest.timeframes": ("[1]", "[1, 3, 5, 10, 15, 30, 60, 240]"),
    "ingest.history_candles": ("200", "2000000"),
    "ingest.audit_at": ('"00:00"', '"23:59"'),
    "store.memory_limit": ('"512MB"', '"1 GB"', '"1.5GiB"', '"2048mb"'),
    "store.threads": ("1", "64"),
    "store.raw_days": ("0", "36500"),
    "airflow.port": ("0", "8080", "65535"),
    "airflow.parallelism": ("1", "32"),
    "airflow.database_url": (
        '""',
        '"postgresql://a:b@host/airflow"',
        '"postgresql+psycopg2://a@/db?host=/run/pg"',
    ),
    "mlflow.port": ("0", "5001"),
    "mlflow.database_url": ('""', '"sqlite"', '"postgresql://a:b@host:5432/mlflow"'),
    "mlflow.artifact_root": ('""', '"/srv/models"', '"s3://models/appliance"'),
    "mlflow.models_days": ("0", "30"),
    "s3.endpoint_url": ('""', '"http://minio:9000"', '"https://s3.example.org"'),
    "s3.region": ('""', '"ap-northeast-2"'),
    "slack.channel": ('""', '"#alerts"', '"C0123456789"', '"#경보"'),
    "slack.base_url": ('"https://slack.com/api/"', '"http://127.0.0.1:9999/api/"'),
    "projects.crypto_forecast.enabled": ("true", "false"),
    "projects.crypto_forecast.config": ('"krw_btc_60m"', '"krw_btc_1m"', '""'),
    "projects.crypto_forecast.promotion": ('"manual"', '"suggest"', '"auto"'),
    "projects.crypto_forecast.overrides.horizon": ("1", "30"),
    "projects.crypto_forecast.overrides.market": ('"KRW-ETH"',),
    "projects.crypto_forecast.overrides.train_schedule": (
        '""',
        '"17 3 * * 1"',
        '"*/15 0-6 1,15 * MON-FRI"',
    ),
    "projects.crypto_forecast.overrides.retrain.per_day": ("2",),
    "projects.crypto_forecast.overrides.learner.learning_rate": ("0.1",),
}
"""Key to values that must be called valid."""

NONSENSE: dict[str, tuple[str, ...]] = {
    "source.kind": ('"Upbit"', '""', *WRONG_TEXTS),
    "source.rest_url": (*WRONG_URLS, '"ws://host"', '""', "5"),
    "source.websocket_url": (*WRONG_URLS, '"https://host"', '""'),
    "source.requests_per_second": (*WRONG_NUMBERS, "0", "11", "-1"),
    "simulator.port": (*WRONG_NUMBERS, "1", "80", "1023", "65536", "-1"),
    "simulator.seed": (*WRONG_NUMBERS, "-1"),
    "simulator.speed": ("0", "-1", "601", "nan", "inf", "true", '"1"'),
    "simulator.start": (
        '"now"',
        '"0001-01-01"',
        '"9999-12-31"',
        '"2026-13-01"',
        '"2026-01-01T25:00"',
        "5",
        "10:00:00",
    ),
    "simulator.replay": (
        '{ KRW-BTC = "" }',
        "{ KRW-BTC = 5 }",
        '{ krw = "x.csv" }',
        '"x.csv"',
        '{ KRW-BTC = "/nowhere.csv" }',
        '{ KRW-BTC = "/" }',
    ),
    "simulator.scenario": ('"/nowhere.toml"', '"/"', '"/dev/zero"', '"/etc/hostname"', "5"),
    "simulator.faults": ('"/nowhere.toml"', '"/"', '"/dev/zero"', '"/etc/hostname"', "5"),
    "ingest.markets": (
        "[]",
        '["krw-btc"]',
        '["KRW-BTC", "KRW-BTC"]',
        '"KRW-BTC"',
        "[1]",
        '["KRW"]',
        '["KRW-BTC\\n"]',
        '[["KRW-BTC"]]',
    ),
    "ingest.timeframes": ("[]", "[2]", "[true]", "[1.0]", '["1"]', "[1, 1]", "[-1]", "1"),
    "ingest.history_candles": (*WRONG_NUMBERS, "0", "199", "-1"),
    "ingest.audit_at": ('"24:00"', '"7:00"', '"noon"', '""', "07:00:00", '"07:60"', '"07:00\\n"'),
    "store.memory_limit": (
        '"plenty"',
        '"0MB"',
        '"1KB"',
        '"900PB"',
        '"-1GB"',
        '"512"',
        '""',
        "512",
        '"inf"',
        '"1e3MB"',
    ),
    "store.threads": (*WRONG_NUMBERS, "0", "65"),
    "store.raw_days": (*WRONG_NUMBERS, "-1", "36501"),
    "airflow.port": (*WRONG_NUMBERS, "80", "70000"),
    "airflow.parallelism": (*WRONG_NUMBERS, "0", "33"),
    "airflow.database_url": (
        '"mysql://h/db"',
        '"postgresql://"',
        '"postgresql://host"',
        '"postgresql:///db"',
        '"sqlite"',
        '"host/db"',
        "5",
    ),
    "mlflow.port": (*WRONG_NUMBERS, "80", "70000"),
    "mlflow.database_url": (
        '"mongodb://h/db"',
        '"postgresql://"',
        '"sqlite:///x"',
        '"duckdb"',
        "5",
    ),
    "mlflow.artifact_root": (
        '"gs://b"',
        '"s3://"',
        '"s3://B A"',
        '"http://h/x"',
        '"s3://k:s@bucket/x"',
        '"s3://bucket?x=1"',
        "5",
    ),
    "mlflow.deleted_runs_days": ("-1", "nan", "true"),
    "s3.endpoint_url": (*WRONG_URLS, '"minio:9000"'),
    "s3.region": ('"a b"', '"../"', *WRONG_TEXTS),
    "slack.channel": ('"two words"', '"#"', *WRONG_TEXTS),
    "slack.base_url": (*WRONG_URLS, '"http://slack.com/api/"', '""'),
    "projects.crypto_forecast.enabled": WRONG_BOOLS,
    "projects.crypto_forecast.config": ('"krw_btc"', '"../../etc"', "5"),
    "projects.crypto_forecast.promotion": ('"yes"', '""', "true"),
    "projects.crypto_forecast.overrides": ("5", "[]", '"x"'),
    "projects.crypto_forecast.overrides.horizon": (*WRONG_NUMBERS, "0", "10001"),
    "projects.crypto_forecast.overrides.horizn": ("5",),
    "projects.crypto_forecast.overrides.unit": ("7", "true", '"60"'),
    "projects.crypto_forecast.overrides.market": ('"btc"', '""', "5"),
    "projects.crypto_forecast.overrides.train_schedule": (
        '"61 * * * *"',
        '"daily"',
        '"* * * *"',
        '"* * * * * *"',
        "5",
    ),
    "projects.crypto_forecast.overrides.learner.learning_rate": ("0", "1", "nan", "inf", "true"),
    "projects.crypto_forecast.overrides.learner.kind": ('"magic"', "1"),
    "projects.crypto_forecast.overrides.monitoring.psi_warning": ("nan", "-1", "inf"),
    "projects.nowhere_forecast.enabled": ("true", "false"),
    "ingest.market": ('["KRW-BTC"]',),
    "sorce.kind": ('"upbit"',),
}
"""Key to values that must be refused; the error names the key, and the file with the line."""


def configurations() -> list[Configuration]:
    """Return all configurations, always the same."""
    return [*_valid(), *_nonsense(), *_variables(), *_whole_files()]


def _assigned(key: str, value: str) -> bytes:
    section, _, name = key.rpartition(".")
    return f"[{section}]\n{name} = {value}\n".encode()


def _valid() -> Iterator[Configuration]:
    yield Configuration("")
    for key, texts in VALID.items():
        for text in texts:
            yield Configuration("", {"appliance.toml": _assigned(key, text)})


def _nonsense() -> Iterator[Configuration]:
    for key, texts in NONSENSE.items():
        for text in texts:
            named = key
            if key.startswith("projects.nowhere"):
                named = "projects.nowhere_forecast"
            if key.startswith("sorce"):
                named = "sorce"
            yield Configuration(
                named.rpartition(".overrides.")[2],
                {"appliance.toml": _assigned(key, text)},
                told=("appliance.toml, line",),
            )


def _variables() -> Iterator[Configuration]:
    for name, value in (
        ("AIRFLOW__PORT", "8001"),
        ("INGEST__MARKETS", '["KRW-ETH"]'),
        ("SIMULATOR__START", "2026-01-01T00:00:00Z"),
        ("SLACK__CHANNEL", "#alerts"),
        ("PROJECTS__CRYPTO_FORECAST__OVERRIDES__HORIZON", "3"),
        ("SIMULATOR__SPEED", "2"),
    ):
        yield Configuration("", variables={f"APPLIANCE__{name}": value})
    for name, value, key in (
        ("AIRFLOW__PORT", "80", "airflow.port"),
        ("AIRFLOW__PORT", "eighty", "airflow.port"),
        ("AIRFLOW__PORT", "", "airflow.port"),
        ("AIRFLOW__PRT", "8001", "airflow.prt"),
        ("AIRFLO__PORT", "8001", "airflo"),
        ("INGEST__MARKETS", "KRW-ETH", "ingest.markets"),
        ("INGEST__MARKETS", "[]", "ingest.markets"),
        ("STORE__THREADS", "1.0", "store.threads"),
        ("SOURCE", "upbit", "source"),
        ("SOURCE__KIND__X", "upbit", "source.kind"),
        ("", "1", ""),
        ("__", "1", ""),
        ("AIRFLOW____PORT", "1", ""),
        ("SIMULATOR__SPEED", "[" * 3000, ""),
        ("SIMULATOR__SEED", "9" * 6000, "simulator.seed"),
        ("S3__REGION", "\x1b[31m", ""),
        ("S3__REGION", "\udcff", ""),
        ("PROJECTS__CRYPTO_FORECAST__OVERRIDES__HORIZON", "0", "horizon"),
    ):
        yield Configuration(
            key or "APPLIANCE__",
            variables={f"APPLIANCE__{name}": value},
            told=(f"APPLIANCE__{name}",),
        )


def _whole_files() -> Iterator[Configuration]:
    good = b'[ingest]\nmarkets = ["KRW-BTC"]\n'
    for content in (
        good,
        b"\xef\xbb\xbf" + good,
        good.replace(b"\n", b"\r\n"),
        b"",
        b"# nothing\n",
    ):
        yield Configuration("", {"appliance.toml": content})
    for content in (
        *(
            b"[ingest",
            b"=",
            b"\x00",
            b"\xff\xfe",
            "[ingest]".encode("utf-16"),
            b"a = " + b"[" * 50_000,
            b"[a]\n[a]\n",
        ),
        *(
            b".".join([b"a"] * 5000) + b" = 1",
            b"a = " + b"{a=" * 5000,
            b"a = " + b"9" * 6000,
            b"#" * 5_000_000,
            b"<html>",
            b"{}",
        ),
        *(
            b"ingest = 5\n[ingest]\n",
            b"a = 1\r[b]",
            '[ingest]\nmarkets = ["KRW-BTC"]'.encode("utf-32"),
        ),
    ):
        yield Configuration("appliance.toml", {"appliance.toml": content})
    for content in (
        b"[overrides]\nhorizon = 0\n",
        b"overrides = 1\n",
        b"promotoin = 'auto'\n",
        b"\xff",
        b"config = 'x'\n",
    ):
        yield Configuration("crypto_forecast.toml", {"projects/crypto_forecast.toml": content})
    for name in ("Crypto", "a b", "1a", "class-x", "nothing_here"):
        yield Configuration(name, {f"projects/{name}.toml": b""})
    two = b"[mlflow]\nport = 9001\n[airflow]\nport = 9001\n"
    yield Configuration("airflow.port", {"appliance.toml": two}, told=("line 4", "mlflow.port"))
    for make in (
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("/nowhere"),
    ):
        yield Configuration("appliance.toml", make=make)
