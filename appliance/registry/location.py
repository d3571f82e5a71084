"""Where the registry of a home is reached: through the MLflow server, or in its file.

While the appliance runs, its MLflow server is the only way in: a server that does not answer is
a transient failure, never a reason to go round it. With the appliance down the same database
is opened directly. Both ways read and write the same artifacts: in a folder under its own name, in S3 under a
name that the server resolves, and whoever has gone round it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import httpx

from appliance.config.outbound import boto_environment
from appliance.config.ownership import may_open_files_of
from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings
from appliance.errors import RegistryError, RegistryUnavailable
from appliance.registry.artifact_root import PROXIED, ArtifactRoot

_SERVICE = "mlflow"
_HEALTH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RegistryLocation:
    """MLflow's tracking URI and the root under which each project keeps its artifacts."""

    tracking_uri: str
    root: ArtifactRoot

    @property
    def is_direct(self) -> bool:
        """Whether database and artifacts are reached without the server."""
        return not self.tracking_uri.startswith("http")

    def artifacts_of(self, project: str) -> str:
        """Return the artifact location of a project's experiment.

        A folder is written directly; what lies elsewhere goes through the server, which has the credentials.
        """
        return f"{self.root.uri if self.root.is_folder else PROXIED}/{project}"

    def place_of(self, uri: str) -> str:
        """Return where to read and write what MLflow knows by an artifact URI."""
        return self.root.resolve(uri) if self.is_direct else uri


def locate_registry(paths: Paths, settings: Settings) -> RegistryLocation:
    """Return the way to the registry that is right at this moment.

    Raises:
        RegistryUnavailable: the appliance runs but its MLflow server does not answer.
        RegistryError: it does not run, and an earlier version's database was not moved over yet.
    """
    root = artifact_root(paths, settings)
    if may_open_files_of(_SERVICE, paths):
        paths.mlflow.mkdir(parents=True, exist_ok=True, mode=0o700)
        if has_sqlite_to_move(paths, settings):
            raise RegistryError(
                f"the registry is still in {paths.mlflow_sqlite}",
                code="registry.not_moved",
                hint="appliance models migrate moves it to DuckDB; so does appliance up",
            )
        return RegistryLocation(database_uri(paths, settings), root)
    url = service_url(paths, "mlflow")
    _require_health(paths, url)
    return RegistryLocation(url, root)


def database_uri(paths: Paths, settings: Settings) -> str:
    """Return the URI of MLflow's database, the same for the server and for direct access."""
    match settings.mlflow.database_url:
        case "":
            return f"duckdb:///{quote(str(paths.mlflow_database))}"
        case "sqlite":
            return f"sqlite:///{paths.mlflow_sqlite}"
        case url:
            return url


def has_sqlite_to_move(paths: Paths, settings: Settings) -> bool:
    """Return whether an earlier version's SQLite file waits to be moved to DuckDB."""
    is_duckdb = not settings.mlflow.database_url
    return is_duckdb and paths.mlflow_sqlite.exists() and not paths.mlflow_database.exists()


def artifact_root(paths: Paths, settings: Settings) -> ArtifactRoot:
    """Return where a home's artifacts may lie."""
    configured = settings.mlflow.artifact_root.rstrip("/")
    if "://" not in configured:
        folder = paths.mlflow_artifacts if not configured else paths.home / configured
        configured = folder.expanduser().absolute().as_uri()
    return ArtifactRoot(configured, paths.mlflow_artifacts)


def s3_environment(paths: Paths, settings: Settings) -> dict[str, str]:
    """Return the variables that MLflow and boto3 need for S3 artifacts; empty when unused.

    Raises:
        ConfigError: a proxy or certificate variable of the shell is wrong.
    """
    if not settings.mlflow.artifact_root.startswith("s3://"):
        return {}
    endpoint = settings.s3.endpoint_url
    values = boto_environment(endpoint or "https://s3.amazonaws.com") | {
        "AWS_ACCESS_KEY_ID": read_secret(paths, Secret.S3_ACCESS_KEY_ID),
        "AWS_SECRET_ACCESS_KEY": read_secret(paths, Secret.S3_SECRET_ACCESS_KEY),
        "AWS_DEFAULT_REGION": settings.s3.region,
        "MLFLOW_S3_ENDPOINT_URL": endpoint,
    }
    return {name: value for name, value in values.items() if value}


def _require_health(paths: Paths, url: str) -> None:
    proven = ProvenTransport(paths, _SERVICE)
    try:
        with httpx.Client(transport=proven, timeout=_HEALTH_SECONDS) as client:
            client.get(f"{url}/health").raise_for_status()
    except httpx.HTTPError as error:
        raise registry_unavailable(url, error) from error


def registry_unavailable(url: str, error: object) -> RegistryUnavailable:
    """Return the error for a server that does not answer or answers with a failure."""
    return RegistryUnavailable(
        f"MLflow at {url} does not answer: {error}",
        hint="wait for its restart, or look at it: appliance logs mlflow",
        url=url,
    )
