"""MLflow's stores on SQLite and on DuckDB, for the suites that demand the same of both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ENGINES = ("sqlite", "duckdb")


@dataclass(frozen=True)
class Stores:
    """Both stores of one file, as MLflow's registries build them."""

    uri: str
    tracking: Any
    registry: Any


def open_stores(uri: str, artifacts: Path) -> Stores:
    """Build the stores the way MLflow does: by the URI's scheme."""
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking

    return Stores(uri, tracking._get_store(uri, artifacts.as_uri()), registry._get_store(uri))


@pytest.fixture(scope="session", params=ENGINES)
def empty_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared file of one engine: MLflow's SQLite migrations take seconds."""
    folder = tmp_path_factory.mktemp("mlflow-stores")
    file = folder / f"mlflow.{request.param}"
    close(open_stores(f"{request.param}:///{file}", folder))
    return file


@pytest.fixture
def stores(tmp_path: Path, empty_file: Path) -> Iterator[Stores]:
    """Return stores on a fresh file of one engine."""
    file = tmp_path / empty_file.name
    shutil.copy(empty_file, file)
    opened = open_stores(f"{file.suffix[1:]}:///{file}", tmp_path / "artifacts")
    yield opened
    close(opened)


def close(stores: Stores) -> None:
    """Let go of the file."""
    stores.tracking._dispose_engine()
    stores.registry._dispose_engine()
