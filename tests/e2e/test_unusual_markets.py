"""Unusual markets under the running whole: every command and screen has words for them, never NaN.

The tests share one appliance and run in the order in which they stand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest

from appliance.cli.exit_code import ExitCode
from appliance.cli.main import app
from appliance.control.api import MarketStatus, ProjectStatus
from appliance.domain.candle import IngestionState
from appliance.domain.event import EventKind
from appliance.tui.actions import ACTIONS
from tests.command_schemas import validate
from tests.e2e.conftest import Running, new_home
from tests.terminal import Terminal, needs_tmux
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT = "crypto_forecast"
THIN, DIES, OLD, NEW = "KRW-THIN80", "KRW-DIES", "KRW-OLD", "KRW-NEW"
END_AFTER_SECONDS = 110
"""When DIES is delisted and OLD renamed, counted from the simulator's first start."""
SCRIPTS = {
    "KRW-THIN5": "idle = 0.05",
    "KRW-THIN20": "idle = 0.2",
    THIN: "idle = 0.8",
    "KRW-FLAT": "still_at = 2017-10-01",
    "KRW-CONST": "still_after_seconds = -36000",
    "KRW-JUMP": "price = 1000\nstep = 0.3\nvolatility = 1.0",
    "KRW-TICK": "price = 1350\ntick = 1\nvolatility = 0.005",
    "KRW-SMALL": "price = 2.219e-5\ntick = 1e-8",
    "KRW-TINY": "price = 3e-8\ntick = 1e-8\nvolatility = 0.3",
    DIES: f"delisted_after_seconds = {END_AFTER_SECONDS}",
    OLD: f'delisted_after_seconds = {END_AFTER_SECONDS}\nrenamed_to = "{NEW}"',
}
COMPOSE = f"""
[source]
kind = "simulator"
[simulator]
scenario = "SCENARIO"
[ingest]
history_candles = 5000
timeframes = [1]
markets = {json.dumps([*SCRIPTS, "KRW-BTC"])}
[airflow]
port = 0
[mlflow]
port = 0
"""
NOT_A_NUMBER = re.compile(r"\b(nan|[+-]?inf|infinity)\b", re.IGNORECASE)

READING: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    ("status",): ((),),
    ("runs",): ((),),
    ("models",): ((),),
    ("models", "gc"): (("--dry-run",),),
    ("models", "migrate"): ((),),
    ("models", "reproduce"): (("1",),),
    ("drift",): ((),),
    ("candles",): tuple((market, "-n", "300") for market in (*SCRIPTS, "KRW-BTC")),
    ("coverage",): ((), (THIN,), (DIES,)),
    ("audit",): ((THIN,), (DIES,)),
    ("events",): (("-n", "5000"),),
    ("alerts",): ((),),
    ("doctor",): ((),),
    ("config", "show"): ((),),
    ("config", "check"): ((),),
    ("config", "path"): ((),),
    ("env",): ((),),
    ("project", "list"): ((),),
    ("sql",): tuple(
        (f"SELECT * FROM {table} LIMIT 300",)
        for table in ("forecasts", "outcomes", "performance", "features", "drift_reports", "gaps")
    ),
    ("store", "backup"): (("BACKUP",),),
    ("store", "check"): (("BACKUP",),),
    ("record",): ((),),
    ("record", "export"): (("RECORD",),),
}
"""Commands that print data as JSON, with what they are asked."""
SLOW = {
    ("models", "reproduce"),
    ("models", "gc"),
    ("store", "backup"),
    ("store", "check"),
    ("record", "export"),
}
"""Of those, what is looked at as JSON only."""
CHANGING = {
    ("up",): "starts it",
    ("down",): "stops it",
    ("restart",): "restarts it",
    ("demo",): "starts another",
    ("backfill",): "prints lines; in a test of its own",
    ("reset",): "deletes the store",
    ("alerts", "test"): "needs Slack",
    ("project", "enable"): "changes the configuration",
    ("project", "disable"): "changes the configuration",
    ("run",): "runs in a test of its own",
    ("models", "compare"): "needs two versions",
    ("models", "promote"): "would move the champion",
    ("models", "reject"): "would end a comparison",
    ("models", "rollback"): "would move the champion",
    ("init",): "makes a home",
    ("new-project",): "writes into the source tree",
    ("project", "check"): "looks at code, on the simulator's own market",
}


