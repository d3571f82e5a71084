"""Exit codes, errors and output of the command line."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pyarrow as pa
import pytest

from appliance import clock
from appliance.cli import output
from appliance.cli.arrow_values import rows_of, writable_as_csv
from appliance.cli.exit_code import ExitCode, exit_code_of
from appliance.cli.main import COMMANDS, app, run
from appliance.cli.summaries import SUMMARIES
from appliance.config.enabling import enable_project
from appliance.config.paths import Paths
from appliance.control.api import Control
from appliance.domain.event import Event, EventKind
from appliance.errors import (
    ConfigError,
    RegistryUnavailable,
    ServiceError,
    StoreUnavailable,
)
from appliance.pipelines import command
from store.events import append_event
from store.open import open_store
from tests import builders
from tests.fakes.control import FakeControl


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


WRONG_ZONE = ConfigError("display.timezone must be a zone", hint="correct display.timezone")


@pytest.mark.parametrize("arguments", [[], ["status"], ["env"], ["events", "--json"]])
def test_a_wrong_time_zone_is_a_configuration_error(
    arguments: list[str], home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments, no_dashboard, wrong_zone=WRONG_ZONE) == ExitCode.USAGE
    assert "display.timezone must be a zone" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["status", "-h"], ["config", "check"], ["doctor"]]
)
def test_a_wrong_time_zone_leaves_help_and_what_mends_it(
    arguments: list[str], home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    run(arguments, no_dashboard, wrong_zone=WRONG_ZONE)
    assert "display.timezone must be a zone" not in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"], no_dashboard) == 0
    assert "sage: appliance" in capsys.readouterr().out


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    context = click.Context(app, info_name="appliance")
    commands = {name: app.get_command(context, name) for name in app.list_commands(context)}
    said = {
        name: " ".join((command.help or "").split("\n\n")[0].split())
        for name, command in commands.items()
        if command is not None and not command.hidden
    }
    assert list(said.items()) == list(SUMMARIES.items())
    for width in (40, 80, 100):
        assert {n: c.get_short_help_str(width) for n, c in commands.items() if n in said} == {
            n: click.Command(n, help=text).get_short_help_str(width)
            for n, text in SUMMARIES.items()
        }


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
        ["events", "--since", "yesterday"],
        ["events", "--since", "9h", "--until", "10h"],
        ["events", "--severity", "bad"],
        ["logs", "nothing"],
        ["--readonly", "status"],
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


def test_a_disabled_project_is_named_with_the_command_that_enables_it(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    enable_project(home, builders.PROJECT, is_enabled=False)
    for project in ([], ["--project", builders.PROJECT]):
        assert run(["run", "data", *project], no_dashboard) == ExitCode.USAGE
        told = capsys.readouterr().err
        assert "is disabled" in told
        assert f"appliance project enable {builders.PROJECT}" in told


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


def test_doctor_passes_nothing_that_it_could_not_look_at(
    home: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    control = FakeControl()
    control.snapshot = replace(builders.status(), services=(), stale={"models": "not read yet"})
    monkeypatch.setattr("appliance.cli.session.is_running", lambda: True)
    monkeypatch.setattr("appliance.cli.session.control", lambda: control)
    assert run(["doctor", "--json"], no_dashboard) == ExitCode.UNHEALTHY
    found = {each["check"]: each for each in json.loads(capsys.readouterr().out)}
    for check in ("services", "models"):
        assert not found[check]["is_ok"]
        assert "cannot be judged" in found[check]["message"]


def test_events_are_filtered_and_printed_as_lines_of_json(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    now_at = clock.now()
    with open_store(home) as store:
        for hours, actor in ((30, "operator"), (2, "anna"), (1, "supervisor")):
            at = now_at - timedelta(hours=hours)
            append_event(store, Event(EventKind.PROMOTED, f"{hours} h ago", actor, at))
    assert run(["events", "--since", "12h", "--actor", "ann", "--json"], no_dashboard) == 0
    (event,) = json.loads(capsys.readouterr().out)
    assert (event["actor"], event["summary"]) == ("anna", "2 h ago")
    assert run(["events", "--until", "12h"], no_dashboard) == 0
    shown = capsys.readouterr().out
    assert "30 h ago" in shown and "2 h ago" not in shown
    assert run(["events", "actor=ann", "since=12h", "!supervisor", "--json"], no_dashboard) == 0
    (event,) = json.loads(capsys.readouterr().out)
    assert event["summary"] == "2 h ago"
    assert run(["events", "--kind", "promote_d"], no_dashboard) == ExitCode.USAGE
    assert "did you mean 'model.promoted'" in capsys.readouterr().err
    assert run(["events", "--before", "2"], no_dashboard) == 0
    shown = capsys.readouterr().out
    assert "30 h ago" in shown and "2 h ago" not in shown
    assert run(["events", "-n", "2"], no_dashboard) == 0
    assert "the newest 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("n\n", ExitCode.FAILED, "nothing was changed"),
        ("\n", ExitCode.FAILED, "nothing was changed"),
        ("", ExitCode.USAGE, "-y answers yes"),
        ("y\n", ExitCode.DONE, "the store is empty"),
    ],
)
def test_a_question_is_answered_by_yes_or_no_and_by_nobody_refused(
    home: Paths,
    answer: str,
    code: ExitCode,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_store(home):
        pass
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert run(["reset", "--store"], no_dashboard) == code
    assert said in capsys.readouterr().err
    assert home.store_file.exists() == (code is not ExitCode.DONE)


def test_a_parameter_that_a_workflow_does_not_take_is_refused_with_those_it_takes(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "data", "--param", "ful=true"], no_dashboard) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "takes no parameter 'ful'" in error
    assert "full (true: prepare every row anew)" in error
    assert command.main("crypto_forecast", ["krw_btc_1m", "--param", "ful=1"]) == command.USAGE
    assert "full (true: prepare every row anew)" in capsys.readouterr().err


def test_runs_lists_the_newest_and_prints_what_the_failed_task_logged(
    home: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("appliance.cli.session.control", FakeControl)
    assert run(["runs", "train", "--log", "--log-lines", "5"], no_dashboard) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert shown.index("success") < shown.index("failed")
    assert "_train_wf" in shown
    assert "ValueError: 12 rows" in shown
    assert run(["runs", "--failed", "--json"], no_dashboard) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert {each["state"] for each in found} == {"failed"}
    assert len({each["dag_id"] for each in found}) == 4
