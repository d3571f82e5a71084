"""The appliance's status as last written down: for those who get no answer from the supervisor.

A frozen or dead supervisor answers nobody, and who waits for a service should say in which state it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.config.paths import Paths


@dataclass(frozen=True, slots=True)
class LastStatus:
    """The control API's JSON of the newest status, and when it was written."""

    content: bytes
    at: datetime

    def age_seconds(self, now: datetime) -> float:
        """Return how old it is."""
        return max(0.0, (now - self.at).total_seconds())

    def service(self, name: str) -> str:
        """Return a service's state and reason in words, "" when it is not among them."""
        for service in self._services():
            if service.get("name") == name:
                return f"{service.get('observed')}: {service.get('reason')}"
        return ""

    def _services(self) -> list[Mapping[str, Any]]:
        try:
            found = json.loads(self.content)["services"]
        except (ValueError, KeyError, TypeError):
            return []
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def write_last_status(paths: Paths, content: bytes) -> None:
    """Replace what was written down; a power cut may lose it, which nobody misses."""
    temporary = paths.last_status_file.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(paths.last_status_file)


def read_last_status(paths: Paths) -> LastStatus | None:
    """Return the newest status written down, None when there is none."""
    file: Path = paths.last_status_file
    try:
        written_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return LastStatus(file.read_bytes(), written_at)
    except OSError:
        return None
