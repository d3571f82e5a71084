"""Exit codes, errors and output of the command line."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from appliance.cli import output
from appliance.cli.arrow_values import rows_of, writable_as_csv
from appliance.cli.exit_code import ExitCode, exit_code_of
from appliance.cli.main import COMMANDS, run
from appliance.config.paths import Paths
from appliance.control.api import Control
from appliance.errors import (
    ConfigError,
    RegistryUnavailable,
    ServiceError,
    StoreUnavailable,
)
from store.open import open_store


def no_dashboard(control: Control) -> int:
    raise AssertionError("no dashboard was asked for")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), ExitCode.USAGE),
        (StoreUnavailable("x"), ExitCode.TRY_AGAIN),
        (RegistryUnavailable("x"), ExitCode.TRY_AGAIN),
        (ServiceError("x"), ExitCode.FAILED),
    ],
)
def test_errors_have_exit_codes(error: ServiceError, code: ExitCode) -> None:
    assert exit_code_of(error) is code


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"], no_dashboard) == 0
    assert "sage: appliance" in capsys.readouterr().out


def test_a_mistyped_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["statsu"], no_dashboard) == ExitCode.USAGE
    assert "'status'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "nonsense"],
        ["run", "data", "--param", "x"],
        ["run", "data", "--param", "x=\x1b"],
        ["run", "data", "--project", "crypto_forecas"],
        ["reset"],
        ["models", "promote", "0"],
        ["models", "promote", "9" * 30],
        ["candles", "KRW_BTC"],
        ["candles", "--unit", "0"],
        ["candles", "-n", "9" * 5000],
        ["coverage", "\udcff"],
        ["audit", "KRW-BTC", "--from", "2026-01-02", "--to", "2026-01-01"],
        ["backfill", "KRW-BTC", "--from", "9999-12-31"],
        ["backfill", "KRW-BTC", "--from", "0001-01-01"],
        ["backfill", "KRW-BTC", "--from", "inf"],
        ["simulator", "--port", "99999"],
        ["simulator", "--port", "80"],
        ["simulator", "--speed", "nan"],
        ["simulator", "--seed", "-1"],
        ["simulator", "--replay", "KRW-BTC"],
        ["simulator", "--replay", "KRW-BTC=/"],
        ["simulator", "--scenario", "/nowhere.toml"],
        ["demo", "--speed", "inf"],
        ["sql", ""],
        ["sql", "SELECT '\udcff'"],
        ["store", "check", "x" * 5000],
        ["store", "backup", "\x00"],
        ["events", "--kind", "nothing"],
        ["logs", "nothing"],
        ["up", "--timeout", "9" * 30],
    ],
)
def test_wrong_usage_exits_2_with_a_next_step(
    home: Paths, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments, no_dashboard) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "error: " in error
    assert "next:  " in error
    assert "error: unexpected" not in error


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["run", "data", "--project", "crypto_forecas"], "'crypto_forecast'"),
        (["events", "--kind", "gap.fund"], "'data.gap_found'"),
        (["candles", "KRW-BTCC"], "'KRW-BTC'"),
        (["coverage", "KRW-BTCC"], "'KRW-BTC'"),
    ],
)
def test_a_mistyped_name_gets_a_suggestion(
    home: Paths, arguments: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(home):
        pass
    assert run(arguments, no_dashboard) == ExitCode.USAGE
    assert f"did you mean {suggestion}" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["status"], ["restart", "store"], ["candles"]])
def test_an_appliance_that_is_down_says_how_to_start_it(
    home: Paths, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments, no_dashboard) == ExitCode.TRY_AGAIN
    assert "appliance up" in capsys.readouterr().err


def test_a_malformed_configuration_is_explained_without_a_traceback(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.compose / "appliance.toml").write_text("[ingest]\nmarkts = []\n")
    assert run(["config", "check"], no_dashboard) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "markts" in error
    assert "markets" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", [("drift", "--html"), ("store", "backup")])
def test_only_files_are_written_over(
    home: Paths, tmp_path: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(home):
        pass
    os.mkfifo(tmp_path / "pipe")
    for target in (tmp_path / "pipe", tmp_path, tmp_path / "no" / "page.html"):
        assert run([*command, str(target)], no_dashboard) == ExitCode.USAGE
        assert "next:" in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo()
    assert not (tmp_path / "no").exists()


def test_config_show_never_prints_a_secret(
    home: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APPLIANCE_SLACK_BOT_TOKEN", "xoxb-hush")
    assert run(["config", "show"], no_dashboard) == 0
    assert run(["config", "show", "--json"], no_dashboard) == 0
    printed = capsys.readouterr().out
    assert "xoxb-hush" not in printed
    assert "slack_bot_token: set" in printed


@dataclass(frozen=True)
class Sample:
    """Stands for any domain value."""

    at: datetime
    value: float


def test_what_python_and_csv_cannot_hold_is_a_text() -> None:
    far = pa.array([2**63 - 1, -(2**63) + 1, 0]).cast(pa.timestamp("us"))
    nested = pa.array([[None, 1], [], None], pa.list_(pa.int64()))
    table = pa.table({"at": far, "list": nested})
    rows = rows_of(table)
    assert [row["at"] for row in rows] == ["infinity", "-infinity", datetime(1970, 1, 1)]
    assert writable_as_csv(table).column("list").to_pylist() == ["[null, 1]", "[]", None]


def test_json_keeps_instants_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_json([Sample(datetime(2026, 1, 2, tzinfo=UTC), 0.1)])
    assert json.loads(capsys.readouterr().out) == [
        {"at": "2026-01-02T00:00:00+00:00", "value": 0.1}
    ]


def test_tables_align_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table(("NAME", "N"), [("a", 5), ("long", 1234)])
    assert capsys.readouterr().out.splitlines() == ["NAME     N", "a        5", "long  1234"]


def test_unknown_is_never_shown_as_zero() -> None:
    assert output.percent(None) == "-"
    assert output.age(None, datetime(2026, 1, 1, tzinfo=UTC)) == "-"


@pytest.mark.parametrize("arguments", [["config", "show"], ["config", "show", "--json"]])
def test_a_password_in_a_url_is_not_shown(
    home: Paths, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://mlflow:geheim@127.0.0.1:5432/mlflow"
    (home.compose / "appliance.toml").write_text(f'[mlflow]\ndatabase_url = "{url}"\n')
    assert run(arguments, no_dashboard) == ExitCode.DONE
    printed = capsys.readouterr().out
    assert "geheim" not in printed
    assert "postgresql://mlflow:***@127.0.0.1:5432/mlflow" in printed
