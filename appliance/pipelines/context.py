"""What a stage gets to work with."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import ProjectSettings, Settings
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.origin import Origin
from appliance.domain.workflow import WorkflowKind
from appliance.errors import ConfigError, RegistryUnavailable
from appliance.pipelines.spec import ProjectSpec
from appliance.pipelines.stored_proofs import StoredProofs

if TYPE_CHECKING:
    from appliance.domain.model_version import ModelVersion
    from appliance.exchange.port import Exchange
    from appliance.registry.client import Registry
    from store.session import Session

log = logging.getLogger(__name__)

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
SpecT_co = TypeVar("SpecT_co", bound=ProjectSpec, covariant=True)


class StageSkipped(Exception):
    """Raised by a stage that has nothing to do; says why. Later stages of the run are skipped."""


@dataclass(frozen=True, slots=True)
class MarketSource:
    """The exchange's REST client, and the identity that the store is bound to."""

    client: Exchange
    source_id: str


class ModelSource(Protocol):
    """Registered models to forecast with: the registry itself, or those kept warm on the live path.

    Warm are only the versions that have an alias; asking for another raises `ModelNotFound`.
    """

    def champion(self, project: str) -> ModelVersion:
        """Return the version in production; raises `ModelNotFound` when there is none."""
        ...

    def challenger(self, project: str) -> ModelVersion:
        """Return the challenger; raises `ModelNotFound` when there is none."""
        ...

    def version(self, project: str, number: int) -> ModelVersion:
        """Return one version; raises `ModelNotFound`."""
        ...

    def load_model(self, project: str, version: int) -> object:
        """Return a version's estimator."""
        ...


@dataclass(slots=True)
class Resources:
    """Store, registry and market source of a run, each opened when first used.

    Nothing is imported before it is needed: a stage that only reads the store never loads MLflow.
    On the live path `warm_models` stand in for the registry; elsewhere `open_copies`, given a project,
    while it is away.
    """

    open_session: Callable[[], Session]
    open_registry: Callable[[], Registry]
    open_source: Callable[[], MarketSource]
    warm_models: ModelSource | None = None
    open_copies: Callable[[str], ModelSource] | None = None
    is_registry_away: bool = field(default=False, init=False)
    """Whether models had to come from copies."""
    _session: Session | None = field(default=None, init=False)
    _registry: Registry | None = field(default=None, init=False)
    _source: MarketSource | None = field(default=None, init=False)

    @classmethod
    def of_home(cls, paths: Paths, settings: Settings) -> Resources:
        """Return the resources that a home's configuration names."""
        proofs = StoredProofs(lambda: nullcontext(resources.session))
        resources = cls(
            open_session=lambda: _home_session(paths),
            open_registry=lambda: _home_registry(paths, settings, proofs),
            open_source=lambda: _home_source(paths, settings),
            open_copies=lambda project: _home_copies(paths, project, proofs),
        )
        return resources

    @property
    def session(self) -> Session:
        """The store."""
        if self._session is None:
            self._session = self.open_session()
        return self._session

    @property
    def registry(self) -> Registry:
        """The model registry."""
        if self._registry is None:
            self._registry = self.open_registry()
        return self._registry

    def models(self, project: str) -> ModelSource:
        """Return where to take a project's models from that make forecasts.

        Raises:
            RegistryUnavailable: the registry is away, and there is no copy of a model.
        """
        if self.warm_models is not None:
            return self.warm_models
        if self.is_registry_away and self.open_copies is not None:
            return self.open_copies(project)
        try:
            return self.registry
        except RegistryUnavailable as error:
            if self.open_copies is None:
                raise
            log.warning("the copies of the last models go on: %s", error.message)
            copies = self.open_copies(project)
            self.is_registry_away = True
            return copies

    @property
    def source(self) -> MarketSource:
        """The market source."""
        if self._source is None:
            self._source = self.open_source()
        return self._source

    def close(self) -> None:
        """Close what was opened."""
        if self._source is not None:
            self._source.client.close()
        if self._session is not None:
            self._session.close()
        self._source = self._session = None


@dataclass(frozen=True, slots=True)
class StageContext(Generic[SpecT_co]):
    """One run of one workflow, as its stages see it.

    `params` are the run's parameters; `upstream` the results of the stages before, by name; `origin` the
    run and who or what asked for it, as it stands in events. `is_configured` says whether the config is the
    home's own: production belongs to that one alone.
    """

    project: str
    kind: WorkflowKind
    spec: SpecT_co
    settings: Settings
    paths: Paths
    params: Mapping[str, str]
    origin: Origin
    run_id: str
    upstream: Mapping[str, Mapping[str, Json]]
    resources: Resources
    is_configured: bool = True

    @property
    def actor(self) -> str:
        """Who or what began it: the operator who asked, or the workflow on its own."""
        return self.origin.root.name

    @property
    def session(self) -> Session:
        """The store."""
        return self.resources.session

    @property
    def registry(self) -> Registry:
        """The model registry."""
        return self.resources.registry

    @property
    def models(self) -> ModelSource:
        """Where to take models from that make forecasts."""
        return self.resources.models(self.project)

    @property
    def is_registry_away(self) -> bool:
        """Whether this run goes on with copies of the last models because MLflow does not answer."""
        return self.resources.is_registry_away

    @property
    def promotion(self) -> str:
        """What a verdict of `better` leads to: `manual`, `suggest` or `auto`."""
        return self.settings.projects.get(self.project, ProjectSettings()).promotion

    def champion(self) -> ModelVersion | None:
        """Return the version in production, None when there is none."""
        from appliance.errors import ModelNotFound

        try:
            return self.models.champion(self.project)
        except ModelNotFound:
            return None

    def result_of(self, stage: str, key: str) -> Json:
        """Return a value that an earlier stage of this run returned, None when it did not run."""
        return self.upstream.get(stage, {}).get(key)

    def integer_param(self, name: str) -> int | None:
        """Return a parameter as an integer, None when it was not given.

        Raises:
            ConfigError: it is not one.
        """
        text = self.params.get(name, "")
        if not text:
            return None
        if not re.fullmatch("[0-9]{1,9}", text):
            raise ConfigError(
                f"parameter {name} must be a whole number, not {text!r}",
                hint=f"--param {name}=3",
            )
        return int(text)

    def record(
        self,
        kind: EventKind,
        summary: str,
        details: Mapping[str, object],
        severity: Severity = Severity.INFO,
        origin: Origin | None = None,
    ) -> None:
        """Append an event of this project; `origin` did it where it was not this run."""
        from store.events import append_event

        event = Event(
            kind=kind,
            summary=summary,
            actor=(origin or self.origin).root.name,
            at=clock.now(),
            severity=severity,
            project=self.project,
            details={**details, "run_id": self.run_id},
            origin=origin or self.origin,
        )
        append_event(self.session, event)


def _home_session(paths: Paths) -> Session:
    from store.open import open_store

    return open_store(paths)


def _home_registry(paths: Paths, settings: Settings, proofs: StoredProofs) -> Registry:
    from appliance.registry.client import open_registry

    return open_registry(paths, settings, proofs)


def _home_copies(paths: Paths, project: str, proofs: StoredProofs) -> ModelSource:
    from appliance.registry.warm_models import recovered_models

    return recovered_models(paths, project, proofs)


def _home_source(paths: Paths, settings: Settings) -> MarketSource:
    from appliance.exchange.source import open_source, resolve_source

    source = resolve_source(settings, paths)
    return MarketSource(open_source(source, settings, paths), source.source_id)
