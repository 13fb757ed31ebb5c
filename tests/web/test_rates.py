"""How often, and how often in vain."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.rates import FORGIVEN_SECONDS, FREE_FAILURES, Bucket, FailedAttempts


class BucketTests(SynchronousTestCase):
    """So many a minute."""

    def test_no_limit(self) -> None:
        """0 lets everything through."""
        bucket = Bucket()
        self.assertEqual({bucket.take(0.0) for _ in range(1000)}, {0.0})

    def test_all_at_once_then_one_by_one(self) -> None:
        """A minute's worth at once, then one in each share of a minute."""
        bucket = Bucket(4)
        self.assertEqual([bucket.take(100.0) for _ in range(5)], [0.0, 0.0, 0.0, 0.0, 15.0])
        self.assertAlmostEqual(bucket.take(110.0), 5.0)
        self.assertEqual(bucket.take(115.0), 0.0)
        self.assertEqual(bucket.take(115.0), 15.0)
        self.assertEqual([bucket.take(1000.0) for _ in range(5)], [0.0, 0.0, 0.0, 0.0, 15.0])

    def test_clock_set_back(self) -> None:
        """Gives nothing, and takes nothing for ever."""
        bucket = Bucket(1)
        self.assertEqual(bucket.take(1000.0), 0.0)
        self.assertEqual(bucket.take(10.0), 60.0)
        self.assertEqual(bucket.take(70.0), 0.0)

    def test_other_limit(self) -> None:
        """What was taken counts against the new limit, too."""
        bucket = Bucket(10)
        for _ in range(3):
            bucket.take(0.0)
        bucket.limit(5)
        self.assertEqual([bucket.take(0.0) for _ in range(3)], [0.0, 0.0, 12.0])
        bucket.limit(1)
        self.assertGreater(bucket.take(0.0), 0.0)
        bucket.limit(0)
        self.assertEqual(bucket.take(0.0), 0.0)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(1, 50), st.lists(st.floats(0, 20), max_size=60))
    def test_never_too_many(self, limit: int, pauses: list[float]) -> None:
        """In no time are there more than a minute's worth and what that time is worth; the wait
        that is told suffices."""
        bucket, now, taken = Bucket(limit), 5.0, 0
        for pause in pauses:
            now += pause
            wait = bucket.take(now)
            taken += not wait
            self.assertLessEqual(taken, limit + (now - 5.0) * limit / 60.0 + 1e-6)
            if wait:
                now += wait
                self.assertEqual(bucket.take(now), 0.0)
                taken += 1


class FailedAttemptsTests(SynchronousTestCase):
    """Who failed too often."""

    def test_first_ones_are_free(self) -> None:
        """Then each has to wait, longer and longer, but not without end."""
        failures = FailedAttempts()
        waits = [failures.failed("10.0.0.1", 100.0) for _ in range(FREE_FAILURES + 30)]
        self.assertEqual(waits[:FREE_FAILURES], [0.0] * FREE_FAILURES)
        self.assertEqual(waits[FREE_FAILURES], FORGIVEN_SECONDS)
        self.assertEqual(max(waits), 10 * FORGIVEN_SECONDS)
        self.assertEqual(failures.failed("10.0.0.2", 100.0), 0.0)

    def test_forgiven(self) -> None:
        """Time makes up for failures."""
        failures = FailedAttempts()
        for _ in range(FREE_FAILURES + 1):
            wait = failures.failed("a", 100.0)
        self.assertGreater(wait, 0.0)
        self.assertEqual(failures.failed("a", 100.0 + 2 * FORGIVEN_SECONDS), 0.0)
        self.assertGreater(failures.failed("a", 100.0 + 2 * FORGIVEN_SECONDS), 0.0)

    def test_bounded(self) -> None:
        """The oldest address is forgotten."""
        failures = FailedAttempts(most=3)
        for number in range(100):
            failures.failed(f"10.0.0.{number}", 0.0)
        self.assertEqual(len(failures), 3)

    def test_networks(self) -> None:
        """A /64 of IPv6 is one; IPv4 in disguise and what is no address stay apart."""
        failures = FailedAttempts()
        for address in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1", "fe80::1%eth0"):
            failures.failed(address, 0.0)
        self.assertEqual(len(failures), 3)
        for address in ("::ffff:10.0.0.1", "::ffff:10.0.0.2", "a:b", ""):
            failures.failed(address, 0.0)
        self.assertEqual(len(failures), 7)
