"""Credentials survive: restarts, rotation, and a process that is killed."""

import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ICredentialStore, Parked, StoredAccount
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database
from tests.store.pumped import PumpedReactor

ACCOUNT = Account(fingerprint="f1", name="first", method="idc")
CREDENTIALS = Credentials(
    access_token=Secret("access"),
    refresh_token=Secret("refresh"),
    expires_at=1234.5,
    client_id="client",
    client_secret=Secret("hidden"),
    profile_arn="arn:aws:codewhisperer:eu-central-1:1:profile/X",
)

# Saves one rotated token and says so; whoever reads that kills the process.
SAVER = """
import sys
from kiro2api.accounts.account import Account, Credentials
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database
from tests.store.pumped import PumpedReactor

reactor = PumpedReactor()
database = Database(sys.argv[1], reactor)
reactor.result_of(database.start())
rows = AccountRows(database)
account = Account(fingerprint="f1", name="first", method="social")
for token in ("first", "rotated"):
    reactor.result_of(rows.save(account, Credentials(Secret(""), Secret(token))))
print("saved", flush=True)
sys.stdin.read()
"""


class AccountRowsTests(SynchronousTestCase):
    """The table of accounts."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.now = 100.0
        self.path = self.mktemp()
        self.database = Database(self.path, self.reactor)
        self.addCleanup(lambda: self.reactor.result_of(self.database.stop()))
        self.reactor.result_of(self.database.start())
        self.rows = AccountRows(self.database, lambda: self.now)

    def loaded(self) -> dict[str, StoredAccount]:
        """Everything stored, read anew."""
        found = self.reactor.result_of(self.rows.load())
        return dict(found)

    def test_interface(self) -> None:
        """It is what the pool asks for."""
        verifyObject(ICredentialStore, self.rows)

    def test_round_trip(self) -> None:
        """Every field comes back."""
        self.assertEqual(self.loaded(), {})
        self.assertIsNone(self.reactor.result_of(self.rows.save(ACCOUNT, CREDENTIALS)))
        self.assertEqual(self.loaded(), {"f1": StoredAccount(CREDENTIALS)})

    def test_rotation_replaces(self) -> None:
        """A later save replaces the credentials, and only those of its account."""
        other = Account(fingerprint="f2", name="second", method="social")
        self.reactor.result_of(self.rows.save(ACCOUNT, CREDENTIALS))
        self.reactor.result_of(self.rows.save(other, CREDENTIALS))
        self.now = 200.0
        rotated = Credentials(Secret("a2"), Secret("r2"))
        self.reactor.result_of(self.rows.save(ACCOUNT, rotated))
        self.assertEqual(
            self.loaded(), {"f1": StoredAccount(rotated), "f2": StoredAccount(CREDENTIALS)}
        )
        stamps = self.reactor.result_of(
            self.database.run(
                lambda connection: connection.exec_driver_sql(
                    "SELECT created_at, updated_at FROM accounts ORDER BY fingerprint"
                ).fetchall()
            )
        )
        self.assertEqual([tuple(row) for row in stamps], [(100.0, 200.0), (100.0, 100.0)])

    def test_parking(self) -> None:
        """Parking is remembered apart from the credentials, until it is taken back."""
        parked = Parked("quota", 5000.0)
        self.reactor.result_of(self.rows.save(ACCOUNT, CREDENTIALS))
        self.reactor.result_of(self.rows.park("f1", parked))
        self.assertEqual(self.loaded()["f1"], StoredAccount(CREDENTIALS, parked))
        rotated = Credentials(Secret("a2"), Secret("r2"))
        self.reactor.result_of(self.rows.save(ACCOUNT, rotated))
        self.assertEqual(self.loaded()["f1"], StoredAccount(rotated, parked))
        self.reactor.result_of(self.rows.park("f1", None))
        self.assertEqual(self.loaded()["f1"], StoredAccount(rotated))

    def test_parking_the_unsaved(self) -> None:
        """An account that was never refreshed can be parked; saving it later fills the row."""
        self.reactor.result_of(self.rows.park("f1", Parked("suspended")))
        empty = Credentials(Secret(""), Secret(""))
        self.assertEqual(self.loaded(), {"f1": StoredAccount(empty, Parked("suspended", 0.0))})
        self.reactor.result_of(self.rows.save(ACCOUNT, CREDENTIALS))
        self.assertEqual(
            self.loaded(), {"f1": StoredAccount(CREDENTIALS, Parked("suspended", 0.0))}
        )

    def test_survives_a_restart(self) -> None:
        """Another process finds it all."""
        self.reactor.result_of(self.rows.save(ACCOUNT, CREDENTIALS))
        self.reactor.result_of(self.database.stop())
        self.database = Database(self.path, self.reactor)
        self.reactor.result_of(self.database.start())
        self.rows = AccountRows(self.database)
        self.assertEqual(self.loaded(), {"f1": StoredAccount(CREDENTIALS)})


class KilledTests(SynchronousTestCase):
    """The worst moment to die."""

    def test_rotated_token_survives_sigkill(self) -> None:
        """Once the save has fired the token is there, though the process was killed at once."""
        path = self.mktemp()
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(Path(path).absolute())],
            cwd=Path(__file__).parent.parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None and process.stdin is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), b"saved\n")
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(20), -signal.SIGKILL)

        reactor = PumpedReactor()
        database = Database(path, reactor)
        self.addCleanup(lambda: reactor.result_of(database.stop()))
        reactor.result_of(database.start())
        found = reactor.result_of(AccountRows(database).load())
        self.assertEqual(found["f1"].credentials.refresh_token, Secret("rotated"))
