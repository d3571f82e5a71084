"""Training runs and model versions through MLflow's own client.

Importing this module imports MLflow (about 4 s cold): only training, loading and logging need it.
What merely reads versions or moves aliases uses `appliance.registry.rest`.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

_ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
os.environ["MLFLOW_TRACKING_AUTH"] = "appliance"  # `request_auth`, whatever the shell has

from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, ViewType  # noqa: E402
from mlflow.entities.model_registry import ModelVersion as MlflowVersion  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

from appliance import clock  # noqa: E402
from appliance.config.paths import Paths  # noqa: E402
from appliance.config.settings import Settings, load_settings  # noqa: E402
from appliance.domain.model_version import ModelVersion  # noqa: E402
from appliance.errors import ModelNotFound, ModelRefused, RegistryError  # noqa: E402
from appliance.registry import aliases, flavour  # noqa: E402
from appliance.registry.artifacts import Artifacts  # noqa: E402
from appliance.registry.location import (  # noqa: E402
    RegistryLocation,
    locate_registry,
    registry_unavailable,
    s3_environment,
)
from appliance.registry.production import Production  # noqa: E402
from appliance.registry.production_lock import ProductionLock  # noqa: E402
from appliance.registry.proofs import Place, Proofs, copy_of, load_proven, prove  # noqa: E402
from appliance.registry.records import DatasetWindow, dataset_input, model_version  # noqa: E402

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_TRANSIENT_CODES = frozenset(
    {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "INVALID_STATE"}
)
_MISSING = "RESOURCE_DOES_NOT_EXIST"
_EXISTS = "RESOURCE_ALREADY_EXISTS"
_NEWEST_VERSIONS = 200
_DECISION_SECONDS = 30.0
"""A workflow waits this long for another's decision on production."""
_log = logging.getLogger(__name__)
_OWNED = "appliance"
"""Tag of the runs that trainings make; an experiment may hold others."""

__all__ = ["DatasetWindow", "Registry", "open_registry"]


def open_registry(
    paths: Paths, settings: Settings | None = None, proofs: Proofs | None = None
) -> Registry:
    """Return the registry of a home, through the server or (appliance down) in its file.

    With `proofs` what is trained is proven, and what is loaded held against it.

    Raises:
        RegistryUnavailable: the appliance runs but MLflow does not answer.
    """
    settings = settings or load_settings(paths)
    location = locate_registry(paths, settings)
    if location.is_direct:
        for name, value in s3_environment(paths, settings).items():
            os.environ.setdefault(name, value)
    lock = ProductionLock(paths.production_locks, _DECISION_SECONDS)
    return Registry(location, proofs, paths.model_copies, lock)


