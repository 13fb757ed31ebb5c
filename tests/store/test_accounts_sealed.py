"""Accounts whose secrets are sealed in the database."""

from pathlib import Path

from sqlalchemy import Connection, text

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import Duplicate, Parked
from kiro2api.accounts.sources import Configured
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database, StoreError
from kiro2api.store.sealing import make_seal
from tests.store.case import InPostgres, StoreCase

OLD, NEW = Secret("an old invented key"), Secret("a new invented key, longer")
ACCOUNT = Account("f1", "first", "idc")
CREDENTIALS = Credentials(
    Secret("canary-access"),
    Secret("canary-refresh"),
    client_id="client",
    client_secret=Secret("canary-secret"),
)
COLUMNS = "access_token || refresh_token || client_secret"


class SealedRowsTests(StoreCase):
    """What is kept, and what becomes of it when keys change."""

    def rows_with(self, *keys: Secret) -> AccountRows:
        """The rows as a process with these keys has them."""
        return AccountRows(self.database, self.clock, make_seal(keys))

    def change(self, statement: str) -> None:
        """Change the database from outside."""

        def change(connection: Connection) -> None:
            connection.execute(text(statement))

        self.within(change)

    def kept(self) -> str:
        """What somebody who reads the database sees."""
        return str(self.first(f"SELECT {COLUMNS} FROM accounts WHERE fingerprint = 'f1'"))

    def read(self, *keys: Secret) -> Credentials:
        """What a process with these keys reads."""
        found = self.done(self.rows_with(*keys).read("f1"))
        assert found is not None
        return found.credentials

    def test_round_trip(self) -> None:
        """Every way to write seals, every way to read opens."""
        rows = self.rows_with(NEW)
        other = Account("f2", "second", "social")
        for write in (
            rows.add(ACCOUNT, CREDENTIALS),
            rows.save(ACCOUNT, CREDENTIALS),
            rows.save(other, CREDENTIALS),
            rows.replace(ACCOUNT, CREDENTIALS),
            rows.park("f3", Parked("login")),
        ):
            self.done(write)
            self.assertNotIn("canary", self.kept())
        found = self.done(rows.load())
        self.assertEqual([found[name].credentials for name in ("f1", "f2")], [CREDENTIALS] * 2)
        self.assertRaises(Duplicate, self.done, rows.add(ACCOUNT, CREDENTIALS))
        adopted = self.done(rows.adopt(Configured((ACCOUNT,), {"f1": CREDENTIALS})))
        self.assertEqual(adopted["f1"].credentials, CREDENTIALS)
        self.assertNotIn("canary", self.kept())

    def test_sealed_later(self) -> None:
        """What was kept in clear is sealed once there is a key; a second time nothing is done."""
        self.done(self.rows_with().save(ACCOUNT, CREDENTIALS))
        self.done(self.rows_with().park("f2", Parked("login")))
        self.assertIn("canary-refresh", self.kept())
        rows = self.rows_with(NEW)
        self.assertEqual(self.read(NEW), CREDENTIALS)
        self.assertEqual([self.done(rows.reseal()), self.done(rows.reseal())], [1, 0])
        self.assertNotIn("canary", self.kept())
        self.assertEqual(self.read(NEW), CREDENTIALS)
        self.assertEqual(self.done(self.rows_with(NEW).reseal()), 0)

    def test_rotation(self) -> None:
        """With the new key first all is sealed anew, and the old one is not needed any more."""
        self.done(self.rows_with(OLD).save(ACCOUNT, CREDENTIALS))
        self.assertEqual(self.done(self.rows_with(NEW, OLD).reseal()), 1)
        self.assertEqual(self.read(NEW), CREDENTIALS)
        self.assertRaises(StoreError, self.read, OLD)

    def test_without_the_key(self) -> None:
        """Whoever starts without the key, or with a wrong one, is told and changes nothing."""
        self.done(self.rows_with(OLD).save(ACCOUNT, CREDENTIALS))
        before = (self.kept(), self.noted())
        configured = Configured(
            (Account("f0", "new", "social"), ACCOUNT),
            {"f0": CREDENTIALS, "f1": CREDENTIALS},
        )
        for keys in ((), (NEW,)):
            rows = self.rows_with(*keys)
            for attempt in (rows.adopt, lambda _, rows=rows: rows.reseal()):
                error = self.assertRaises(StoreError, self.done, attempt(configured))
                self.assertIn("KIRO_SECRET_KEY", error.message)
                self.assertNotIn("\n", error.message)
        self.assertEqual((self.kept(), self.noted()), before)
        self.assertEqual(self.first("SELECT count(*) FROM accounts"), 1)

    def test_moved_by_hand(self) -> None:
        """A sealed token that is put into another row or column does not serve there."""
        rows = self.rows_with(NEW)
        self.done(rows.save(ACCOUNT, CREDENTIALS))
        self.done(rows.save(Account("f2", "second", "social"), CREDENTIALS))
        for change in (
            "UPDATE accounts SET refresh_token = access_token WHERE fingerprint = 'f1'",
            "UPDATE accounts SET access_token = "
            "(SELECT access_token FROM accounts WHERE fingerprint = 'f1') WHERE fingerprint = 'f2'",
        ):
            self.change(change)
        for fingerprint in ("f1", "f2"):
            self.assertRaises(StoreError, self.done, rows.read(fingerprint))


class SealedRowsInPostgresTests(InPostgres, SealedRowsTests):
    """The same there."""


class SealedFileTests(StoreCase):
    """The file itself."""

    def test_nothing_lingers(self) -> None:
        """Once sealed and closed, no trace of the clear text is in the file."""
        rows = AccountRows(self.database, self.clock)
        self.done(rows.save(ACCOUNT, CREDENTIALS))
        self.done(self.database.stop())
        self.assertIn(b"canary-refresh", Path(self.place).read_bytes())
        database = Database(self.place, self.reactor)
        self.done(database.start())
        self.done(AccountRows(database, self.clock, make_seal((NEW,))).reseal())
        self.done(database.stop())
        self.assertNotIn(b"canary", Path(self.place).read_bytes())
