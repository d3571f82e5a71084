"""The command line for machines: every command's JSON, its schema, options and help."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from datetime import date
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.json_schema import json_schema
from appliance.cli.main import app, run
from appliance.cli.man_page import man_page
from appliance.cli.output import plain
from appliance.cli.outputs import OUTPUTS, command_schema
from appliance.cli.pager import PagerStream, pager_command
from appliance.config.paths import Paths
from appliance.control.api import ApplianceStatus, Control
from appliance.domain.event import Event, EventKind
from store.events import append_event
from store.open import open_store
from tests import builders
from tests.command_schemas import validate
from tests.fakes.control import FakeControl

WITHOUT_JSON = {
    "logs": "prints lines as the processes wrote them",
    "simulator": "serves until it is ended",
    "schema": "prints JSON anyway",
    "man": "prints a manual page",
    "completion": "prints a shell's own script",
    "replay": "shows a recording on the terminal",
}
"""Commands without `--json`, and why."""


def commands(
    command: click.Command = app, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with its words."""
    if words and (not isinstance(command, click.Group) or command.invoke_without_command):
        yield " ".join(words), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*words, name))


ALL = dict(commands())


def no_dashboard(control: Control) -> int:
    raise AssertionError("no dashboard was asked for")


def parsed(text: str) -> Any:
    """Return JSON that holds no NaN."""
    return json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = ALL[name]
    assert command.help
    assert (command.epilog or "").startswith("Example: ")
    assert name.split(maxsplit=1)[0] in (command.epilog or "")


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_does(name: str) -> None:
    silent = [
        parameter.name
        for parameter in ALL[name].params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_prints_json_or_has_a_reason_not_to(name: str) -> None:
    has_json = any("--json" in parameter.opts for parameter in ALL[name].params)
    assert has_json or name in WITHOUT_JSON
    if has_json and name not in WITHOUT_JSON:
        assert name in OUTPUTS


def test_the_schemas_are_of_commands_that_there_are() -> None:
    extra = {"error", "run --list-parameters"}
    assert set(OUTPUTS) - extra <= set(ALL)


def test_the_same_option_is_spelled_the_same_everywhere() -> None:
    spelled: dict[str, set[tuple[str, ...]]] = {}
    for command in ALL.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                spelled.setdefault(str(parameter.name), set()).add(tuple(parameter.opts))
    assert {name: forms for name, forms in spelled.items() if len(forms) > 1} == {}
    letters: dict[str, set[str]] = {}
    for name, forms in spelled.items():
        for letter in (form for each in forms for form in each if len(form) == 2):
            letters.setdefault(letter, set()).add(name)
    assert letters.pop("-n") == {"limit", "lines"}, "-n is how many, of whatever"
    assert [names for names in letters.values() if len(names) > 1] == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_shows_times_in_utc_on_request(name: str) -> None:
    assert any("--utc" in parameter.opts for parameter in ALL[name].params)


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_schema_is_valid_and_versioned(name: str) -> None:
    schema = command_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["version"] == 1


def test_schema_lists_all_and_refuses_an_unknown_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["schema"], no_dashboard) == ExitCode.DONE
    assert set(parsed(capsys.readouterr().out)["commands"]) == set(OUTPUTS)
    assert run(["schema", "models", "promot"], no_dashboard) == ExitCode.USAGE
    assert "models promote" in capsys.readouterr().err


def test_a_status_with_everything_fits_its_schema() -> None:
    status = builders.status()
    Draft202012Validator(json_schema(ApplianceStatus, is_closed=True)).validate(
        parsed(json.dumps(plain(status)))
    )


def test_a_wrong_value_does_not_fit() -> None:
    value = parsed(json.dumps(plain(builders.status())))
    value["services"][0]["restarts"] = "many"
    schema = json_schema(ApplianceStatus)
    assert not Draft202012Validator(schema).is_valid(value)


DOWN = [
    ("down",),
    ("candles",),
    ("coverage",),
    ("events",),
    ("sql", "SELECT 1 AS n, now() AS at"),
    ("doctor",),
    ("config", "show"),
    ("config", "check"),
    ("config", "path"),
    ("project", "list"),
    ("alerts",),
    ("drift",),
    ("run --list-parameters", "data"),
    ("reset", "--store", "-y"),
    ("init", "--demo"),
]
"""Commands that work without a running appliance, with arguments."""


