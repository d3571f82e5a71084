"""Keeps MLflow's server to the artifact root, whatever its clients name and whatever its database holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import _PROMPT_SOURCE_PLACEHOLDERS
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact import artifact_repository_registry as repositories
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.tracking.dbmodels.models import (
    SqlExperiment,
    SqlLoggedModel,
    SqlRun,
    SqlTraceTag,
)
from mlflow.tracing.constant import TraceTagKey
from mlflow.utils.mlflow_tags import MLFLOW_ARTIFACT_LOCATION
from sqlalchemy import event

from appliance.registry.artifact_root import LOCAL_SCHEMES, PROXIED, ArtifactRoot
from appliance.registry.confined_folder import ConfinedFolder, outside

Build = Callable[..., ArtifactRepository]

_REFERENCES = frozenset({"runs", "models"})
"""Schemes that name a run or a model: its location comes back here when it is known."""
_LOCATIONS: tuple[Any, ...] = (
    SqlExperiment.artifact_location,
    SqlRun.artifact_uri,
    SqlLoggedModel.artifact_location,
)
_SOURCES: tuple[Any, ...] = (SqlModelVersion.source, SqlModelVersion.storage_location)
"""Locations, references or placeholders."""
_LOCATION_TAGS = frozenset({MLFLOW_ARTIFACT_LOCATION, TraceTagKey.ARCHIVE_LOCATION})
_PLACEHOLDERS = _PROMPT_SOURCE_PLACEHOLDERS | {"REDACTED-SOURCE-PATH"}
"""What MLflow writes in place of a location: a prompt has no files, and a deleted version is made unknown."""


def confine(root: ArtifactRoot) -> None:
    """Let this process use no artifact location outside the root, nor put one on record.

    A location that is on record from before stays there and cannot be used.
    """
    registry = repositories._artifact_repository_registry
    for scheme, build in list(registry.get_registered_artifact_repositories().items()):
        if scheme in LOCAL_SCHEMES:
            registry.register(scheme, partial(ConfinedFolder, root))
        elif f"{scheme}:" == PROXIED:
            registry.register(scheme, partial(_build, root, repositories.get_artifact_repository))
        elif scheme not in _REFERENCES:
            registry.register(scheme, partial(_build, root, build))
    for column in _LOCATIONS:
        event.listen(column, "set", partial(_check_location, root))
    for column in _SOURCES:
        event.listen(column, "set", partial(_check_source, root))
    for change in ("before_insert", "before_update"):
        event.listen(SqlTraceTag, change, partial(_check_tag, root))


def _build(root: ArtifactRoot, build: Build, artifact_uri: str, **uris: Any) -> ArtifactRepository:
    if not root.holds(artifact_uri):
        raise outside(root, artifact_uri)
    return build(root.resolve(artifact_uri), **uris)


def _check_location(root: ArtifactRoot, _row: object, value: str | None, *_: object) -> None:
    if value:
        _require_inside(root, value)


def _check_source(root: ArtifactRoot, _row: object, value: str | None, *_: object) -> None:
    if value and value not in _PLACEHOLDERS and not _is_reference(value):
        _require_inside(root, value)


def _check_tag(root: ArtifactRoot, _mapper: object, _connection: object, tag: SqlTraceTag) -> None:
    if tag.key in _LOCATION_TAGS and tag.value:
        _require_inside(root, str(tag.value))


def _is_reference(uri: str) -> bool:
    scheme, separator, _ = uri.partition(":/")
    return bool(separator) and scheme in _REFERENCES


def _require_inside(root: ArtifactRoot, uri: str) -> None:
    if not root.holds(uri):
        raise MlflowException(
            f"{uri!r} lies outside the artifact root {root.uri}: leave the location out, or name one below",
            error_code=INVALID_PARAMETER_VALUE,
        )
