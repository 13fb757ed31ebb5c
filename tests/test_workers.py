"""Who is started, ended or replaced, and when."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.workers import END_LIMIT, START_LIMIT, Abandon, Action, Drain, Kill, Plan, Rest, Start


class Case(SynchronousTestCase):
    """Two workers; a drain may take ten seconds."""

    def setUp(self) -> None:
        self.plan = Plan(2, 10.0)

    def serving(self) -> None:
        """Both serve, as 1 and 2, from the first second on."""
        self.plan.look(0.0)
        self.plan.serves(1, 1.0)
        self.plan.serves(2, 1.0)


class StartTests(Case):
    """The beginning."""

    def test_all_places(self) -> None:
        """Every place gets a worker; nothing else is due but their time to get ready."""
        self.assertEqual(self.plan.look(0.0), [Start(1, 1), Start(2, 2)])
        self.assertEqual(self.plan.due(1.0), START_LIMIT - 1)
        self.assertEqual(self.plan.serves(1, 2.0), [])
        self.assertEqual(self.plan.serves(2, 2.0), [])
        self.assertIsNone(self.plan.due(2.0))
        self.assertEqual(self.plan.look(1000.0), [])

    def test_never_ready(self) -> None:
        """Who does not get ready is killed, once, and replaced when it is gone."""
        self.plan.look(0.0)
        self.plan.serves(2, 1.0)
        self.assertEqual(self.plan.look(START_LIMIT), [Kill(1)])
        self.assertEqual(self.plan.look(START_LIMIT + 1), [])
        self.assertEqual(self.plan.ended(1, START_LIMIT + 1), [Rest(1, 1.0)])
        self.assertEqual(self.plan.look(START_LIMIT + 2), [Start(3, 1)])

    def test_strangers(self) -> None:
        """Whoever is not known, or says it twice, changes nothing."""
        self.serving()
        self.assertEqual(self.plan.serves(9, 1.0), [])
        self.assertEqual(self.plan.serves(1, 1.0), [])
        self.assertEqual(self.plan.ended(9, 1.0), [])


class DeathTests(Case):
    """A worker ends unasked."""

    def test_backoff(self) -> None:
        """One second, doubled up to thirty while it dies young."""
        self.serving()
        now, serial, rests = 10.0, 1, []
        for _ in range(7):
            (rest,) = self.plan.ended(serial, now)
            assert isinstance(rest, Rest)
            rests.append(rest.seconds)
            self.assertEqual(self.plan.due(now), rest.seconds)
            self.assertEqual(self.plan.look(now + rest.seconds - 0.01), [])
            now += rest.seconds
            (start,) = self.plan.look(now)
            assert isinstance(start, Start)
            self.assertEqual(start.number, 1)
            serial = start.serial
        self.assertEqual(rests, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])

    def test_a_good_life(self) -> None:
        """After a minute of life the next one waits a second again."""
        self.serving()
        self.plan.ended(1, 10.0)
        self.plan.look(11.0)
        self.plan.serves(3, 12.0)
        self.assertEqual(self.plan.ended(3, 71.0), [Rest(1, 1.0)])

    def test_places_are_apart(self) -> None:
        """One that dies young does not hold up the other."""
        self.serving()
        self.assertEqual(self.plan.ended(1, 10.0), [Rest(1, 1.0)])
        self.assertEqual(self.plan.ended(2, 10.0), [Rest(2, 1.0)])
        self.assertEqual(self.plan.look(11.0), [Start(3, 1), Start(4, 2)])


class StopTests(Case):
    """The end."""

    def test_drain_and_wait(self) -> None:
        """Everybody is told once; it is over when the last is gone."""
        self.serving()
        self.assertEqual(self.plan.stop(5.0), [Drain(1), Drain(2)])
        self.assertEqual(self.plan.stop(5.0), [])
        self.assertEqual(self.plan.ended(1, 6.0), [])
        self.assertFalse(self.plan.finished)
        self.assertEqual(self.plan.ended(2, 6.0), [])
        self.assertTrue(self.plan.finished)
        self.assertIsNone(self.plan.due(6.0))

    def test_who_does_not_end(self) -> None:
        """Is killed after its time for answers and some more."""
        self.serving()
        self.plan.stop(5.0)
        self.plan.ended(1, 6.0)
        self.assertEqual(self.plan.due(6.0), 10 + END_LIMIT - 1)
        self.assertEqual(self.plan.look(5 + 10 + END_LIMIT), [Kill(2)])

    def test_during_a_rest(self) -> None:
        """An empty place stays empty."""
        self.serving()
        self.plan.ended(1, 10.0)
        self.assertEqual(self.plan.stop(10.5), [Drain(2)])
        self.assertEqual(self.plan.look(12.0), [])
        self.plan.ended(2, 12.0)
        self.assertTrue(self.plan.finished)

    def test_before_it_began(self) -> None:
        """Nobody to wait for."""
        self.plan.stop(0.0)
        self.assertTrue(self.plan.finished)


class ReloadTests(Case):
    """Replacement of everybody."""

    def reloaded(self, count: int = 2) -> list[Action]:
        """A reload at the tenth second."""
        return self.plan.reload(count, 10.0, 10.0)

    def test_one_after_another(self) -> None:
        """The old one ends only when the new one serves, and only then comes the next."""
        self.serving()
        self.assertEqual(self.reloaded(), [Start(3, 1)])
        self.assertEqual(self.plan.look(11.0), [])
        self.assertEqual(self.plan.serves(3, 12.0), [Drain(1), Start(4, 2)])
        self.assertEqual(self.plan.serves(4, 13.0), [Drain(2)])
        self.assertEqual(self.plan.ended(1, 14.0), [])
        self.assertEqual(self.plan.ended(2, 14.0), [])
        self.assertIsNone(self.plan.due(14.0))

    def test_more_and_fewer(self) -> None:
        """Another number: new places are filled, surplus ones emptied at the end."""
        self.serving()
        self.assertEqual(self.reloaded(3), [Start(3, 3)])
        self.assertEqual(self.plan.serves(3, 11.0), [Start(4, 1)])
        self.assertEqual(self.plan.serves(4, 12.0), [Drain(1), Start(5, 2)])
        self.assertEqual(self.plan.serves(5, 13.0), [Drain(2)])
        self.assertEqual(self.plan.count, 3)
        self.assertEqual(self.plan.reload(1, 10.0, 20.0), [Start(6, 1)])
        self.assertEqual(self.plan.serves(6, 21.0), [Drain(4), Drain(3), Drain(5)])

    def test_a_new_one_fails(self) -> None:
        """The old ones stay, and it is said; a later reload tries again."""
        self.serving()
        self.reloaded()
        self.assertEqual(self.plan.ended(3, 11.0), [Abandon(1)])
        self.assertEqual(self.plan.look(1000.0), [])
        self.assertEqual(self.plan.reload(2, 10.0, 1000.0), [Start(4, 1)])

    def test_the_old_one_dies_first(self) -> None:
        """Its successor is on its way already."""
        self.serving()
        self.reloaded()
        self.assertEqual(self.plan.ended(1, 11.0), [])
        self.assertEqual(self.plan.serves(3, 12.0), [Start(4, 2)])

    def test_reload_again(self) -> None:
        """A worker that has read older settings is replaced, too."""
        self.serving()
        self.reloaded()
        self.assertEqual(self.plan.reload(2, 10.0, 11.0), [])
        self.assertEqual(self.plan.serves(3, 12.0), [Drain(1), Start(4, 1)])
        self.assertEqual(self.plan.serves(4, 13.0), [Drain(3), Start(5, 2)])

    def test_empty_places_first(self) -> None:
        """A reload may mend what kept a worker from starting: no rest counts any more."""
        self.serving()
        self.plan.ended(1, 9.0)
        self.assertEqual(self.reloaded(), [Start(3, 1)])
        self.assertEqual(self.plan.serves(3, 11.0), [Start(4, 2)])

    def test_stop_during_a_reload(self) -> None:
        """The new one ends, too."""
        self.serving()
        self.reloaded()
        self.assertEqual(self.plan.stop(11.0), [Drain(1), Drain(2), Drain(3)])


class AnyOrderTests(SynchronousTestCase):
    """Whatever happens, in whatever order."""

    @settings(max_examples=100)
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=60))
    def test_invariants(self, happenings: list[tuple[int, int]]) -> None:
        """Nobody is drained twice; a place is served as long as nobody dies; all places are
        filled in the end; a stop ends."""
        plan, now = Plan(2, 5.0), 0.0
        alive: set[int] = set()
        drained: list[int] = []

        def do(actions: list[Action]) -> None:
            for action in actions:
                if isinstance(action, Start):
                    self.assertNotIn(action.serial, alive)
                    alive.add(action.serial)
                elif isinstance(action, Drain):
                    self.assertIn(action.serial, alive)
                    drained.append(action.serial)

        do(plan.look(now))
        for what, who in happenings:
            now += 1.0
            chosen = sorted(alive)[who % len(alive)] if alive else 0
            if what == 0:
                do(plan.reload(1 + who % 3, 5.0, now))
            elif what <= 3:
                do(plan.serves(chosen, now))
            elif what == 4:
                alive.discard(chosen)
                do(plan.ended(chosen, now))
            else:
                do(plan.look(now))
        for _ in range(40):
            now += 31.0
            do(plan.look(now))
            for each in sorted(alive):
                do(plan.serves(each, now))
            for each in sorted(alive & set(drained)):
                alive.discard(each)
                do(plan.ended(each, now))
        self.assertEqual(len(alive), plan.count)
        self.assertEqual(len(drained), len(set(drained)))
        do(plan.stop(now))
        for each in sorted(alive):
            do(plan.ended(each, now))
        self.assertTrue(plan.finished)
