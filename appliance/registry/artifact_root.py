"""Where a home's artifacts may lie; whatever lies elsewhere is not read, written or deleted for anybody."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

PROXIED = "mlflow-artifacts:"
"""Scheme of artifacts that the server reads and writes for its clients, below the configured root."""
LOCAL_SCHEMES = frozenset({"", "file"})


@dataclass(frozen=True, slots=True)
class ArtifactRoot:
    """The configured root, and the home's own folder, where artifacts lie from before it was set.

    `uri` has no trailing slash: `file:///srv/models`, `s3://bucket/models`.
    """

    uri: str
    own_folder: Path

    @property
    def is_folder(self) -> bool:
        """Whether artifacts are files of this machine."""
        return self.uri.startswith("file:")

    def holds(self, uri: str) -> bool:
        """Return whether an artifact URI, or a plain path, lies below the root."""
        parsed = urlparse(uri)
        if is_local(uri):
            return self.holds_path(local_path(uri))
        segments = _segments(parsed.path)
        if ".." in segments:
            return False
        if f"{parsed.scheme}:" == PROXIED:
            return not parsed.netloc
        root = urlparse(self.uri)
        top = _segments(root.path)
        is_same_place = (parsed.scheme, parsed.netloc) == (root.scheme, root.netloc)
        return is_same_place and segments[: len(top)] == top

    def holds_path(self, path: str) -> bool:
        """Return whether a path of this machine lies below the root when all its links are followed."""
        try:
            real = Path(os.path.realpath(path))
        except (OSError, ValueError):
            return False
        return any(real.is_relative_to(folder) for folder in self.folders)

    def resolve(self, uri: str) -> str:
        """Return where lies what MLflow's server keeps for its clients; other URIs as they are."""
        return self.uri + uri.removeprefix(PROXIED) if uri.startswith(f"{PROXIED}/") else uri

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of this machine that belong to it, all links followed."""
        configured = (local_path(self.uri),) if self.is_folder else ()
        return tuple(os.path.realpath(folder) for folder in (*configured, self.own_folder))


def is_local(uri: str) -> bool:
    """Return whether a URI, or a plain path, is of a file of this machine."""
    return urlparse(uri).scheme in LOCAL_SCHEMES


def local_path(uri: str) -> str:
    """Return the path that MLflow reads for a `file:` URI or a plain path."""
    return url2pathname(urlparse(uri).path if uri.startswith("file:") else uri)


def _segments(path: str) -> list[str]:
    while (decoded := unquote(path)) != path:
        path = decoded
    return [segment for segment in path.split("/") if segment]
