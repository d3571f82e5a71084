"""Why a task could not start, from the log of the scheduler, whose workers start them."""

from __future__ import annotations

import re
from collections.abc import Sequence

SCHEDULER_LINES = 400
"""How far back the log is looked through."""

_FAILED = "Workload execution failed"
_EXCEPTION = re.compile(
    r"^[\s|\u2502]*((?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Timeout)): (.+)"
)
_LONGEST = 200


def start_failure(lines: Sequence[str]) -> str:
    """Return what ended the newest attempt to start a task, "" when the log does not say.

    The worker logs that the workload failed, and after it the exception with its causes, the last of
    which is what happened.
    """
    failures = [number for number, line in enumerate(lines) if _FAILED in line]
    if not failures:
        return ""
    found = [match for line in lines[failures[-1] :] if (match := _EXCEPTION.match(line))]
    return f"{found[0][1]}: {found[0][2]}"[:_LONGEST].rstrip() if found else ""
