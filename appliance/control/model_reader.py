"""What the status needs of the registry: one call per project while nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound
from appliance.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS
from appliance.registry.rest import ModelSummary, RegistryRest


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A project's production model and the numbers of its other versions."""

    champion: ModelVersion | None = None
    previous: int | None = None
    challenger: int | None = None
    newest: int | None = None
    held: str = ""


class ModelReader:
    """Reads the registry for the status; one caller at a time."""

    def __init__(self, registry: RegistryRest, projects: Callable[[], Sequence[str]]) -> None:
        self._registry = registry
        self._projects = projects
        self._known: dict[str, tuple[ModelSummary, ModelFacts]] = {}

    def read(self) -> dict[str, ModelFacts]:
        """Return each project's models.

        Raises:
            RegistryUnavailable: MLflow does not answer.
        """
        return {project: self._read_project(project) for project in self._projects()}

    def _read_project(self, project: str) -> ModelFacts:
        summary = self._registry.summary(project)
        known = self._known.get(project)
        if known is not None and known[0] == summary:
            return known[1]
        facts = ModelFacts(
            champion=self._champion(project, summary.aliases.get(CHAMPION)),
            previous=_previous(summary),
            challenger=summary.aliases.get(CHALLENGER),
            newest=summary.newest_version,
            held=summary.held,
        )
        self._known[project] = (summary, facts)
        return facts

    def _champion(self, project: str, version: int | None) -> ModelVersion | None:
        if version is None:
            return None
        try:
            return self._registry.version(project, version)
        except ModelNotFound:
            return None


def _previous(summary: ModelSummary) -> int | None:
    """Return the rollback target; an interrupted rollback leaves the champion as its own."""
    previous = summary.aliases.get(PREVIOUS)
    return previous if previous != summary.aliases.get(CHAMPION) else None
