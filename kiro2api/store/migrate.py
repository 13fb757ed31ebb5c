# -*- test-case-name: tests.store.test_database -*-
"""Brings a database to the newest schema with Alembic, and says how far from it one is.

Runs in the store's own thread, inside a transaction of the caller. Alembic is imported only
when there is something to migrate: any other start, the first one included, does without it
(about 150 ms and 15 MB).
"""

import sqlite3
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from kiro2api.errors import KiroError
from kiro2api.store.schema import METADATA, REVISION

if TYPE_CHECKING:
    from alembic.config import Config


# As Alembic makes it.
_VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


class StoreError(KiroError):
    """The store cannot be used or could not do its work; the message says what to do."""


class Standing(Enum):
    """How a database relates to our newest schema."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    FOREIGN = "foreign"


def revision_of(connection: Connection) -> str | None:
    """The recorded revision; None where Alembic never was."""
    tables = _tables(connection)
    if "alembic_version" not in tables:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def standing(connection: Connection) -> Standing:
    """Whether the database is new, ready, to be migrated, or not ours (or newer than us)."""
    revision = revision_of(connection)
    if revision == REVISION:
        return Standing.CURRENT
    if revision is None:
        return Standing.FOREIGN if _tables(connection) else Standing.EMPTY
    return Standing.OLDER if revision in _our_revisions() else Standing.FOREIGN


def bring_up(connection: Connection, found: Standing) -> None:
    """Make an empty or older database a current one."""
    if found is Standing.EMPTY:
        create(connection)
    else:
        migrate(connection)


def create(connection: Connection) -> None:
    """Make an empty database a current one, as the migrations would have left it."""
    METADATA.create_all(connection)
    connection.execute(text(_VERSION_TABLE))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": REVISION})


def migrate(connection: Connection, target: str = "head") -> None:
    """Apply what is missing to an older database, or to an empty one, up to that revision."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def back_up(source: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database, what is still in its journal included, to a private file."""
    unfinished = target.with_name(target.name + ".part")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    copy = sqlite3.connect(unfinished)
    try:
        source.backup(copy)
    finally:
        copy.close()
    unfinished.replace(target)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _our_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_config())
    return {revision.revision for revision in script.walk_revisions()}


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    # Beside this file, so that it is found in an installed wheel, too.
    location = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", location.replace("%", "%%"))
    return config
