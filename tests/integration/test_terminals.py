"""The command on real pseudo-terminals of several kinds: it draws, or says in a sentence what to set."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import sys
import termios
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path

import pytest

from appliance import clock

ROOT = Path(__file__).resolve().parents[2]
ALTERNATE_SCREEN = b"\x1b[?1049h"
_SECONDS = 40.0


def on_terminal(
    command: list[str], variables: Mapping[str, str], home: Path, until: bytes = b"\0"
) -> tuple[int, bytes]:
    """Run a command on a terminal of 80x24 until it ends or has written `until`; return code and output."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "APPLIANCE_HOME": str(home / "appliance"),
        "PYTHONPATH": str(ROOT), **variables,
    }  # fmt: skip
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, *command], environment)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    output, deadline = b"", clock.monotonic() + _SECONDS
    try:
        while until not in output and clock.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    read = os.read(terminal, 65536)
                except OSError:  # the other end is closed
                    read = b""
                if not read:
                    break
                output += read
        if until in output:
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output
    finally:
        os.close(terminal)


@pytest.mark.parametrize(
    ("variables", "words", "hint"),
    [
        ({"TERM": "dumb"}, b"TERM is 'dumb'", b"TERM=xterm-256color appliance"),
        ({}, b"TERM is ''", b"TERM=xterm-256color appliance"),
        (
            {"TERM": "xterm", "LC_ALL": "ko_KR.eucKR"},
            b"locale ko_KR.eucKR is eucKR",
            b"LC_ALL=ko_KR.UTF-8 appliance",
        ),
    ],
    ids=["dumb", "unset", "EUC-KR"],
)
def test_a_terminal_that_cannot_show_the_dashboard_gets_a_sentence(
    variables: dict[str, str], words: bytes, hint: bytes, tmp_path: Path
) -> None:
    code, output = on_terminal(["-m", "appliance", "--readonly"], variables, tmp_path)
    assert code == 2
    assert words in output
    assert hint in output
    assert b"\x1b" not in output


@pytest.mark.long
@pytest.mark.parametrize(
    "variables",
    [
        {"TERM": "xterm"},
        {"TERM": "screen"},
        {"TERM": "linux"},
        {"TERM": "xterm", "LC_ALL": "C"},
        {"TERM": "xterm", "LANG": "ko_KR.UTF-8"},
        {"TERM": "xterm", "NO_COLOR": "1"},
    ],
    ids=["xterm", "screen", "linux", "C", "Korean", "no-color"],
)
def test_other_terminals_get_the_dashboard(variables: dict[str, str], tmp_path: Path) -> None:
    _, output = on_terminal(["-m", "tests.fakes.run_tui"], variables, tmp_path, b"Workflows")
    assert ALTERNATE_SCREEN in output
    text = output.decode(errors="ignore")
    assert ("●" in text) is (variables["TERM"] != "linux")
    if "NO_COLOR" in variables:
        assert "\x1b[38;" not in text
        assert "\x1b[48;" not in text
