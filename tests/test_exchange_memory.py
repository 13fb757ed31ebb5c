"""What is remembered for a while."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.exchange_memory import Counts, Lessons, Remembered


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


class LessonsTests(SynchronousTestCase):
    """Each thing that may be refused is remembered apart."""

    def test_apart(self) -> None:
        """By what it is, by whom, and for a while."""
        lessons = Lessons(10)
        lessons.learn("fields", "m", 0)
        found = [
            lessons.holds(*asked)
            for asked in (
                ("fields", "m", 9),
                ("documents", "m", 9),
                ("fields", "n", 9),
                ("fields", "m", 10),
            )
        ]
        self.assertEqual(found, [True, False, False, False])


class CountsTests(SynchronousTestCase):
    """What is counted."""

    def test_refused(self) -> None:
        """Each kind of refusal has its own count."""
        counts = Counts()
        for what in ("signature", "fields", "cache_points", "documents"):
            counts.refused(what)
        self.assertEqual(
            counts,
            Counts(
                signatures_refused=1, fields_refused=1, cache_points_refused=1, documents_refused=1
            ),
        )
