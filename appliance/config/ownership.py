"""Who may open the DuckDB files of a home: while its supervisor lives, their services alone."""

from __future__ import annotations

import os

from appliance.config.instance_lock import is_supervised
from appliance.config.paths import Paths

SERVICE_VARIABLE = "APPLIANCE_SERVICE"
"""Names, to each process that a supervisor starts and to its children, the service it belongs to."""


def may_open_files_of(service: str, paths: Paths) -> bool:
    """Return whether this process may open the files that belong to a service.

    What a supervisor has started never may unless it is that service: not even when the supervisor has
    died, since the next one comes for the files.
    """
    own = os.environ.get(SERVICE_VARIABLE)
    return own == service if own else not is_supervised(paths)
