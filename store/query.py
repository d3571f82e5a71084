"""An operator's own SQL, for `appliance sql`."""

from __future__ import annotations

from appliance.errors import StoreError
from store.session import Rows, Session


def run_query(session: Session, sql: str, limit: int) -> Rows:
    """Return at most `limit` rows of one reading statement; of an EXPLAIN, all.

    The statement runs in a read-only transaction and sees nothing but the store's tables.

    Raises:
        StoreError: (`store.sql`) the statement would write, is not one statement, or is not SQL.
    """
    statement = sql.strip().rstrip(";").rstrip()
    if not statement:
        raise StoreError("no statement was given", code="store.sql", hint="SHOW ALL TABLES")
    try:
        # The line break ends a trailing comment.
        return session.stream(f"SELECT * FROM (\n{statement}\n) LIMIT {int(limit)}")  # noqa: S608
    except StoreError as error:
        if error.code != "store.sql":
            raise
    # EXPLAIN cannot be nested; and of anything else the refusal should name what was asked.
    return session.stream(statement)
