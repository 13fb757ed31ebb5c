"""What an operator does to accounts: checked, stored, audited, applied, followed."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.quota import Quota, encode_quota
from kiro2api.accounts.registry_changes import AccountPatch, GroupPatch
from kiro2api.accounts.registry_roll import Card
from kiro2api.errors import Conflict, NotFound, RequestRejected
from kiro2api.redaction import Secret
from kiro2api.store.database import StoreError
from tests.accounts.registered import RegistryCase

FRESH = Credentials(Secret("invented-access"), Secret("invented-refresh"), expires_at=500.0)


class ChangingTests(RegistryCase):
    """One account."""

    def setUp(self) -> None:
        super().setUp()
        self.card = self.successResultOf(self.arrivals.add("root", self.social(name="first")))
        self.fingerprint = self.card.account.fingerprint

    def changed(self, **fields: object) -> Card:
        """Change these fields."""
        patch = AccountPatch(**fields)  # type: ignore[arg-type]
        return self.successResultOf(self.registry.patch("root", self.card.id, patch))

    def refused(self, **fields: object) -> RequestRejected:
        """The refusal of these fields."""
        patch = AccountPatch(**fields)  # type: ignore[arg-type]
        failure = self.failureResultOf(
            self.registry.patch("root", self.card.id, patch), RequestRejected
        )
        assert isinstance(failure.value, RequestRejected)
        return failure.value

    def test_everywhere_at_once(self) -> None:
        """A change is in the store, the audit and the pool."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        card = self.changed(name=" second ", group="pro", max_in_flight=3, order=7)
        self.assertEqual(card.account.name, "second")
        self.assertEqual(self.pool.members[self.fingerprint], card.account)
        stored = self.successResultOf(self.process.rows.read(self.fingerprint))
        assert stored is not None
        self.assertEqual(stored.account, card.account)
        line = self.audit()[0]
        self.assertEqual(
            (line.actor, line.action, line.subject), ("root", "account.change", card.id)
        )
        self.assertEqual(
            line.detail, {"name": "second", "group": "pro", "order": 7, "max_in_flight": 3}
        )

    def test_switch(self) -> None:
        """Off and on; both spellings mean the same."""
        self.assertFalse(self.changed(disabled=True).enabled)
        self.assertFalse(self.pool.enabled[self.fingerprint])
        self.assertTrue(self.changed(enabled=True, disabled=False).enabled)
        self.assertEqual(self.refused(enabled=True, disabled=True).param, "enabled")

    def test_nothing_to_do(self) -> None:
        """What is so already is not written down."""
        before = len(self.audit())
        self.changed(name="first", enabled=True)
        self.assertEqual(len(self.audit()), before)

    def test_refusals(self) -> None:
        """The field at fault is named and nothing changes."""
        self.successResultOf(self.arrivals.add("root", self.social(2, name="other")))
        self.assertEqual(self.refused(name="other").param, "name")
        self.assertEqual(self.refused(group="nowhere").param, "group")
        self.assertEqual(self.refused(order=-1).param, "order")
        self.assertEqual(self.registry.find(self.card.id), self.card)

    def test_unknown(self) -> None:
        """There is nothing to change."""
        for doing in (
            self.registry.patch("root", "0" * 16, AccountPatch()),
            self.registry.unpark("root", "0" * 16),
            self.registry.remove("root", "0" * 16),
            self.registry.replace("root", "0" * 16, self.card.account, FRESH),
        ):
            self.failureResultOf(doing, NotFound)
        self.assertRaises(NotFound, self.registry.credentials, "0" * 32)

    def test_gone_from_the_store(self) -> None:
        """Another process removed it a moment ago: then it is gone here, too."""
        self.successResultOf(self.process.rows.remove(self.fingerprint))
        doing = self.registry.patch("root", self.card.id, AccountPatch(name="x"))
        self.failureResultOf(doing, NotFound)
        self.assertEqual(self.pool.members, {})
        self.assertEqual(len(self.audit()), 1)

    def test_store_fails(self) -> None:
        """What could not be written is not applied."""
        self.database.broken = StoreError("no")
        doing = self.registry.patch("root", self.card.id, AccountPatch(name="x"))
        self.failureResultOf(doing, StoreError)
        self.assertEqual(self.pool.members[self.fingerprint].name, "first")

    def test_unpark(self) -> None:
        """Asked again, whatever was stored."""
        self.successResultOf(self.process.rows.park(self.fingerprint, Parked("suspended")))
        self.follow(self.process)
        self.assertEqual(self.pool.parked[self.fingerprint], Parked("suspended"))
        card = self.successResultOf(self.registry.unpark("root", self.card.id))
        self.assertIsNone(card.parked)
        self.assertIsNone(self.pool.parked[self.fingerprint])
        stored = self.successResultOf(self.process.rows.read(self.fingerprint))
        assert stored is not None
        self.assertIsNone(stored.parked)
        self.assertEqual(self.audit()[0].action, "account.unpark")

    def test_learnt_meanwhile(self) -> None:
        """Credits that are read while a change is being stored are not forgotten."""
        quota = Quota(used=1.0, limit=2.0, left=1.0)
        store, learnt = self.registry.store, self.registry.learnt

        class Meanwhile:
            """The store, during whose work something is learnt."""

            def __getattr__(self, name: str) -> Any:
                def work(*given: Any) -> Any:
                    learnt(fingerprint, quota, 1.0)
                    return getattr(store, name)(*given)

                return work

        fingerprint = self.fingerprint
        self.registry.store = Meanwhile()
        card = self.successResultOf(self.registry.unpark("root", self.card.id))
        self.assertEqual(card.quota, quota)
        quota = Quota(used=2.0, limit=2.0, left=0.0)
        replacing = self.registry.replace("root", self.card.id, card.account, FRESH)
        self.assertEqual(self.successResultOf(replacing).quota, quota)

    def test_another_login(self) -> None:
        """New credentials and region, stored and used; the account is asked again."""
        self.successResultOf(self.process.rows.park(self.fingerprint, Parked("login")))
        self.follow(self.process)
        login = Account("elsewhere", "x", "social", region="eu-west-1")
        self.successResultOf(self.registry.replace("root", self.card.id, login, FRESH))
        self.assertEqual(self.registry.credentials(self.fingerprint), FRESH)
        stored = self.successResultOf(self.process.rows.read(self.fingerprint))
        assert stored is not None and stored.account is not None
        self.assertEqual((stored.credentials, stored.parked), (FRESH, None))
        self.assertEqual((stored.account.name, stored.account.region), ("first", "eu-west-1"))
        self.assertEqual(self.pool.released, [self.fingerprint])

    def test_login_of_another_kind(self) -> None:
        """Tokens of another service would never be renewed."""
        login = Account("elsewhere", "x", "idc")
        doing = self.registry.replace("root", self.card.id, login, FRESH)
        self.failureResultOf(doing, Conflict)

    def test_remove(self) -> None:
        """Gone everywhere, and written down by name."""
        told: list[str] = []
        self.registry.watchers.append(told.append)
        self.successResultOf(self.registry.remove("root", self.card.id))
        self.assertEqual(self.pool.members, {})
        self.assertRaises(NotFound, self.registry.find, self.card.id)
        self.assertIsNone(self.successResultOf(self.process.rows.read(self.fingerprint)))
        self.assertEqual(self.audit()[0].detail, {"name": "first", "group": "default"})
        self.assertEqual(told, [self.card.id])

    def test_no_address_in_a_repr(self) -> None:
        """Whose account it is stays out of logs."""
        card = msgspec.structs.replace(self.card, email="ada@example.com")
        self.assertNotIn("ada", repr(card))
        self.assertIn("first", repr(card))

    def test_no_secret_in_the_audit(self) -> None:
        """Nothing that was done repeats a token."""
        self.successResultOf(self.registry.replace("root", self.card.id, self.card.account, FRESH))
        self.assertNotIn("invented", repr(self.audit()))


