"""Tests of how the one thing that is meant is found."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.commands.calling import CommandFailed
from kiro2api.commands.finding import one

THINGS = ({"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "b"})


class FindingTests(SynchronousTestCase):
    """By id, by name, or not."""

    def found(self, wanted: str) -> object:
        """Its id."""
        return one(THINGS, wanted, "thing", "things list")["id"]

    def test_found(self) -> None:
        """An id, or the only one of a name."""
        self.assertEqual([self.found("2"), self.found("a")], [2, 1])

    def test_not_found(self) -> None:
        """None, or several."""
        with self.assertRaisesRegex(CommandFailed, "there is no thing 'c'; see: things list"):
            self.found("c")
        with self.assertRaisesRegex(CommandFailed, "2 things are called 'b': .* 2, 3"):
            self.found("b")
