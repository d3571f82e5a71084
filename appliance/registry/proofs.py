"""Proves that a model's files are what was registered, before anybody uses the model.

The digest says whether the files are those of the training; the probe whether the model still predicts
what it did then, with the code and the packages of today.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from appliance.domain.model_proof import ModelProof, Probe, proof_key
from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelRefused
from appliance.registry import model_file

if TYPE_CHECKING:
    import pandas as pd

_PROBE_ROWS = 8
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
"""What another processor may do to a sum; a retrained or changed model differs by far more."""


class Place(StrEnum):
    """Where files were read."""

    REGISTRY = "registry"
    COPY = "copy"


class Proofs(Protocol):
    """Keeps what models' files must be, where a writer of the files cannot reach it."""

    def record(self, proof: ModelProof) -> None:
        """Keep what a training has made."""
        ...

    def find(self, version: ModelVersion) -> ModelProof | None:
        """Return what a version's files must be, None when nobody has kept it."""
        ...

    def adopt(self, version: ModelVersion, proof: ModelProof) -> None:
        """Keep what a version's files are that nobody has kept, and say that they are not proven."""
        ...

    def refuse(self, version: ModelVersion, place: Place, reason: str) -> None:
        """Say, once, that a version's files are something else."""
        ...

    def accept(self, version: ModelVersion, place: Place) -> None:
        """Note that a version's files are right."""
        ...


def files_digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of named files, in hexadecimal."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def prove(
    project: str, run_id: str, folder: Path, model: object, examples: pd.DataFrame
) -> ModelProof:
    """Return what a model that was saved into a folder is, and what it predicts for some of the rows."""
    import numpy as np

    chosen = np.unique(np.linspace(0, len(examples) - 1, _PROBE_ROWS).astype(int))
    rows = examples.iloc[chosen].astype(np.float64)
    return ModelProof(
        project=project,
        run_id=run_id,
        sha256=files_digest(model_file.read(folder)),
        probe=Probe(
            columns=tuple(str(name) for name in rows.columns),
            rows=tuple(
                tuple(None if np.isnan(value) else float(value) for value in row)
                for row in rows.to_numpy()
            ),
            predictions=_predict(model, rows),
        ),
    )


def copy_of(copies: Path, version: ModelVersion) -> Path:
    """Return the folder of a version's copy."""
    return copies / version.name / f"{version.version}-{version.run_id}"


def load_proven(folder: Path, version: ModelVersion, proofs: Proofs | None, place: Place) -> object:
    """Return the estimator in a folder when its files are what was registered with the version.

    Without `proofs` nothing is compared.

    Raises:
        ModelRefused: they are not, or the model predicts something else than at its registration.
        RegistryError: they are damaged, or hold a type outside the rule.
    """
    files = model_file.read(folder)
    if proofs is None:
        return model_file.loads(files, folder)
    sha256, proof = files_digest(files), proofs.find(version)
    if proof is not None and sha256 != proof.sha256:
        changed = f"the digest of its files is {sha256[:12]}, registered was {proof.sha256[:12]}"
        reason = changed if files else "its files are gone"
        raise _refused(proofs, version, place, reason)
    estimator = model_file.loads(files, folder)
    if proof is None:
        proofs.adopt(version, ModelProof(version.name, proof_key(version), sha256))
    elif proof.probe is not None and (difference := _difference(estimator, proof.probe)):
        raise _refused(proofs, version, place, difference)
    proofs.accept(version, place)
    return estimator


def _refused(proofs: Proofs, version: ModelVersion, place: Place, reason: str) -> ModelRefused:
    proofs.refuse(version, place, reason)
    where = "MLflow" if place is Place.REGISTRY else "the local copy"
    return ModelRefused(
        f"version {version.version} of {version.name} in {where} is not what was registered: {reason}",
        hint=f"train a new version: appliance run train --project {version.name}; find out who changed it",
        project=version.name,
        version=version.version,
        reason=reason,
    )


def _difference(estimator: object, probe: Probe) -> str:
    """Return how the model's predictions differ from the recorded ones, "" when they do not."""
    import numpy as np
    import pandas as pd

    values = [[np.nan if value is None else value for value in row] for row in probe.rows]
    rows = pd.DataFrame(values, columns=list(probe.columns), dtype=np.float64)
    try:
        predicted = np.asarray(_predict(estimator, rows))
    except Exception as error:  # whatever a project's own code raises: it did not at the training
        return f"it fails on the probe's rows: {str(error) or type(error).__name__}"
    recorded = np.asarray(probe.predictions)
    if predicted.shape != recorded.shape:
        return f"it predicts {predicted.size} values for the probe's rows, registered were {recorded.size}"
    is_close = np.isclose(predicted, recorded, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    if is_close.all():
        return ""
    first = int(np.argmin(is_close))
    return f"it predicts {predicted[first]:.6g} on a row for which {recorded[first]:.6g} was registered"


def _predict(model: Any, rows: pd.DataFrame) -> tuple[float, ...]:
    import numpy as np

    return tuple(float(value) for value in np.asarray(model.predict(rows)).ravel())
