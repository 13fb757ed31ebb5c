"""What an operator changes reaches the real pool at once."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.interfaces import Lease
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_arrivals import Arrivals
from kiro2api.accounts.registry_changes import AccountPatch, GroupPatch
from kiro2api.accounts.registry_groups import GroupRegistry
from kiro2api.accounts.registry_roll import Card
from kiro2api.errors import NoAccountAvailable, NotFound
from kiro2api.redaction import Secret
from kiro2api.store.groups import GroupRows
from kiro2api.store.operator import OperatorRows
from tests.accounts.fakes import ScriptedSource
from tests.accounts.fixtures import SERVED
from tests.accounts.registered import RegistryCase

NOBODY: frozenset[str] = frozenset()


class RealPoolTests(RegistryCase):
    """The registry over the pool that the service has."""

    def setUp(self) -> None:
        super().setUp()
        clock = Clock()
        clock.advance(1000)
        rows = self.process.rows
        keyring = Keyring({})
        source = ScriptedSource()
        renewal = RefreshOnce({"social": source, "idc": source}, rows, keyring, clock)
        self.lending = AccountPool(Ledger(), keyring, rows, renewal, clock, jitter=lambda: 0.0)
        groups = GroupRows(self.database.real, clock.seconds)
        store = OperatorRows(self.database.real, rows, groups, clock.seconds)
        self.registry = Registry(store, self.lending, keyring, clock.seconds)
        self.arrivals, self.groups = Arrivals(self.registry), GroupRegistry(self.registry)
        self.successResultOf(self.registry.start({}))

    def key(self, number: int, group: str = "default") -> Card:
        """One more account that can serve at once."""
        entry = {"apiKey": f"ksk_invented{number}", "name": f"key-{number}", "group": group}
        return self.successResultOf(self.arrivals.add("root", entry))

    def lent(self, group: str = "default") -> str:
        """Who serves next."""
        lease: Lease = self.successResultOf(self.lending.acquire(group, NOBODY))
        lease.settle(SERVED)
        return lease.account.name

    def nobody(self, group: str = "default") -> None:
        """Nobody can serve."""
        self.failureResultOf(self.lending.acquire(group, NOBODY), NoAccountAvailable)

    def change(self, card: Card, **fields: object) -> None:
        """Change these."""
        patch = AccountPatch(**fields)  # type: ignore[arg-type]
        self.successResultOf(self.registry.patch("root", card.id, patch))

    def test_added_and_removed(self) -> None:
        """Lent from the next request on, and no more after that."""
        self.nobody()
        card = self.key(1)
        self.assertEqual(self.lent(), "key-1")
        self.successResultOf(self.registry.remove("root", card.id))
        self.nobody()

    def test_removed_while_lent(self) -> None:
        """The running request ends in peace."""
        card = self.key(1)
        lease = self.successResultOf(self.lending.acquire("default", NOBODY))
        self.successResultOf(self.registry.remove("root", card.id))
        lease.settle(SERVED)
        self.nobody()

    def test_switched_off(self) -> None:
        """A disabled account is not used, whatever it did before."""
        first, _ = self.key(1), self.key(2)
        self.change(first, enabled=False)
        self.assertEqual(self.lent(), "key-2")
        self.change(first, enabled=True)
        self.assertEqual(self.lent(), "key-1")

    def test_moved(self) -> None:
        """The last one moved out of a group does not serve there any more."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        card = self.key(1, "pro")
        self.change(card, group="default")
        self.nobody("pro")
        self.assertEqual(self.lent(), "key-1")

    def test_order_and_name(self) -> None:
        """Who goes first, and what he is called."""
        first, _ = self.key(1), self.key(2)
        self.change(first, order=9, name="last")
        self.assertEqual(self.lent(), "key-2")
        self.assertEqual([each.name for each in self.lending.snapshot(0.0)], ["key-2", "last"])

    def test_group_renamed_and_removed(self) -> None:
        """Its accounts serve under the new name, then in the default group; nobody is lost."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        self.key(1, "pro")
        self.successResultOf(self.groups.rename("root", "pro", "team"))
        self.assertEqual(self.lent("team"), "key-1")
        self.failureResultOf(self.lending.acquire("pro", NOBODY), NotFound)
        self.successResultOf(self.groups.remove("root", "team"))
        self.assertEqual(self.lent(), "key-1")
        self.failureResultOf(self.lending.acquire("team", NOBODY), NotFound)

    def test_policy(self) -> None:
        """Of the group, from the next request on."""
        self.key(1)
        self.key(2)
        patch = GroupPatch(policy="round_robin")
        self.successResultOf(self.groups.change("root", "default", patch))
        self.assertEqual({self.lent(), self.lent()}, {"key-1", "key-2"})

    def test_parked_and_unparked(self) -> None:
        """Elsewhere and here."""
        card = self.key(1)
        fingerprint = card.account.fingerprint
        self.successResultOf(self.process.rows.park(fingerprint, Parked("suspended")))
        _, found = self.successResultOf(self.process.changes.since(0))
        self.successResultOf(self.registry.follow(found))
        self.nobody()
        self.successResultOf(self.registry.unpark("root", card.id))
        self.assertEqual(self.lent(), "key-1")

    def test_patch_does_not_unpark(self) -> None:
        """How an account stands is not changed by what it is called."""
        card = self.key(1)
        fingerprint = card.account.fingerprint
        self.successResultOf(self.process.rows.park(fingerprint, Parked("suspended")))
        _, found = self.successResultOf(self.process.changes.since(0))
        self.successResultOf(self.registry.follow(found))
        self.change(card, name="other", max_in_flight=3)
        self.nobody()

    def test_another_login(self) -> None:
        """The new credentials are the ones that are lent, though nothing says when they end."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        fresh = Credentials(Secret("new"), Secret("r"), expires_at=5000.0)
        self.successResultOf(self.registry.replace("root", card.id, card.account, fresh))
        lease = self.successResultOf(self.lending.acquire("default", NOBODY))
        self.assertEqual(lease.credentials, fresh)
        older = Credentials(Secret("newest"), Secret("r"), expires_at=4000.0)
        self.successResultOf(self.registry.replace("root", card.id, card.account, older))
        lease = self.successResultOf(self.lending.acquire("default", NOBODY))
        self.assertEqual(lease.credentials, older)
        self.assertIsInstance(self.registry.order.ended(), Deferred)
