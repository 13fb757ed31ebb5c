"""The tables that the code speaks of are those that the migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from kiro2api.store import migrate
from kiro2api.store.database_portable import is_postgres
from kiro2api.store.schema import METADATA, REVISION
from tests.store.case import InPostgres, StoreCase


def empty(url: str) -> Engine:
    """A database with nothing in it."""
    return create_engine(url, poolclass=NullPool)


def shape(connection: Connection) -> set[tuple[str, str, str]]:
    """All there is to say about the tables: columns with their defaults, keys and indexes."""
    shapes = set()
    found = inspect(connection)
    for table in found.get_table_names():
        for column in found.get_columns(table):
            kind = (column["type"], column["nullable"], column["default"])
            shapes.add((table, column["name"], repr(kind)))
        for constraint in found.get_unique_constraints(table):
            said = (constraint["name"], constraint["column_names"])
            shapes.add((table, "unique", repr(said)))
        for index in found.get_indexes(table):
            shapes.add((table, "index", repr((index["name"], index["column_names"]))))
        key = found.get_pk_constraint(table)
        shapes.add((table, "primary key", repr((key["name"], key["constrained_columns"]))))
    return shapes


def differences(connection: Connection) -> list[object]:
    """What Alembic would change to make the tables what is declared."""
    # In SQLite Alembic takes every default that is an empty text for another one.
    options = {"compare_type": True, "compare_server_default": is_postgres(connection)}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


class SchemaTests(StoreCase):
    """Migrations against the schema."""

    def migrated(self) -> tuple[set[tuple[str, str, str]], list[object]]:
        """The shape that all migrations leave, run on an empty database, and how that differs."""
        with empty(self.other_url()).connect() as connection, connection.begin():
            migrate.migrate(connection)
            return shape(connection), differences(connection)

    def other_url(self) -> str:
        """An empty database."""
        return "sqlite://"

    def test_head(self) -> None:
        """The constant names the one newest migration, and a new database says it is there."""
        config = Config()
        config.set_main_option("script_location", "kiro2api:store/migrations")
        self.assertEqual(ScriptDirectory.from_config(config).get_heads(), [REVISION])
        self.assertEqual(self.within(migrate.revision_of), REVISION)

    def test_migrated_equals_created(self) -> None:
        """The migrations leave what a new database is created as."""
        migrated, wrong = self.migrated()
        self.assertEqual(wrong, [])
        created = self.within(shape)
        self.assertEqual(created, migrated)
        self.assertIn("alembic_version", {table for table, _, _ in created})
        for part in ("ix_records_started", "uq_client_keys_digest", "'us-east-1'", "pk_groups"):
            self.assertTrue(any(part in said for _, _, said in created), part)

    def test_declared_equals_created(self) -> None:
        """Alembic finds no difference between a new database and what is declared, and would
        find one."""
        self.assertEqual(self.within(differences), [])

        def spoil(connection: Connection) -> None:
            connection.execute(text("ALTER TABLE preferences ADD COLUMN more TEXT"))
            connection.execute(text("DROP INDEX ix_audit_at"))

        self.within(spoil)
        self.assertEqual(len(self.within(differences)), 2)

    def test_downgrade(self) -> None:
        """Each migration can be taken back, and made again."""
        from alembic import command

        config = migrate._config()
        with empty(self.other_url()).connect() as connection, connection.begin():
            migrate.migrate(connection)
            before = shape(connection)
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            self.assertEqual(inspect(connection).get_table_names(), ["alembic_version"])
            migrate.migrate(connection)
            self.assertEqual(shape(connection), before)


class SchemaInPostgresTests(InPostgres, SchemaTests):
    """The same there."""

    def other_url(self) -> str:
        """An empty schema."""
        return self.new_place()


class SerialTests(StoreCase):
    """Numbers of changes in a file."""

    def test_never_used_again(self) -> None:
        """Also in a migrated file a number is never given out again."""
        made = "SELECT sql FROM sqlite_master WHERE name = 'changes'"
        with empty("sqlite://").connect() as connection, connection.begin():
            migrate.migrate(connection)
            self.assertIn("AUTOINCREMENT", str(connection.execute(text(made)).scalar()))
        self.assertIn("AUTOINCREMENT", str(self.first(made)))
