"""Following what other processes write."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.following import KEPT_SECONDS, LOOK_SECONDS, Following
from kiro2api.store.changes import Change
from kiro2api.store.database import StoreError


class Rows:
    """Changes in memory."""

    def __init__(self) -> None:
        self.noted: list[Change] = []
        self.pruned: list[float] = []
        self.broken = False
        self.waiting: Deferred[tuple[int, list[Change]]] | None = None
        self.most = 2

    def note(self, topic: str, subject: str) -> None:
        """One more."""
        self.noted.append(Change(len(self.noted) + 1, topic, subject))

    def since(self, serial: int) -> Deferred[tuple[int, list[Change]]]:
        """At most two at once."""
        if self.waiting is not None:
            return self.waiting
        if self.broken:
            return fail(StoreError("the database is locked by another program"))
        found = [each for each in self.noted if each.serial > serial][: self.most]
        return succeed((found[-1].serial if found else serial, found))

    def latest(self) -> Deferred[int]:
        """The last one."""
        return succeed(len(self.noted))

    def prune(self, before: float) -> Deferred[int]:
        """Record."""
        self.pruned.append(before)
        return succeed(0)


class FollowingTests(SynchronousTestCase):
    """Rounds of looking."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rows = Rows()
        self.told: list[str] = []
        self.failing: Exception | None = None
        self.following = Following(
            self.rows, [self.follow], self.clock, now=lambda: 1e6 + self.clock.seconds()
        )

    async def follow(self, changes: Sequence[Change]) -> None:
        """Record, or fail."""
        if self.failing is not None:
            raise self.failing
        self.told += [change.subject for change in changes]

    def start(self) -> None:
        """From what is there now."""
        self.successResultOf(Deferred.fromCoroutine(self.following.begin()))
        self.following.startService()
        self.addCleanup(self.following.stopService)

    def look(self) -> None:
        """One round."""
        self.clock.advance(LOOK_SECONDS)

    def test_only_what_is_new(self) -> None:
        """What was there when everything was read is not told; what comes is told once."""
        self.rows.note("account", "old")
        self.start()
        for subject in "abc":
            self.rows.note("account", subject)
        self.look()
        self.look()
        self.assertEqual(self.told, ["a", "b", "c"])

    def test_a_failing_follower_is_told_again(self) -> None:
        """Nothing is passed over because somebody could not take it."""
        self.start()
        self.rows.note("key", "7")
        self.failing = StoreError("the store is not open")
        self.look()
        self.failing = None
        self.look()
        self.assertEqual(self.told, ["7"])

    def test_a_mistake_does_not_end_the_rounds(self) -> None:
        """An unexpected failure is logged with its trace, and the next round comes."""
        self.start()
        self.rows.note("key", "7")
        self.failing = ZeroDivisionError()
        self.look()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.failing = None
        self.look()
        self.assertEqual(self.told, ["7"])

    def test_store_away(self) -> None:
        """While the store cannot be read nothing is told, and nothing is lost."""
        self.start()
        self.rows.broken = True
        self.rows.note("group", "pro")
        self.look()
        self.look()
        self.rows.broken = False
        self.look()
        self.assertEqual(self.told, ["pro"])

    def test_pruned_now_and_then(self) -> None:
        """Old notes are dropped at the start and every hour."""
        self.start()
        self.look()
        self.look()
        self.assertEqual(self.rows.pruned, [1e6 + LOOK_SECONDS - KEPT_SECONDS])
        self.clock.pump([LOOK_SECONDS] * 3600)
        self.assertEqual(len(self.rows.pruned), 2)

    def test_stop_waits_for_the_round(self) -> None:
        """A round under way ends before the store may be closed."""
        self.start()
        self.rows.waiting = Deferred()
        self.look()
        stopped = self.following.stopService()
        self.assertNoResult(stopped)
        waiting, self.rows.waiting = self.rows.waiting, None
        waiting.callback((0, []))
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
