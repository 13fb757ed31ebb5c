"""An older database comes up to date with everything that is in it."""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import Parked, StoredAccount
from kiro2api.accounts.sources import Configured
from kiro2api.redaction import Secret
from kiro2api.store import migrate
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import StoreError
from kiro2api.store.keys import KeyRows, digest_of
from kiro2api.store.leases import LeaseRows
from kiro2api.store.preferences import PreferenceRows
from kiro2api.store.schema import REVISION
from tests.store.case import InPostgres, StoreCase

KEY = "sk-kiro-invented-and-long-enough-1234"
OLDER = (
    "INSERT INTO accounts (fingerprint, name, method, access_token, refresh_token, client_id,"
    " client_secret, profile_arn, expires_at, parked_reason, parked_until, created_at, updated_at,"
    " fence) VALUES ('f1', 'one', 'idc', 'a1', 'r1', 'client', 'hidden', 'arn', 1234.5, 'quota',"
    " 5000.0, 1.0, 2.0, 3)",
    "INSERT INTO leases VALUES ('refresh:f1', '', 3, 0.0)",
    "INSERT INTO client_keys VALUES (7, 'laptop', {blob}, 'client', 9.0)",
    "INSERT INTO preferences VALUES ('ping_seconds', '5')",
)


class MigrationTests(StoreCase):
    """From revision 0002, the first that was released, to the newest."""

    def setUp(self) -> None:
        self.statements = [line.format(blob=self.blob()) for line in OLDER]
        super().setUp()

    def prepare(self) -> None:
        """Let an older version have written it."""
        engine = create_engine(self.url(), poolclass=NullPool)
        with engine.connect() as connection, connection.begin():
            migrate.migrate(connection, "0002")
            self.fill(connection)

    def fill(self, connection: Connection) -> None:
        """Rows in every table there was."""
        for statement in self.statements:
            connection.execute(text(statement))

    def url(self) -> str:
        """As SQLAlchemy says it."""
        return f"sqlite:///{self.place}"

    def blob(self) -> str:
        """The key's digest, as a literal."""
        return f"x'{digest_of(KEY).hex()}'"

    def test_everything_is_kept(self) -> None:
        """Accounts with tokens and parking, leases, keys and preferences."""
        self.assertEqual(self.first("SELECT version_num FROM alembic_version"), REVISION)
        credentials = Credentials(
            Secret("a1"), Secret("r1"), 1234.5, "client", Secret("hidden"), "arn"
        )
        rows = AccountRows(self.database, self.clock)
        account = Account("f1", "one", "idc")
        stored = StoredAccount(credentials, Parked("quota", 5000.0), account=account)
        self.assertEqual(self.done(rows.load()), {"f1": stored})
        configured = Configured(
            (account,), {"f1": Credentials(Secret(""), Secret("r0"), 0.0, "client")}
        )
        self.assertEqual(self.done(rows.adopt(configured)), {"f1": stored})
        self.assertEqual(self.done(LeaseRows(self.database, "me").win("refresh:f1", 5.0)), 4)
        self.assertEqual(self.done(PreferenceRows(self.database).load()), {"ping_seconds": "5"})
        (key,) = self.done(KeyRows(self.database).digests())
        found = (key.id, key.name, key.digest, key.role, key.created_at)
        self.assertEqual(found, (7, "laptop", digest_of(KEY), "client", 9.0))
        self.assertIs(bool(self.first("SELECT enabled FROM client_keys")), True)

    def test_goes_on(self) -> None:
        """A key that is added afterwards gets a number of its own."""
        number = self.done(KeyRows(self.database).add("more", Secret("x" * 40), "client"))
        self.assertNotEqual(number, 7)


class MigrationInPostgresTests(InPostgres, MigrationTests):
    """The same there."""

    def url(self) -> str:
        """It is an address already."""
        return self.place

    def blob(self) -> str:
        """The key's digest, as a literal."""
        return f"'\\x{digest_of(KEY).hex()}'"


class CopyTests(MigrationTests):
    """What stays of an older file."""

    def test_copy(self) -> None:
        """The whole file as it was, for its owner only."""
        copy = Path(f"{self.place}.bak-0002")
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        kept = sqlite3.connect(copy)
        self.addCleanup(kept.close)
        tables = {
            table: kept.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("accounts", "leases", "client_keys", "preferences")
        }
        self.assertEqual(set(tables.values()), {1})
        self.assertEqual(kept.execute("SELECT refresh_token FROM accounts").fetchone(), ("r1",))
        version = kept.execute("SELECT version_num FROM alembic_version").fetchone()
        self.assertEqual(version, ("0002",))

    def test_put_back(self) -> None:
        """The copy serves in the place of the file."""
        self.done(self.database.stop())
        self.place = f"{self.place}.bak-0002"
        self.database = self.opened()
        self.test_everything_is_kept()

    def test_corrupt_afterwards(self) -> None:
        """A file that is damaged later is refused with advice, and neither it nor the copy is
        touched."""
        self.done(self.database.stop())
        copy = Path(f"{self.place}.bak-0002").read_bytes()
        damaged = bytearray(Path(self.place).read_bytes())
        damaged[200 : len(damaged)] = b"\x5a" * (len(damaged) - 200)
        Path(self.place).write_bytes(damaged)
        error = self.assertRaises(StoreError, self.opened)
        self.assertIn("put a copy back", error.message)
        self.assertEqual(Path(self.place).read_bytes(), bytes(damaged))
        self.assertEqual(Path(f"{self.place}.bak-0002").read_bytes(), copy)
