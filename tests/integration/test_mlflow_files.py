"""Files of MLflow's stores: first use by many, other versions, copies, damage, neighbours."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy
from alembic import command
from click.testing import CliRunner
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as mlflow_db
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

from store.mlflow_backend.__main__ import main
from store.mlflow_backend.schema import newest_revision
from store.mlflow_backend.tracking import DuckDBTrackingStore
from tests.contract.mlflow_stores import close, open_stores
from tests.waiting import wait_until

OLD_REVISION = "534353b11cbc"


def tracking(file: Path) -> DuckDBTrackingStore:
    return DuckDBTrackingStore(f"duckdb:///{file}", file.parent.as_uri())


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_threads_that_open_a_new_file_together_all_get_a_store(tmp_path: Path) -> None:
    ids: list[str] = []

    def use(number: int) -> None:
        ids.append(tracking(tmp_path / "new.duckdb").create_experiment(f"e{number}"))

    threads = [threading.Thread(target=use, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ids) == [str(n) for n in range(1, 7)]


def test_an_idle_file_goes_to_a_process_that_asks(tmp_path: Path) -> None:
    file = tmp_path / "shared.duckdb"
    store = tracking(file)
    store.create_experiment("ours")
    script = (
        "import sys; from store.mlflow_backend.tracking import DuckDBTrackingStore as S\n"
        "print(S(sys.argv[1], 'artifacts').create_experiment('theirs'))"
    )
    run = [sys.executable, "-c", script, f"duckdb:///{file}"]
    theirs = subprocess.run(run, capture_output=True, text=True, timeout=90, check=True)
    assert theirs.stdout.strip() == "2"
    assert {e.name for e in store.search_experiments()} == {"Default", "ours", "theirs"}


def test_a_file_of_another_mlflow_is_refused_with_the_command(tmp_path: Path) -> None:
    file = tmp_path / "other.duckdb"
    tracking(file)._dispose_engine()
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    with pytest.raises(MlflowException, match=f"mlflow_backend upgrade {file}"):
        tracking(file)


@pytest.mark.parametrize("uri", ["duckdb:///", "duckdb:///:memory:", "duckdb://host/file"])
def test_a_uri_without_a_file_is_refused(uri: str) -> None:
    with pytest.raises(MlflowException, match="Invalid DuckDB URI"):
        DuckDBTrackingStore(uri, "artifacts")


def test_a_sqlite_file_is_refused_with_the_command(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(MlflowException, match=f"mlflow_backend copy sqlite:///{file}"):
        tracking(file)


def fill(stores: Any) -> None:
    experiment = stores.tracking.create_experiment("rain")
    run = stores.tracking.create_run(experiment, "user", 1, [], "run").info.run_id
    metrics = [Metric("m", float("nan") if i == 5 else i, i, i) for i in range(300)]
    stores.tracking.log_batch(run, metrics, [Param("p", "1")], [RunTag("t", "ü")])
    stores.registry.create_registered_model("model")
    stores.registry.create_model_version("model", "file:///m", run)
    stores.registry.set_registered_model_alias("model", "champion", "1")


def test_a_sqlite_database_moves_over_whole(tmp_path: Path) -> None:
    source, target = tmp_path / "a.sqlite", tmp_path / "b.duckdb"
    old = open_stores(f"sqlite:///{source}", tmp_path)
    fill(old)
    close(old)
    code, output = invoke("copy", f"sqlite:///{source}", f"duckdb:///{target}")
    assert code == 0, output
    new = open_stores(f"duckdb:///{target}", tmp_path)
    runs = [s.tracking.search_runs(["1"], "", ViewType.ALL)[0] for s in (old, new)]
    assert runs[0].to_dictionary() == runs[1].to_dictionary()
    assert len(new.tracking.get_metric_history(runs[1].info.run_id, "m")) == 300
    assert new.registry.get_registered_model("model").aliases == {"champion": 1}
    assert new.tracking.create_experiment("next") == "2"
    close(new)
    assert invoke("copy", f"sqlite:///{source}", f"duckdb:///{target}")[0] == 1


def test_a_source_that_is_not_mlflows_leaves_no_target(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"")
    code, output = invoke("copy", f"sqlite:///{tmp_path}/a.sqlite", f"duckdb:///{tmp_path}/b")
    assert code == 1
    assert "not an MLflow database" in output
    assert [path.name for path in tmp_path.iterdir()] == ["a.sqlite"]


def test_an_older_file_is_upgraded_by_mlflows_migrations(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.duckdb"
    old_duckdb_file(tmp_path, file)
    code, output = invoke("upgrade", str(file))
    assert code == 0, output
    store = tracking(file)
    assert store.get_experiment_by_name("old").experiment_id == "7"
    assert store.create_experiment("new") == "8"
    store._dispose_engine()
    with duckdb.connect(str(file.with_name(f"{file.name}.{OLD_REVISION}"))) as kept:
        assert kept.execute("SELECT count(*) FROM experiments").fetchone() == (1,)
    assert invoke("upgrade", str(file)) == (0, f"{file} is up to date\n")


def test_an_older_sqlite_database_moves_over_through_mlflows_migrations(tmp_path: Path) -> None:
    source, target = tmp_path / "old.sqlite", tmp_path / "new.duckdb"
    old_sqlite_file(source)
    with sqlite3.connect(source) as connection:
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage, artifact_location) "
            "VALUES (7, 'old', 'active', 'file:///a')"
        )
    before = source.read_bytes()
    code, output = invoke("prepare", f"duckdb:///{target}", "--from-sqlite", str(source))
    assert code == 0, output
    assert str(source) in output
    store = tracking(target)
    assert store.get_experiment_by_name("old").experiment_id == "7"
    store._dispose_engine()
    assert source.read_bytes() == before
    assert invoke("prepare", f"duckdb:///{target}", "--from-sqlite", str(source)) == (0, "")


def test_a_file_left_empty_by_a_crash_is_filled(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.duckdb"
    duckdb.connect(str(file)).close()
    assert invoke("prepare", f"duckdb:///{file}") == (0, "")
    assert [e.name for e in tracking(file).search_experiments()] == ["Default"]


def old_sqlite_file(file: Path) -> None:
    """Make a SQLite file of an older MLflow's schema."""
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    InitialBase.metadata.create_all(engine)
    config = mlflow_db._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLD_REVISION)
    engine.dispose()


