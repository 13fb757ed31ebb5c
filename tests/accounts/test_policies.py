"""Tests for kiro2api.accounts.ledger and roster: policies, conversations and limits."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.accounts.groups import GroupPolicy, Policy
from kiro2api.accounts.ledger import Choice, Ledger, Nobody
from kiro2api.accounts.outcome import End, Outcome, Parked
from kiro2api.errors import AccountSuspended, Throttled
from tests.accounts.fixtures import SERVED, account, failed

ONE, TWO, THREE = account(1), account(2), account(3)
NONE: frozenset[str] = frozenset()


class Case(SynchronousTestCase):
    """A ledger of three, with the policy of the class."""

    policy: Policy = "sequential"
    affinity = True
    most = 0
    pace = 0

    def setUp(self) -> None:
        self.ledger = Ledger([ONE, TWO, THREE])
        policy = GroupPolicy(
            "default",
            policy=self.policy,
            affinity=self.affinity,
            max_in_flight=self.most,
            requests_per_minute=self.pace,
        )
        self.ledger.set_group(policy, 0.0)
        self.loans: dict[str, int] = {}

    def lend(self, now: float = 0.0, conversation: str = "", *tried: Account) -> str:
        """The last digit of who is lent, "" if nobody is."""
        prints = {each.fingerprint for each in tried}
        choice = self.ledger.choose("default", prints, now, "", conversation)
        if isinstance(choice, Nobody):
            return ""
        who = choice.account
        self.loans[who.name[-1]] = self.ledger.lent(who.fingerprint, now, conversation)
        return who.name[-1]

    def serve(self, now: float = 0.0, conversation: str = "", credits: float = 0.0) -> str:
        """The same, given back at once."""
        name = self.lend(now, conversation)
        if name:
            self.give_back(name, now, Outcome(End.SERVED, credits=credits))
        return name

    def give_back(self, name: str, now: float, outcome: Outcome = SERVED) -> None:
        fingerprint = account(int(name)).fingerprint
        self.ledger.returned(fingerprint, outcome, now, loan=self.loans[name])


class RoundRobinTests(Case):
    """Each in turn."""

    policy: Policy = "round_robin"

    def test_turns(self) -> None:
        """In configured order, again and again."""
        self.assertEqual("".join(self.serve() for _ in range(7)), "1231231")

    def test_back_from_a_rest(self) -> None:
        """Who did not serve for longest is next, once it is back."""
        self.lend()
        self.give_back("1", 0.0, failed(Throttled("x", retry_after=10)))
        self.assertEqual("".join(self.serve() for _ in range(4)), "2323")
        self.assertEqual("".join(self.serve(10.0) for _ in range(3)), "123")

    def test_a_conversation_stays(self) -> None:
        """It keeps its account, which counts as a turn of that account."""
        self.assertEqual(self.serve(0.0, "c"), "1")
        self.assertEqual(self.serve(0.0, "d"), "2")
        self.assertEqual([self.serve(0.0, "c") for _ in range(3)], ["1"] * 3)
        self.assertEqual(self.serve(), "3")
        self.assertEqual(self.serve(), "2")


class LeastUsedTests(Case):
    """Most credits first."""

    policy: Policy = "least_used"

    def know(self, one: float | None, two: float | None, three: float | None) -> None:
        for each, left in zip((ONE, TWO, THREE), (one, two, three), strict=True):
            self.ledger.credits_known(each.fingerprint, left, None, 0.0)

    def test_most_first(self) -> None:
        """What a finished loan cost is deducted; a loan under way counts as one credit."""
        self.know(10, 30, 20)
        self.assertEqual(self.serve(credits=15.0), "2")
        self.assertEqual(self.serve(credits=15.0), "3")
        self.assertEqual([self.lend() for _ in range(6)], ["2"] * 5 + ["1"])
        self.assertEqual(self.lend(), "2")

    def test_unknown_in_the_middle(self) -> None:
        """Behind those with plenty, before those that are nearly spent."""
        self.know(100, None, 900)
        self.assertEqual(self.serve(credits=450.0), "3")
        self.assertEqual(self.serve(credits=60.0), "2")
        self.assertEqual(self.serve(credits=1000.0), "3")
        self.assertEqual(self.serve(credits=400.0), "2")
        self.assertEqual(self.serve(), "1")
        self.assertEqual(self.ledger.standing(THREE.fingerprint, 0.0).credits_left, 0.0)
        self.assertIsNone(self.ledger.standing(TWO.fingerprint, 0.0).credits_left)

    def test_equals_in_turn(self) -> None:
        """Without any difference each goes in turn."""
        self.assertEqual("".join(self.serve() for _ in range(4)), "1231")

    def test_new_conversations_meet_theirs(self) -> None:
        """Among equals a conversation meets the same account in every process."""
        names = [f"conversation-{number}" for number in range(12)]
        found = {name: self.serve(0.0, name) for name in names[:3]}
        other = Ledger([THREE, TWO, ONE])
        other.set_group(GroupPolicy("default", policy="least_used"), 0.0)
        for name in names[:1]:
            choice = other.choose("default", NONE, 0.0, "", name)
            assert isinstance(choice, Choice)
            self.assertEqual(choice.account.name[-1], found[name])
        met = set()
        for name in names:
            choice = other.choose("default", NONE, 0.0, "", name)
            assert isinstance(choice, Choice)
            met.add(choice.account.name)
        self.assertEqual(len(met), 3)

    def test_nobody_for_a_conversation(self) -> None:
        """If all were tried there is no equal to meet."""
        self.assertEqual(self.lend(0.0, "c", ONE, TWO, THREE), "")


class AffinityTests(Case):
    """Conversations under the sequential policy."""

    def away(self, fault: Throttled | AccountSuspended) -> None:
        """Account 1 has served the conversation, then fails."""
        self.assertEqual(self.serve(0.0, "c"), "1")
        self.lend()
        self.give_back("1", 0.0, failed(fault))

    def test_back_after_a_short_rest(self) -> None:
        """A moment with another account changes nothing."""
        self.away(Throttled("x", retry_after=50))
        self.assertEqual(self.serve(1.0, "c"), "2")
        self.assertEqual(self.serve(49.0, "c"), "2")
        self.assertEqual(self.serve(50.0, "c"), "1")

    def test_moved_after_a_long_rest(self) -> None:
        """Whoever has served it since has its beginning in the cache; new ones start with the
        first."""
        self.away(Throttled("x", retry_after=600))
        self.assertEqual(self.serve(1.0, "c"), "2")
        self.assertEqual(self.serve(700.0, "c"), "2")
        self.assertEqual(self.serve(700.0, "d"), "1")

    def test_moved_for_good(self) -> None:
        """The same where only an operator can help."""
        self.away(AccountSuspended("x"))
        self.assertEqual(self.serve(1.0, "c"), "2")
        self.ledger.release(ONE.fingerprint)
        self.assertEqual(self.serve(2.0, "c"), "2")

    def test_never_beats_availability(self) -> None:
        """A home that was tried, is switched off, moved, removed or lacks the model is no home."""
        self.assertEqual(self.serve(0.0, "c"), "1")
        self.assertEqual(self.lend(0.0, "c", ONE), "2")
        self.assertEqual(self.serve(0.0, "c"), "1")
        self.ledger.lacks(ONE.fingerprint, "opus", 100.0)
        choice = self.ledger.choose("default", NONE, 0.0, "opus", "c")
        self.assertEqual(choice, Choice(TWO))
        self.ledger.admit(ONE, 0.0, enabled=False)
        self.assertEqual(self.serve(0.0, "c"), "2")
        self.ledger.admit(ONE, 0.0)
        self.assertEqual(self.serve(0.0, "c"), "2")
        self.ledger.admit(account(2, group="pro"), 0.0)
        self.assertEqual(self.serve(0.0, "c"), "1")
        self.ledger.expel(ONE.fingerprint)
        self.assertEqual(self.serve(0.0, "c"), "3")

    def test_switched_off(self) -> None:
        """A group may do without."""
        self.ledger.set_group(GroupPolicy("default", affinity=False), 0.0)
        self.away(Throttled("x", retry_after=600))
        self.assertEqual(self.serve(1.0, "c"), "2")
        self.assertEqual(self.serve(700.0, "c"), "1")


class InFlightTests(Case):
    """How many loans of one account there are."""

    most = 2

    def test_busy(self) -> None:
        """Who is at its limit is passed over, and back when a loan ends."""
        self.assertEqual("".join(self.lend() for _ in range(7)), "112233")
        nobody = self.ledger.choose("default", NONE, 0.0)
        self.assertEqual(nobody, Nobody(None, {"busy": 3}, busy=True))
        standing = self.ledger.standing(ONE.fingerprint, 0.0)
        self.assertTrue(standing.busy)
        self.assertTrue(self.ledger.crowded("default", 0.0))
        self.give_back("2", 0.0)
        self.assertFalse(self.ledger.crowded("default", 0.0))
        self.assertEqual(self.lend(), "2")

    def test_tried_is_not_waited_for(self) -> None:
        """Somebody busy whom this request has tried will not do."""
        for _ in range(2):
            self.lend()
        self.lend(0.0, "", ONE)
        self.lend(0.0, "", ONE)
        tried = {TWO.fingerprint, "somebody unknown"}
        for each in (THREE,):
            self.ledger.restore(each.fingerprint, Parked("suspended"), 0.0)
        self.assertEqual(
            self.ledger.choose("default", tried, 0.0),
            Nobody(None, {"busy": 2, "suspended": 1}, busy=True),
        )
        tried.add(ONE.fingerprint)
        nobody = self.ledger.choose("default", tried, 0.0)
        assert isinstance(nobody, Nobody)
        self.assertFalse(nobody.busy)

    def test_own_limit(self) -> None:
        """An account's own limit goes before the group's; both may change."""
        own = Account(ONE.fingerprint, ONE.name, "social", order=1, max_in_flight=1)
        self.ledger.admit(own, 0.0)
        self.assertEqual("".join(self.lend() for _ in range(3)), "122")
        self.ledger.set_group(GroupPolicy("default"), 0.0)
        self.assertEqual("".join(self.lend() for _ in range(3)), "222")
        self.ledger.admit(ONE, 0.0)
        self.assertEqual(self.lend(), "1")


class MinuteTests(Case):
    """How many loans of one account begin within a minute."""

    pace = 2

    def test_window(self) -> None:
        """Never more in any minute; it comes back by itself."""
        self.assertEqual("".join(self.serve(now) for now in (0, 10, 20, 30, 40, 50, 55)), "112233")
        nobody = self.ledger.choose("default", NONE, 55.0)
        self.assertEqual(nobody, Nobody(60.0, {"busy": 3}, busy=True))
        self.assertEqual(self.ledger.soonest("default"), 60.0)
        self.assertEqual("".join(self.serve(now) for now in (60, 65, 70)), "11")

    def test_lowered(self) -> None:
        """A lower limit counts what has begun already."""
        for _ in range(2):
            self.serve(0.0)
        self.ledger.set_group(GroupPolicy("default", requests_per_minute=1), 30.0)
        self.assertEqual("".join(self.serve(now) for now in (30, 40, 50, 60)), "231")


class CrowdedTests(SynchronousTestCase):
    """Groups that do not exist."""

    def test_unknown(self) -> None:
        """Nobody there is busy, and nothing changes."""
        ledger = Ledger()
        self.assertFalse(ledger.crowded("pro", 0.0))
        self.assertIsNone(ledger.soonest("pro"))
        self.assertIsNone(ledger.soonest("default"))
