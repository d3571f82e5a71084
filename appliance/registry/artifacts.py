"""A run's artifacts, written and read through the server or, with the appliance down, where they lie."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

from appliance.errors import RegistryError
from appliance.registry.artifact_root import is_local
from appliance.registry.confined_folder import ConfinedFolder
from appliance.registry.location import RegistryLocation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Artifacts:
    """One folder of artifacts.

    Args:
        location: the way to the registry.
        uri: the folder's as MLflow has it, such as a run's `artifact_uri`.

    Raises:
        RegistryError: it lies outside the artifact root.
    """

    def __init__(self, location: RegistryLocation, uri: str) -> None:
        if RunsArtifactRepository.is_runs_uri(uri):
            uri = RunsArtifactRepository.get_underlying_uri(uri, location.tracking_uri)
        place, root = location.place_of(uri), location.root
        if not root.holds(place):
            raise RegistryError(
                f"{uri} lies outside the artifact root {root.uri}: it is neither read nor written",
                code="registry.outside_root",
                hint="set mlflow.artifact_root to a folder that holds it, or register the model anew",
                uri=uri,
            )
        self._files = (
            ConfinedFolder(root, place)
            if is_local(place)
            else get_artifact_repository(place, tracking_uri=location.tracking_uri)
        )

    def add_folder(self, folder: Path, name: str) -> None:
        """Store a local folder's files as `name/`."""
        self._files.log_artifacts(str(folder), name)

    def add_figures(self, figures: Mapping[str, Figure]) -> None:
        """Store figures as `figures/<name>.png`."""
        if not figures:
            return
        with tempfile.TemporaryDirectory(prefix="appliance-figures-") as scratch:
            for name, figure in figures.items():
                figure.savefig(Path(scratch, f"{name}.png"))
            self.add_folder(Path(scratch), "figures")

    def add_documents(self, documents: Mapping[str, object]) -> None:
        """Store JSON-able documents as `documents/<name>.json`."""
        if not documents:
            return
        with tempfile.TemporaryDirectory(prefix="appliance-documents-") as scratch:
            for name, document in documents.items():
                text = json.dumps(document, indent=2)
                Path(scratch, f"{name}.json").write_text(text, encoding="utf-8")
            self.add_folder(Path(scratch), "documents")

    def add_page(self, name: str, html: str) -> None:
        """Store an HTML page as `pages/<name>.html`."""
        with tempfile.TemporaryDirectory(prefix="appliance-page-") as scratch:
            Path(scratch, f"{name}.html").write_text(html, encoding="utf-8")
            self.add_folder(Path(scratch), "pages")

    def document(self, name: str) -> object:
        """Return the document `name`; raises `FileNotFoundError` when there is none."""
        path = f"documents/{name}.json"
        if all(entry.path != path for entry in self._files.list_artifacts("documents")):
            raise FileNotFoundError(path)
        with tempfile.TemporaryDirectory(prefix="appliance-documents-") as scratch:
            local = self._files.download_artifacts(path, scratch)
            document: object = json.loads(Path(local).read_text(encoding="utf-8"))
            return document

    def fetch(self, into: Path) -> Path:
        """Copy the folder into a local one; return where its files are."""
        return Path(self._files.download_artifacts("", str(into)))

    def size(self) -> int:
        """Return the bytes of all files of the folder; 0 when there is none."""
        waiting, total = [""], 0
        while waiting:
            for entry in self._files.list_artifacts(waiting.pop() or None):
                if entry.is_dir:
                    waiting.append(entry.path)
                else:
                    total += entry.file_size or 0
        return total

    def remove(self) -> None:
        """Delete the folder; one that is not there stays so."""
        self._files.delete_artifacts()
