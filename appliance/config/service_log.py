"""What a service of ours writes into its log: lines that begin with an instant in UTC."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime


class UtcFormatter(logging.Formatter):
    """Begins lines with `2026-11-27T06:30:12.345Z`, which whoever shows the log turns into the zone."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the instant of a record."""
        at = datetime.fromtimestamp(record.created, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def log_to_stderr(line: str = "%(asctime)s %(levelname)s %(message)s") -> None:
    """Write this process's log, from INFO on, to stderr, which the supervisor keeps."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(UtcFormatter(line))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
