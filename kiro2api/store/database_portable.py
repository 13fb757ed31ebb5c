# -*- test-case-name: tests.store.test_database_portable -*-
"""What SQLite and PostgreSQL do differently, for those who write rows.

In SQLite a transaction is alone from its beginning: whatever is read stays true until its end. In
PostgreSQL others write at the same time, so that a row that is read in order to change it must be
locked (``with_for_update``, which says nothing in SQLite), and one that may not exist yet needs
the functions below. Must not know any table.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from sqlalchemy import Connection, Insert, Table, text


def is_postgres(connection: Connection) -> bool:
    """Whether other writers are at work at the same time."""
    return connection.dialect.name == "postgresql"


def alone(connection: Connection, name: str) -> None:
    """Until the transaction ends, be the only one that has asked for that name."""
    if is_postgres(connection):
        digest = blake2b(name.encode("utf-8"), digest_size=8, person=b"kiro2api-lock").digest()
        key = int.from_bytes(digest, "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def put_missing(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert the row unless there is one of the same key; whether it was inserted.

    Waits for another transaction that is inserting the same one.
    """
    put = _unless_there(connection, table).values(values)
    return connection.execute(put.execution_options(preserve_rowcount=True)).rowcount > 0


def put_all_missing(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]
) -> None:
    """The same for many."""
    connection.execute(_unless_there(connection, table), rows)


def _unless_there(connection: Connection, table: Table) -> Insert:
    if is_postgres(connection):
        from sqlalchemy.dialects.postgresql import insert as insert_in_postgres

        return insert_in_postgres(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as insert_in_sqlite

    return insert_in_sqlite(table).on_conflict_do_nothing()


def seconds_of(connection: Connection, ours: float) -> float:
    """The time (epoch seconds) that all processes agree on.

    That of the server where there is one, since machines may disagree.

    :param ours: this machine's, for a file, whose processes are on one machine.
    """
    if not is_postgres(connection):
        return ours
    asked = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())::float8"))
    return float(asked.scalar_one())
