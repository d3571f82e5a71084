"""What a notebook reads of a home by `appliance.connect`, from file and service, and what it cannot do."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

import appliance
from appliance.config.instance_lock import InstanceLock
from appliance.config.paths import SOURCE_ROOT, Paths, write_atomically
from appliance.config.secret import generate_missing
from appliance.config.settings import Settings
from appliance.connection import Home
from appliance.control import client
from appliance.domain.coverage import ProofMethod
from appliance.domain.event import EventKind
from appliance.domain.forecast import Forecast, Quantiles
from appliance.domain.model_version import ModelVersion
from appliance.errors import (
    ApplianceError,
    ApplianceNotRunning,
    ConfigError,
    ModelNotFound,
    ModelRefused,
    RegistryError,
    RegistryUnavailable,
    StoreError,
    StoreUnavailable,
)
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.spec import describe_project
from appliance.pipelines.stored_proofs import StoredProofs
from appliance.registry.proofs import copy_of
from store.candles import store_candles
from store.coverage import proof
from store.database import Database
from store.events import append_event
from store.features import write_features
from store.forecasts import insert_forecasts, join_outcomes
from store.lock import StoreLock
from store.migrate import known_migrations, migrate, schema_version
from store.open import open_store
from store.read_only import ReadOnlySession
from tests.builders import PROJECT, event
from tests.listening import announce
from tests.store_process import START, raw_candle, running_service
from tests.stubs.mlflow import MlflowStub
from tests.waiting import wait_until

HOUR = timedelta(hours=1)
MARKET = "KRW-BTC"
ENDLESS = "SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)"
FRAME = pd.DataFrame(np.random.default_rng(1).normal(size=(50, 2)), columns=["a", "b"])
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def at(hour: int) -> datetime:
    return START + hour * HOUR


def forecast(hour: int) -> Forecast:
    return Forecast(
        *(PROJECT, MARKET, 60, at(hour), 1, at(hour + 1), 1, 100.0),
        Quantiles(-0.01, 0.0, 0.01),
        Quantiles(-0.02, 0.0, 0.02),
        Quantiles(-0.015, 0.0, 0.015),
        at(hour + 1),
    )


def fill(paths: Paths) -> None:
    """Store what each method returns something of; two forecasts have matured, the third waits."""
    spec = describe_project(Settings(), PROJECT)
    assert isinstance(spec, ForecastSpec)
    rows = pa.table(
        {
            "candle_date_time_utc": pa.array([at(0), at(1)], pa.timestamp("us", "UTC")),
            "close": [100.0, 101.0],
            "momentum": [0.5, -0.5],
        }
    )
    with open_store(paths) as session:
        raw = [raw_candle(60 * hour, 100.0 + hour, MARKET, 60) for hour in range(3)]
        store_candles(
            session,
            raw,
            "rest",
            at(3),
            proof(MARKET, 60, at(0), at(3), ProofMethod.BACKFILL, at(3)),
        )
        write_features(session, PROJECT, MARKET, 60, row_digest(spec), rows)
        write_features(session, PROJECT, MARKET, 60, "of other code", rows.slice(0, 1))
        insert_forecasts(session, [forecast(hour) for hour in range(3)])
        assert join_outcomes(session, PROJECT, at(99)) == 2
        append_event(session, event(0, EventKind.TRAINED, "version 1 trained", at(1)))
        append_event(session, event(0, EventKind.PROMOTED, "version 1", at(2), version=1))
        register(paths, StoredProofs(lambda: nullcontext(session)))


def register(paths: Paths, proofs: StoredProofs) -> None:
    """Put a trained version into production in MLflow's own file, as a training does."""
    from appliance.registry.client import open_registry
    from store.mlflow_backend.engine import backend_for

    registry = open_registry(paths, Settings(), proofs)
    run_id = registry.log_training(
        PROJECT,
        run_name="first",
        params={},
        metrics={"pinball": 0.25},
        tags={},
        model=HistGradientBoostingRegressor(max_iter=3).fit(FRAME, FRAME["a"]),
        signature_example=FRAME,
        figures={},
        documents={},
    )
    version = registry.register(PROJECT, run_id, {"market": MARKET})
    registry.promote(PROJECT, version.version)
    (model,) = paths.mlflow_artifacts.rglob("model.skops")
    shutil.copytree(model.parent, copy_of(paths.model_copies, version))
    assert backend_for(paths.mlflow_database).instance.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A home in which something is stored; only looked at."""
    paths = Paths(tmp_path_factory.mktemp("filled") / "home")
    paths.create()
    fill(paths)
    return paths


@pytest.fixture
def down(filled: Paths, home: Paths) -> Paths:
    """A home of its own with the same in it; nothing runs."""
    shutil.copytree(filled.home, home.home, dirs_exist_ok=True)
    return home


@pytest.fixture(params=["file", "service"])
def connected(request: pytest.FixtureRequest, down: Paths) -> Iterator[Home]:
    """A connection to the file, and to the real service."""
    serving = running_service(down) if request.param == "service" else nullcontext()
    with serving, appliance.connect() as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.connection._WAIT_SECONDS", 0.3)


def told(error: ApplianceError) -> str:
    assert error.hint, error.message
    return f"{error.message}; {error.hint}"


# -- what is read


def test_candles_are_those_of_the_range(connected: Home) -> None:
    table = connected.candles(MARKET, 60)
    assert table.column("close").to_pylist() == [100.0, 101.0, 102.0]
    part = connected.candles(MARKET, 60, at(1), at(2))
    assert part.column("candle_date_time_utc").to_pylist() == [at(1)]
    assert connected.candles(MARKET, 60, at(50)).num_rows == 0


def test_instants_are_aware_utc_in_arrow_and_in_pandas(connected: Home) -> None:
    for table in (
        connected.candles(MARKET, 60),
        connected.rows(PROJECT),
        connected.predictions(PROJECT),
        connected.events(),
    ):
        names = [name for name in table.column_names if name.endswith(("_at", "_utc"))]
        assert names
        frame = table.to_pandas()
        for name in names:
            assert table.schema.field(name).type == pa.timestamp("us", "UTC")
            assert str(frame[name].dt.tz) == "UTC"


def test_pandas_own_instants_are_taken(connected: Home) -> None:
    start = pd.Timestamp("2026-01-01T10:00", tz="Asia/Seoul")
    assert connected.candles(MARKET, 60, start).num_rows == 2


def test_an_instant_without_a_zone_is_refused(connected: Home) -> None:
    with pytest.raises(StoreError, match="no time zone") as caught:
        connected.candles(MARKET, 60, datetime(2026, 1, 1))
    assert "aware UTC" in told(caught.value)


def test_candles_of_which_there_is_none_say_what_there_is(connected: Home) -> None:
    with pytest.raises(ConfigError, match=r"no candle of 'KRW-BTK' .*there is: KRW-BTC 60"):
        connected.candles("KRW-BTK", 60)


def test_rows_are_those_that_todays_code_made(connected: Home) -> None:
    table = connected.rows(PROJECT)
    assert table.column_names == ["candle_date_time_utc", "close", "momentum"]
    assert table.column("momentum").to_pylist() == [0.5, -0.5]
    assert connected.rows(PROJECT, at(1)).num_rows == 1


def test_predictions_have_their_outcomes_once_they_matured(connected: Home) -> None:
    rows = connected.predictions(PROJECT).to_pylist()
    assert [row["candle_date_time_utc"] for row in rows] == [at(0), at(1), at(2)]
    assert [row["is_inside"] for row in rows] == [True, False, None]
    assert rows[0]["pinball"] > 0
    assert rows[2]["pinball"] is None
    assert connected.predictions(PROJECT, at(0), at(1), version=1).num_rows == 1
    assert connected.predictions(PROJECT, version=2).num_rows == 0


@pytest.mark.parametrize("method", ["rows", "predictions", "champion"])
def test_a_project_that_is_not_there_is_named(connected: Home, method: str) -> None:
    with pytest.raises(ConfigError, match="there is no project 'crypto'") as caught:
        getattr(connected, method)("crypto")
    assert PROJECT in told(caught.value)


def test_events_are_those_that_were_asked_for(connected: Home) -> None:
    assert connected.events().column("kind").to_pylist() == ["model.trained", "model.promoted"]
    promoted = connected.events(PROJECT, ["model.promoted"], at(2), at(3)).to_pylist()
    assert [row["summary"] for row in promoted] == ["version 1"]
    assert connected.events(limit=1).column("summary").to_pylist() == ["version 1"]
    with pytest.raises(ConfigError, match="no kind of event") as caught:
        connected.events(kinds=["model.promotet"])
    assert "model.promoted" in told(caught.value)


def test_sql_takes_parameters(connected: Home) -> None:
    table = connected.sql("SELECT count(*) AS n FROM candles WHERE unit = ?;", [60])
    assert table.to_pylist() == [{"n": 3}]
    assert "candles" in connected.sql("SHOW TABLES").column(0).to_pylist()


def test_the_champion_says_which_run_made_it_and_when_it_came(connected: Home) -> None:
    champion = connected.champion(PROJECT)
    assert (champion.version, champion.aliases, len(champion.run_id)) == (1, ("champion",), 32)
    assert champion.metrics == {"pinball": 0.25}
    assert champion.tags["market"] == MARKET
    assert champion.created_at.tzinfo == UTC
    assert champion.promoted is not None
    assert champion.promoted.at == at(2)


def test_the_champion_is_loaded_when_it_is_what_was_registered(connected: Home) -> None:
    model: Any = connected.load_champion(PROJECT)
    assert model.predict(FRAME).shape == (50,)


def test_a_changed_champion_is_refused_and_nothing_is_noted(connected: Home) -> None:
    (copied,) = connected.path.glob(f"models/{PROJECT}/1-*/model.skops")
    copied.write_bytes(copied.read_bytes() + b"x")
    with pytest.raises(ModelRefused):
        connected.load_champion(PROJECT)
    assert connected.sql("SELECT * FROM model_refusals").num_rows == 0


def test_without_a_copy_the_model_waits_for_mlflow(down: Paths) -> None:
    shutil.rmtree(down.model_copies)
    with appliance.connect() as opened, pytest.raises(ModelNotFound, match="MLflow does not run"):
        opened.load_champion(PROJECT)


def test_a_registry_in_another_database_is_not_guessed_at(down: Paths) -> None:
    write_atomically(down.compose / "appliance.toml", '[mlflow]\ndatabase_url = "sqlite"\n')
    with appliance.connect() as opened, pytest.raises(RegistryError) as caught:
        opened.champion(PROJECT)
    assert "appliance up" in told(caught.value)


def test_a_running_mlflow_is_asked_for_the_champion(down: Paths) -> None:
    generate_missing(down)
    with running_service(down), MlflowStub() as server, InstanceLock(down):
        announce(down, "mlflow", server.port)
        model = HistGradientBoostingRegressor(max_iter=2).fit(FRAME, FRAME["a"])
        server.add_model(PROJECT, model)
        server.add_model(PROJECT, model)
        with appliance.connect() as opened:
            assert opened.champion(PROJECT).version == 2
            loaded: Any = opened.load_champion(PROJECT)
            assert np.array_equal(loaded.predict(FRAME), model.predict(FRAME))
            assert opened.sql("FROM model_refusals").num_rows == 0


def test_a_mlflow_that_is_away_is_named(down: Paths) -> None:
    away = (RegistryUnavailable, ApplianceNotRunning)
    with running_service(down), InstanceLock(down), appliance.connect() as opened:  # noqa: SIM117
        with pytest.raises(away, match=r"mlflow|MLflow"):
            opened.champion(PROJECT)


# -- what is not changed


WRITES = (
    "CREATE TABLE mine (x INTEGER)",
    "CREATE TEMP TABLE mine (x INTEGER)",
    "INSERT INTO candles SELECT * FROM candles",
    "UPDATE candles SET close = 0",
    "DELETE FROM events",
    "DROP TABLE events",
    "ALTER TABLE events ADD COLUMN x INTEGER",
    "SELECT 1; DROP TABLE events",
    "WITH gone AS (SELECT 1) DELETE FROM events",
    "ATTACH '/tmp/other.duckdb'",
    "COPY candles TO '/tmp/candles.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SET memory_limit = '1TB'",
    "PRAGMA force_checkpoint",
    "CHECKPOINT",
)


def test_nothing_can_be_made_or_changed(connected: Home) -> None:
    before = connected.sql("SHOW ALL TABLES")
    for statement in WRITES:
        with pytest.raises(StoreError) as caught:
            connected.sql(statement)
        assert caught.value.code == "store.sql", statement
    assert connected.sql("SHOW ALL TABLES") == before
    assert connected.candles(MARKET, 60).column("close").to_pylist() == [100.0, 101.0, 102.0]
    assert connected.events().num_rows == 2


def test_the_session_behind_it_writes_nothing(connected: Home) -> None:
    with pytest.raises(StoreError):
        append_event(connected._session, event(0, EventKind.TRAINED, "mine", at(1)))
    assert connected.events().num_rows == 2


def test_duckdb_itself_refuses_to_write_the_file(
    down: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with appliance.connect() as opened:
        monkeypatch.setattr("store.read_only.refuse_writes", lambda sql: None)
        for statement in ("CREATE TABLE mine (x INTEGER)", "DELETE FROM events"):
            with pytest.raises(StoreError, match="reading statement"):
                opened.sql(statement)


def test_reading_the_file_leaves_the_home_as_it_was(down: Paths) -> None:
    def everything() -> dict[Path, tuple[int, int]]:
        return {
            path: (path.stat().st_size, path.stat().st_mtime_ns) for path in down.home.rglob("*")
        }

    before = everything()
    with appliance.connect() as opened:
        opened.candles(MARKET, 60)
        opened.champion(PROJECT)
        opened.load_champion(PROJECT)
        opened.sql("SELECT * FROM candles ORDER BY close")
    assert everything() == before


# -- beside the appliance


def test_a_connection_keeps_nobody_from_the_file_and_follows_its_owner(down: Paths) -> None:
    with appliance.connect() as opened:
        with open_store(down, wait_seconds=0) as owner:
            assert isinstance(owner, Database)
            append_event(owner, event(0, EventKind.TRAINED, "by the owner", at(5)))
        assert opened.events().num_rows == 3
        with running_service(down) as (_, service):
            append_event(service, event(0, EventKind.TRAINED, "by the service", at(6)))
            assert opened.events().num_rows == 4
        assert opened.events().num_rows == 4


def test_two_notebooks_read_the_file_together(down: Paths) -> None:
    first, second = StoreLock.share(down.store_file), StoreLock.share(down.store_file)
    assert first is not None
    assert second is not None
    assert StoreLock.acquire(down.store_file) is None, "who would own the file waits"
    with appliance.connect() as opened:
        assert opened.events().num_rows == 2
    first.release()
    second.release()


def test_threads_and_connections_of_one_process_take_turns(down: Paths) -> None:
    counts: list[int] = []

    def read(opened: Home) -> None:
        counts.extend(opened.events().num_rows for _ in range(3))

    with appliance.connect() as first, appliance.connect() as second:
        readers = [threading.Thread(target=read, args=[each]) for each in (first, first, second)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(30)
    assert counts == [2] * 9


def test_a_read_ends_when_a_supervisor_comes(down: Paths, impatient: None) -> None:
    raised: list[ApplianceError] = []

    def read() -> None:
        try:
            opened.sql(ENDLESS)
        except ApplianceError as error:
            raised.append(error)

    with appliance.connect() as opened:
        reader = threading.Thread(target=read)
        reader.start()

        def is_reading() -> bool:
            lock = StoreLock.acquire(down.store_file)
            if lock is not None:
                lock.release()
            return lock is None

        wait_until(is_reading, 15, "the read does not begin")
        with InstanceLock(down):
            wait_until(lambda: not is_reading(), 15, "the read keeps the file")
            reader.join(30)
    assert [type(error) for error in raised] == [ApplianceNotRunning]


# -- what it says when there is nothing to read


def test_an_absent_home_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no appliance home") as caught:
        appliance.connect(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in caught.value.message
    assert "appliance up" in told(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_home_without_a_store_is_said_and_none_is_made(home: Paths) -> None:
    with pytest.raises(ConfigError, match="has no store") as caught:
        appliance.connect()
    assert str(home.store_file) in told(caught.value)
    assert list(home.store_file.parent.iterdir()) == []


@as_root
def test_another_users_home_is_said(down: Paths) -> None:
    stranger = pwd.getpwnam("nobody")
    os.chown(down.home, stranger.pw_uid, stranger.pw_gid)
    with pytest.raises(ConfigError, match="belongs to nobody") as caught:
        appliance.connect(down.home)
    assert "run it as nobody" in told(caught.value)


def test_an_older_schema_is_said_and_not_migrated(home: Paths) -> None:
    with duckdb.connect(str(home.store_file)) as connection:
        migrate(connection, known_migrations()[:-1])
    before = home.store_file.read_bytes()
    with pytest.raises(
        StoreError, match=f"has schema {schema_version() - 1}, this program"
    ) as caught:
        appliance.connect()
    assert caught.value.code == "store.older_schema"
    assert "appliance up" in told(caught.value)
    assert home.store_file.read_bytes() == before


def test_a_newer_schema_is_said(down: Paths) -> None:
    with duckdb.connect(str(down.store_file)) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (999, 'later', 'x', now())")
    with pytest.raises(StoreError, match="schema 999, this program knows") as caught:
        appliance.connect()
    assert "newer appliance" in told(caught.value)


@pytest.mark.parametrize(("content", "code"), [("table", "store.foreign"), ("text", "store.io")])
def test_a_file_that_is_no_store_is_said(home: Paths, content: str, code: str) -> None:
    if content == "table":
        with duckdb.connect(str(home.store_file)) as connection:
            connection.execute("CREATE TABLE mine (x INTEGER)")
    else:
        home.store_file.write_text("no database\n" * 1_000)
    with pytest.raises(StoreError) as caught:
        appliance.connect()
    assert caught.value.code == code
    assert str(home.store_file) in told(caught.value)


def test_a_file_that_another_process_holds_is_said(down: Paths, impatient: None) -> None:
    lock = StoreLock.acquire(down.store_file)
    assert lock is not None
    with pytest.raises(StoreUnavailable, match=r"is held by .*no store service answers") as caught:
        appliance.connect()
    assert "try again" in told(caught.value)
    lock.release()
    appliance.connect().close()


def test_a_frozen_supervisor_is_said_with_its_pid(down: Paths, impatient: None) -> None:
    with InstanceLock(down), pytest.raises(ApplianceNotRunning, match="does not answer") as caught:
        appliance.connect()
    assert f"pid {os.getpid()}" in caught.value.message
    assert "kill -9" in told(caught.value)


def test_a_frozen_service_is_said(down: Paths, impatient: None) -> None:
    with running_service(down) as (process, _):
        process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable) as caught:
                appliance.connect()
        finally:
            process.send_signal(signal.SIGCONT)
    assert "appliance status" in told(caught.value)


def test_a_supervisor_that_accepts_and_says_nothing_is_frozen(
    down: Paths, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client._SECONDS, "status", 0.2)
    with socket.socket(socket.AF_UNIX) as frozen, InstanceLock(down):
        frozen.bind(str(down.control_socket))
        frozen.listen()
        with pytest.raises(ApplianceNotRunning, match="does not answer") as caught:
            appliance.connect()
    assert f"pid {os.getpid()}" in caught.value.message


def test_a_service_of_another_schema_is_said(down: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_service(down):
        monkeypatch.setattr("store.client.schema_version", lambda: 999)
        with pytest.raises(StoreError, match=r"service has schema .* knows 999") as caught:
            appliance.connect()
    assert "appliance restart" in told(caught.value)


def test_a_process_of_the_appliance_reads_by_the_service_alone(
    down: Paths, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_SERVICE", "airflow-scheduler")
    with pytest.raises(StoreUnavailable, match="the store's service"):
        appliance.connect()


def test_a_closed_connection_says_so(connected: Home) -> None:
    connected.close()
    connected.close()
    with pytest.raises(StoreError, match="is closed"):
        connected.events()


def test_rows_that_were_read_come_batch_after_batch(down: Paths) -> None:
    with ReadOnlySession(down) as session, session.stream("SELECT * FROM candles") as rows:
        assert "close" in rows.schema.names
        assert rows.read_all().num_rows == 3
        assert list(rows) == []


# -- the documents


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, appliance; appliance.connect; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=SOURCE_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"pandas", "duckdb", "pyarrow", "mlflow", "sklearn", "pydantic", "appliance.connection"}
    assert heavy & set(loaded) == set()


@pytest.mark.parametrize(
    ("manual", "heading"),
    [("README.md", "From a notebook"), ("README.ko.md", "노트북에서")],
)
def test_the_documented_lines_run_as_they_are(connected: Home, manual: str, heading: str) -> None:
    text = (SOURCE_ROOT / manual).read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert sum(map(bool, blocks[0].splitlines())) == 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, manual, "exec"), names)
    assert len(names["candles"]) == 3
    assert names["rows"].num_rows == 2
    assert names["predictions"].num_rows == 3
    assert names["events"].num_rows == 2
    assert isinstance(names["champion"], ModelVersion)
    assert names["model"].predict(FRAME).shape == (50,)
    names["home"].close()
