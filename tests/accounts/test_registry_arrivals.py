"""How accounts come in beside the configuration."""

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.registry_changes import GroupPatch
from kiro2api.accounts.registry_store import Newcomer
from kiro2api.accounts.sources import fingerprint
from kiro2api.errors import Conflict, RequestRejected
from kiro2api.redaction import Secret
from tests.accounts.registered import RegistryCase

FRESH = Credentials(Secret("invented-access"), Secret("invented-new"))


class AddTests(RegistryCase):
    """One account."""

    def test_forms(self) -> None:
        """Whatever the configuration understands; a name is found where none is given."""
        idc = {"refreshToken": "aor-2", "clientId": "c", "clientSecret": "s", "region": "eu-west-1"}
        for entry in (self.social(), idc, {"apiKey": "ksk_invented", "disabled": True}):
            self.successResultOf(self.arrivals.add("root", entry))
        self.assertEqual(
            [(a.name, a.method, a.order, a.region) for a in self.pool.members.values()],
            [
                ("social-1", "social", 0, "us-east-1"),
                ("idc-1", "idc", 1, "eu-west-1"),
                ("api-key-1", "api_key", 2, "us-east-1"),
            ],
        )
        self.assertEqual(list(self.pool.enabled.values()), [True, True, False])

    def test_survives(self) -> None:
        """The next process finds it."""
        card = self.successResultOf(self.arrivals.add("root", self.social(name="first")))
        again = self.join()
        self.assertEqual(again.pool.members, self.pool.members)
        self.assertEqual(again.registry.find(card.id), card)

    def test_audit(self) -> None:
        """Who added what."""
        card = self.successResultOf(self.arrivals.add("root", self.social(name="first")))
        [line] = self.audit()
        self.assertEqual((line.actor, line.action, line.subject), ("root", "account.add", card.id))
        self.assertEqual(line.detail, {"name": "first", "group": "default", "auth": "social"})

    def test_duplicate(self) -> None:
        """Told which one it is."""
        card = self.successResultOf(self.arrivals.add("root", self.social(name="first")))
        failure = self.failureResultOf(self.arrivals.add("root", self.social()), Conflict)
        self.assertEqual(
            failure.value.details["existing"],
            {"id": card.id, "name": "first", "group": "default"},
        )
        self.assertEqual(len(self.audit()), 1)

    def test_rotated_token(self) -> None:
        """Also by the token that it has now, and still by the one it came with."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        self.successResultOf(self.process.rows.save(card.account, FRESH))
        self.follow(self.process)
        for token in ("invented-new", "aor-invented-1"):
            doing = self.arrivals.add("root", {"refreshToken": token})
            self.failureResultOf(doing, Conflict)

    def test_mistakes(self) -> None:
        """The field is named."""
        for entry, param in (
            ({"auth": "Social"}, "refreshToken"),
            ({"auth": "Magic", "refreshToken": "x"}, "auth"),
            (self.social(group="nowhere"), "group"),
            (self.social(group="a b"), "group"),
            (self.social(region="no region"), "region"),
            ({"auth": "IdC", "refreshToken": "x"}, "clientId"),
        ):
            failure = self.failureResultOf(self.arrivals.add("root", entry), RequestRejected)
            self.assertEqual(failure.value.param, param)
        self.assertEqual(self.audit(), [])

    def test_faster_elsewhere(self) -> None:
        """Another process added it a moment ago: it is there, then, here, too."""
        other = self.join()
        there = self.successResultOf(other.arrivals.add("root", self.social(name="there")))
        failure = self.failureResultOf(self.arrivals.add("root", self.social()), Conflict)
        self.assertIn("there", str(failure.value))
        self.assertEqual(self.registry.find(there.id).account.name, "there")
        self.assertEqual(len(self.audit()), 1)

    def test_entry_that_was_configured_once(self) -> None:
        """Its newer tokens are kept, and used."""
        before = self.join(self.social())
        [card] = before.registry.roll
        self.successResultOf(before.rows.save(card.account, FRESH))
        again = self.join()
        added = self.successResultOf(again.arrivals.add("root", self.social(name="back")))
        self.assertEqual(again.registry.credentials(added.account.fingerprint), FRESH)


class BulkTests(RegistryCase):
    """Many accounts."""

    def test_each_for_itself(self) -> None:
        """What is at fault is skipped, with its index; what is double is told."""
        entries = [
            self.social(1, name="one"),
            {"auth": "Social"},
            self.social(1),
            self.social(2, name="one"),
            7,
            self.social(3, group="nowhere"),
        ]
        done = self.successResultOf(self.arrivals.add_all("root", entries))
        self.assertEqual([card.account.name for card in done.added], ["one", "one-2"])
        self.assertEqual([card.account.name for card in done.duplicates], ["one"])
        self.assertEqual([each.index for each in done.skipped], [1, 4, 5])
        self.assertIn("nowhere", done.skipped[2].error)
        [line] = self.audit()
        self.assertEqual((line.action, line.detail), ("account.add_all", {"count": 2}))

    def test_warnings(self) -> None:
        """What is ignored of an entry is told with its index."""
        entries = [self.social(1), self.social(2, profileArn="nonsense")]
        done = self.successResultOf(self.arrivals.add_all("root", entries))
        self.assertEqual([each.index for each in done.warnings], [1])
        self.assertIn("profileArn", done.warnings[0].warning)

    def test_nothing_new(self) -> None:
        """Is not written down."""
        done = self.successResultOf(self.arrivals.add_all("root", [{}]))
        self.assertEqual((done.added, len(done.skipped)), ((), 1))
        self.assertEqual(self.audit(), [])

    def test_groups(self) -> None:
        """One group for all, or those that they name, made where that is wanted."""
        self.successResultOf(self.groups.create("root", "pro", GroupPatch()))
        self.successResultOf(
            self.arrivals.add_all("root", [self.social(1, group="nowhere")], group="pro")
        )
        done = self.successResultOf(
            self.arrivals.add_all(
                "root",
                [self.social(2, group="team"), self.social(3, group="banned")],
                new_groups=True,
            )
        )
        groups = [account.group for account in self.pool.members.values()]
        self.assertEqual(groups, ["pro", "team", "default"])
        self.assertEqual(done.skipped, ())
        self.assertIn("team", self.pool.policies)

    def test_many(self) -> None:
        """More than are read one by one afterwards."""
        entries = [self.social(number) for number in range(50)]
        done = self.successResultOf(self.arrivals.add_all("root", entries))
        self.assertEqual(len(done.added), 50)
        self.assertEqual(len({card.account.name for card in done.added}), 50)
        self.assertEqual([card.account.order for card in done.added], list(range(50)))

    def test_restored(self) -> None:
        """Those of a backup keep their fingerprints, and their groups come into being."""
        account = Account("f" * 32, "old", "social", group="archive", max_in_flight=3)
        newcomer = Newcomer(account, FRESH, enabled=False)
        done = self.successResultOf(self.arrivals.restore("root", [newcomer]))
        self.assertEqual([card.account for card in done.added], [account])
        self.assertFalse(self.pool.enabled["f" * 32])
        again = self.successResultOf(self.arrivals.restore("root", [newcomer]))
        self.assertEqual((len(again.added), len(again.duplicates)), (0, 1))


class LoginTests(RegistryCase):
    """A login that succeeded."""

    def login(self, token: str, name: str = "", group: str = "default") -> Account:
        """The account that a login brings."""
        return Account(fingerprint("social", token, ""), name, "social", group)

    def test_new(self) -> None:
        """An account of its own."""
        doing = self.arrivals.logged_in("root", self.login("new", "mine"), FRESH)
        self.assertEqual(self.successResultOf(doing).account.name, "mine")
        self.assertEqual(self.audit()[0].action, "account.login")

    def test_nameless(self) -> None:
        """It gets a name."""
        doing = self.arrivals.logged_in("root", self.login("new"), FRESH)
        self.assertEqual(self.successResultOf(doing).account.name, "social-1")

    def test_group_gone(self) -> None:
        """It was removed while somebody logged in."""
        doing = self.arrivals.logged_in("root", self.login("new", group="gone"), FRESH)
        self.assertEqual(self.failureResultOf(doing, RequestRejected).value.param, "group")

    def test_known_account(self) -> None:
        """Named by its fingerprint, it gets the credentials."""
        card = self.successResultOf(self.arrivals.add("root", self.social()))
        done = self.successResultOf(self.arrivals.logged_in("root", card.account, FRESH))
        self.assertEqual(done.id, card.id)
        self.assertEqual(self.registry.credentials(card.account.fingerprint), FRESH)

    def test_same_person(self) -> None:
        """Known by the e-mail address, if just one account has it."""
        card = self.successResultOf(self.arrivals.add("root", self.social(1)))
        self.successResultOf(
            self.process.rows.write_quota(card.account.fingerprint, "", 1.0, "Ann@b.example")
        )
        self.follow(self.process)
        login = self.login("another")
        done = self.successResultOf(
            self.arrivals.logged_in("root", login, FRESH, email="ann@B.example")
        )
        self.assertEqual(done.id, card.id)
        self.assertEqual(len(self.pool.members), 1)

    def test_two_of_that_address(self) -> None:
        """Nobody's credentials are replaced on a guess."""
        for number in (1, 2):
            card = self.successResultOf(self.arrivals.add("root", self.social(number)))
            self.successResultOf(
                self.process.rows.write_quota(card.account.fingerprint, "", 1.0, "ann@b.example")
            )
        self.follow(self.process)
        doing = self.arrivals.logged_in("root", self.login("another"), FRESH, email="ann@b.example")
        self.successResultOf(doing)
        self.assertEqual(len(self.pool.members), 3)