class OrderTests(RegistryCase):
    """One change at a time, and whole."""

    def test_cancelled_waiter(self) -> None:
        """Whoever leaves does not leave half of it."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        self.database.held = []
        doing = self.registry.patch("root", card.id, AccountPatch(name="late"))
        doing.addErrback(lambda _: None)
        doing.cancel()
        self.database.release()
        self.assertEqual(self.pool.members[card.account.fingerprint].name, "late")

    def test_failure_without_a_waiter(self) -> None:
        """It is logged, unless it only says what the one who left would have been told."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        for error, logged in ((ValueError("bug"), 1), (NotFound("no"), 0)):
            self.database.held = []
            doing = self.registry.patch("root", card.id, AccountPatch(name="late"))
            doing.addErrback(lambda _: None)
            doing.cancel()
            self.database.broken = error
            self.database.release()
            self.database.broken = None
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), logged)

    def test_same_name_at_once(self) -> None:
        """The second sees what the first has done."""
        self.database.held = []
        one = self.arrivals.add("root", self.social(1, name="same"))
        other = self.arrivals.add("root", self.social(2, name="same"))
        ended = self.registry.order.ended()
        self.assertNoResult(ended)
        self.database.release()
        self.assertEqual(self.successResultOf(one).account.name, "same")
        self.assertEqual(self.successResultOf(other).account.name, "same-2")
        self.successResultOf(ended)


