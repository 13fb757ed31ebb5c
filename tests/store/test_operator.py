"""A change and its line in the audit are one transaction."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.registry_store import Newcomer, Said
from kiro2api.accounts.sources import Configured
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.audit import AuditRows
from kiro2api.store.changes import ChangeRows
from kiro2api.store.groups import GroupRows
from kiro2api.store.operator import OperatorRows
from tests.fakes.inline import InlineDatabase

ACCOUNT = Account("f" * 32, "first", "social", "pro")
CREDENTIALS = Credentials(Secret("a"), Secret("r"))
OTHER = Credentials(Secret("a2"), Secret("r2"), client_id="c")


class OperatorRowsTests(SynchronousTestCase):
    """Everything that the registry has stored."""

    def setUp(self) -> None:
        self.database = InlineDatabase()
        self.addCleanup(self.database.close)
        real = self.database.real
        self.accounts = AccountRows(real, lambda: 100.0)
        self.rows = OperatorRows(real, self.accounts, GroupRows(real, lambda: 100.0), lambda: 200.0)
        self.said = Said("root", "did", "this", {"what": 1})

    def lines(self) -> int:
        """How much is in the audit."""
        return self.successResultOf(AuditRows(self.database.real).count())

    def subjects(self) -> list[tuple[str, str]]:
        """What others are told has changed."""
        _, found = self.successResultOf(ChangeRows(self.database.real).since(0))
        return [(change.topic, change.subject) for change in found]

    def add(self) -> None:
        """One account."""
        self.successResultOf(self.rows.add([Newcomer(ACCOUNT, CREDENTIALS)], self.said))

    def test_add(self) -> None:
        """Added once; whoever is there stays as he is, and nothing is written down for him."""
        self.add()
        done = self.successResultOf(self.rows.add([Newcomer(ACCOUNT, OTHER)], self.said))
        self.assertEqual(list(done.added), [])
        self.assertEqual(done.there[ACCOUNT.fingerprint].credentials, CREDENTIALS)
        self.assertEqual(self.lines(), 1)
        self.assertEqual(self.subjects(), [("account", ACCOUNT.fingerprint)])
        [line] = self.successResultOf(AuditRows(self.database.real).page(0, 9))
        self.assertEqual((line.at, line.actor, line.detail), (200.0, "root", {"what": 1}))

    def test_one_transaction(self) -> None:
        """What fails leaves no line behind, and what cannot be written down does not happen."""
        doing = self.rows.patch(ACCOUNT.fingerprint, {"colour": 1}, self.said)
        self.failureResultOf(doing, ValueError)
        unspeakable = Said("root", "did", "this", {"what": object()})
        doing_unspeakable = self.rows.put_group(GroupPolicy("pro"), unspeakable)
        self.failureResultOf(doing_unspeakable, TypeError)
        self.assertEqual(self.lines(), 0)
        self.assertEqual(self.successResultOf(self.rows.groups()), {})

    def test_patch(self) -> None:
        """As it is then; of nobody there is nothing to say."""
        self.add()
        row = self.successResultOf(
            self.rows.patch(ACCOUNT.fingerprint, {"name": "second"}, self.said)
        )
        assert row is not None and row.account is not None
        self.assertEqual(row.account.name, "second")
        self.assertIsNone(self.successResultOf(self.rows.patch("0", {"name": "x"}, self.said)))
        self.assertEqual(self.lines(), 2)

    def test_replace_and_unpark(self) -> None:
        """Other credentials and region; parked no more."""
        self.add()
        for change in (
            lambda: self.rows.unpark(ACCOUNT.fingerprint, self.said),
            lambda: self.rows.replace(ACCOUNT, OTHER, self.said),
        ):
            self.successResultOf(self.accounts.park(ACCOUNT.fingerprint, Parked("login")))
            self.successResultOf(change())
            row = self.successResultOf(self.rows.read(ACCOUNT.fingerprint))
            assert row is not None
            self.assertIsNone(row.parked)
        replaced = self.successResultOf(self.rows.read(ACCOUNT.fingerprint))
        assert replaced is not None
        self.assertEqual(replaced.credentials, OTHER)
        self.assertEqual(self.lines(), 3)

    def test_remove(self) -> None:
        """Whether there was one."""
        self.add()
        for there in (True, False):
            removed = self.rows.remove(ACCOUNT.fingerprint, self.said)
            self.assertEqual(self.successResultOf(removed), there)
        self.assertEqual(self.lines(), 2)

    def test_read_what_counts(self) -> None:
        """An entry that is not configured any more is nobody."""
        configured = Configured((ACCOUNT,), {ACCOUNT.fingerprint: CREDENTIALS})
        self.successResultOf(self.accounts.adopt(configured))
        self.assertIsNotNone(self.successResultOf(self.rows.read(ACCOUNT.fingerprint)))
        self.successResultOf(self.accounts.adopt(Configured((), {})))
        self.assertIsNone(self.successResultOf(self.rows.read(ACCOUNT.fingerprint)))

    def test_groups(self) -> None:
        """Made, renamed with its accounts, removed."""
        self.add()
        self.successResultOf(self.rows.put_group(GroupPolicy("pro", max_in_flight=1), self.said))
        policy = GroupPolicy("team", max_in_flight=1)
        self.successResultOf(self.rows.rename_group("pro", policy, self.said))
        self.assertEqual(self.successResultOf(self.rows.groups()), {"team": policy})
        row = self.successResultOf(self.rows.read(ACCOUNT.fingerprint))
        assert row is not None and row.account is not None
        self.assertEqual(row.account.group, "team")
        self.successResultOf(self.rows.remove_group("team", self.said))
        self.assertEqual(self.successResultOf(self.rows.groups()), {})

    def test_only_a_line(self) -> None:
        """For what changes nothing here."""
        self.successResultOf(self.rows.wrote(self.said))
        self.assertEqual((self.lines(), self.subjects()), (1, []))
