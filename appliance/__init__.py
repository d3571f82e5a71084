"""A terminal-operated machine-learning appliance for one VM; `connect` reads its data in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from appliance.connection import Home

__all__ = ["__version__", "connect"]

__version__ = "0.1.0"


def connect(home: str | PathLike[str] | None = None) -> Home:
    """Return the data of an appliance's home, read-only: candles, rows, predictions, events, champion, SQL.

    Args:
        home: its folder; by default `$APPLIANCE_HOME`, else `~/.local/share/appliance`, as for the command
            line. The appliance may run or not.

    Raises:
        ConfigError: there is no home or no store in it, or it is another user's.
        ApplianceNotRunning: its supervisor lives and does not answer.
        StoreUnavailable: the store does not answer, or another process holds its file.
        StoreError: an older or newer version made it, or the file is damaged.
    """
    # Everybody imports this package: what reads must not be loaded with it.
    from appliance.connection import connect as open_home

    return open_home(home)