def old_duckdb_file(folder: Path, file: Path) -> None:
    """Make a DuckDB file of an older MLflow's schema with one experiment."""
    old_sqlite_file(folder / "old.sqlite")
    with sqlite3.connect(folder / "old.sqlite") as source, duckdb.connect(str(file)) as target:
        tables = source.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            columns = source.execute(f"PRAGMA table_info({table})").fetchall()
            fields = ", ".join(f'"{c[1]}" {c[2].split("(")[0]}' for c in columns)
            target.execute(f"CREATE TABLE {table} ({fields})")
        target.execute("INSERT INTO alembic_version VALUES (?)", [OLD_REVISION])
        target.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage, artifact_location) "
            "VALUES (7, 'old', 'active', 'file:///a')"
        )


@pytest.mark.parametrize("revision", ["f" * 12])
def test_a_file_of_a_newer_mlflow_is_left_alone(tmp_path: Path, revision: str) -> None:
    file = tmp_path / "mlflow.duckdb"
    tracking(file)._dispose_engine()
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
    code, output = invoke("upgrade", str(file))
    assert code == 1
    assert "does not know schema" in output
    with duckdb.connect(str(file)) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchone() == (revision,)
    assert newest_revision() != revision


def test_writers_of_one_run_lose_nothing_and_see_no_conflict(tmp_path: Path) -> None:
    store = tracking(tmp_path / "mlflow.duckdb")
    run = store.create_run("0", "user", 1, [], "run").info.run_id
    failures: list[Exception] = []

    def write(writer: int) -> None:
        try:
            for step in range(40):
                store.log_metric(run, Metric("same", writer, step, step))
                store.set_tag(run, RunTag("same", str(step)))
                store.log_batch(run, [Metric("m", i, step, writer) for i in range(5)], [], [])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    reads = 0
    while any(thread.is_alive() for thread in threads):
        store.search_runs(["0"], "metrics.same >= 0", ViewType.ALL)
        reads += 1
    assert failures == []
    assert reads > 0
    assert len(store.get_metric_history(run, "same")) == 8 * 40
    assert len(store.get_metric_history(run, "m")) == 8 * 40 * 5
    assert store.get_run(run).data.metrics["same"] == 7


WRITER = """
import sys
from mlflow.entities import Metric
from store.mlflow_backend.tracking import DuckDBTrackingStore
store = DuckDBTrackingStore(sys.argv[1], "artifacts")
run = store.create_run("0", "user", 1, [], "run").info.run_id
step = 0
while True:
    store.log_batch(run, [Metric(f"m{i}", step, step, step) for i in range(10)], [], [])
    step += 1
    print(run, step, flush=True)
"""


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, kills: int) -> None:
    file = tmp_path / "mlflow.duckdb"
    tracking(file)._dispose_engine()
    acknowledged: dict[str, int] = {}
    for number in range(kills):
        command_line = [sys.executable, "-c", WRITER, f"duckdb:///{file}"]
        with subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(5 + number * 7):
                run, step = process.stdout.readline().split()
                acknowledged[run] = int(step)
            process.kill()
            for line in process.stdout:
                if len(line.split()) == 2 and line.endswith("\n"):
                    acknowledged[run] = int(line.split()[1])
    store = tracking(file)
    for run, steps in acknowledged.items():
        history = store.get_metric_history(run, "m9")
        assert len(history) in (steps, steps + 1)
        assert store.get_run(run).data.metrics["m0"] == len(history) - 1
    store._dispose_engine()
    assert wait_until(lambda: not file.with_name(file.name + ".wal").exists(), 5)
