"""Which file a `duckdb:///` URI names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

from mlflow.exceptions import MlflowException

PREFIX = "duckdb:///"


def database_path(uri: str) -> Path:
    """Return the absolute path in a URI: `duckdb:////abs/a.duckdb` or, relative, `duckdb:///a.duckdb`.

    Raises:
        MlflowException: the URI names no file.
    """
    path = unquote(uri.removeprefix(PREFIX))
    if not uri.startswith(PREFIX) or path in {"", ":memory:"} or "?" in uri:
        raise MlflowException.invalid_parameter_value(
            f"Invalid DuckDB URI {uri!r}: expected duckdb:/// and the path of a file, such as "
            "duckdb:////var/lib/mlflow.duckdb, without options"
        )
    return Path(path).absolute()


def database_uri(path: Path) -> str:
    """Return the URI of a file."""
    return f"{PREFIX}{quote(str(path.absolute()))}"
