"""Tests for kiro2api.upstream.offers."""

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.errors import Throttled, UpstreamUnavailable
from kiro2api.upstream.interfaces import OfferedModel
from kiro2api.upstream.offers import Offer, OfferedModels
from tests.fakes.upstream import an_account, its_credentials

ONE = (OfferedModel("a"),)
TWO = (OfferedModel("a"), OfferedModel("b"))


class Source:
    """Records who was asked about; the test answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Deferred[Offer]]] = []
        self.at_once: Deferred[Offer] | None = None

    def models(self, account: Account, credentials: Credentials) -> Deferred[Offer]:
        answer: Deferred[Offer] = Deferred() if self.at_once is None else self.at_once
        self.asked.append((account.name, answer))
        return answer

    @property
    def last(self) -> Deferred[Offer]:
        return self.asked[-1][1]


class OffersTestCase(SynchronousTestCase):
    """A cache over a source that the test plays."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.source = Source()
        self.offers = OfferedModels(self.source, self.clock, ttl=3600, pause=300, capacity=2)
        self.account = an_account()
        self.credentials = its_credentials()

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def known(self) -> Offer | None:
        return self.offers.known(self.account, self.credentials)

    def count(self) -> int:
        return len(self.source.asked)


class KnownTests(OffersTestCase):
    """What is known at once."""

    def test_in_the_background(self) -> None:
        """The first question starts one fetch and is not delayed by it."""
        self.assertIsNone(self.known())
        self.assertIsNone(self.known())
        self.assertEqual(self.count(), 1)
        self.source.last.callback(ONE)
        self.assertEqual(self.known(), ONE)
        self.assertEqual(self.count(), 1)

    def test_without_credentials(self) -> None:
        """Without credentials it only looks."""
        self.assertIsNone(self.offers.known(self.account))
        self.assertEqual(self.count(), 0)
        self.known()
        self.assertIsNone(self.offers.known(self.account))
        self.source.last.callback(ONE)
        self.assertEqual(self.offers.known(self.account), ONE)

    def test_renewed(self) -> None:
        """An old answer is given while a new one is fetched."""
        self.known()
        self.source.last.callback(ONE)
        self.clock.advance(3599)
        self.known()
        self.assertEqual(self.count(), 1)
        self.clock.advance(1)
        self.assertEqual(self.known(), ONE)
        self.assertEqual(self.count(), 2)
        self.source.last.callback(TWO)
        self.assertEqual(self.known(), TWO)

    def test_last_good(self) -> None:
        """A failure keeps the last good answer, and is not repeated for a while."""
        self.known()
        self.source.last.callback(ONE)
        self.clock.advance(3600)
        self.known()
        self.source.last.errback(Throttled("slow"))
        self.assertEqual(self.known(), ONE)
        self.clock.advance(299)
        self.known()
        self.assertEqual(self.count(), 2)
        self.clock.advance(1)
        self.known()
        self.assertEqual(self.count(), 3)

    def test_empty(self) -> None:
        """An empty list is no answer: it would hide every model."""
        self.known()
        self.source.last.callback(ONE)
        self.clock.advance(3600)
        self.known()
        self.source.last.callback(())
        self.assertEqual(self.known(), ONE)
        self.assertEqual(self.count(), 2)

    def test_accounts_apart(self) -> None:
        """Each account has its own."""
        self.known()
        self.source.last.callback(ONE)
        self.assertIsNone(self.offers.known(an_account(name="two"), self.credentials))
        self.assertEqual([name for name, _ in self.source.asked], ["one", "two"])

    def test_bounded(self) -> None:
        """Beyond the capacity the longest known is forgotten, and its fetch cancelled."""
        self.known()
        first = self.source.last
        for name in ("two", "three"):
            self.offers.known(an_account(name=name), self.credentials)
        self.assertTrue(first.called)
        self.assertIsNone(self.known())
        self.assertEqual(self.count(), 4)

    def test_bounded_at_rest(self) -> None:
        """The same where nothing is under way."""
        for name in ("one", "two", "three"):
            self.offers.known(an_account(name=name), self.credentials)
            self.source.last.callback(ONE)
        self.assertIsNone(self.offers.known(an_account(name="one")))
        self.assertEqual(self.offers.known(an_account(name="three")), ONE)

    def test_forget(self) -> None:
        """A removed account is forgotten, its fetch cancelled."""
        self.known()
        flight = self.source.last
        self.offers.forget(self.account)
        self.offers.forget(self.account)
        self.assertTrue(flight.called)
        self.known()
        self.source.last.callback(ONE)
        self.offers.forget(self.account)
        self.assertIsNone(self.offers.known(self.account))

    def test_bug(self) -> None:
        """An unexpected error is logged as such and treated like a failure."""
        self.known()
        self.source.last.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.known()
        self.assertEqual(self.count(), 1)


