"""What a model's files were when its training ended, and files that were found to be something else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from appliance.domain.model_version import ModelVersion


@dataclass(frozen=True, slots=True)
class Probe:
    """Feature rows, and what the model predicted for them when it was trained.

    `columns` are the features' names; `rows` has one value for each, None for NaN; `predictions` is flat,
    row by row.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]
    predictions: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ModelProof:
    """What a version's files must be.

    `run_id` is the MLflow run that made the model (`proof_key`); `sha256` the digest of the files that
    loading reads. Without a `probe` the digest was taken when a version of an earlier appliance, or one
    that was registered by hand, was first loaded: nobody knows what was trained.
    """

    project: str
    run_id: str
    sha256: str
    probe: Probe | None = None


@dataclass(frozen=True, slots=True)
class ModelRefusal:
    """A version whose files, in the registry, are not what was registered; `reason` says why."""

    project: str
    version: int
    reason: str
    refused_at: datetime


def proof_key(version: ModelVersion) -> str:
    """Return what a version's proof is found by: its run, or its number when it has none."""
    return version.run_id or f"version-{version.version}"
