"""The tables that the code speaks of are those that the migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
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
        """The constant names the one newest migration, and a new database gets there."""
        config = Config()
        config.set_main_option("script_location", "kiro2api:store/migrations")
        self.assertEqual(ScriptDirectory.from_config(config).get_heads(), [REVISION])
        self.assertEqual(self.reactor.result_of(self.database.run(migrate.revision_of)), REVISION)

    def test_migrated_equals_declared(self) -> None:
        """Alembic finds no difference between what it made and what is declared."""

        def differences(connection: Connection) -> list[object]:
            return list(compare_metadata(MigrationContext.configure(connection), METADATA))

        self.assertEqual(self.reactor.result_of(self.database.run(differences)), [])

        def spoil(connection: Connection) -> None:
            connection.execute(text("ALTER TABLE preferences ADD COLUMN more TEXT"))

        self.reactor.result_of(self.database.run(spoil))
        self.assertEqual(len(self.reactor.result_of(self.database.run(differences))), 1)
