"""A real other user of this machine, for tests of who is trusted."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_NAME = "appliance-test"


@pytest.fixture(scope="session")
def other_user() -> Iterator[str]:
    """The name of a user made for these tests; skips where we may not make one."""
    if os.getuid() != 0 or not shutil.which("useradd"):
        pytest.skip("only root, with useradd, can make another user")
    if not Path("/usr/bin/python3").exists():
        pytest.skip("no Python that another user may run")
    name = f"{_NAME}-{os.getpid()}"
    subprocess.run(["useradd", "--system", "--no-create-home", "--user-group", name], check=True)
    try:
        pwd.getpwnam(name)
        yield name
    finally:
        subprocess.run(["userdel", name], check=True, stderr=subprocess.DEVNULL)
