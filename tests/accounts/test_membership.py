"""Tests for kiro2api.accounts.ledger: accounts and groups that come, change and go."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.ledger import Choice, Ledger, Nobody
from kiro2api.accounts.outcome import End, Outcome
from kiro2api.accounts.penalties import State
from kiro2api.errors import AccountSuspended, NotFound, QuotaExhausted, Throttled
from tests.accounts.fixtures import SERVED, account, failed

ONE, TWO, THREE = account(1), account(2), account(3)
NONE: frozenset[str] = frozenset()


class AdmitTests(SynchronousTestCase):
    """Added and changed in place."""

    def setUp(self) -> None:
        self.ledger = Ledger([ONE, TWO])

    def chosen(self, group: str = "default", now: float = 0.0) -> str:
        choice = self.ledger.choose(group, NONE, now)
        return choice.account.name if isinstance(choice, Choice) else ""

    def test_added(self) -> None:
        """A new account serves at its place; a new group exists with it."""
        self.ledger.admit(msgspec.structs.replace(THREE, order=0), 0.0)
        self.assertEqual(self.chosen(), "account-3")
        self.ledger.admit(account(4, group="pro"), 0.0)
        self.assertEqual(self.chosen("pro"), "account-4")
        self.assertEqual(self.ledger.policy("pro"), GroupPolicy("pro"))
        self.assertIsNone(self.ledger.policy("nope"))

    def test_reordered(self) -> None:
        """Another order counts from the next choice on."""
        self.ledger.admit(msgspec.structs.replace(TWO, order=0), 0.0)
        self.assertEqual(self.chosen(), "account-2")
        self.assertEqual([a.name for a in self.ledger.accounts()], ["account-2", "account-1"])
        self.assertEqual(self.ledger.account(TWO.fingerprint), self.ledger.accounts()[0])
        self.assertIsNone(self.ledger.account("nobody"))

    def test_keeps_what_happened(self) -> None:
        """Counts, loans and standing stay, whatever changes."""
        who = ONE.fingerprint
        loan = self.ledger.lent(who, 5.0)
        self.ledger.lent(who, 5.0)
        self.ledger.returned(who, failed(AccountSuspended("x")), 6.0)
        self.ledger.admit(account(1, group="pro"), 7.0, enabled=False)
        standing = self.ledger.standing(who, 7.0)
        self.assertEqual(
            (standing.state, standing.enabled, standing.in_flight, standing.failed),
            (State.DISABLED, False, 1, 1),
        )
        self.ledger.admit(account(1, group="pro"), 8.0)
        standing = self.ledger.standing(who, 8.0)
        self.assertEqual((standing.state, standing.reason), (State.SUSPENDED, "suspended"))
        self.ledger.returned(who, SERVED, 9.0, loan=loan)
        self.assertEqual(self.ledger.standing(who, 9.0).in_flight, 0)
        self.assertEqual(self.chosen("pro"), "")

    def test_rest_ends_while_off(self) -> None:
        """A rest goes on while the account is switched off, and is over when it is over."""
        who = ONE.fingerprint
        self.ledger.lent(who, 0.0)
        self.ledger.returned(who, failed(Throttled("x", retry_after=10)), 0.0)
        self.ledger.admit(ONE, 1.0, enabled=False)
        self.assertEqual(self.chosen(now=20.0), "account-2")
        self.ledger.admit(ONE, 20.0)
        self.assertEqual(self.chosen(now=20.0), "account-1")

    def test_released_while_off(self) -> None:
        """An operator's release does not switch it on."""
        self.ledger.admit(ONE, 0.0, enabled=False)
        self.ledger.release(ONE.fingerprint)
        self.assertEqual(self.chosen(), "account-2")


