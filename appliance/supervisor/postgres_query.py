"""One query to a PostgreSQL server that may hang: never longer than it is given."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from appliance import clock

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812


class PostgresSilent(Exception):
    """The server does not answer; the text says how."""


def ask(
    connection: Connection, sql: str, values: tuple[object, ...], until: float
) -> list[tuple[Any, ...]]:
    """Return the rows of a query over a connection made by `connect`.

    Raises:
        PostgresSilent: no answer until the instant `until` (monotonic seconds), or a refusal.
    """
    import psycopg2

    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            _wait(connection, until)
            return cursor.fetchall()
    except psycopg2.Error as error:
        raise PostgresSilent(_first_line(error)) from error


def connect(dsn: str, until: float) -> Connection:
    """Return a new connection; close it after use.

    Raises:
        PostgresSilent: nobody answers until the instant `until`, or it refuses.
    """
    import psycopg2

    try:
        connection = psycopg2.connect(dsn, async_=1)
    except psycopg2.Error as error:
        raise PostgresSilent(_first_line(error)) from error
    try:
        _wait(connection, until)
    except psycopg2.Error as error:
        connection.close()
        raise PostgresSilent(_first_line(error)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _wait(connection: Connection, until: float) -> None:
    from psycopg2.extensions import POLL_OK, POLL_WRITE

    while (state := connection.poll()) != POLL_OK:
        left = until - clock.monotonic()
        readers, writers = ((), (connection,)) if state == POLL_WRITE else ((connection,), ())
        if left <= 0 or not any(select.select(readers, writers, (), left)):
            raise PostgresSilent("PostgreSQL does not answer")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
