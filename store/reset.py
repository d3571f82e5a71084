"""Deleting a store, for `appliance reset --store`."""

from __future__ import annotations

import shutil

from appliance.config.paths import Paths
from appliance.errors import StoreUnavailable
from store.lock import StoreLock, holder


def reset_store(paths: Paths) -> None:
    """Delete the store file, its write-ahead log and its spill folder, under the lock.

    Raises:
        StoreUnavailable: a process uses the file; nothing was deleted.
    """
    lock = StoreLock.acquire(paths.store_file)
    if lock is None:
        raise StoreUnavailable(
            f"{paths.store_file} is in use by {holder(paths.store_file)}",
            code="store.locked",
            hint="appliance down, then try again",
        )
    try:
        paths.store_file.unlink(missing_ok=True)
        paths.store_file.with_name(paths.store_file.name + ".wal").unlink(missing_ok=True)
        shutil.rmtree(paths.store_file.with_name("spill"), ignore_errors=True)
    finally:
        lock.release()