def json_commands(
    command: click.Command = app, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that has `--json`."""
    if any("--json" in parameter.opts for parameter in command.params):
        yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from json_commands(inner, (*words, name))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An appliance that takes in every unusual market, with a project on the thinnest."""
    folder = tmp_path_factory.mktemp("odd")
    scenario = folder / "scenario.toml"
    scenario.write_text(
        "\n".join(f'[[market]]\ncode = "{code}"\n{text}\n' for code, text in SCRIPTS.items())
    )
    appliance = new_home(folder / "home", COMPOSE.replace("SCENARIO", str(scenario)))
    (appliance.paths.compose / "projects" / f"{PROJECT}.toml").write_text(
        f'config = "krw_btc_1m"\n[overrides]\nmarket = "{THIN}"\n'
    )
    try:
        done = appliance.cli("up")
        assert done.returncode == 0, done.stderr
        yield appliance
    finally:
        assert appliance.cli("down").returncode == 0


def project(odd: Running) -> ProjectStatus:
    return odd.control.status().projects[0]


def markets(odd: Running) -> dict[str, MarketStatus]:
    return {market.market: market for market in odd.control.status().markets}


def numbers_that_are_none(value: Any, path: str = "") -> Iterator[str]:
    """Yield where a text stands for a number that is none."""
    if isinstance(value, str) and value.strip().lower() in {"nan", "inf", "-inf", "infinity"}:
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from numbers_that_are_none(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers_that_are_none(inner, f"{path}[{index}]")


def test_all_four_workflows_run_on_a_market_with_hardly_a_trade(odd: Running) -> None:
    def has_stored_all() -> bool:
        return all(market.stored_candles for market in markets(odd).values())

    wait_until(has_stored_all, 120, "a history of every market")
    wait_until(lambda: project(odd).champion, 240, "a first champion")
    for kind in ("data", "inference", "monitoring"):
        done = odd.cli("run", kind, "--json")
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout, parse_constant=pytest.fail)
    (*_, quality) = odd.json("events", "-n", "5000", "--kind", EventKind.QUALITY_CHECKED)
    assert "idle" in quality["details"]["findings"]


def test_what_cannot_be_judged_of_it_is_said_in_words(odd: Running) -> None:
    loss = odd.json("drift")["report"]["loss"]
    if loss["relative"] is None:
        assert loss["why"]
        assert loss["verdict"] in {"insufficient", "warning"}
    champion = project(odd).champion
    assert champion is not None
    assert all(value == value for value in champion.metrics.values())


def test_a_market_that_is_delisted_or_renamed_is_a_problem_and_the_rest_is_taken_in(
    odd: Running,
) -> None:
    def refused() -> set[str]:
        return {
            name
            for name, market in markets(odd).items()
            if market.ingestion and market.ingestion.state == IngestionState.REJECTED
        }

    wait_until(lambda: refused() == {DIES, OLD}, END_AFTER_SECONDS + 120, "both are refused")
    found = wait_until(
        lambda: [p for p in odd.control.status().problems if p.code == "source.rejected"],
        30,
        "each is a problem",
    )
    assert {problem.subject for problem in found} == {DIES, OLD}
    assert all("delisted or renamed" in problem.message for problem in found)
    before = markets(odd)["KRW-BTC"].newest_candle_at
    wait_until(
        lambda: markets(odd)["KRW-BTC"].newest_candle_at != before, 90, "the rest is taken in"
    )
    log = (odd.paths.logs / "ingestor.log").read_text()
    assert log.count(DIES) < 40, "it is not told again and again"
    assert odd.cli("status", "--check").returncode == ExitCode.UNHEALTHY


def test_every_command_that_prints_json_is_tried() -> None:
    assert set(json_commands()) == {*READING, *CHANGING}


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_its_json_is_valid_and_has_no_nan(
    odd: Running, words: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.getbasetemp()
    files = {"BACKUP": base / "odd-backup.duckdb", "RECORD": base / "odd.record"}
    for given in READING[words]:
        arguments = [str(files.get(each, each)) for each in given]
        done = odd.cli(*words, *arguments, "--json")
        assert "Traceback" not in done.stderr
        assert not NOT_A_NUMBER.search(done.stderr), done.stderr
        assert done.returncode in {ExitCode.DONE, ExitCode.FAILED, ExitCode.UNHEALTHY}, done.stderr
        if done.returncode != ExitCode.FAILED or done.stdout:
            shown = json.loads(done.stdout, parse_constant=pytest.fail)
            assert not list(numbers_that_are_none(shown))
            validate(" ".join(words), shown)


@pytest.mark.parametrize("words", sorted({*READING} - SLOW), ids=" ".join)
def test_its_table_shows_no_number_that_is_none(odd: Running, words: tuple[str, ...]) -> None:
    done = odd.cli(*words, *READING[words][0])
    assert not NOT_A_NUMBER.search(done.stdout + done.stderr), done.stdout


@needs_tmux
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_no_screen_shows_a_number_that_is_none(odd: Running, columns: int, rows: int) -> None:
    command = (sys.executable, "-m", "appliance")
    looks = [known.key for known in ACTIONS if known.group == "Look" and known.key]
    names = {"exclamation_mark": "!", "right_square_bracket": "]", "left_square_bracket": "["}
    with Terminal(command, odd.environment, columns, rows) as terminal:
        terminal.wait_for("SIMULATOR", "Services", "Model", "Drift", "champion")
        for key in (*looks, *["right_square_bracket"] * len(SCRIPTS)):
            screen = after(terminal, names.get(key, key))
            assert not NOT_A_NUMBER.search(screen), screen
            if key not in {"right_square_bracket", "left_square_bracket", "u", "n"}:
                terminal.press("Escape")


def test_the_next_step_ends_the_problem_and_the_new_code_has_the_history(odd: Running) -> None:
    file = odd.paths.compose / "appliance.toml"
    file.write_text(file.read_text().replace(f'"{DIES}", "{OLD}"', f'"{NEW}"'))

    def is_taken_in() -> bool:
        known = markets(odd)
        return DIES not in known and NEW in known and bool(known[NEW].stored_candles)

    wait_until(is_taken_in, 60, "the new code is taken in")
    wait_until(
        lambda: not [p for p in odd.control.status().problems if p.code == "source.rejected"],
        30,
        "nothing is refused any more",
    )


def after(terminal: Terminal, key: str) -> str:
    """Press a key and return the screen once it has changed."""
    before = terminal.screen()
    terminal.press(key)
    wait_until(lambda: terminal.screen() != before, 10, f"{key} does something")
    return terminal.screen()