class FetchTests(OffersTestCase):
    """Waiting for an answer."""

    def fetch(self) -> Deferred[Offer]:
        return self.offers.fetch(self.account, self.credentials)

    def test_single_flight(self) -> None:
        """Many wait for one call, each with a Deferred of its own."""
        self.known()
        waiting = [self.fetch() for _ in range(3)]
        waiting[1].cancel()
        self.failureResultOf(waiting[1], CancelledError)
        self.assertEqual(self.count(), 1)
        self.source.last.callback(ONE)
        self.assertEqual(self.successResultOf(waiting[0]), ONE)
        self.assertEqual(self.successResultOf(waiting[2]), ONE)

    def test_current(self) -> None:
        """What is current is given at once."""
        first = self.fetch()
        self.source.last.callback(ONE)
        self.successResultOf(first)
        self.assertEqual(self.successResultOf(self.fetch()), ONE)
        self.assertEqual(self.count(), 1)

    def test_at_once(self) -> None:
        """A source that answers at once is fine, either way."""
        self.source.at_once = succeed(ONE)
        self.assertEqual(self.successResultOf(self.fetch()), ONE)
        self.offers.forget(self.account)
        self.source.at_once = fail(Throttled("slow"))
        self.failureResultOf(self.fetch(), Throttled)

    def test_failure(self) -> None:
        """Without an old answer the fault is told, also to those who come within the pause."""
        waiting = [self.fetch(), self.fetch()]
        self.source.last.errback(Throttled("slow"))
        for deferred in (*waiting, self.fetch()):
            self.failureResultOf(deferred, Throttled)
        self.assertEqual(self.count(), 1)

    def test_failure_after_success(self) -> None:
        """With an old answer that is given instead."""
        first = self.fetch()
        self.source.last.callback(ONE)
        self.successResultOf(first)
        self.clock.advance(3600)
        second = self.fetch()
        self.source.last.errback(Throttled("slow"))
        self.assertEqual(self.successResultOf(second), ONE)

    def test_empty(self) -> None:
        """An empty list without an old answer is a fault."""
        waiting = self.fetch()
        self.source.last.callback(())
        self.failureResultOf(waiting, UpstreamUnavailable)

    def test_one_cancels_another(self) -> None:
        """What one waiter does may cancel another: nobody is told twice."""
        first, second = self.fetch(), self.fetch()
        first.addCallback(lambda _: second.cancel())
        self.source.last.callback(ONE)
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)

    def test_stop(self) -> None:
        """Stopping cancels what is under way, and nothing is begun any more."""
        waiting = self.fetch()
        flight = self.source.last
        self.offers.known(an_account(name="two"), self.credentials)
        self.source.last.callback(TWO)
        self.offers.stop()
        self.assertTrue(flight.called)
        self.failureResultOf(waiting, CancelledError)
        self.failureResultOf(self.fetch(), CancelledError)
        self.assertIsNone(self.known())
        self.assertEqual(self.offers.known(an_account(name="two")), TWO)
        self.assertEqual(self.count(), 2)
