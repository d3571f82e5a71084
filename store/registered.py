"""Which version MLflow's own DuckDB file has in production, for when no MLflow server runs; read-only.

MLflow's client would open the file for writing. This opens it for the moment of one read; a server
that starts meanwhile waits that long.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from appliance.domain.model_version import ModelVersion
from store.faults import translate

_CHAMPION = """
SELECT v.version, v.run_id, v.creation_time,
    (SELECT list(alias ORDER BY alias) FROM registered_model_aliases
        WHERE name = v.name AND version = v.version),
    (SELECT map(list(key ORDER BY key), list(value ORDER BY key)) FROM model_version_tags
        WHERE name = v.name AND version = v.version),
    (SELECT map(list(key ORDER BY key), list(value ORDER BY key)) FROM latest_metrics
        WHERE run_uuid = v.run_id)
FROM model_versions v JOIN registered_model_aliases a ON a.name = v.name AND a.version = v.version
WHERE v.name = ? AND a.alias = 'champion'
"""


def read_champion(file: Path, project: str) -> ModelVersion | None:
    """Return a project's version in production, None when there is none or no file.

    Raises:
        StoreUnavailable: another process has the file open.
        StoreError: it cannot be read.
    """
    if not file.exists():
        return None
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            row = connection.execute(_CHAMPION, [project]).fetchone()
    except duckdb.Error as error:
        raise translate(error, file) from error
    if row is None:
        return None
    number, run_id, created_ms, aliases, tags, metrics = row
    return ModelVersion(
        name=project,
        version=int(number),
        run_id=run_id or "",
        created_at=datetime.fromtimestamp(created_ms / 1000, UTC),
        aliases=tuple(aliases),
        metrics=dict(metrics or {}),
        tags=dict(tags or {}),
    )
