"""Which database a home's registry lives in, and how it gets from SQLite to DuckDB."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from appliance.cli.exit_code import ExitCode
from appliance.cli.main import run
from appliance.config.paths import Paths
from appliance.config.settings import MlflowSettings, Settings, load_settings
from appliance.errors import ConfigError, RegistryError
from appliance.registry.rest import RegistryRest
from store.mlflow_backend.engine import backend_for
from tests.mlflow_process import appliance_up, running_mlflow

if TYPE_CHECKING:
    from appliance.registry.client import Registry

ON_SQLITE = Settings(mlflow=MlflowSettings(database_url="sqlite"))


def no_dashboard(control: object) -> int:
    raise AssertionError("no dashboard was asked for")


def registry(home: Paths, settings: Settings | None = None) -> Registry:
    from appliance.registry.client import open_registry

    return open_registry(home, settings or Settings())


def with_champion(registry: Registry) -> None:
    """Register two versions with runs, without training anything; the second is the champion."""
    client = registry._client
    experiment = registry._experiment_id("shop")
    client.create_registered_model("shop")
    for loss in (0.5, 0.4):
        run_id = client.create_run(experiment).info.run_id
        client.log_metric(run_id, "pinball", loss)
        client.create_model_version("shop", f"file:///{run_id}", run_id)
    registry.promote("shop", 1)
    registry.promote("shop", 2)


def migrate(*arguments: str) -> int:
    return run(["models", "migrate", *arguments], no_dashboard)


def test_a_registry_in_sqlite_moves_over_and_the_old_file_stays(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    old = registry(home, ON_SQLITE)
    with_champion(old)
    before = old.versions("shop")
    with pytest.raises(RegistryError, match="still in") as refused:
        registry(home)
    assert "appliance models migrate" in refused.value.hint
    assert migrate("--json") == ExitCode.DONE
    printed = json.loads(capsys.readouterr().out)
    assert printed["kept"] == str(home.mlflow_sqlite)
    assert printed["rows"]["model_versions"] == 2
    assert registry(home).versions("shop") == before
    assert registry(home).champion("shop").version == 2
    assert old.versions("shop") == before
    assert migrate("--json") == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == {"changed": False, "kept": None, "rows": {}}


def test_a_damaged_sqlite_file_is_told_and_leaves_nothing(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mlflow_sqlite.write_text("no database")
    assert migrate() == ExitCode.FAILED
    assert "not an MLflow database" in capsys.readouterr().err
    assert not home.mlflow_database.exists()
    assert home.mlflow_sqlite.read_text() == "no database"


def test_it_is_not_moved_under_a_running_appliance(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with appliance_up(home):
        assert migrate() == ExitCode.FAILED
    assert "appliance down" in capsys.readouterr().err


def test_a_configured_database_is_not_moved(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.compose / "appliance.toml").write_text('[mlflow]\ndatabase_url = "sqlite"\n')
    assert migrate() == ExitCode.USAGE
    assert "database_url" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["mysql://x", "duckdb:///x", "mlflow.db"])
def test_another_database_is_refused_by_name(home: Paths, url: str) -> None:
    (home.compose / "appliance.toml").write_text(f'[mlflow]\ndatabase_url = "{url}"\n')
    with pytest.raises(ConfigError, match=r"mlflow\.database_url"):
        load_settings(home)


def test_a_new_home_keeps_its_registry_in_duckdb(home: Paths) -> None:
    registry(home)._client.create_registered_model("shop")
    assert not home.mlflow_sqlite.exists()
    assert count(home.mlflow_database, "registered_models") == 1


def count(file: Path, table: str) -> Any:
    backend_for(file).instance.close()
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.mark.long
def test_the_server_starts_on_what_sqlite_held(home: Paths) -> None:
    with_champion(registry(home, ON_SQLITE))
    with running_mlflow(home):
        champion = RegistryRest.of_home(home).champion("shop")
        assert (champion.version, champion.metrics) == (2, {"pinball": 0.4})
    with sqlite3.connect(home.mlflow_sqlite) as kept:
        assert kept.execute("SELECT count(*) FROM model_versions").fetchone() == (2,)
    assert count(home.mlflow_database, "model_versions") == 2


@pytest.mark.long
def test_sqlite_stays_when_it_is_configured(home: Paths) -> None:
    with_champion(registry(home, ON_SQLITE))
    with running_mlflow(home, ON_SQLITE):
        assert RegistryRest.of_home(home).champion("shop").version == 2
    assert not home.mlflow_database.exists()
