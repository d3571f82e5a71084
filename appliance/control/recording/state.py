"""The state that a recording follows: per subject the JSON of what an operation answered.

A subject is an operation with its arguments; the stream's own are `status`, `live` and `events`. Its value
holds the last good answer as "r", and while it fails, the error as "e" and since when (ms) as "t".
Lists are kept as rows of JSON text: they compare and slide quickly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

STATUS, EVENTS, LIVE = "status", "events", "live"
EVENTS_KEPT = 300
CANDLES_KEPT = 240
"""As many candles as the screens read."""


def subject_of(operation: str, arguments: Mapping[str, object]) -> str:
    """Return the name under which an operation with its arguments is kept."""
    if not arguments:
        return operation
    text = json.dumps(dict(arguments), sort_keys=True, default=str)
    return f"{operation} {text}"


def parts_of(subject: str) -> tuple[str, dict[str, Any]]:
    """Return a subject's operation and arguments."""
    operation, _, text = subject.partition(" ")
    return operation, json.loads(text) if text else {}


def good(result: Any) -> dict[str, Any]:
    """Return the value of an answer, given as JSON."""
    return {"r": [row(item) for item in result] if isinstance(result, list) else result}


def failing(before: Mapping[str, Any] | None, error: Any, at: int) -> dict[str, Any]:
    """Return the value of a failure after `before`; the first failure of a row keeps its time."""
    known = dict(before or {})
    return {**known, "e": error, "t": known.get("t", at)}


def row(item: Any) -> str:
    """Return a list's item as it is kept."""
    return item if isinstance(item, str) else json.dumps(item)


def result_of(value: Mapping[str, Any], *, is_text: bool) -> Any:
    """Return the last good answer as JSON; `is_text` when a list's items are texts themselves."""
    result = value.get("r")
    if isinstance(result, list) and not is_text:
        return [json.loads(item) for item in result]
    return result


def shape(status: Mapping[str, Any]) -> list[Any]:
    """Return what of a status makes its change worth a look: states, problems, versions, verdicts."""
    return [
        [(s["name"], s["observed"], s["restarts"]) for s in status["services"]],
        [(p["code"], p["subject"]) for p in status["problems"]],
        sorted(status.get("stale") or {}),
        status["disabled"],
        [(j["id"], j["state"]) for j in status["jobs"]],
        [_project(project) for project in status["projects"]],
    ]


def _project(project: Mapping[str, Any]) -> list[Any]:
    runs = [(w["last_run"] or {}) for w in project["workflows"]]
    return [
        project["name"],
        (project["champion"] or {}).get("version"),
        [project[name] for name in ("previous_champion", "challenger", "newest_version", "held")],
        [(run.get("run_id"), run.get("state")) for run in runs],
        (project["drift"] or {}).get("verdict"),
        project["parked"] is not None,
    ]
