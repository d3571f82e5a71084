"""A champion's estimator for a reader: proven as the pipelines prove it, and nothing noted anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from appliance.config.paths import Paths
from appliance.domain.model_proof import ModelProof
from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound
from appliance.registry import model_file
from appliance.registry.proofs import Place, copy_of, load_proven
from appliance.registry.rest import RegistryRest


class ReadOnlyProofs:
    """`Proofs` that are looked up and never changed: whoever only looks refuses in silence.

    Args:
        find: returns what a version's files must be, None when nobody has kept it.
    """

    def __init__(self, find: Callable[[ModelVersion], ModelProof | None]) -> None:
        self._find = find

    def record(self, proof: ModelProof) -> None:
        """Keep nothing."""

    def find(self, version: ModelVersion) -> ModelProof | None:
        """Return what a version's files must be, None when nobody has kept it."""
        return self._find(version)

    def adopt(self, version: ModelVersion, proof: ModelProof) -> None:
        """Keep nothing."""

    def refuse(self, version: ModelVersion, place: Place, reason: str) -> None:
        """Keep nothing."""

    def accept(self, version: ModelVersion, place: Place) -> None:
        """Keep nothing."""


def load_for_reader(
    paths: Paths, version: ModelVersion, proofs: ReadOnlyProofs, server: RegistryRest | None
) -> object:
    """Return a version's estimator: from the forecaster's copy, else from the server's files.

    Raises:
        ModelNotFound: there is no copy, and no server to ask.
        ModelRefused: the files are not what was registered.
        RegistryError: they are damaged, or hold a type outside the rule.
    """
    copy = copy_of(paths.model_copies, version)
    if copy.exists():
        return load_proven(copy, version, proofs, Place.COPY)
    if server is None:
        raise ModelNotFound(
            f"version {version.version} of {version.name} has no copy in {copy} and MLflow does not run",
            hint="appliance up; the forecaster then copies the model in production",
        )
    with tempfile.TemporaryDirectory(prefix="appliance-model-") as scratch:
        for name in model_file.FILES:
            content = server.model_file(version.name, version.version, name)
            Path(scratch, name).write_bytes(content)
        return load_proven(Path(scratch), version, proofs, Place.REGISTRY)
