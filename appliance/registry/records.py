"""MLflow's records of versions and datasets, from and to our types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow.entities import Dataset, DatasetInput
from mlflow.entities.model_registry import ModelVersion as MlflowVersion

from appliance.domain.model_version import ModelVersion

_DIGEST_LENGTH = 36
"""What MLflow's schema has room for."""


@dataclass(frozen=True, slots=True)
class DatasetWindow:
    """The stored rows that a model was trained on: opening times [start_at, end_at], content's digest."""

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    rows: int
    sha256: str


def model_version(
    version: MlflowVersion, moved: Mapping[str, int], metrics: Mapping[str, dict[str, float]]
) -> ModelVersion:
    """Return a registered version with its aliases and its run's metrics, by run id."""
    number = int(version.version)
    return ModelVersion(
        name=version.name,
        version=number,
        run_id=version.run_id or "",
        created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        aliases=tuple(sorted(alias for alias, at in moved.items() if at == number)),
        metrics=metrics.get(version.run_id or "", {}),
        tags=dict(version.tags or {}),
    )


def dataset_input(window: DatasetWindow) -> DatasetInput:
    """Return the window as MLflow records the dataset of a run."""
    start, end = window.start_at.isoformat(), window.end_at.isoformat()
    name = f"{window.market}-{window.unit}m"
    profile = json.dumps(
        {"rows": window.rows, "start_at": start, "end_at": end, "sha256": window.sha256}
    )
    return DatasetInput(
        Dataset(
            name=name,
            digest=window.sha256[:_DIGEST_LENGTH],
            source_type="appliance_store",
            source=f'{{"market": "{window.market}", "unit": {window.unit}}}',
            profile=profile,
        )
    )
