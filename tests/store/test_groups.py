"""Groups: their policies are kept, and their members follow a change of the name."""

from sqlalchemy import Connection, insert, select

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.groups import GroupRows
from kiro2api.store.schema import CLIENT_KEYS
from tests.store.case import InPostgres, StoreCase

TEAM = GroupPolicy(
    "team",
    display_name="The team",
    policy="least_used",
    affinity=False,
    max_in_flight=3,
    requests_per_minute=60,
    cooldown_seconds=7.5,
)


class GroupRowsTests(StoreCase):
    """The table of groups."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = GroupRows(self.database, self.clock)

    def add_account(self, fingerprint: str, group: str) -> None:
        """A member."""
        account = Account(fingerprint, fingerprint, "social", group=group)
        rows = AccountRows(self.database, self.clock)
        self.done(rows.add(account, Credentials(Secret(""), Secret(f"token-{fingerprint}"))))

    def add_key(self, number: int, groups: str) -> None:
        """A client key limited to these groups."""
        values = {
            "name": "key",
            "digest": bytes([number]),
            "role": "client",
            "created_at": 0.0,
            "groups": groups,
        }
        self.within(
            lambda connection: connection.execute(insert(CLIENT_KEYS).values(values)) and None
        )

    def key_groups(self) -> list[str]:
        """The lists of all keys."""

        def lists(connection: Connection) -> list[str]:
            ordered = select(CLIENT_KEYS.c.groups).order_by(CLIENT_KEYS.c.id)
            return list(connection.execute(ordered).scalars())

        return self.within(lists)

    def members(self) -> dict[str, str]:
        """The group of each account."""
        loaded = self.done(AccountRows(self.database).load())
        return {key: row.account.group for key, row in loaded.items() if row.account}

    def names(self) -> list[str]:
        """Those that have a row."""
        loaded = self.done(self.rows.load())
        return list(loaded)

    def test_put(self) -> None:
        """Every field comes back; putting it again changes it."""
        self.assertEqual(self.done(self.rows.load()), {})
        self.done(self.rows.put(TEAM))
        self.done(self.rows.put(GroupPolicy("a")))
        self.assertEqual(self.done(self.rows.load()), {"a": GroupPolicy("a"), "team": TEAM})
        self.done(self.rows.put(GroupPolicy("team", policy="round_robin")))
        self.assertEqual(
            self.done(self.rows.load())["team"], GroupPolicy("team", policy="round_robin")
        )
        self.assertEqual(self.noted(), [("group", "team"), ("group", "a"), ("group", "team")])

    def test_rename(self) -> None:
        """The policy, the accounts and the keys' lists keep belonging to it."""
        self.done(self.rows.put(TEAM))
        for fingerprint, group in {"f1": "team", "f2": "other", "f3": "team"}.items():
            self.add_account(fingerprint, group)
        for number, groups in enumerate(['["x","team"]', '["teams"]', ""]):
            self.add_key(number, groups)
        before = len(self.noted())
        self.assertEqual(self.done(self.rows.rename("team", "crew")), ("f1", "f3"))
        self.assertEqual(self.names(), ["crew"])
        self.assertEqual(self.members(), {"f1": "crew", "f2": "other", "f3": "crew"})
        self.assertEqual(self.key_groups(), ['["x","crew"]', '["teams"]', ""])
        self.assertEqual(
            self.noted()[before:],
            [
                ("group", "team"),
                ("group", "crew"),
                ("account", "f1"),
                ("account", "f3"),
                ("key", "1"),
            ],
        )

    def test_rename_refused(self) -> None:
        """Two groups never become one by accident, and the default one keeps its name."""
        self.done(self.rows.put(TEAM))
        self.done(self.rows.put(GroupPolicy("a")))
        self.add_account("f1", "b")
        for old, new in (("team", "a"), ("team", "b"), ("default", "new")):
            self.assertRaises(ValueError, self.done, self.rows.rename(old, new))
        self.assertEqual(set(self.names()), {"a", "team"})

    def test_remove(self) -> None:
        """Its accounts go to the default group; no key is allowed more than before."""
        self.done(self.rows.put(TEAM))
        self.add_account("f1", "team")
        self.add_account("f2", "other")
        self.add_key(1, '["x","team"]')
        self.add_key(2, '["team"]')
        self.assertEqual(self.done(self.rows.remove("team")), ("f1",))
        self.assertEqual(self.done(self.rows.load()), {})
        self.assertEqual(self.members(), {"f1": "default", "f2": "other"})
        self.assertEqual(self.key_groups(), ['["x"]', '["team"]'])
        self.assertEqual(self.noted()[-3:], [("group", "team"), ("account", "f1"), ("key", "1")])
        self.assertRaises(ValueError, self.done, self.rows.remove("default"))


class GroupRowsInPostgresTests(InPostgres, GroupRowsTests):
    """The same there."""
