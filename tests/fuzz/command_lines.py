"""Command lines: right ones, odd ones and nonsense, from tables and a seed; none starts anything that stays."""

from __future__ import annotations

import contextlib
import io
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

from appliance.cli.main import COMMANDS, run

USAGE = 2
ODD_TEXTS = (
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "\x1b[31mred\x1b[0m",
        "\udcff\udcfe",
        "x" * 5000,
        "../../etc/passwd",
        "$(id)",
    ),
    *("가나다", "\n", "-", "--", "None", "nu ll", "%s%n", "'; DROP TABLE candles; --", "\u202e"),
)
BAD_MARKETS = (
    *ODD_TEXTS,
    "KRW",
    "KRW-",
    "-BTC",
    "KRW_BTC",
    "KRW-BTC,KRW-ETH",
    "KRW--BTC",
    "KRW-B T C",
)
UNKNOWN_MARKETS = ("KRW-NOPE", "KRW-BTCC", "krw-nope", "ABC-DEF")
BAD_UNITS = (
    "0",
    "-1",
    "2",
    "1.0",
    "1e0",
    "abc",
    "",
    "99999999999999999999",
    "nan",
    "１",
    "²",
    "\x00",
)
BAD_COUNTS = (
    "0",
    "-1",
    "1.5",
    "abc",
    "",
    "9" * 400,
    "nan",
    "inf",
    "1e3",
    "0x10",
    "\x00",
    "٣٣٣٣٣٣٣٣٣٣٣٣",
)
BAD_TIMES = (
    *(
        "",
        "now",
        "yesterday",
        "0000-01-01",
        "0001-01-01",
        "1969-12-31",
        "9999-12-31",
        "9999-12-31T23:59:59-14:00",
    ),
    *(
        "2026-13-01",
        "2026-02-30",
        "2026-01-01T25:00",
        "1767600000",
        "inf",
        "nan",
        "10000-01-01",
        "2026-01-01T00:00+99:00",
    ),
    *("\x00", "2026-01-01\x00", "가", "2026-01-01T00:00:00Z" * 20, "-2026-01-01", "2026/01/01"),
)
GOOD_TIMES = (
    *("2026-01-01", "2026-01-01T09:00", "2026-01-01 09:00:00", "2026-01-01T09:00:00Z", "20260101"),
    *("2026-01-01T09:00:00+09:00", "2026-01-01T09:00:00.000Z", "2026-W01-4"),
)
BAD_NUMBERS = ("nan", "inf", "-inf", "1e400", "-1", "0", "601", "abc", "", "\x00", "1_0_0_0_0")
BAD_SEEDS = ("-1", "1.5", "9" * 30, "abc", "", "nan", "\x00")
BAD_PORTS = ("99999", "65536", "-1", "80", "1", "abc", "", "1.5", "9" * 30, "nan", "\x00")
BAD_PARAMS = (
    "",
    "=",
    "=x",
    "x",
    "a b=c",
    "1=2",
    "x=\x00",
    "x=\udcff",
    "\x1b=1",
    "가 나=1",
    "x=" + "y" * 5000,
)
BAD_VERSIONS = ("0", "-1", "1.5", "abc", "", "9" * 30, "v1", "\x00", "nan")
BAD_PROJECTS = (
    *ODD_TEXTS,
    "crypto_forecas",
    "Crypto_Forecast",
    "template",
    "forecasting",
    "os",
    "__init__",
)
BAD_NAMES = (
    *ODD_TEXTS,
    "class",
    "Template",
    "a" * 33,
    "1a",
    "a__b",
    "a-b",
    "appliance",
    "forecasting",
    "store",
)
PATHS = (
    "\x00",
    "",
    "/",
    "/dev/null",
    "/proc/self/mem",
    "/nonexistent/x",
    "~nobody-there/x",
    "x" * 5000,
    "/dev/null/x",
)
DEVICES = ("/dev/null", "/proc/self/mem")
QUERIES = (
    *("SELECT 1", "", " ", ";", "SELECT", "\x00", "SELECT '\udcff'", "DROP TABLE candles", "SELECT 1; SELECT 2"),
    *("SELECT * FROM nowhere", "ATTACH '/etc/passwd'", "COPY candles TO '/tmp/x'", "SELECT 1/0", "SELECT " + "(" * 5000),
    *("SELECT 'inf'::DOUBLE, 'nan'::DOUBLE", "SELECT 9999999999999999999999999999999999999999", "PRAGMA version"),
    *("SELECT '9999-12-31'::TIMESTAMPTZ, 'infinity'::TIMESTAMP", "SELECT 'infinity'::DATE", "SELECT INTERVAL 1 MONTH"),
    *("SELECT '\\xAA'::BLOB, {'a': [1, NULL]}, MAP {'k': 1}", "SELECT chr(27) || '[31m'", "VACUUM", "SELECT '294247-01-10'::TIMESTAMP"),
    *("EXPLAIN SELECT 1", "SET memory_limit='1TB'", "INSTALL httpfs", "SELECT * FROM read_csv('/etc/passwd')"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Words behind `appliance`, and the exit code when only one is right."""

    words: tuple[str, ...]
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command line ended with."""

    code: int
    out: str
    err: str

    def faults(self, line: CommandLine) -> list[str]:
        """Return what is wrong with it; nothing when it is as it should be."""
        text = self.out + self.err
        found = [f"says {word!r}" for word in ("Traceback", "error: unexpected") if word in text]
        if self.code not in {0, 1, 2, 3, 4}:
            found.append(f"exit code {self.code}")
        if line.code is not None and self.code != line.code:
            found.append(f"exit code {self.code} instead of {line.code}")
        if self.code and "next:" not in text:
            found.append("no next step")
        if self.code == USAGE and "error:" not in self.err:
            found.append("no error on stderr")
        return found


def no_dashboard(_control: object) -> int:
    """Stand for the dashboard, which a command line without a terminal never opens."""
    raise AssertionError("no dashboard was asked for")


def execute(line: CommandLine) -> Outcome:
    """Run a command line in this process, through the main program's handling of errors."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors, write_through=True)
        for errors in ("strict", "backslashreplace")  # as Python opens stdout and stderr
    )
    nothing = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with (
        patch.object(sys, "stdin", nothing),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(list(line.words), no_dashboard)
    return Outcome(int(code), *(each.buffer.getvalue().decode() for each in (out, err)))  # type: ignore[attr-defined]


def command_lines(seed: int = 7) -> list[CommandLine]:
    """Return all command lines, the same for the same seed."""
    tables = (_commands(), _markets(), _times(), _numbers(), _names(), _files(), _queries())
    return [*(line for table in tables for line in table), *_random(seed)]


def _wrong(*words: str) -> CommandLine:
    return CommandLine(words, USAGE)


def _commands() -> Iterator[CommandLine]:
    for text in ODD_TEXTS:
        if text != "--":
            yield CommandLine((text,))
    for command in COMMANDS:
        yield CommandLine((command, "--help"), 0)
        yield _wrong(command, "--no-such-option")
        if command != "events":  # which takes words to look for
            yield _wrong(command, "one", "two", "three")
    for command in ("status", "doctor", "events", "logs", "models", "drift", "alerts"):
        yield CommandLine((command,))
    for words in ("config show", "config check", "config path", "project list", "alerts test"):
        yield CommandLine(tuple(words.split()))
    yield _wrong("reset")
    yield _wrong("run")
    yield _wrong("run", "nonsense")


def _markets() -> Iterator[CommandLine]:
    for market in (*BAD_MARKETS, *UNKNOWN_MARKETS):
        if market in {"-", "--"}:
            continue
        for command in ("candles", "coverage", "audit"):
            yield CommandLine((command, market), USAGE if market in BAD_MARKETS else None)
        if market in BAD_MARKETS:
            yield _wrong("backfill", market, "--from", "2026-01-01")


def _times() -> Iterator[CommandLine]:
    for at in BAD_TIMES:
        yield _wrong("backfill", "KRW-BTC", "--from", at)
        yield _wrong("audit", "KRW-BTC", "--from", "2026-01-01", "--to", at)
        yield _wrong("simulator", "--start", at)
    for at in GOOD_TIMES:
        yield _wrong("audit", "KRW-BTC", "--from", "2026-01-02", "--to", at)
        yield _wrong("backfill", "KRW-BTC", "--from", "2026-01-02", "--to", at)


def _numbers() -> Iterator[CommandLine]:
    for unit in BAD_UNITS:
        for words in (
            ("candles",),
            ("coverage",),
            ("audit",),
            ("backfill", "KRW-BTC", "--from", "2026-01-01"),
        ):
            yield _wrong(*words, "--unit", unit)
    for count in BAD_COUNTS:
        for words in (
            ("candles", "-n"),
            ("events", "-n"),
            ("logs", "-n"),
            ("sql", "--limit"),
            ("down", "--timeout"),
        ):
            yield _wrong(*words, count)
    for port in BAD_PORTS:
        yield _wrong("simulator", "--port", port)
    for number in BAD_NUMBERS:
        yield _wrong("simulator", "--speed", number)
        yield _wrong("demo", "--speed", number, "--no-attach")
    for seed in BAD_SEEDS:
        yield _wrong("simulator", "--seed", seed)
        yield _wrong("demo", "--seed", seed, "--no-attach")
    for version in BAD_VERSIONS:
        yield _wrong("models", "promote", version, "-y")
        yield _wrong("models", "reproduce", version)


def _names() -> Iterator[CommandLine]:
    for param in BAD_PARAMS:
        yield _wrong("run", "data", "--param", param)
    for name in BAD_PROJECTS:
        yield _wrong("run", "data", "--project", name)
        yield _wrong("project", "check", name) if name != "--" else _wrong("project", "check")
    for name in BAD_NAMES:
        yield _wrong("new-project", name) if name != "--" else _wrong("new-project")
        yield CommandLine(("logs", name), None if name == "--" else USAGE)
        yield CommandLine(("events", "--kind", name), USAGE)
        if name != "--":
            yield CommandLine(("restart", name), None)


def _files() -> Iterator[CommandLine]:
    for path in PATHS:
        for words in (("store", "check"), ("simulator", "--scenario")):
            yield CommandLine((*words, path), USAGE if path in {"\x00", "", "/"} else None)
        if path not in DEVICES:  # a fault would cost the machine its device
            yield _wrong("store", "backup", path)
            yield _wrong("drift", "--html", path)
        yield _wrong("simulator", "--replay", f"KRW-BTC={path}")
        yield _wrong("simulator", "--faults", path)
    for replay in ("KRW-BTC", "=", "KRW-BTC=", "=x", "krw=x", "\x00=\x00"):
        yield _wrong("simulator", "--replay", replay)
    yield _wrong("simulator", "--markets", "KRW-BTC,nope")
    yield _wrong("simulator", "--markets", ",")


def _queries() -> Iterator[CommandLine]:
    for query in QUERIES:
        for form in ("table", "json", "csv"):
            yield CommandLine(("sql", query, "--format", form))


def _random(seed: int) -> Iterator[CommandLine]:
    chance = random.Random(seed)
    odd = (
        *BAD_MARKETS,
        *BAD_TIMES,
        *BAD_COUNTS,
        *BAD_PARAMS,
        "--json",
        "-n",
        "--unit",
        "--from",
        "--project",
    )
    reading = (
        "candles",
        "coverage",
        "events",
        "logs",
        "status",
        "sql",
        "config",
        "models",
        "drift",
        "store",
    )
    for _ in range(60):
        words = (chance.choice(reading), *chance.choices(odd, k=chance.randint(1, 3)))
        yield CommandLine(words)


def lines_of_a_running_home() -> list[CommandLine]:
    """Return command lines for a home whose store and exchange answer."""
    lines = [
        *(
            _wrong(command, market)
            for market in UNKNOWN_MARKETS
            for command in ("candles", "coverage", "audit")
        )
    ]
    lines += [_wrong("backfill", market, "--from", "2026-01-05") for market in UNKNOWN_MARKETS]
    lines += [_wrong("backfill", "KRW-BTC", "--from", at) for at in ("2099-12-31", "2030-01-01")]
    lines += [_wrong("audit", "KRW-BTC", "--from", at) for at in ("2099-12-31", "2030-01-01")]
    lines += [
        CommandLine(
            ("backfill", "KRW-BTC", "--from", at, "--to", "2026-01-05T12:00", "--unit", "240"), 0
        )
        for at in ("2026-01-05", "2026-01-04T09:00:00+09:00", "20260105")
    ]
    lines += [CommandLine((*words, "--json"), 0) for words in (("candles",), ("coverage",))]
    # Nothing is proven there, so that nothing can be judged.
    lines.append(CommandLine(("audit", "KRW-BTC", "--json"), 1))
    return [*lines, *_queries()]
