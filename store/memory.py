"""What the store's process may take of the machine's memory, and who gives way when that is used up.

DuckDB's own limit covers its buffers: not the strings and lists of the vector at work (2,048 rows at a
time), not what a recursion collects, not Arrow. So the kernel bounds the whole process: an allocation
above fails, and with it the statement that asked for it, which DuckDB survives.
"""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

from appliance import clock

MEBIBYTE = 1024 * 1024

BESIDE_DUCKDB = 640_000_000
"""Resident bytes of the process beyond DuckDB's limit: programs, Arrow's buffers, a vector's strings."""

_PROGRAM_BYTES = 110 * MEBIBYTE
"""Libraries that are mapped from files, which the kernel's limit on data does not count."""

_RESERVE_BYTES = 64 * MEBIBYTE
"""The longest read ends when less than this is left, so that nobody else meets the limit."""

_STACK_BYTES = 4 * MEBIBYTE
"""A thread's stack, which counts whole; 8 MiB otherwise. See `max_expression_depth` in `connection`."""

_TIDY_SECONDS = 1.0

_PURGE = b"arena.4096.purge"
"""jemalloc's name for all arenas together."""

_JEMALLOC = "retain:false,dirty_decay_ms:3000,muzzy_decay_ms:3000"
"""Free pages wait three seconds for the next query, or for `purge`: at once, an upsert takes double."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def prepare_allocators() -> None:
    """Choose allocators that give memory back; to be called before DuckDB and Arrow are loaded.

    What they keep counts against the limit: Arrow's default pool reserves 1 GiB, DuckDB's jemalloc keeps
    every address that it ever had.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("DUCKDB_JE_MALLOC_CONF", _JEMALLOC)
    # Another C library than glibc has none of these, and needs none.
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 2)
        libc.mallopt(_M_MMAP_THRESHOLD, 4 * MEBIBYTE)
        libc.mallopt(_M_TRIM_THRESHOLD, 32 * MEBIBYTE)
        attributes = ctypes.create_string_buffer(64)
        libc.pthread_attr_init(attributes)
        libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(_STACK_BYTES))
        libc.pthread_setattr_default_np(attributes)


class ProcessMemory:
    """The kernel's limit on this process, and how near it is."""

    def __init__(self, duckdb_bytes: int) -> None:
        """Set the limit for a DuckDB that may take `duckdb_bytes`."""
        self._limit = duckdb_bytes + BESIDE_DUCKDB - _PROGRAM_BYTES
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            self._limit = min(self._limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (self._limit, hard))
        self._tidy_at = 0.0

    def tidy(self) -> bool:
        """Let go what is free when much is taken; return whether somebody had better give way."""
        if self._taken() < self._limit // 2:
            return False
        now = clock.monotonic()
        if now >= self._tidy_at or self._is_short():
            self._tidy_at = now + _TIDY_SECONDS
            purge()
        return self._is_short()

    def _is_short(self) -> bool:
        return self._taken() > self._limit - _RESERVE_BYTES

    def _taken(self) -> int:
        pages = int(Path("/proc/self/statm").read_bytes().split()[5])
        return pages * resource.getpagesize()


def purge() -> None:
    """Give back what the allocators keep for the next query."""
    # Builds with another allocator lack the function; they give memory back themselves.
    with suppress(AttributeError, OSError):
        import _duckdb

        ctypes.CDLL(None).malloc_trim(0)
        ctypes.CDLL(_duckdb.__file__).duckdb_je_mallctl(
            _PURGE, None, None, None, ctypes.c_size_t(0)
        )


def duckdb_limit(connection: Any) -> int:
    """Return DuckDB's memory limit in bytes, as it understood the setting."""
    (text,) = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    number, _, unit = str(text).partition(" ")
    return int(float(number) * _UNITS[unit])


_UNITS = {name: 1024**n for n, name in enumerate(("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"))}
