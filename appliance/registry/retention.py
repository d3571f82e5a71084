"""What of MLflow's runs and model files may go, and letting it go.

Never goes: the files of a version that has an alias (champion, challenger, previous, an operator's own), that
is the newest of its project, or that somebody still needs, and the run of any registered version. A version
whose files went stays in the registry with its metrics and carries `FILES_REMOVED`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.tracking._tracking_service import utils as tracking_stores

from appliance.config.ownership import may_open_files_of
from appliance.config.paths import Paths
from appliance.config.settings import MlflowSettings, Settings
from appliance.domain.model_version import FILES_REMOVED, ModelVersion
from appliance.errors import RegistryError
from appliance.registry.artifact_root import ArtifactRoot
from appliance.registry.client import Registry
from appliance.registry.deleted_runs import DeletedRuns, StoredDeletedRuns
from appliance.registry.location import artifact_root, database_uri
from appliance.registry.rest import RegistryRest

_BEGUN, _DONE = "begun", "done"
"""Values of the tag: a removal that was interrupted is taken up again, and its version not used meanwhile."""


class Kind(StrEnum):
    """What kind of thing goes."""

    RUN = "run"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Removable:
    """A deleted run (`name` is its id) or the files of a version (`name` is its number).

    `project` is the experiment or model; `size` is in bytes; `uri` is where the files are, "" for nowhere.
    What is not `is_ours` lies outside the artifact root: it is never looked at or removed.
    """

    kind: Kind
    project: str
    name: str
    size: int
    uri: str
    is_ours: bool = True


def unused_versions(
    versions: Collection[ModelVersion], in_use: Collection[int], before: datetime
) -> list[ModelVersion]:
    """Return the versions whose files may go: made before an instant, unnamed and unneeded.

    Args:
        versions: all of one project.
        in_use: numbers that trials or reports still need.
        before: younger ones stay.
    """
    newest = max((version.version for version in versions), default=0)
    return [
        version
        for version in versions
        if not version.aliases
        and version.version not in {newest, *in_use}
        and version.created_at < before
        and version.tags.get(FILES_REMOVED) != _DONE
    ]


class Retention:
    """Finds and removes what is older than the settings allow.

    Args:
        paths: the home.
        settings: its configuration.
        registry: its registry, with the appliance up or down.
    """

    def __init__(self, paths: Paths, settings: Settings, registry: Registry) -> None:
        self._settings: MlflowSettings = settings.mlflow
        self._projects = tuple(settings.projects)
        self._registry = registry
        self._client: MlflowClient = registry.client
        self._root = artifact_root(paths, settings)
        self._deleted = _deleted_runs(paths, settings, self._root)

    def find(self, in_use: Mapping[str, Collection[int]], now: datetime) -> list[Removable]:
        """Return what is old enough to go, without changing anything.

        Args:
            in_use: by project, the versions that are needed although they have no alias.
            now: the instant from which ages count.
        """
        found: list[Removable] = []
        if self._settings.deleted_runs_days:
            found.extend(self._runs(now - timedelta(days=self._settings.deleted_runs_days)))
        if self._settings.models_days:
            before = now - timedelta(days=self._settings.models_days)
            for project in self._projects:
                found.extend(self._models(project, in_use.get(project, ()), before))
        return found

    def remove(self, item: Removable) -> bool:
        """Remove one thing for good; False when it has come into use meanwhile.

        Raises:
            RegistryError: its files could not be removed; it stays, to be tried again.
        """
        try:
            if item.kind is Kind.RUN:
                return self._remove_run(item)
            return self._remove_model(item)
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"{item.kind} {item.name} of {item.project} could not be removed: {error}",
                code="registry.retention",
                hint="appliance models gc tries again",
            ) from error

    def _runs(self, before: datetime) -> Iterator[Removable]:
        for run in self._deleted.find_deleted(before):
            if not self._is_registered(run.run_id):
                yield self._removable(Kind.RUN, run.project, run.run_id, run.uri)

    def _is_registered(self, run_id: str) -> bool:
        return bool(self._client.search_model_versions(f"run_id='{run_id}'", max_results=1))

    def _models(
        self, project: str, in_use: Collection[int], before: datetime
    ) -> Iterator[Removable]:
        for version in unused_versions(self._registry.all_versions(project), in_use, before):
            number = str(version.version)
            uri = self._client.get_model_version_download_uri(project, number)
            yield self._removable(Kind.MODEL, project, number, uri)

    def _removable(self, kind: Kind, project: str, name: str, uri: str) -> Removable:
        if not self._root.holds(uri):
            return Removable(kind, project, name, 0, uri, is_ours=False)
        return Removable(kind, project, name, self._registry.artifacts(uri).size(), uri)

    def _remove_run(self, item: Removable) -> bool:
        if self._is_registered(item.name):
            return False
        self._registry.artifacts(item.uri).remove()
        self._deleted.remove_deleted(item.name)
        return True

    def _remove_model(self, item: Removable) -> bool:
        number = int(item.name)
        # Marked first: from now on nobody promotes it. Then it is looked at once more.
        self._registry.set_tags(item.project, number, {FILES_REMOVED: _BEGUN})
        if self._registry.version(item.project, number).aliases:
            self._client.delete_model_version_tag(item.project, item.name, FILES_REMOVED)
            return False
        self._registry.artifacts(item.uri).remove()
        self._registry.set_tags(item.project, number, {FILES_REMOVED: _DONE})
        return True


def _deleted_runs(paths: Paths, settings: Settings, root: ArtifactRoot) -> DeletedRuns:
    """Return the way to deleted runs: the store, or the server while its service owns the file."""
    if not settings.mlflow.database_url and not may_open_files_of("mlflow", paths):
        return RegistryRest.of_home(paths)
    return StoredDeletedRuns(tracking_stores._get_store(database_uri(paths, settings), root.uri))
