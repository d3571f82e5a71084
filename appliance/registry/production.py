"""Decisions on which version is in production, made one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from appliance.domain.model_version import ModelVersion
from appliance.registry import aliases
from appliance.registry.aliases import AliasMove
from appliance.registry.production_lock import ProductionLock


@dataclass(frozen=True, slots=True)
class ProductionMove:
    """A decision that was carried out: the champion after it, and the version that was it before."""

    champion: ModelVersion
    before: int | None

    @property
    def is_move(self) -> bool:
        """Whether another version is in production than before."""
        return self.before != self.champion.version


class Production(ABC):
    """The aliases of all projects; every decision reads and moves them under the project's lock.

    A decision carries `seen`, the champion that it was made on, 0 for none; None takes whichever
    there is. What is in production already stays. Every method raises `ProductionMoved` when another
    version is in production than was seen, and `RegistryUnavailable` when another process goes on deciding.

    Args:
        lock: None where nobody else decides.
    """

    def __init__(self, lock: ProductionLock | None) -> None:
        self._lock = lock

    @abstractmethod
    def version(self, project: str, number: int) -> ModelVersion:
        """Return one version; raises `ModelNotFound`."""

    @abstractmethod
    def set_tags(self, project: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; others stay."""

    @abstractmethod
    def _aliases(self, project: str) -> Mapping[str, int]:
        """Return alias -> version; empty before the first training."""

    @abstractmethod
    def _apply(self, project: str, moves: Sequence[AliasMove]) -> None:
        """Carry out moves in their order."""

    def promote(self, project: str, version: int, seen: int | None = None) -> ProductionMove:
        """Make `version` the champion; the deposed one becomes `previous`, and it is held no more."""
        known = self.version(project, version)
        aliases.require_files(known)
        with self._deciding(project) as moved:
            if moved.get(aliases.CHAMPION) != version:
                aliases.require_champion(project, moved, seen)
            self._apply(project, aliases.promotion_moves(moved, version))
            if known.tags.get(aliases.STATE) in (aliases.HELD, aliases.REJECTED):
                self.set_tags(project, version, {aliases.STATE: aliases.PROMOTED})
        return self._moved(project, version, moved)

    def roll_back(self, project: str, version: int, seen: int | None = None) -> ProductionMove:
        """Make the rollback target `version` the champion again.

        Raises:
            ModelNotFound: there is no rollback target.
            ProductionMoved: it is another version, too.
        """
        aliases.require_files(self.version(project, version))
        with self._deciding(project) as moved:
            if moved.get(aliases.CHAMPION) != version:
                aliases.require_champion(project, moved, seen)
                aliases.require_target(project, moved, version)
                self._apply(project, aliases.rollback_moves(moved, version))
        return self._moved(project, version, moved)

    def restore(self, project: str, version: int, seen: int | None = None) -> ProductionMove:
        """Make a deposed `version` the champion again, leaving no rollback target."""
        aliases.require_files(self.version(project, version))
        with self._deciding(project) as moved:
            if moved.get(aliases.CHAMPION) != version:
                aliases.require_champion(project, moved, seen)
                self._apply(project, aliases.rollback_moves(moved, version))
        return self._moved(project, version, moved)

    def reject(self, project: str, version: int, seen: int | None = None) -> ModelVersion:
        """Let a version no longer be the challenger, tag it rejected, and return it as it was.

        Raises:
            RegistryError: it is in production itself.
        """
        known = self.version(project, version)
        with self._deciding(project) as moved:
            aliases.require_champion(project, moved, seen)
            if moved.get(aliases.CHAMPION) == version:
                raise aliases.in_production(project, version)
            if moved.get(aliases.CHALLENGER) == version:
                self._apply(project, [AliasMove(aliases.CHALLENGER, None)])
            self.set_tags(project, version, {aliases.STATE: aliases.REJECTED})
        return known

    def set_challenger(self, project: str, version: int, seen: int | None = None) -> None:
        """Point the `challenger` alias at `version`."""
        self.version(project, version)
        with self._deciding(project) as moved:
            aliases.require_champion(project, moved, seen)
            self._apply(project, [AliasMove(aliases.CHALLENGER, version)])

    @contextmanager
    def _deciding(self, project: str) -> Iterator[Mapping[str, int]]:
        """Yield the aliases, which no other decision moves meanwhile."""
        if self._lock is None:
            yield self._aliases(project)
            return
        with self._lock.held(project):
            yield self._aliases(project)

    def _moved(self, project: str, version: int, before: Mapping[str, int]) -> ProductionMove:
        return ProductionMove(self.version(project, version), before.get(aliases.CHAMPION))
