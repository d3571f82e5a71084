"""Commands on a real terminal, in pipes and under Ctrl-C, with hostile text in what they show."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.control.hub import Hub
from appliance.domain.event import Event, EventKind
from store import events
from store.open import open_store
from tests.control_bench import serving
from tests.fakes.control import FakeControl
from tests.store_process import START, running_service
from tests.waiting import wait_until

HOSTILE = "a\x1b]0;pwned\x07\x9bb\u202ec\u200bd\x7f[bold]e"
_EMPTY_SCREEN = b"\x1b[H\x1b[2J"
COMMAND = (sys.executable, "-m", "appliance")


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, home: Paths, *arguments: str | bytes) -> None:
        master, slave = pty.openpty()
        self._master = master
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=SOURCE_ROOT, stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, "APPLIANCE_HOME": str(home.home), "PYTHONUTF8": "1"},
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.seen = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 65_536)
            except OSError:
                return
            if not chunk:
                return
            self.seen += chunk

    def end(self, seconds: float = 60) -> tuple[int, str]:
        """Wait; return the exit code and what the terminal was given."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        os.close(self._master)
        return code, self.seen.decode()


def _is_clean(shown: str) -> bool:
    hidden = ("\x1b", "\x07", "\x9b", "\u202e", "\u200b", "\x7f")
    return not any(each in shown for each in hidden)


@pytest.fixture(scope="module")
def live_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    home = Paths(tmp_path_factory.mktemp("terminal") / "home")
    home.create()
    with running_service(home) as (_, client):
        events.append_event(client, Event(EventKind.BACKFILLED, HOSTILE, HOSTILE, START))
        yield home


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql", 'SELECT summary, actor AS "n\x1b[2Jame" FROM events'),
        ("sql", "--format", "csv", "SELECT summary FROM events"),
        ("sql", "--json", "SELECT summary FROM events"),
        ("sql", "--format", "jsonl", "SELECT summary FROM events"),
        ("sql", f'SELECT * FROM "{HOSTILE}"'),
        ("sql", f"SELECT {HOSTILE}"),
        ("sql", "--limit", HOSTILE, "SELECT 1"),
        ("events",),
        ("events", "--json"),
        ("logs", HOSTILE),
        (HOSTILE,),
        (f"--{HOSTILE}",),
        ("store", "check", HOSTILE),
        ("candles", HOSTILE),
    ],
    ids=lambda value: " ".join(value)[:20].encode("ascii", "replace").decode(),
)
def test_what_a_terminal_is_given_is_clean(live_home: Paths, arguments: tuple[str, ...]) -> None:
    code, shown = Terminal(live_home, *arguments).end()
    assert _is_clean(shown), shown
    assert shown.strip()
    assert code in (0, 1, 2)


def test_a_log_is_clean_on_a_terminal_and_whole_in_a_pipe(home: Paths) -> None:
    (home.logs / "ingestor.log").write_text(f"\x1b[31mred\x1b[0m {HOSTILE}\n", encoding="utf-8")
    _, shown = Terminal(home, "logs", "ingestor").end()
    assert _is_clean(shown)
    assert shown.startswith(r"red a\x1b]0;pwned\x07\x9bb\u202ec\u200bd\x7f[bold]e")
    piped = subprocess.run(
        [*COMMAND, "logs", "ingestor"], cwd=SOURCE_ROOT, capture_output=True, check=True
    )
    assert HOSTILE.encode() in piped.stdout


def test_undecodable_file_names_are_shown_and_piped(home: Paths) -> None:
    (Path(os.fsdecode(os.fsencode(home.logs) + b"/\xff\x1b.log"))).write_text("x")
    code, shown = Terminal(home, "logs").end()
    assert (code, _is_clean(shown)) == (0, True)
    assert r"\xff\x1b" in shown
    piped = subprocess.run([*COMMAND, "logs"], cwd=SOURCE_ROOT, capture_output=True, check=True)
    assert b"\xff\x1b.log" in piped.stdout


