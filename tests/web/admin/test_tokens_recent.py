"""Looked at again only after a moment or a change."""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.admin.tokens_recent import Recent
from kiro2api.web.overview import Overview


class RecentTests(SynchronousTestCase):
    """A remembered overview."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.looks = 0
        self.waiting: Deferred[Overview] | None = None
        self.recent = Recent(self.look, self.clock, 0.5)

    def look(self) -> Deferred[Overview]:
        """One more look."""
        self.looks += 1
        return self.waiting or succeed(Overview([], self.looks, 0.0))

    def seen(self) -> int:
        """The number of the look that is shown."""
        found = self.successResultOf(Deferred.fromCoroutine(self.recent.overview()))
        return found.active_requests

    def test_a_moment(self) -> None:
        """Then it is looked at again."""
        self.assertEqual((self.seen(), self.seen()), (1, 1))
        self.clock.advance(0.5)
        self.assertEqual(self.seen(), 2)

    def test_a_change(self) -> None:
        """Is seen at once."""
        self.seen()
        self.recent.forget("an id")
        self.assertEqual(self.seen(), 2)

    def test_fresh(self) -> None:
        """Whoever wants it gets a new one, which is then the one that is remembered."""
        self.seen()
        self.successResultOf(Deferred.fromCoroutine(self.recent.fresh()))
        self.assertEqual((self.seen(), self.looks), (2, 2))

    def test_changed_meanwhile(self) -> None:
        """What was looked at before a change is not remembered after it."""
        waiting: Deferred[Overview] = Deferred()
        self.waiting = waiting
        looking = Deferred.fromCoroutine(self.recent.overview())
        self.recent.forget()
        self.waiting = None
        waiting.callback(Overview([], 77, 0.0))
        self.assertEqual(self.successResultOf(looking).active_requests, 77)
        self.assertEqual(self.seen(), 2)
