"""MLflow's folder of artifacts, which does not follow a link out of the artifact root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from appliance.registry.artifact_root import ArtifactRoot


def outside(root: ArtifactRoot, place: str) -> MlflowException:
    """Return the error for what lies outside the root."""
    return MlflowException(
        f"{place} lies outside the artifact root {root.uri}; mlflow.artifact_root sets the root",
        error_code=PERMISSION_DENIED,
    )


class ConfinedFolder(LocalArtifactRepository):
    """A folder below the root, itself and with everything in it.

    MLflow checks links against the folder it was given, which may be a link itself, and not when it
    copies a folder, deletes, or tells sizes. A file is replaced, never written through: its other names,
    hard links, keep what they had.

    Args:
        root: where files may lie.
        artifact_uri: the folder.
        tracking_uri: as MLflow gives it.
        registry_uri: as MLflow gives it.
    """

    def __init__(
        self,
        root: ArtifactRoot,
        artifact_uri: str,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._root = root
        self._require_inside(self.artifact_dir)

    def get_local_path(self, artifact_path: str) -> str:
        """Return the path of a file or folder."""
        return self._require_inside(super().get_local_path(artifact_path))

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return the entries of a folder but for links that lead out."""
        self._require_inside(os.path.join(self.artifact_dir, path or ""))  # noqa: PTH118
        entries = super().list_artifacts(path)
        return [entry for entry in entries if self._root.holds_path(self._path(entry.path))]

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Store a folder's files, each as `log_artifact` does."""
        for folder, file in _files(Path(local_dir)):
            parts = [part for part in (artifact_path, folder) if part]
            self.log_artifact(str(file), "/".join(parts) or None)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file, a folder, or a link itself; never the root."""
        path = Path(self._path(artifact_path or ""))
        if path.is_symlink():
            self._require_inside(str(path.parent))
            path.unlink()
        elif os.path.realpath(path) in self._root.folders:
            raise outside(self._root, str(path.parent))
        else:
            self._require_inside(str(path))
            super().delete_artifacts(artifact_path)

    def download_trace_data(self) -> dict[str, Any]:
        """Return a trace's data."""
        self._require_inside(self._path("traces.json"))
        data: dict[str, Any] = super().download_trace_data()
        return data

    def _get_or_create_artifact_dir(self, artifact_path: str | None = None) -> str:
        self._require_inside(self._path(artifact_path or ""))
        folder: str = super()._get_or_create_artifact_dir(artifact_path)
        return folder

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self._require_inside(self._path(remote_file_path))
        super()._download_file(remote_file_path, local_path)

    def _path(self, artifact_path: str) -> str:
        return os.path.join(self.artifact_dir, os.path.normpath(artifact_path))  # noqa: PTH118

    def _require_inside(self, path: str) -> str:
        if not self._root.holds_path(path):
            raise outside(self._root, path)
        return path


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file with its folder's relative path, "" at the top."""
    for entry in sorted(folder.rglob("*")):
        if entry.is_file():
            parent = entry.parent.relative_to(folder).as_posix()
            yield ("" if parent == "." else parent), entry