def test_json_is_valid_and_hides_nothing(live_home: Paths) -> None:
    done = subprocess.run(
        [*COMMAND, "sql", "--json", "SELECT summary, 'nan'::DOUBLE AS n, 'inf'::DOUBLE AS i FROM events"],
        cwd=SOURCE_ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "APPLIANCE_HOME": str(live_home.home)},
    )  # fmt: skip
    assert _is_clean(done.stdout)
    assert json.loads(done.stdout) == [{"summary": HOSTILE, "n": None, "i": None}]


def test_a_cell_is_cut_with_a_hint_and_json_has_all(live_home: Paths) -> None:
    _, shown = Terminal(live_home, "sql", "SELECT repeat('x', 100000) AS x").end()
    assert len(shown) < 2000
    assert "--json" in shown
    done = subprocess.run(
        [*COMMAND, "sql", "--json", "SELECT repeat('x', 100000) AS x"],
        cwd=SOURCE_ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "APPLIANCE_HOME": str(live_home.home)},
    )  # fmt: skip
    assert len(json.loads(done.stdout)[0]["x"]) == 100_000


def test_a_closed_pipe_is_no_error(live_home: Paths) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -2', "sh", *COMMAND, "sql", "--limit", "1000000", "FROM range(1000000)"],
        cwd=SOURCE_ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "APPLIANCE_HOME": str(live_home.home)},
    )  # fmt: skip
    assert done.stdout.split() == ["range", "0"]
    assert done.stderr == ""


_ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b"


@pytest.mark.parametrize("kind", ["service", "file"])
def test_control_c_ends_the_query_at_once(home: Paths, kind: str) -> None:
    def run() -> None:
        terminal = Terminal(home, "sql", _ENDLESS)
        wait_until(lambda: _cpu_of(terminal.process.pid) > 0.2, 20)
        wait_until(lambda: b"waiting for the store" in terminal.seen, 30)
        began = time.monotonic()
        terminal.process.send_signal(signal.SIGINT)
        code, shown = terminal.end(20)
        assert code == 130
        assert "interrupted" in shown
        assert time.monotonic() - began < 8

    if kind == "file":
        with open_store(home):
            pass
        run()
        return
    with running_service(home) as (service, client):
        run()

        def is_quiet() -> bool:
            used = _cpu_of(service.pid)
            client.read("SELECT 1 FROM range(100000)")
            return _cpu_of(service.pid) - used < 0.1

        wait_until(is_quiet, 5, "the query goes on")


def test_a_watched_status_is_drawn_anew_tells_an_outage_and_ends_with_control_c(
    home: Paths,
) -> None:
    fake = FakeControl()
    with serving(fake, Hub(fake.snapshot), home):
        terminal = Terminal(home, "status", "--watch", "1")
        wait_until(lambda: terminal.seen.count(_EMPTY_SCREEN) > 1, 30)
        first = terminal.seen.split(_EMPTY_SCREEN)[1]
        assert b"ingestor" in first
        fake.down = True
        wait_until(lambda: b"error:" in terminal.seen, 20)
        fake.restore()
        outage = len(terminal.seen)
        wait_until(lambda: b"ingestor" in terminal.seen[outage:], 20)
        terminal.process.send_signal(signal.SIGINT)
        code, _ = terminal.end(20)
    assert code == 130


def test_a_client_takes_little_memory_however_much_it_prints(live_home: Paths) -> None:
    sql = "SELECT range AS n, md5(range::VARCHAR) AS s FROM range(1000000)"
    process = subprocess.Popen(
        [*COMMAND, "sql", "--limit", "1000000", "--format", "csv", sql],
        cwd=SOURCE_ROOT, stdout=subprocess.PIPE,
        env={**os.environ, "APPLIANCE_HOME": str(live_home.home)},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.read(30_000_000)
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    process.stdout.read()
    assert process.wait(30) == 0
    assert peak < 250_000


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