class FollowingTests(RegistryCase):
    """Two processes on one store."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.join()

    def test_all_of_it(self) -> None:
        """Added, changed, parked, unparked and removed there: the same here."""
        card = self.successResultOf(self.arrivals.add("root", self.social(name="first")))
        fingerprint = card.account.fingerprint
        self.follow(self.other)
        self.assertEqual(self.other.pool.members[fingerprint], card.account)
        self.assertEqual(
            self.other.registry.credentials(fingerprint), self.registry.credentials(fingerprint)
        )
        self.successResultOf(
            self.registry.patch("root", card.id, AccountPatch(enabled=False, name="f"))
        )
        self.follow(self.other)
        self.assertFalse(self.other.pool.enabled[fingerprint])
        self.assertEqual(self.other.registry.find(card.id).account.name, "f")
        self.successResultOf(self.process.rows.park(fingerprint, Parked("suspended")))
        self.follow(self.other)
        self.assertEqual(self.other.pool.parked[fingerprint], Parked("suspended"))
        self.follow(self.process)
        self.successResultOf(self.registry.unpark("root", card.id))
        self.follow(self.other)
        self.assertEqual(self.other.pool.released, [fingerprint])
        self.successResultOf(self.registry.remove("root", card.id))
        self.follow(self.other)
        self.assertEqual(self.other.pool.members, {})
        self.assertEqual(self.follow(self.other), [])

    def test_groups(self) -> None:
        """Made, changed, renamed and removed there: the same here."""
        patch = GroupPatch(policy="round_robin")
        self.successResultOf(self.groups.create("root", "pro", patch))
        card = self.successResultOf(self.arrivals.add("root", self.social(group="pro")))
        self.follow(self.other)
        self.assertEqual(self.other.pool.policies["pro"].policy, "round_robin")
        self.successResultOf(self.groups.rename("root", "pro", "team"))
        self.follow(self.other)
        self.assertEqual(sorted(self.other.pool.policies), ["default", "team"])
        self.assertEqual(self.other.registry.find(card.id).account.group, "team")
        self.successResultOf(self.groups.remove("root", "team"))
        self.follow(self.other)
        self.assertEqual(sorted(self.other.pool.policies), ["default"])
        self.assertEqual(self.other.registry.find(card.id).account.group, "default")

    def test_what_is_learnt(self) -> None:
        """Credits and e-mail are shown and told on; the account is not admitted anew for that."""
        told: list[tuple[str, str]] = []
        self.registry.read = lambda one, row: told.append((one, row.quota))
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        fingerprint = card.account.fingerprint
        self.follow(self.process)
        admitted = len(self.pool.admitted)
        quota = Quota(used=1.0, limit=10.0, left=9.0, reset_at=5000.0)
        self.successResultOf(
            self.process.rows.write_quota(fingerprint, encode_quota(quota), 90.0, "a@b.example")
        )
        self.follow(self.process)
        known = self.registry.find(card.id)
        self.assertEqual((known.quota, known.email), (quota, "a@b.example"))
        self.assertEqual(known.quota_checked_at, 90.0)
        self.assertEqual(told[-1], (fingerprint, encode_quota(quota)))
        self.assertEqual(len(self.pool.admitted), admitted)

    def test_learnt_here(self) -> None:
        """What was read in this process is shown at once."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        quota = Quota(left=5.0, email="a@b.example")
        self.registry.learnt(card.account.fingerprint, quota, 80.0)
        self.registry.learnt("0" * 32, quota, 80.0)
        known = self.registry.find(card.id)
        self.assertEqual((known.quota, known.quota_checked_at), (quota, 80.0))
        self.assertEqual(known.email, "a@b.example")

    def test_own_changes(self) -> None:
        """What this process did itself changes nothing when it is read back."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        admitted = list(self.pool.admitted)
        self.assertEqual(
            [change.subject for change in self.follow(self.process)], [card.account.fingerprint]
        )
        self.assertEqual(self.pool.admitted, admitted)

    def test_renewed_there(self) -> None:
        """Credentials that another process has stored are used here."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        self.follow(self.other)
        self.successResultOf(self.process.rows.save(card.account, FRESH))
        self.follow(self.other)
        self.assertEqual(self.other.registry.credentials(card.account.fingerprint), FRESH)

    def test_of_somebody_else(self) -> None:
        """A configured account of another process's configuration is none of this one's."""
        third = self.join(self.social(9))
        self.assertEqual(len(third.pool.members), 1)
        self.follow(self.other)
        self.assertEqual(self.other.pool.members, {})


