"""The one market source that a store file belongs to."""

from __future__ import annotations

from appliance import clock
from appliance.errors import ConfigError
from store.rows import scalar
from store.session import Session, Statement

_CLAIM = "INSERT INTO source (source_id, claimed_at) VALUES (?, ?) ON CONFLICT DO NOTHING"


def claim_source(session: Session, source_id: str) -> None:
    """Bind the store to a source; the first claim wins and a repeat changes nothing.

    Raises:
        ConfigError: the store belongs to another source.
    """
    session.write(Statement(_CLAIM, (source_id, clock.now())))
    owner = scalar(session.read("SELECT source_id FROM source"))
    if owner != source_id:
        raise ConfigError(
            f"this store holds candles of {owner!r}, not of {source_id!r}; sources are never mixed",
            code="source.mixed",
            hint="set APPLIANCE_HOME to another home, or delete this store's data with"
            " `appliance reset --store`",
        )


def source_id(session: Session) -> str | None:
    """Return the source that the store belongs to; None before the first claim."""
    owner = scalar(session.read("SELECT source_id FROM source"))
    return None if owner is None else str(owner)
