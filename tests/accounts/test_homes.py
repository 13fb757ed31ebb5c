"""Tests for kiro2api.accounts.homes."""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.homes import Homes, rendezvous

NAMES = [f"{number:032x}" for number in range(5)]


class HomesTests(SynchronousTestCase):
    """Where conversations live."""

    def test_remembered(self) -> None:
        """By group and conversation; the last word counts."""
        homes = Homes()
        homes.settle("a", "c", "one")
        homes.settle("b", "c", "two")
        homes.settle("a", "c", "three")
        self.assertEqual((homes.home("a", "c"), homes.home("b", "c")), ("three", "two"))
        self.assertIsNone(homes.home("a", "d"))

    def test_bounded(self) -> None:
        """The conversation that was not heard of for longest is forgotten."""
        homes = Homes(most=2)
        for conversation in ("c", "d", "c", "e"):
            homes.settle("a", conversation, "one")
        found = [homes.home("a", conversation) for conversation in "cde"]
        self.assertEqual(found, ["one", None, "one"])


class RendezvousTests(SynchronousTestCase):
    """Which account a new conversation meets."""

    def test_the_same_everywhere(self) -> None:
        """Whatever the order in which the accounts are known."""
        for number in range(50):
            found = rendezvous(str(number), NAMES)
            self.assertEqual(found, rendezvous(str(number), reversed(NAMES)))

    def test_stays(self) -> None:
        """Without another account it meets the same one."""
        for number in range(50):
            found = rendezvous(str(number), NAMES)
            for gone in set(NAMES) - {found}:
                self.assertEqual(rendezvous(str(number), set(NAMES) - {gone}), found)

    def test_spread(self) -> None:
        """All get their share of many conversations."""
        counts = Counter(rendezvous(str(number), NAMES) for number in range(1000))
        self.assertEqual(len(counts), 5)
        self.assertGreater(min(counts.values()), 120)
