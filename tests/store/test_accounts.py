"""Credentials survive: restarts, rotation, and a process that is killed."""

import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import (
    Duplicate,
    ICredentialStore,
    Parked,
    StoredAccount,
    Superseded,
    refresh_lease,
)
from kiro2api.accounts.sources import Configured
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database
from kiro2api.store.leases import LeaseRows
from tests.store.case import InPostgres, StoreCase
from tests.store.pumped import PATIENCE, PumpedReactor

ARN = "arn:aws:codewhisperer:eu-central-1:1:profile/X"
OTHER = Account(fingerprint="f2", name="second", method="social")
ACCOUNT = Account(fingerprint="f1", name="first", method="idc")
CREDENTIALS = Credentials(
    access_token=Secret("access"),
    refresh_token=Secret("refresh"),
    expires_at=1234.5,
    client_id="client",
    client_secret=Secret("hidden"),
    profile_arn=ARN,
)
ROTATED = Credentials(Secret("a2"), Secret("r2"), profile_arn=ARN)
SAVED = StoredAccount(CREDENTIALS, account=ACCOUNT)

# Saves one rotated token and says so; whoever reads that kills the process.
SAVER = """
import sys
from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.sources import Configured
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


class AccountRowsTests(StoreCase):
    """The table of accounts."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = AccountRows(self.database, self.clock)

    def loaded(self) -> dict[str, StoredAccount]:
        """Everything stored, read anew."""
        found = self.done(self.rows.load())
        return dict(found)

    def one(self) -> StoredAccount:
        """The first account's row."""
        found = self.done(self.rows.read("f1"))
        assert found is not None
        return found

    def test_interface(self) -> None:
        """It is what the pool asks for."""
        verifyObject(ICredentialStore, self.rows)

    def test_round_trip(self) -> None:
        """Every field comes back."""
        self.assertEqual(self.loaded(), {})
        self.assertIsNone(self.done(self.rows.save(ACCOUNT, CREDENTIALS)))
        self.assertEqual(self.loaded(), {"f1": SAVED})
        self.assertEqual(self.one(), SAVED)
        self.assertIsNone(self.done(self.rows.read("f2")))

    def test_rotation_replaces(self) -> None:
        """A later save replaces the credentials, and only those of its account."""
        self.done(self.rows.save(ACCOUNT, CREDENTIALS))
        self.done(self.rows.save(OTHER, CREDENTIALS))
        self.now = 2000.0
        self.done(self.rows.save(ACCOUNT, ROTATED))
        self.assertEqual(
            self.loaded(),
            {"f1": replace(SAVED, credentials=ROTATED), "f2": replace(SAVED, account=OTHER)},
        )
        stamps = "SELECT created_at, updated_at FROM accounts ORDER BY fingerprint"
        found = self.within(lambda connection: connection.exec_driver_sql(stamps).fetchall())
        self.assertEqual([tuple(row) for row in found], [(1000.0, 2000.0), (1000.0, 1000.0)])

    def test_rotation_keeps_the_rest(self) -> None:
        """A refresh that began before something was changed or found does not undo that."""
        self.done(self.rows.save(ACCOUNT, replace(CREDENTIALS, profile_arn="")))
        self.done(self.rows.patch("f1", name="renamed", group="g", enabled=False))
        self.done(self.rows.write_profile("f1", ARN, 5.0))
        self.done(self.rows.save(ACCOUNT, replace(ROTATED, profile_arn="")))
        found = self.one()
        self.assertEqual(found.credentials, ROTATED)
        self.assertEqual(found.account, replace(ACCOUNT, name="renamed", group="g"))
        self.assertIs(found.enabled, False)

    def test_parking(self) -> None:
        """Parking is remembered apart from the credentials, until it is taken back."""
        parked = Parked("quota", 5000.0)
        self.done(self.rows.save(ACCOUNT, CREDENTIALS))
        self.done(self.rows.park("f1", parked))
        self.assertEqual(self.one(), replace(SAVED, parked=parked))
        self.done(self.rows.save(ACCOUNT, ROTATED))
        self.assertEqual(self.one(), replace(SAVED, credentials=ROTATED, parked=parked))
        self.done(self.rows.park("f1", None))
        self.assertEqual(self.one(), replace(SAVED, credentials=ROTATED))

    def test_parking_the_unsaved(self) -> None:
        """An account that was never refreshed can be parked; saving it later fills the row."""
        self.done(self.rows.park("f1", Parked("suspended")))
        empty = Credentials(Secret(""), Secret(""))
        self.assertEqual(self.loaded(), {"f1": StoredAccount(empty, Parked("suspended", 0.0))})
        self.done(self.rows.save(ACCOUNT, CREDENTIALS))
        self.assertEqual(self.loaded(), {"f1": replace(SAVED, parked=Parked("suspended", 0.0))})

    def test_survives_a_restart(self) -> None:
        """Another process finds it all."""
        self.done(self.rows.save(ACCOUNT, CREDENTIALS))
        self.done(self.database.stop())
        self.rows = AccountRows(self.opened())
        self.assertEqual(self.loaded(), {"f1": SAVED})

    def test_all_is_noted(self) -> None:
        """Other processes learn of each change, and of nothing else."""
        self.done(self.rows.add(ACCOUNT, CREDENTIALS))
        for change in (
            self.rows.save(ACCOUNT, ROTATED),
            self.rows.park("f1", Parked("quota", 5.0)),
            self.rows.write_quota("f1", "{}", 1.0),
            self.rows.write_profile("f1", "", 1.0),
            self.rows.replace(ACCOUNT, CREDENTIALS),
        ):
            self.done(change)
        self.done(self.rows.patch("f1", order=3))
        self.done(self.rows.remove("f1"))
        self.assertEqual(self.noted(), [("account", "f1")] * 8)
        for nothing in (
            self.rows.write_quota("f2", "{}", 1.0),
            self.rows.write_profile("f2", "", 1.0),
        ):
            self.done(nothing)
        self.assertIsNone(self.done(self.rows.patch("f2", order=3)))
        self.assertIs(self.done(self.rows.remove("f2")), False)
        self.assertEqual(len(self.noted()), 8)

    # ── what an operator does ────────────────────────────────────────────────

    def test_add(self) -> None:
        """An added account is all there, and counts."""
        account = replace(
            ACCOUNT,
            group="g",
            region="eu-west-1",
            order=7,
            max_in_flight=2,
            requests_per_minute=30,
        )
        self.assertIsNone(self.done(self.rows.add(account, CREDENTIALS, enabled=False)))
        wanted = StoredAccount(CREDENTIALS, account=account, enabled=False, source="stored")
        self.assertEqual(self.one(), wanted)
        self.assertTrue(self.rows.counts("f1", wanted))

    def test_add_twice(self) -> None:
        """The second fails with what is there, and changes nothing."""
        self.done(self.rows.add(ACCOUNT, CREDENTIALS))
        again = self.rows.add(replace(ACCOUNT, name="again"), ROTATED)
        error = self.assertRaises(Duplicate, self.done, again)
        self.assertEqual(error.existing, replace(SAVED, source="stored"))
        self.assertEqual(self.one(), replace(SAVED, source="stored"))
        self.assertEqual(len(self.noted()), 1)

    def test_add_what_does_not_count(self) -> None:
        """An account whose entry is gone can be added; its rotated tokens are the newer."""
        self.done(self.rows.save(ACCOUNT, ROTATED))
        self.done(self.rows.park("f1", Parked("login")))
        self.assertFalse(self.rows.counts("f1", self.one()))
        self.done(self.rows.add(replace(ACCOUNT, name="again"), CREDENTIALS))
        self.assertEqual(
            self.one(),
            StoredAccount(
                replace(ROTATED, profile_arn=ARN),
                account=replace(ACCOUNT, name="again"),
                source="stored",
            ),
        )
        self.done(self.rows.park("f2", Parked("login")))
        self.done(self.rows.add(OTHER, CREDENTIALS))
        self.assertEqual(self.loaded()["f2"], replace(SAVED, account=OTHER, source="stored"))

    def test_many_in_one_transaction(self) -> None:
        """A duplicate among many leaves the others in place."""

        def add(connection: Connection) -> list[str]:
            duplicates = []
            for account in (ACCOUNT, OTHER, ACCOUNT):
                try:
                    self.rows.added(connection, account, CREDENTIALS)
                except Duplicate as duplicate:
                    assert duplicate.existing.account is not None
                    duplicates.append(duplicate.existing.account.name)
            return duplicates

        self.assertEqual(self.within(add), ["first"])
        self.assertEqual(set(self.loaded()), {"f1", "f2"})

    def test_patch(self) -> None:
        """Everything that may be changed is, and the row is given as it is then."""
        self.done(self.rows.save(ACCOUNT, CREDENTIALS))
        changed = self.done(
            self.rows.patch(
                "f1",
                name="n",
                group="g",
                region="eu-west-1",
                order=5,
                enabled=False,
                max_in_flight=1,
                requests_per_minute=2,
                email="a@example.com",
                last_error="refused",
            )
        )
        self.assertEqual(
            changed,
            replace(
                SAVED,
                account=Account("f1", "n", "idc", "g", "eu-west-1", 5, 1, 2),
                enabled=False,
                email="a@example.com",
                last_error="refused",
            ),
        )
        self.assertEqual(self.one(), changed)

    def test_patch_refused(self) -> None:
        """Tokens and unknown columns are not changed like that."""
        for columns in ({"access_token": "x"}, {"source": "stored"}, {"nothing": 1}, {}):
            self.assertRaises(ValueError, self.rows.patch, "f1", **columns)
            patched = lambda c, columns=columns: self.rows.patched(c, "f1", columns)  # noqa: E731
            self.assertRaises(ValueError, self.within, patched)

    def test_replace(self) -> None:
        """A new login takes the place of the old one, and ends its parking."""
        self.done(self.rows.add(ACCOUNT, CREDENTIALS))
        self.done(self.rows.park("f1", Parked("login")))
        self.done(self.rows.patch("f1", last_error="invalid_grant", group="g"))
        self.done(self.rows.replace(ACCOUNT, ROTATED))
        wanted = replace(SAVED, credentials=ROTATED, source="stored")
        self.assertEqual(self.one(), replace(wanted, account=replace(ACCOUNT, group="g")))

    def test_replace_the_unsaved(self) -> None:
        """Also of an account of which only its parking was known."""
        self.done(self.rows.park("f1", Parked("login")))
        self.done(self.rows.replace(ACCOUNT, CREDENTIALS))
        self.assertEqual(self.one(), SAVED)

    def test_replace_supersedes(self) -> None:
        """A refresh of the old login that ends later does not bring it back."""
        self.done(self.rows.add(ACCOUNT, CREDENTIALS))
        leases = LeaseRows(self.database, "one", self.clock)
        fence = self.done(leases.win(refresh_lease("f1"), 25.0))
        assert fence is not None
        self.done(self.rows.replace(ACCOUNT, ROTATED))
        late = self.rows.save(ACCOUNT, CREDENTIALS, fence)
        self.assertRaises(Superseded, self.done, late)
        self.assertEqual(self.one().credentials.refresh_token, ROTATED.refresh_token)
        later = self.done(leases.win(refresh_lease("f1"), 25.0))
        assert later is not None
        self.done(self.rows.save(ACCOUNT, CREDENTIALS, later))

    def test_remove(self) -> None:
        """A removed account leaves nothing behind."""
        self.done(self.rows.save(ACCOUNT, CREDENTIALS))
        self.assertIs(self.done(self.rows.remove("f1")), True)
        self.assertEqual(self.loaded(), {})

    def test_learnt(self) -> None:
        """Usage limits and profiles are remembered, and what is known is not forgotten."""
        self.done(self.rows.save(ACCOUNT, replace(CREDENTIALS, profile_arn="")))
        self.done(self.rows.write_quota("f1", '{"used":1}', 50.0, "a@example.com"))
        self.done(self.rows.write_quota("f1", '{"used":2}', 60.0, ""))
        self.done(self.rows.write_profile("f1", ARN, 70.0))
        self.done(self.rows.write_profile("f1", "", 80.0))
        self.assertEqual(
            self.one(),
            replace(
                SAVED,
                quota='{"used":2}',
                quota_checked_at=60.0,
                email="a@example.com",
                profile_checked_at=80.0,
            ),
        )


