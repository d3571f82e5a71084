"""Who sits before a process: from the operating system, nothing of it made up."""

from __future__ import annotations

import os

import pytest

from appliance.config import whoami
from appliance.domain.origin import Through


def test_the_user_is_the_processs_and_ssh_says_from_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.5 51234 10.0.0.1 22")
    origin = whoami.local_origin(Through.COMMAND)
    assert origin.name == whoami.user_name(os.getuid())
    assert (origin.through, origin.client) == (Through.COMMAND, "10.0.0.5")
    assert origin.host and "." not in origin.host


@pytest.mark.parametrize("value", ["", "nonsense", "\x1b[2J 1 2 3"])
def test_a_variable_that_is_no_address_is_left_out(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", value)
    assert whoami.local_origin(Through.CONSOLE).client == ""


def test_the_terminal_is_named_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "ttyname", lambda _descriptor: "/dev/pts/3")
    assert whoami.local_origin(Through.CONSOLE).terminal == "pts/3"


def test_a_user_without_a_name_is_told_by_number() -> None:
    assert whoami.user_name(4_000_123_456) == "uid 4000123456"


def test_a_process_that_is_gone_has_no_login() -> None:
    assert whoami.login_name(2**30) == ""
