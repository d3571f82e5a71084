"""What every session promises, whoever owns the file."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from appliance.errors import StoreError
from store.query import run_query
from store.session import Session, Statement
from store.wire import decode_command
from tests.contract.store_fixtures import session
from tests.store_process import START

__all__ = ["session"]

_EVENT = "INSERT INTO events (occurred_at, kind, severity, project, actor, summary, details) "


def _event(
    project: str, *, of: str = "VALUES (now(), 'k', 'info', ?, 'a', 's', '{}')"
) -> Statement:
    return Statement(_EVENT + of, (project,))


def _count(session: Session, project: str) -> int:
    table = session.read("SELECT count(*) AS n FROM events WHERE project = ?", [project])
    return int(table.column("n")[0].as_py())


def test_parameters_arrive_as_they_were_given(session: Session) -> None:
    seoul = START.astimezone(timezone(timedelta(hours=9)))
    given = [None, True, 7, 0.1, "ü'\"", seoul, ["a", "b"]]
    row = session.read("SELECT ?, ?, ?, ?, ?, ?, ?::VARCHAR[]", given).to_pylist()[0]
    assert list(row.values()) == given


def test_instants_are_utc_whatever_zone_they_were_written_in(session: Session) -> None:
    seoul = START.astimezone(timezone(timedelta(hours=9)))
    table = session.read("SELECT ?::TIMESTAMPTZ AS t, hour(?::TIMESTAMPTZ) AS h", [seoul, seoul])
    assert table.schema.field("t").type == pa.timestamp("us", "UTC")
    assert table.column("h")[0].as_py() == 0


def test_an_instant_without_zone_is_refused(session: Session) -> None:
    with pytest.raises(StoreError) as caught:
        session.read("SELECT ?", [datetime(2026, 1, 1)])
    assert caught.value.code == "store.naive_instant"


def test_an_unknown_parameter_type_is_refused(session: Session) -> None:
    with pytest.raises(StoreError) as caught:
        session.read("SELECT ?", [object()])
    assert caught.value.code == "store.parameter"


def test_a_failing_second_statement_leaves_nothing(session: Session) -> None:
    with pytest.raises(StoreError) as caught:
        session.write(_event("atomic"), Statement("INSERT INTO no_such_table VALUES (1)"))
    assert caught.value.code == "store.sql"
    assert caught.value.hint
    assert _count(session, "atomic") == 0


def test_a_row_that_breaks_a_rule_leaves_nothing_of_its_batch(session: Session) -> None:
    batch = pa.table({"kind": ["k", None, "k"]})
    insert = "SELECT now(), kind, 'info', ?, 'a', 's', '{}' FROM batch"
    with pytest.raises(StoreError) as caught:
        session.write(_event("batch", of=insert), batch=batch)
    assert caught.value.code == "store.constraint"
    assert _count(session, "batch") == 0


def test_every_statement_sees_the_whole_batch(session: Session) -> None:
    batch = pa.table({"n": list(range(200_000))})
    insert = "SELECT now(), 'k', 'info', ?, 'a', n::VARCHAR, '{}' FROM batch WHERE n % 1000 = 0"
    rows = session.write(
        _event("whole", of=insert), Statement("SELECT count(*) AS n FROM batch"), batch=batch
    )
    assert rows.to_pylist() == [{"n": 200_000}]
    assert _count(session, "whole") == 200


def test_an_empty_batch_is_a_batch(session: Session) -> None:
    batch = pa.table({"n": pa.array([], pa.int64())})
    rows = session.write(Statement("SELECT count(*) AS n FROM batch"), batch=batch)
    assert rows.to_pylist() == [{"n": 0}]


def test_a_batch_is_gone_after_its_write(session: Session) -> None:
    session.write(Statement("SELECT 1 FROM batch"), batch=pa.table({"n": [1]}))
    with pytest.raises(StoreError):
        session.read("SELECT * FROM batch")


def test_a_write_returns_the_last_statements_rows(session: Session) -> None:
    rows = session.write(
        Statement("SELECT 1 AS a"), _event("rows", of=f"{_VALUES} RETURNING project")
    )
    assert rows.to_pylist() == [{"project": "rows"}]


_VALUES = "VALUES (now(), 'k', 'info', ?, 'a', 's', '{}')"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM events",
        "DROP TABLE events",
        "SELECT 1; DROP TABLE events",
        "EXPLAIN ANALYZE DELETE FROM events",
        "SET threads = 1",
        "ATTACH '/tmp/other.duckdb'",
        "COPY events TO '/tmp/events.csv'",
        "SELECT * FROM read_text('/etc/hostname')",
        "INSTALL httpfs",
        "SELECT * FROM checkpoint()",
        'FROM "force_checkpoint" ( )',
        "SELECT * FROM query('FROM enable_logging()')",
    ],
)
def test_an_operators_query_cannot_leave_the_tables_or_change_them(
    session: Session, sql: str
) -> None:
    session.write(_event("guarded"))
    with pytest.raises(StoreError) as caught:
        run_query(session, sql, 10)
    assert caught.value.code == "store.sql"
    assert caught.value.hint
    assert _count(session, "guarded") > 0


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT * FROM range(50)", 10),
        ("SELECT 1 AS a; -- done", 1),
        ("FROM range(3) ORDER BY 1 DESC", 3),
        ("WITH x AS (SELECT 1) SELECT * FROM x;", 1),
        ("SHOW TABLES", 10),
        ("EXPLAIN SELECT 1", 1),
        ("SELECT 'checkpoint'", 1),
    ],
)
def test_an_operators_query_returns_at_most_its_limit(
    session: Session, sql: str, rows: int
) -> None:
    assert run_query(session, sql, 10).read_all().num_rows == rows


def test_an_operators_order_survives_the_limit(session: Session) -> None:
    rows = run_query(session, "SELECT range AS n FROM range(100000) ORDER BY n DESC", 2)
    assert rows.read_all().column("n").to_pylist() == [99_999, 99_998]


def test_one_session_serves_many_threads(session: Session) -> None:
    failures: list[Exception] = []

    def work(name: str) -> None:
        try:
            for _ in range(10):
                session.write(_event(name))
                session.read("SELECT count(*) FROM events")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"thread_{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert [_count(session, f"thread_{n}") for n in range(4)] == [10] * 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"[" * 50_000,
        b'{"protocol": 2}',
        b'{"protocol": 2, "schema": "x", "rows": null, "target": "", "statements": []}',
        b'{"protocol": 2, "schema": 1, "rows": "x", "target": "", "statements": []}',
        b'{"protocol": 2, "schema": 1, "rows": null, "target": "", "statements": {}}',
        b'{"protocol": 2, "schema": 1, "rows": null, "target": "", "statements": [1]}',
        b'{"protocol": 2, "schema": 1, "rows": null, "target": "", '
        b'"statements": [{"sql": 1, "parameters": []}]}',
        b'{"protocol": 2, "schema": 1, "rows": null, "target": "", '
        b'"statements": [{"sql": "", "parameters": {"@at": 5}}]}',
    ],
)
def test_bytes_that_are_no_command_are_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="not a command"):
        decode_command(data)
