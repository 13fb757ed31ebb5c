"""What an operator does to groups."""

import msgspec

from kiro2api.accounts.registry_changes import AccountPatch, GroupPatch
from kiro2api.errors import Conflict, NotFound, RequestRejected
from kiro2api.store.schema import CLIENT_KEYS
from tests.accounts.registered import RegistryCase


class GroupRegistryTests(RegistryCase):
    """Made, changed, renamed, removed."""

    def test_default(self) -> None:
        """It is always there, and stays."""
        self.assertEqual([policy.name for policy in self.groups.all()], ["default"])
        for doing in (
            self.groups.rename("root", "default", "other"),
            self.groups.remove("root", "default"),
        ):
            failure = self.failureResultOf(doing, RequestRejected)
            self.assertEqual(failure.value.param, "name")
        changed = self.groups.change("root", "default", GroupPatch(affinity=False))
        self.assertFalse(self.successResultOf(changed).affinity)

    def test_create(self) -> None:
        """With what it shall do; the audit has it."""
        patch = GroupPatch(display_name="The pros", policy="least_used", max_in_flight=2)
        policy = self.successResultOf(self.groups.create("root", "pro", patch))
        self.assertEqual(self.pool.policies["pro"], policy)
        self.assertEqual((policy.display_name, policy.max_in_flight), ("The pros", 2))
        self.assertEqual(self.groups.policy("pro"), policy)
        line = self.audit()[0]
        self.assertEqual((line.action, line.subject), ("group.create", "pro"))
        self.assertEqual(
            line.detail, {"display_name": "The pros", "policy": "least_used", "max_in_flight": 2}
        )

    def test_illegal_names(self) -> None:
        """A group is part of URLs."""
        for name in ("", "v1", "API", "a b", "../x", "x" * 65, "käse"):
            failure = self.failureResultOf(
                self.groups.create("root", name, GroupPatch()), RequestRejected
            )
            self.assertEqual(failure.value.param, "name")

    def test_twice(self) -> None:
        """Also when it exists only by its accounts."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        self.failureResultOf(self.groups.create("root", "pro", GroupPatch()), Conflict)
        process = self.join(self.social(group="team"))
        self.failureResultOf(process.groups.create("root", "team", GroupPatch()), Conflict)

    def test_change(self) -> None:
        """Only what is given; the same again is not written down."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch(max_in_flight=2)))
        for _ in range(2):
            doing = self.groups.change("root", "pro", GroupPatch(cooldown_seconds=5.0))
            policy = self.successResultOf(doing)
        self.assertEqual((policy.max_in_flight, policy.cooldown_seconds), (2, 5.0))
        self.assertEqual([line.action for line in self.audit()], ["group.change", "group.create"])
        self.failureResultOf(self.groups.change("root", "no", GroupPatch()), NotFound)

    def test_rename(self) -> None:
        """Accounts and keys follow, and nobody is lost."""
        told: list[bool] = []
        self.groups.keys_changed = lambda: told.append(True)
        self.successResultOf(self.groups.create("root", "pro", GroupPatch(max_in_flight=4)))
        card = self.successResultOf(self.arrivals.add("root", self.social(group="pro")))
        self.successResultOf(
            self.database.run(
                lambda connection: connection.execute(
                    CLIENT_KEYS.insert().values(
                        name="k", digest=b"d", role="client", created_at=1.0, groups='["pro"]'
                    )
                )
            )
        )
        policy = self.successResultOf(self.groups.rename("root", "pro", "team"))
        self.assertEqual((policy.name, policy.max_in_flight), ("team", 4))
        self.assertEqual(self.registry.find(card.id).account.group, "team")
        self.assertEqual(self.pool.members[card.account.fingerprint].group, "team")
        self.assertEqual(sorted(self.pool.policies), ["default", "team"])
        groups = self.successResultOf(
            self.database.run(lambda c: c.execute(CLIENT_KEYS.select()).one().groups)
        )
        self.assertEqual(msgspec.json.decode(groups), ["team"])
        self.assertEqual(told, [True])
        self.assertEqual(self.audit()[0].detail, {"new_name": "team"})

    def test_rename_refused(self) -> None:
        """To a name that is taken, illegal, or from one that is not there."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        self.failureResultOf(self.groups.rename("root", "pro", "default"), Conflict)
        self.failureResultOf(self.groups.rename("root", "no", "team"), NotFound)
        failure = self.failureResultOf(self.groups.rename("root", "pro", "v1"), RequestRejected)
        self.assertEqual(failure.value.param, "new_name")
        self.assertEqual(self.successResultOf(self.groups.rename("root", "pro", "pro")).name, "pro")

    def test_rename_without_a_row(self) -> None:
        """A group that only the configuration names can be renamed, too."""
        process = self.join(self.social(group="team"))
        self.successResultOf(process.groups.rename("root", "team", "pro"))
        [card] = process.registry.roll
        self.assertEqual(card.account.group, "pro")
        again = self.join(self.social(group="team"))
        self.assertEqual([each.account.group for each in again.registry.roll], ["pro"])

    def test_remove(self) -> None:
        """Its accounts serve in the default group."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        card = self.successResultOf(self.arrivals.add("root", self.social(group="pro")))
        self.assertEqual(self.successResultOf(self.groups.remove("root", "pro")), 1)
        self.assertEqual(self.pool.members[card.account.fingerprint].group, "default")
        self.assertNotIn("pro", self.pool.policies)
        self.failureResultOf(self.groups.remove("root", "pro"), NotFound)

    def test_last_one_moved_out(self) -> None:
        """A group that is made stays when it is empty, and lends nobody."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        card = self.successResultOf(self.arrivals.add("root", self.social(group="pro")))
        patch = AccountPatch(group="default")
        self.successResultOf(self.registry.patch("root", card.id, patch))
        self.assertEqual(self.pool.members[card.account.fingerprint].group, "default")
        self.assertEqual(self.registry.roll.members("pro"), [])
        self.assertIn("pro", self.pool.policies)