class AccountRowsInPostgresTests(InPostgres, AccountRowsTests):
    """The same there."""

    def test_same_new_account_at_once(self) -> None:
        """Two processes that add one account: one has added it, the other is told."""
        other = AccountRows(self.opened(), self.clock)
        inserted, go_on = Event(), Event()

        def slow(connection: Connection) -> None:
            self.rows.added(connection, ACCOUNT, CREDENTIALS)
            inserted.set()
            go_on.wait(PATIENCE)

        first = self.database.run(slow)
        self.assertTrue(inserted.wait(PATIENCE))
        second = other.add(ACCOUNT, ROTATED)
        go_on.set()
        self.done(first)
        error = self.assertRaises(Duplicate, self.done, second)
        self.assertEqual(error.existing.credentials, CREDENTIALS)


class MeetingTests(InPostgres, StoreCase):
    """Several processes at one account, each in a transaction of its own."""

    def test_first_saves_at_once(self) -> None:
        """Of two that save an account that had no row, the later fence wins in any order."""
        for number in range(5):
            account = replace(ACCOUNT, fingerprint=f"n{number}")
            every = [AccountRows(self.opened(), self.clock) for _ in range(2)]
            saving = [
                rows.save(account, replace(ROTATED, access_token=Secret(str(fence))), fence)
                for rows, fence in zip(every, (2, 1), strict=True)
            ]
            for one in saving:
                one.addErrback(lambda failure: failure.trap(Superseded) and None)
                self.done(one)
            found = self.done(every[0].read(account.fingerprint))
            assert found is not None
            self.assertEqual(found.credentials.access_token, Secret("2"))

    def test_all_at_once(self) -> None:
        """Renewals, new logins, parking and a start never wait for each other in a circle."""
        every = [AccountRows(self.opened(), self.clock) for _ in range(3)]
        leases = LeaseRows(self.database, "one", self.clock)
        configured = Configured((ACCOUNT, OTHER), {"f1": CREDENTIALS, "f2": CREDENTIALS})
        doing: list[Deferred[Any]] = []
        for turn in range(8):
            fence = self.done(leases.win(refresh_lease("f1"), 25.0))
            assert fence is not None
            doing += [
                every[0].save(ACCOUNT, ROTATED, fence),
                every[1].replace(ACCOUNT, CREDENTIALS),
                every[2].adopt(configured),
                every[2].park("f1", Parked("quota", float(turn))),
                every[1].save(OTHER, ROTATED),
            ]
        failures: list[object] = []
        for one in doing:
            one.addErrback(lambda failure: failure.trap(Superseded) and None)
            one.addErrback(lambda failure: failures.append(failure.value))
            self.done(one)
        self.assertEqual(failures, [])


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
