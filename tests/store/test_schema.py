"""The tables that the code speaks of are those that the migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.store import migrate
from kiro2api.store.database import Database
from kiro2api.store.schema import METADATA, REVISION
from tests.store.pumped import PumpedReactor


class SchemaTests(SynchronousTestCase):
    """Migrations against the schema."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.database = Database(":memory:", self.reactor)
        self.reactor.result_of(self.database.start())
        self.addCleanup(lambda: self.reactor.result_of(self.database.stop()))

    def test_head(self) -> None:
        """The constant names the one newest migration, and a new database says it is there."""
        config = Config()
        config.set_main_option("script_location", "kiro2api:store/migrations")
        self.assertEqual(ScriptDirectory.from_config(config).get_heads(), [REVISION])
        self.assertEqual(self.reactor.result_of(self.database.run(migrate.revision_of)), REVISION)

    def test_migrated_equals_created(self) -> None:
        """All migrations, run on an empty database, leave what a new one is created as."""

        def shape(connection: Connection) -> set[tuple[str, str, str]]:
            shapes = set()
            for table in inspect(connection).get_table_names():
                for column in inspect(connection).get_columns(table):
                    kind = (column["type"], column["nullable"], column["default"])
                    shapes.add((table, column["name"], repr(kind)))
                for constraint in inspect(connection).get_unique_constraints(table):
                    shapes.add((table, "unique", repr(sorted(constraint["column_names"]))))
                keys = inspect(connection).get_pk_constraint(table)["constrained_columns"]
                shapes.add((table, "primary key", repr(keys)))
            return shapes

        with create_engine("sqlite://").connect() as connection, connection.begin():
            migrate.migrate(connection)
            migrated = shape(connection)
            self.assertEqual(
                list(compare_metadata(MigrationContext.configure(connection), METADATA)), []
            )
        created = self.reactor.result_of(self.database.run(shape))
        self.assertEqual(created, migrated)
        self.assertIn("alembic_version", {table for table, _, _ in created})

    def test_declared_equals_created(self) -> None:
        """Alembic finds no difference between a new database and what is declared."""

        def differences(connection: Connection) -> list[object]:
            return list(compare_metadata(MigrationContext.configure(connection), METADATA))

        self.assertEqual(self.reactor.result_of(self.database.run(differences)), [])

        def spoil(connection: Connection) -> None:
            connection.execute(text("ALTER TABLE preferences ADD COLUMN more TEXT"))

        self.reactor.result_of(self.database.run(spoil))
        self.assertEqual(len(self.reactor.result_of(self.database.run(differences))), 1)
