"""Where everything of one home lives; nothing else in the code spells a path."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from pathlib import Path

from appliance.config.private_folder import (
    close_home,
    make_folder,
    make_private,
    require_own_home,
    require_private,
)
from appliance.errors import ConfigError

SOURCE_ROOT = Path(__file__).resolve().parents[2]
"""The checkout that holds `dags/` and `compose/`."""

_SOCKET_NAME_LIMIT = 107
_LONGEST_SOCKET = "postgres/.s.PGSQL.5432.lock"
_PLAIN = frozenset(f"{string.ascii_letters}{string.digits}/._-")
"""Characters that no URI, list or connection string reads as anything else."""
_SHARED_PLACE = Path("/tmp")  # noqa: S108 - what lies there is looked at before it is trusted
_NAME_BYTES = 255
_HOME_BYTES = 700
"""Longest home: PostgreSQL limits its data directory to 1,023 bytes, and Airflow nests deep."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Locations under one `$APPLIANCE_HOME`."""

    home: Path

    @classmethod
    def from_environment(cls) -> Paths:
        """Return the paths of `$APPLIANCE_HOME`, by default `~/.local/share/appliance`.

        Raises:
            ConfigError: no home can be there, or it is another user's.
        """
        return cls.at(os.environ.get("APPLIANCE_HOME") or "~/.local/share/appliance")

    @classmethod
    def at(cls, value: str) -> Paths:
        """Return the paths of the home in a folder, which need not exist.

        Raises:
            ConfigError: no home can be there, or it is another user's.
        """
        try:
            home = Path(value).expanduser().absolute()
        except RuntimeError as error:
            raise _impossible(value, str(error)) from error
        if ".." in home.parts:
            home = home.resolve()
        if reason := _why_impossible(str(home)):
            raise _impossible(str(home), reason)
        require_own_home(home)
        return cls(home)

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
    def usage(self) -> Path:
        """What the services take of the machine, a line a minute."""
        return self.home / "usage"

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
    def console(self) -> Path:
        """History of the dashboard's command line, and saved screens."""
        return self.home / "console"

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME`."""
        return self.home / "airflow"

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "postgres"

    @property
    def recording(self) -> Path:
        """What the screens showed, one file an hour."""
        return self.home / "recording"

    @property
    def run(self) -> Path:
        """What a running appliance notes for others, such as its process sessions."""
        return self.home / "run"

    @property
    def sockets(self) -> Path:
        """Where unix sockets lie: `run`, or for some homes a folder of its own in /tmp.

        A socket's name is limited to 107 bytes and is part of URIs and lists, so that a home that is too
        deep or has other than plain characters cannot hold it. No variable of the caller's shell and no
        link in the home's path has a say, so that everybody comes to the same place.

        Raises:
            ConfigError: that folder is not ours alone.
        """
        home = Path(os.path.realpath(self.home))
        inside = home / "run"
        is_short = len(os.fsencode(inside / _LONGEST_SOCKET)) <= _SOCKET_NAME_LIMIT
        if is_short and _PLAIN.issuperset(str(inside)):
            return inside
        outside = _SHARED_PLACE / _digest_name(home)
        require_private(outside)
        return outside

    @property
    def control_socket(self) -> Path:
        """The supervisor's control API."""
        return self.sockets / "control.sock"

    @property
    def store_socket(self) -> Path:
        """The store's Arrow Flight service."""
        return self.sockets / "store.sock"

    @property
    def forecaster_socket(self) -> Path:
        """The forecaster's report, and where it hears of closed candles."""
        return self.sockets / "forecaster.sock"

    @property
    def postgres_socket_dir(self) -> Path:
        """Where PostgreSQL listens."""
        return self.sockets / "postgres"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor of this home."""
        return self.home / "supervisor.lock"

    @property
    def turn_lock(self) -> Path:
        """Held by the one command that starts or stops the supervisor at the moment."""
        return self.home / "turn.lock"

    @property
    def former_locks(self) -> tuple[Path, ...]:
        """Where supervisors of earlier versions held their lock: an upgrade meets them running."""
        import tempfile  # not with this module, which every command loads

        name = f"{_digest_name(self.home)}/supervisor.lock"
        folders = dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108
        return (self.home / "run/supervisor.lock", *(Path(folder, name) for folder in folders))

    @property
    def sessions_file(self) -> Path:
        """Process sessions of the services that run, for recovery after a crash."""
        return self.run / "sessions.json"

    @property
    def last_status_file(self) -> Path:
        """The newest status, for those who get no answer from the supervisor."""
        return self.run / "status.json"

    @property
    def listeners_file(self) -> Path:
        """The listening TCP sockets of this home's services, as the supervisor opened them."""
        return self.run / "listeners.json"

    @property
    def production_locks(self) -> Path:
        """One lock file per project: whoever holds it decides on its production."""
        return self.run / "production"

    @property
    def ports_file(self) -> Path:
        """TCP ports chosen for this home."""
        return self.home / "ports.json"

    @property
    def alert_position_file(self) -> Path:
        """Id of the newest event that was looked at for Slack."""
        return self.home / "alert_position"

    @property
    def paused_dags_file(self) -> Path:
        """The DAGs that are paused because their project is disabled."""
        return self.home / "paused_dags.json"

    @property
    def last_stop_file(self) -> Path:
        """Instant at which a supervisor of this home was last asked to stop."""
        return self.home / "last_stop"

    def create(self) -> None:
        """Make all directories, 0700; a home that is open to others is closed.

        Raises:
            ConfigError: the home or the sockets' folder is another user's, or cannot be made.
        """
        make_folder(self.home)
        close_home(self.home)
        for directory in (
            self.compose,
            self.secrets,
            self.logs,
            self.store_file.parent,
            self.mlflow,
            self.mlflow_artifacts,
            self.airflow,
            self.run,
        ):
            make_folder(directory)
        if not self.run.is_symlink():
            self.run.chmod(0o700)
        make_private(self.sockets)
        make_private(self.postgres_socket_dir)


def _why_impossible(home: str) -> str:
    """Return why no home can be at a path, "" when one can."""
    length = len(os.fsencode(home))
    if length > _HOME_BYTES:
        return f"its name has {length} bytes, expected at most {_HOME_BYTES}"
    if any(len(os.fsencode(part)) > _NAME_BYTES for part in home.split("/")):
        return f"a folder's name in it has more than {_NAME_BYTES} bytes"
    if any("\udc80" <= character <= "\udcff" for character in home):
        return "its name is no UTF-8 text"
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in home):
        return "its name has a control character"
    if "?" in home:
        return "DuckDB takes a question mark for the end of a file's name"
    if any(after[:1].isalpha() or after[:1] in {"_", "{"} for after in home.split("$")[1:]):
        return "Airflow takes a dollar sign and a name for a variable"
    return ""


def _impossible(value: str, reason: str) -> ConfigError:
    shown = value if len(value) <= 200 else f"{value[:100]}..."
    return ConfigError(
        f"no home can be at {shown!r}: {reason}",
        code="home.impossible",
        hint="set APPLIANCE_HOME to another folder",
    )


def _digest_name(home: Path) -> str:
    import hashlib

    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return f"appliance-{os.getuid()}-{digest}"


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file under a temporary name and replace, so that readers see all of it or none.

    A folder in its place is set aside.
    """
    import tempfile

    from appliance.config.state_file import set_aside

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.is_dir() and not path.is_symlink():
            set_aside(path, "it is a folder")
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
