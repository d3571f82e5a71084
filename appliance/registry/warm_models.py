"""Loaded models of the registry's aliases, kept ready, and copies of their files in the home.

For the live path: nothing here imports MLflow, what a forecast needs is in memory, and while the
registry is away the models that were there last go on, also in a process that starts meanwhile.
Copies are loaded under the same rule as the originals.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from appliance.config.paths import Paths, write_atomically
from appliance.config.reading import MissingFile, UnreadableFile, read_bytes
from appliance.config.state_file import set_aside
from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound, ProductionMoved, RegistryError, TransientError
from appliance.registry import aliases, model_file
from appliance.registry.location import registry_unavailable
from appliance.registry.proofs import Place, Proofs, copy_of, load_proven
from appliance.registry.rest import ModelSummary, RegistryRest

_WARM = (aliases.CHAMPION, aliases.PREVIOUS, aliases.CHALLENGER)
_KEPT = TypeAdapter(dict[str, ModelVersion])
_KEPT_FILE = "aliases.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WarmModel:
    """A version with its estimator."""

    version: ModelVersion
    estimator: object


def recovered_models(paths: Paths, project: str, proofs: Proofs | None = None) -> WarmModels:
    """Return the copies that the forecaster has kept of a project's models; asks no registry.

    Raises:
        RegistryUnavailable: there is none.
        RegistryError: a copy is damaged, refused, or holds a type outside the rule.
    """
    registry = RegistryRest.of_home(paths)
    models = WarmModels(registry, paths.model_copies, proofs)
    if not models.recover(project):
        raise registry_unavailable(
            registry.base_url, f"and no model of {project} has been copied yet"
        )
    return models


class WarmModels:
    """The models of champion, previous and challenger of any project; safe to use from threads.

    Args:
        registry: asked by `refresh` only.
        folder: where copies are kept.
        proofs: what models' files must be; without them nothing is proven.
    """

    def __init__(self, registry: RegistryRest, folder: Path, proofs: Proofs | None = None) -> None:
        self._registry = registry
        self._folder = folder
        self._proofs = proofs
        self._warm: dict[str, dict[str, WarmModel]] = {}
        self._seen: dict[str, ModelSummary] = {}
        self._refreshing = threading.Lock()

    def champion(self, project: str) -> ModelVersion:
        """Return the version in production; raises `ModelNotFound` when there is none."""
        return self._aliased(project, aliases.CHAMPION, aliases.no_champion(project))

    def challenger(self, project: str) -> ModelVersion:
        """Return the challenger; raises `ModelNotFound` when there is none."""
        return self._aliased(project, aliases.CHALLENGER, aliases.no_challenger(project))

    def version(self, project: str, number: int) -> ModelVersion:
        """Return a version that has an alias; raises `ModelNotFound` for any other."""
        return self._numbered(project, number).version

    def load_model(self, project: str, version: int) -> object:
        """Return the estimator of a version that has an alias, the same object every time."""
        return self._numbered(project, version).estimator

    def recover(self, project: str) -> bool:
        """Load the copies, unless the registry has answered or this was done; whether it loaded any.

        Raises:
            RegistryError: a copy is damaged, refused, or holds a type outside the rule.
        """
        with self._refreshing:
            if project in self._warm:
                return False
            kept = self._read_kept(project)
            self._warm[project] = {
                alias: WarmModel(version, self._load_copy(version))
                for alias, version in kept.items()
                if copy_of(self._folder, version).exists()
            }
            return bool(self._warm[project])

    def refresh(self, project: str) -> bool:
        """Follow the registry's aliases; one cheap request, and what is new loaded. Blocks.

        Returns:
            whether anything changed.

        Raises:
            RegistryUnavailable: it does not answer; what was loaded stays.
            ModelRefused: the new champion is not what was registered; the old one stays.
            RegistryError: the new champion cannot be loaded; the old one stays.
        """
        with self._refreshing:
            summary = self._registry.summary(project)
            if self._seen.get(project) == summary:
                return False
            wanted = {alias: summary.aliases[alias] for alias in _WARM if alias in summary.aliases}
            self._warm[project] = self._load(project, wanted)
            self._keep(project)
            self._seen[project] = summary
            return True

    def return_previous(self, project: str, refused: int) -> ModelVersion | None:
        """Bring the previous champion back in place of a refused one, and return it.

        It is loaded first. None when the champion has moved meanwhile, or there is no way back.

        Raises:
            RegistryError: the previous champion cannot be loaded either, or the registry does not answer.
        """
        with self._refreshing:
            moved = self._registry.aliases(project)
            previous = moved.get(aliases.PREVIOUS)
            if moved.get(aliases.CHAMPION) != refused or previous is None or previous == refused:
                return None
            self._load(project, {aliases.CHAMPION: previous})
            try:
                return self._registry.roll_back(project, previous, seen=refused).champion
            except ProductionMoved:
                return None

    def _aliased(self, project: str, alias: str, missing: ModelNotFound) -> ModelVersion:
        found = self._warm.get(project, {}).get(alias)
        if found is None:
            raise missing
        return found.version

    def _numbered(self, project: str, number: int) -> WarmModel:
        for warm in self._warm.get(project, {}).values():
            if warm.version.version == number:
                return warm
        raise aliases.no_version(project, number)

    def _load(self, project: str, wanted: Mapping[str, int]) -> dict[str, WarmModel]:
        known = {warm.version.run_id: warm for warm in self._warm.get(project, {}).values()}
        found: dict[str, WarmModel] = {}
        for alias, number in wanted.items():
            try:
                version = self._registry.version(project, number)
                estimator = (
                    known[version.run_id].estimator
                    if version.run_id in known
                    else self._fetch(version)
                )
                found[alias] = WarmModel(version, estimator)
            except RegistryError as error:
                if alias == aliases.CHAMPION or isinstance(error, TransientError):
                    raise
                _log.warning("%s %s %d not loaded: %s", project, alias, number, error.message)
        return found

    def _fetch(self, version: ModelVersion) -> object:
        """Load a version from its copy; without a sound one make it first."""
        copy = copy_of(self._folder, version)
        if copy.exists():
            try:
                return self._load_copy(version)
            except RegistryError as error:
                _log.warning("%s is copied again: %s", copy, error.message)
                if copy.is_file():
                    set_aside(copy, "it is not a folder")
                else:
                    shutil.rmtree(copy)
        scratch = copy.with_name(f".{copy.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, mode=0o700)
        for name in model_file.FILES:
            content = self._registry.model_file(version.name, version.version, name)
            (scratch / name).write_bytes(content)
        estimator = load_proven(scratch, version, self._proofs, Place.REGISTRY)
        scratch.rename(copy)
        if self._proofs is not None:
            self._proofs.accept(version, Place.COPY)
        return estimator

    def _load_copy(self, version: ModelVersion) -> object:
        return load_proven(copy_of(self._folder, version), version, self._proofs, Place.COPY)

    def _keep(self, project: str) -> None:
        """Note which copies belong to which alias, and remove the others."""
        versions = {alias: warm.version for alias, warm in self._warm[project].items()}
        folder = self._folder / project
        write_atomically(folder / _KEPT_FILE, _KEPT.dump_json(versions, indent=2).decode())
        kept = {copy_of(self._folder, version).name for version in versions.values()}
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name not in kept:
                shutil.rmtree(entry, ignore_errors=True)

    def _read_kept(self, project: str) -> dict[str, ModelVersion]:
        try:
            return _KEPT.validate_json(read_bytes(self._folder / project / _KEPT_FILE))
        except MissingFile:
            return {}
        except (UnreadableFile, ValueError) as error:
            raise RegistryError(
                f"{self._folder / project / _KEPT_FILE} is damaged: {error}",
                code="registry.copy",
                hint="it is written again when MLflow answers; until then nothing is forecast live",
            ) from error
