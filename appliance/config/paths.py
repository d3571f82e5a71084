"""Where everything of one home lives; nothing else in the code spells a path."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCE_ROOT = Path(__file__).resolve().parents[2]
"""The checkout that holds `dags/` and `compose/`."""

_SOCKET_NAME_LIMIT = 107
_LONGEST_SOCKET = "postgres/.s.PGSQL.5432.lock"


@dataclass(frozen=True, slots=True)
class Paths:
    """Locations under one `$APPLIANCE_HOME`."""

    home: Path

    @classmethod
    def from_environment(cls) -> Paths:
        """Return the paths of `$APPLIANCE_HOME`, by default `~/.local/share/appliance`."""
        home = os.environ.get("APPLIANCE_HOME") or "~/.local/share/appliance"
        return cls(Path(home).expanduser().absolute())

    @property
    def compose(self) -> Path:
        """This home's own configuration, laid over the checkout's `compose/`."""
        return self.home / "compose"

    @property
    def secrets(self) -> Path:
        """One 0600 file per secret."""
        return self.home / "secrets"

    @property
    def logs(self) -> Path:
        """One log file per service, rotated."""
        return self.home / "logs"

    @property
    def store_file(self) -> Path:
        """The DuckDB file of the store."""
        return self.home / "store" / "appliance.duckdb"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.home / "mlflow"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's DuckDB file."""
        return self.mlflow / "mlflow.duckdb"

    @property
    def mlflow_sqlite(self) -> Path:
        """MLflow's SQLite file: when configured, or from before DuckDB."""
        return self.mlflow / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """MLflow's artifact folder."""
        return self.mlflow / "artifacts"

    @property
    def model_copies(self) -> Path:
        """Copies of the models in use, for forecasts while MLflow is away."""
        return self.home / "models"

    @property
    def searches(self) -> Path:
        """Searches for learner parameters, per project, so that an interrupted one goes on."""
        return self.home / "searches"

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME`."""
        return self.home / "airflow"

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "postgres"

    @property
    def run(self) -> Path:
        """Sockets, locks and pid files.

        Unix socket names are limited to 107 bytes; a home too deep for that gets a folder of its own
        in the temporary directory.
        """
        preferred = self.home / "run"
        if len(os.fsencode(preferred / _LONGEST_SOCKET)) <= _SOCKET_NAME_LIMIT:
            return preferred
        return Path(tempfile.gettempdir()) / self._digest_name

    @property
    def _digest_name(self) -> str:
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return f"appliance-{os.getuid()}-{digest}"

    @property
    def control_socket(self) -> Path:
        """The supervisor's control API."""
        return self.run / "control.sock"

    @property
    def store_socket(self) -> Path:
        """The store's Arrow Flight service."""
        return self.run / "store.sock"

    @property
    def forecaster_socket(self) -> Path:
        """The forecaster's report, and where it hears of closed candles."""
        return self.run / "forecaster.sock"

    @property
    def postgres_socket_dir(self) -> Path:
        """Where PostgreSQL listens."""
        return self.run / "postgres"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor of this home."""
        return self.home / "supervisor.lock"

    @property
    def former_locks(self) -> tuple[Path, ...]:
        """Where supervisors of earlier versions held their lock: an upgrade meets them running."""
        name = f"{self._digest_name}/supervisor.lock"
        folders = dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108
        return (self.home / "run/supervisor.lock", *(Path(folder, name) for folder in folders))

    @property
    def sessions_file(self) -> Path:
        """Process sessions of the services that run, for recovery after a crash."""
        return self.run / "sessions.json"

    @property
    def listeners_file(self) -> Path:
        """The listening TCP sockets of this home's services, as the supervisor opened them."""
        return self.run / "listeners.json"

    @property
    def ports_file(self) -> Path:
        """TCP ports chosen for this home."""
        return self.home / "ports.json"

    @property
    def alert_position_file(self) -> Path:
        """Id of the newest event that was looked at for Slack."""
        return self.home / "alert_position"

    def create(self) -> None:
        """Make all directories, 0700."""
        for directory in (
            self.home,
            self.compose,
            self.secrets,
            self.logs,
            self.store_file.parent,
            self.mlflow,
            self.mlflow_artifacts,
            self.airflow,
            self.run,
            self.postgres_socket_dir,
        ):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file under a temporary name and replace, so that readers see all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