class Registry(Production):
    """Runs, versions and aliases of all projects; a project's model is named like the project.

    Every call raises `RegistryUnavailable` when MLflow does not answer within seconds,
    `ModelNotFound` for a missing model, version or alias, `RegistryError` otherwise.

    Args:
        location: the way to MLflow.
        proofs: what models' files must be; without them nothing is proven.
        copies: the forecaster's copies, used in place of files that are not what was registered.
        lock: see `Production`.
    """

    def __init__(
        self,
        location: RegistryLocation,
        proofs: Proofs | None = None,
        copies: Path | None = None,
        lock: ProductionLock | None = None,
    ) -> None:
        super().__init__(lock)
        _quieten()
        self._location = location
        self._proofs = proofs
        self._copies = copies
        with self._translated():
            self._client = MlflowClient(
                tracking_uri=location.tracking_uri, registry_uri=location.tracking_uri
            )

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client of this registry; what it raises is not translated."""
        return self._client

    def artifacts(self, uri: str) -> Artifacts:
        """Return the folder of artifacts that MLflow knows by a URI."""
        return Artifacts(self._location, uri)

    def log_training(
        self,
        project: str,
        *,
        run_name: str,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        model: object,
        signature_example: pd.DataFrame,
        figures: Mapping[str, Figure],
        documents: Mapping[str, object],
        dataset: DatasetWindow | None = None,
    ) -> str:
        """Record a finished training as an MLflow run and return the run's id.

        Figures are stored as `figures/<name>.png`, documents (JSON-able) as
        `documents/<name>.json`. A run that could not be recorded completely ends FAILED.
        """
        with self._translated():
            run = self._client.create_run(
                self._experiment_id(project), run_name=run_name, tags={**tags, _OWNED: "true"}
            )
            run_id: str = run.info.run_id
            artifacts = self.artifacts(run.info.artifact_uri)
            with self._closing_run(run_id):
                self._log_values(run_id, params, metrics)
                if dataset is not None:
                    self._client.log_inputs(run_id, [dataset_input(dataset)])
                with tempfile.TemporaryDirectory(prefix="appliance-model-") as scratch:
                    folder = Path(scratch) / flavour.MODEL_FOLDER
                    flavour.save(model, folder, signature_example, run_id)
                    if self._proofs is not None:
                        self._proofs.record(
                            prove(project, run_id, folder, model, signature_example)
                        )
                    artifacts.add_folder(folder, flavour.MODEL_FOLDER)
                artifacts.add_figures(figures)
                artifacts.add_documents(documents)
        return run_id

    def close_abandoned(self, project: str) -> int:
        """End the runs of killed trainings, which still count as running; returns how many."""
        with self._translated():
            experiment = self._client.get_experiment_by_name(project)
            if experiment is None:
                return 0
            running = self._client.search_runs(
                [experiment.experiment_id],
                f"attributes.status = 'RUNNING' and tags.{_OWNED} = 'true'",
            )
            for run in running:
                self._client.set_terminated(run.info.run_id, "KILLED")
            return len(running)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Add metrics to a run."""
        with self._translated():
            self._log_values(run_id, {}, metrics)

    def log_figures(self, run_id: str, figures: Mapping[str, Figure]) -> None:
        """Add figures to a run, as `figures/<name>.png`."""
        with self._translated():
            self._run_artifacts(run_id).add_figures(figures)

    def log_documents(self, run_id: str, documents: Mapping[str, object]) -> None:
        """Add JSON documents to a run, as `documents/<name>.json`."""
        with self._translated():
            self._run_artifacts(run_id).add_documents(documents)

    def params(self, run_id: str) -> dict[str, str]:
        """Return the parameters of a run by name; empty for one that is gone."""
        try:
            with self._translated():
                return dict(self._client.get_run(run_id).data.params)
        except ModelNotFound:
            return {}

    def model_bytes(self, project: str, number: int) -> int:
        """Return the size of a version's files."""
        with self._translated(missing=aliases.no_version(project, number)):
            uri = self._client.get_model_version_download_uri(project, str(number))
            return self.artifacts(uri).size()

    def document(self, run_id: str, name: str) -> object:
        """Return a JSON document of a run; raises `ModelNotFound` when the run has none of that name."""
        missing = ModelNotFound(
            f"run {run_id} has no document {name!r}",
            code="registry.no_document",
            hint="versions trained before it was recorded have none; train a new one: appliance run train",
        )
        with self._translated(missing):
            try:
                return self._run_artifacts(run_id).document(name)
            except FileNotFoundError as error:
                raise missing from error

    def log_page(self, run_id: str, name: str, html: str) -> None:
        """Add an HTML page to a run, as `pages/<name>.html`; one of that name is replaced."""
        with self._translated():
            self._run_artifacts(run_id).add_page(name, html)

    def register(
        self, project: str, run_id: str, tags: Mapping[str, str] | None = None, above: int = 0
    ) -> ModelVersion:
        """Make a run's model a version of the project; the same run gives the same version.

        Numbers up to `above` are left out: a deleted or renamed model took them with it, and what is
        stored of those versions must not count for new ones.
        """
        with self._translated():
            known = self._client.search_model_versions(f"name='{project}' and run_id='{run_id}'")
            if known:
                return self._read(project, known, self._aliases(project))[0]
            self._ensure_registered_model(project)
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{flavour.MODEL_FOLDER}"
            created = self._client.create_model_version(
                project, source, run_id=run_id, tags=dict(tags or {})
            )
            while int(created.version) <= above:
                self._client.delete_model_version(project, created.version)
                created = self._client.create_model_version(
                    project, source, run_id=run_id, tags=dict(tags or {})
                )
            return self._read(project, [created], {})[0]

    def versions(self, project: str) -> list[ModelVersion]:
        """Return the newest versions (at most 200), newest first; empty before the first."""
        with self._translated():
            moved = self._aliases(project)
            found = self._client.search_model_versions(
                f"name='{project}'",
                max_results=_NEWEST_VERSIONS,
                order_by=["version_number DESC"],
            )
            return self._read(project, found, moved)

    def all_versions(self, project: str) -> list[ModelVersion]:
        """Return every version, newest first, without metrics."""
        with self._translated():
            moved, token = self._aliases(project), None
            found: list[ModelVersion] = []
            while True:
                page = self._client.search_model_versions(
                    f"name='{project}'", order_by=["version_number DESC"], page_token=token
                )
                found.extend(model_version(version, moved, {}) for version in page)
                token = page.token
                if not token:
                    return found

    def version(self, project: str, number: int) -> ModelVersion:
        """Return one version; raises `ModelNotFound`."""
        with self._translated(missing=aliases.no_version(project, number)):
            found = self._client.get_model_version(project, str(number))
            return self._read(project, [found], self._aliases(project))[0]

    def champion(self, project: str) -> ModelVersion:
        """Return the version in production; raises `ModelNotFound` when there is none."""
        return self._aliased(project, aliases.CHAMPION, aliases.no_champion(project))

    def challenger(self, project: str) -> ModelVersion:
        """Return the challenger; raises `ModelNotFound` when there is none."""
        return self._aliased(project, aliases.CHALLENGER, aliases.no_challenger(project))

    def load_model(self, project: str, version: int) -> object:
        """Return a version's estimator; only types of the allow-list are constructed.

        Raises:
            ModelRefused: neither MLflow's files nor the copy are what was registered.
        """
        with (
            self._translated(missing=aliases.no_version(project, version)),
            tempfile.TemporaryDirectory(prefix="appliance-model-") as scratch,
        ):
            known = model_version(self._client.get_model_version(project, str(version)), {}, {})
            uri = self._client.get_model_version_download_uri(project, str(version))
            folder = self.artifacts(uri).fetch(Path(scratch))
            try:
                return load_proven(folder, known, self._proofs, Place.REGISTRY)
            except ModelRefused as error:
                copy = self._copies and copy_of(self._copies, known)
                if copy is None or not copy.exists():
                    raise
                _log.warning("the copy goes on: %s", error.message)
                return load_proven(copy, known, self._proofs, Place.COPY)

    def set_tags(self, project: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; others stay."""
        with self._translated(missing=aliases.no_version(project, version)):
            for name, value in tags.items():
                self._client.set_model_version_tag(project, str(version), name, value)

    def _experiment_id(self, project: str) -> str:
        experiment = self._client.get_experiment_by_name(project)
        if experiment is None:
            location = self._location.artifacts_of(project)
            return str(self._client.create_experiment(project, artifact_location=location))
        if experiment.lifecycle_stage == "deleted":
            self._client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def _ensure_registered_model(self, project: str) -> None:
        try:
            self._client.create_registered_model(project)
        except MlflowException as error:
            if error.error_code != _EXISTS:
                raise

    def _log_values(
        self, run_id: str, params: Mapping[str, object], metrics: Mapping[str, float]
    ) -> None:
        at = int(clock.now().timestamp() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, float(value), at, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in params.items()],
        )

    def _run_artifacts(self, run_id: str) -> Artifacts:
        return self.artifacts(self._client.get_run(run_id).info.artifact_uri)

    @contextmanager
    def _closing_run(self, run_id: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(MlflowException):
                self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id, "FINISHED")

    def _aliases(self, project: str) -> dict[str, int]:
        try:
            with self._translated():
                model = self._client.get_registered_model(project)
        except ModelNotFound:
            return {}
        return {alias: int(version) for alias, version in model.aliases.items()}

    def _aliased(self, project: str, alias: str, missing: ModelNotFound) -> ModelVersion:
        with self._translated(missing=missing):
            moved = self._aliases(project)
            if alias not in moved:
                raise missing
            found = self._client.get_model_version(project, str(moved[alias]))
            return self._read(project, [found], moved)[0]

    def _apply(self, project: str, moves: Sequence[aliases.AliasMove]) -> None:
        with self._translated():
            for move in moves:
                if move.version is None:
                    self._client.delete_registered_model_alias(project, move.alias)
                else:
                    self._client.set_registered_model_alias(project, move.alias, str(move.version))

    def _read(
        self, project: str, found: Sequence[MlflowVersion], moved: Mapping[str, int]
    ) -> list[ModelVersion]:
        metrics = self._metrics(project, [version.run_id for version in found if version.run_id])
        return [model_version(version, moved, metrics) for version in found]

    def _metrics(self, project: str, run_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        experiment = self._client.get_experiment_by_name(project) if run_ids else None
        if experiment is None:
            return {}
        listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
        runs = self._client.search_runs(
            [experiment.experiment_id],
            f"attributes.run_id IN ({listed})",
            run_view_type=ViewType.ALL,
            max_results=len(run_ids),
        )
        return {run.info.run_id: dict(run.data.metrics) for run in runs}

    @contextmanager
    def _translated(self, missing: ModelNotFound | None = None) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            raise self._translate(error, missing) from error
        except OSError as error:
            raise RegistryError(
                f"artifacts could not be read or written: {error}",
                code="registry.artifacts",
                hint="check free disk space and the artifact root: appliance doctor",
            ) from error

    def _translate(self, error: MlflowException, missing: ModelNotFound | None) -> RegistryError:
        if error.error_code == _MISSING:
            return missing or ModelNotFound(str(error.message))
        if error.error_code in _TRANSIENT_CODES:
            return registry_unavailable(self._location.tracking_uri, error.message)
        return RegistryError(f"MLflow refused: {error.message}", hint="appliance logs mlflow")


def _quieten() -> None:
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
