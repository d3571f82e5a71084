"""Whose turn it is to decide on a project's production: one process of a home at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance import clock
from appliance.config.file_holder import file_holders
from appliance.config.private_folder import make_folder
from appliance.errors import RegistryUnavailable

_POLL_SECONDS = 0.02


class ProductionLock:
    """One lock per project, over all threads and processes that use the same folder.

    The kernel lets it go with the process that holds it.

    Args:
        folder: holds one file per project; made when missing.
        patience: how long to wait for another's decision to end, seconds.
    """

    def __init__(self, folder: Path, patience: float) -> None:
        self._folder = folder
        self._patience = patience

    @contextmanager
    def held(self, project: str) -> Iterator[None]:
        """Hold a project's lock.

        Raises:
            RegistryUnavailable: somebody else has held it all the while.
        """
        make_folder(self._folder)
        file = self._folder / f"{project}.lock"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(descriptor, project, file)
            yield
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, project: str, file: Path) -> None:
        until = clock.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock.monotonic() >= until:
                    raise _taken(project, file) from None
                time.sleep(_POLL_SECONDS)
            else:
                return


def _taken(project: str, file: Path) -> RegistryUnavailable:
    holders = ", ".join(str(holder) for holder in file_holders(file)) or "another process"
    return RegistryUnavailable(
        f"nothing was changed: {holders} is deciding on the production of {project}",
        code="registry.decision_pending",
        hint="try again in a moment; a process that hangs can be ended: its number is above",
        project=project,
    )