class ExpelTests(SynchronousTestCase):
    """Removed."""

    def setUp(self) -> None:
        self.ledger = Ledger([ONE, TWO])

    def test_gone(self) -> None:
        """It is neither lent nor counted nor known."""
        self.ledger.lacks(ONE.fingerprint, "opus", 50.0)
        self.ledger.lacks(TWO.fingerprint, "opus", 50.0)
        self.assertEqual(self.ledger.expel(ONE.fingerprint), ONE)
        self.assertIsNone(self.ledger.expel(ONE.fingerprint))
        self.assertEqual(self.ledger.choose("default", NONE, 0.0), Choice(TWO))
        nobody = self.ledger.choose("default", {TWO.fingerprint}, 0.0)
        self.assertEqual(nobody, Nobody(0.0, {"ready": 1}))
        self.assertEqual(
            self.ledger.choose("default", NONE, 0.0, "opus"),
            Nobody(50.0, {"lacking": 1}, lacking=True),
        )
        self.ledger.lacks(ONE.fingerprint, "opus", 50.0)

    def test_news_of_it(self) -> None:
        """Whatever is still said about it does nothing."""
        loan = self.ledger.lent(ONE.fingerprint, 0.0)
        self.ledger.expel(ONE.fingerprint)
        suspended = failed(AccountSuspended("x"))
        self.assertIsNone(self.ledger.returned(ONE.fingerprint, suspended, 0.0, loan=loan))
        self.ledger.answered(ONE.fingerprint, loan, 0.0)
        fault = Throttled("x")
        self.assertIsNone(self.ledger.renewal_failed(ONE.fingerprint, fault, 0.0))
        self.assertIsNone(self.ledger.credits_known(ONE.fingerprint, 5.0, None, 0.0))

    def test_added_again(self) -> None:
        """Loans from before belong to nobody: they neither count nor park."""
        old = self.ledger.lent(ONE.fingerprint, 0.0)
        self.ledger.expel(ONE.fingerprint)
        self.ledger.admit(ONE, 1.0)
        new = self.ledger.lent(ONE.fingerprint, 1.0)
        self.ledger.returned(ONE.fingerprint, failed(QuotaExhausted("x")), 2.0, loan=old)
        standing = self.ledger.standing(ONE.fingerprint, 2.0)
        self.assertEqual((standing.state, standing.in_flight), (State.READY, 1))
        self.ledger.returned(ONE.fingerprint, SERVED, 3.0, loan=new)
        self.assertEqual(self.ledger.standing(ONE.fingerprint, 3.0).in_flight, 0)

    def test_resting(self) -> None:
        """The end of a rest of somebody removed wakes nobody."""
        self.ledger.lent(ONE.fingerprint, 0.0)
        self.ledger.returned(ONE.fingerprint, failed(Throttled("x", retry_after=5)), 0.0)
        self.ledger.expel(ONE.fingerprint)
        self.assertIsNone(self.ledger.soonest("default"))
        self.ledger.admit(ONE, 1.0)
        self.ledger.lent(ONE.fingerprint, 1.0)
        self.ledger.returned(ONE.fingerprint, failed(Throttled("x", retry_after=5)), 1.0)
        self.ledger.expel(ONE.fingerprint)
        self.assertEqual(self.ledger.choose("default", NONE, 9.0), Choice(TWO))


class GroupTests(SynchronousTestCase):
    """Groups come and go."""

    def test_made_and_dropped(self) -> None:
        """A group without accounts is a group, until it is dropped."""
        ledger = Ledger([ONE])
        ledger.set_group(GroupPolicy("pro"), 0.0)
        self.assertEqual(ledger.choose("pro", NONE, 0.0), Nobody(None, {}))
        ledger.admit(account(1, group="pro"), 0.0)
        self.assertRaises(ValueError, ledger.drop_group, "pro")
        ledger.admit(ONE, 0.0)
        ledger.drop_group("pro")
        ledger.drop_group("pro")
        self.assertRaises(NotFound, ledger.choose, "pro", NONE, 0.0)
        self.assertRaises(ValueError, ledger.drop_group, "default")

    def test_same_policy(self) -> None:
        """Told what is so already, nothing changes."""
        ledger = Ledger([ONE])
        ledger.set_group(GroupPolicy("default"), 0.0)
        self.assertEqual(ledger.choose("default", NONE, 0.0), Choice(ONE))

    def test_own_cooldown(self) -> None:
        """A group's first rest of a throttled account goes before the service's."""
        ledger = Ledger([ONE], cooldown=20.0)
        for seconds, cooldown in ((7.0, 7.0), (0.0, 20.0)):
            ledger.set_group(GroupPolicy("default", cooldown_seconds=seconds), 0.0)
            ledger.lent(ONE.fingerprint, 0.0)
            change = ledger.returned(ONE.fingerprint, failed(Throttled("x")), 0.0)
            assert change is not None
            self.assertEqual(change.until, cooldown)
            ledger.release(ONE.fingerprint)

    def test_credits_of_nobody_in_particular(self) -> None:
        """An outcome that cost nothing deducts nothing."""
        ledger = Ledger([ONE])
        ledger.credits_known(ONE.fingerprint, 5.0, 99.0, 0.0)
        ledger.lent(ONE.fingerprint, 0.0)
        ledger.returned(ONE.fingerprint, Outcome(End.ABANDONED), 0.0)
        standing = ledger.standing(ONE.fingerprint, 0.0)
        self.assertEqual((standing.credits_left, standing.resets_at), (5.0, 99.0))
