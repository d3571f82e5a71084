"""Homes with odd names work like any other: files, sockets, URIs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.registry.location import artifact_root, database_uri
from appliance.supervisor.postgres import database_url, postgres_spec
from appliance.supervisor.services import store_spec
from store import open_store
from store.client import FlightSession
from tests.mlflow_process import appliance_up, running_mlflow
from tests.odd_homes import ALL_AT_ONCE, ODD_NAMES
from tests.supervised import running


@pytest.fixture
def odd_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Paths:
    monkeypatch.setenv("APPLIANCE_HOME", str(tmp_path / request.param))
    paths = Paths.from_environment()
    paths.create()
    return paths


each = pytest.mark.parametrize("odd_home", ODD_NAMES, indirect=True, ids=lambda name: name[:12])
oddest = pytest.mark.parametrize(
    "odd_home", [ALL_AT_ONCE, "x" * 200], indirect=True, ids=["everything", "long"]
)


@each
def test_the_stores_file_is_where_it_should_be(odd_home: Paths) -> None:
    with open_store(odd_home) as session:
        session.read("SELECT 1")
    assert {path.name for path in odd_home.store_file.parent.iterdir()} >= {"appliance.duckdb"}
    assert [path.name for path in odd_home.home.parent.iterdir()] == [odd_home.home.name]


@each
def test_the_registrys_uris_name_the_homes_own_files(odd_home: Paths) -> None:
    from mlflow.utils.file_utils import local_file_uri_to_path

    from store.mlflow_backend.uri import database_path

    assert database_path(database_uri(odd_home, Settings())) == odd_home.mlflow_database
    root = artifact_root(odd_home, Settings()).uri
    assert Path(local_file_uri_to_path(root)) == odd_home.mlflow_artifacts


@oddest
async def test_store_and_postgres_serve_on_sockets_with_plain_names(odd_home: Paths) -> None:
    async with running(odd_home, store_spec(odd_home), postgres_spec(odd_home)) as watch:
        await watch.until(
            lambda: all(status.is_ready for status in watch.supervisor.services()), 120
        )
        with open_store(odd_home) as session:
            assert isinstance(session, FlightSession)
            assert session.read("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        engine = sqlalchemy.create_engine(database_url(odd_home))
        with closing(engine.raw_connection()) as connection:
            cursor: Any = connection.cursor()
            cursor.execute("SHOW data_directory")
            assert cursor.fetchone() == (str(odd_home.postgres_data),)
        engine.dispose()


@pytest.mark.long
@oddest
def test_a_model_goes_through_the_server_and_comes_back_without_it(odd_home: Paths) -> None:
    from appliance.registry.client import open_registry
    from tests.contract.test_registry_client import fitted, frame, train

    model = fitted()
    with running_mlflow(odd_home):
        with appliance_up(odd_home):
            registry = open_registry(odd_home, Settings())
            assert not registry._location.is_direct
        version = registry.register("shop", train(registry, "shop", model)).version
        through_server: Any = registry.load_model("shop", version)
    direct = open_registry(odd_home, Settings())
    assert direct._location.is_direct
    without_server: Any = direct.load_model("shop", version)
    for loaded in (through_server, without_server):
        assert (loaded.predict(frame()) == model.predict(frame())).all()
    assert list(odd_home.mlflow_artifacts.rglob("model.skops"))
