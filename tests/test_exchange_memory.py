"""What is remembered for a while."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.exchange_memory import Remembered


class RememberedTests(SynchronousTestCase):
    """Bounded in time and number."""

    def test_time(self) -> None:
        """A member is forgotten after its time, and then takes no room."""
        memory = Remembered(seconds=10)
        self.assertFalse(memory.holds("a", 0))
        memory.add("a", 0)
        self.assertTrue(memory.holds("a", 9.9))
        self.assertFalse(memory.holds("a", 10))
        self.assertEqual(len(memory), 0)

    def test_number(self) -> None:
        """The oldest goes first; adding again makes young."""
        memory = Remembered(seconds=10, capacity=2)
        for key in ("a", "b", "a", "c"):
            memory.add(key, 0)
        self.assertEqual([memory.holds(key, 1) for key in ("a", "b", "c")], [True, False, True])