class ConfiguredTests(RegistryCase):
    """Accounts of KIRO_AUTH_TOKEN."""

    def setUp(self) -> None:
        super().setUp()
        self.process = self.join(self.social(name="mine", group="pro"))
        self.registry = self.process.registry
        [self.card] = self.registry.roll

    def test_taken_over(self) -> None:
        """They are there from the start, and so is their group."""
        self.assertEqual(self.card.source, "configured")
        self.assertIn("pro", self.process.pool.policies)
        self.assertEqual(list(self.process.pool.members), [self.card.account.fingerprint])

    def test_not_removed(self) -> None:
        """The next start would bring it back: the reason is told."""
        failure = self.failureResultOf(self.registry.remove("root", self.card.id), Conflict)
        self.assertIn("KIRO_AUTH_TOKEN", str(failure.value))
        self.assertEqual(self.registry.find(self.card.id), self.card)

    def test_disabled_instead(self) -> None:
        """And that outlives a restart."""
        patch = AccountPatch(enabled=False)
        self.successResultOf(self.registry.patch("root", self.card.id, patch))
        again = self.join(self.social(name="mine", group="pro"))
        self.assertFalse(again.pool.enabled[self.card.account.fingerprint])


class LateTests(RegistryCase):
    """The start waits for the store like everything else."""

    def test_start_is_a_change(self) -> None:
        """What is asked for meanwhile comes after it."""
        self.database.held = []
        starting = self.registry.start({})
        self.assertIsInstance(starting, Deferred)
        self.assertNoResult(starting)
        self.database.release()
        self.successResultOf(starting)