@pytest.mark.parametrize("words", DOWN, ids=lambda words: words[0])
def test_what_a_command_prints_fits_its_schema(
    home: Paths, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (home.compose / "appliance.toml").write_text('[source]\nkind = "simulator"\n')
    with open_store(home) as store:
        append_event(store, Event(EventKind.BACKFILLED, "loaded", "operator", builders.NOW))
    name = next(name for name in sorted(OUTPUTS, reverse=True) if " ".join(words).startswith(name))
    code = run([*" ".join(words[:1]).split(), *words[1:], "--json"], no_dashboard)
    assert code in {ExitCode.DONE, ExitCode.UNHEALTHY}
    validate(name, parsed(capsys.readouterr().out))


VERSION = str(FakeControl().known_models[0].version)
UP = [
    ("status",),
    ("runs",),
    ("models",),
    ("models", "promote", VERSION, "-y"),
    ("models", "rollback", "-y"),
    ("models", "reject", VERSION, "-y"),
    ("project", "enable", "crypto_forecast"),
    ("restart", "store"),
]
"""Commands that ask the control API, with arguments."""


@pytest.mark.parametrize("words", UP, ids=" ".join)
def test_what_a_command_prints_of_a_running_appliance_fits_its_schema(
    home: Paths,
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    control = FakeControl()
    monkeypatch.setattr(session, "control", lambda: control)
    monkeypatch.setattr(session, "is_supervised", lambda: True)
    assert run([*words, "--json"], no_dashboard) == ExitCode.DONE
    name = next(name for name in sorted(OUTPUTS, reverse=True) if " ".join(words).startswith(name))
    validate(name, parsed(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["status"], "appliance.not_running", ExitCode.TRY_AGAIN),
        (["status", "--nonsense"], "usage.invalid", ExitCode.USAGE),
        (["candles", "KRW_BTC"], "usage.invalid", ExitCode.USAGE),
        (["statsu"], "usage.invalid", ExitCode.USAGE),
        (["models", "promote", "3"], "appliance.not_running", ExitCode.TRY_AGAIN),
        (["backfill", "KRW-BTC", "--from", "x"], "usage.invalid", ExitCode.USAGE),
    ],
)
def test_an_error_is_json_too(
    home: Paths,
    arguments: list[str],
    code: str,
    exit_code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*arguments, "--json"], no_dashboard) == exit_code
    told = capsys.readouterr()
    report = parsed(told.out)
    validate("error", report)
    assert (report["error"]["code"], report["error"]["exit_code"]) == (code, exit_code)
    assert report["error"]["message"] in told.err


def test_an_answer_of_no_ends_with_1_and_changes_nothing(
    home: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(home):
        pass
    monkeypatch.setattr(click, "confirm", lambda *_, **__: False)
    assert run(["reset", "--store", "--json"], no_dashboard) == ExitCode.FAILED
    assert parsed(capsys.readouterr().out)["error"]["code"] == "question.declined"
    assert home.store_file.exists()


def test_a_change_asked_for_twice_says_that_it_changed_nothing(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    def changed(*words: str) -> object:
        assert run([*words, "--json"], no_dashboard) == ExitCode.DONE
        return parsed(capsys.readouterr().out)["changed"]

    with open_store(home):
        pass
    assert [changed("reset", "--store", "-y") for _ in range(2)] == [True, False]
    assert [changed("project", "disable", "crypto_forecast") for _ in range(2)] == [True, False]
    assert changed("down") is False


@pytest.mark.parametrize("shown", [True, False])
def test_long_output_on_a_terminal_goes_through_the_pager(
    shown: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGER", "sed s/^/paged:/")
    monkeypatch.setenv("LINES", "10")
    stream = PagerStream(io.TextIOWrapper(os.fdopen(os.dup(1), "wb")), pager_command(), 10)
    stream.write("one\n" * (12 if shown else 9))
    stream.end()
    assert capfd.readouterr().out == ("paged:one\n" * 12 if shown else "one\n" * 9)
    assert stream.is_paging is shown


@pytest.mark.parametrize("chosen", ["cat", "", "'"])
def test_a_pager_can_be_refused(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", chosen)
    assert pager_command() == []


def test_an_unknown_parameter_of_a_run_is_refused_with_those_there_are(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "data", "--param", "ful=true"], no_dashboard) == ExitCode.USAGE
    assert "full (true: prepare every row anew)" in capsys.readouterr().err


def test_the_manual_page_names_every_command() -> None:
    page = man_page(app, "1", date(2026, 1, 1))
    hidden = {name for name, command in ALL.items() if command.hidden}
    for name in set(ALL) - hidden:
        assert f".SS appliance {name}".replace("-", r"\-") in page, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["completion", shell], no_dashboard) == ExitCode.DONE
    assert "_APPLIANCE_COMPLETE" in capsys.readouterr().out
