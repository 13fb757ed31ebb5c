"""Records are written behind the requests' backs."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.metering import Record
from kiro2api.metering_writer import RecordPruner, RecordWriter
from kiro2api.store.migrate import StoreError
from tests.test_metering import record


class FakeSink:
    """Takes batches as the test says."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.broken = False
        self.late: Deferred[None] | None = None
        self.steps: list[tuple[float, float, int]] = []
        self.more = [False]

    @property
    def ids(self) -> list[str]:
        """All that was written."""
        return [one for batch in self.batches for one in batch]

    def write(self, records: Sequence[Record]) -> Deferred[None]:
        """At once, late or never."""
        if self.broken:
            return fail(StoreError("no space is left"))
        self.batches.append([one.request_id for one in records])
        return succeed(None) if self.late is None else self.late

    def prune(self, before: float, sums_before: float, most_octets: int) -> Deferred[bool]:
        """Record."""
        if self.broken:
            return fail(StoreError("locked"))
        self.steps.append((before, sums_before, most_octets))
        return succeed(self.more.pop(0) if self.more else False)


class WriterCase(SynchronousTestCase):
    """A writer and its sink."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = FakeSink()
        self.told = 0
        self.writer = RecordWriter(self.sink, self.clock, room=10, batch=4, stored=self.count)

    def count(self) -> None:
        """A batch is stored."""
        self.told += 1

    def take(self, *numbers: int) -> None:
        """Records of these numbers."""
        for number in numbers:
            self.writer.take(record(request_id=f"r{number}"))

    def stop(self) -> Deferred[None]:
        """End it."""
        return Deferred.fromCoroutine(self.writer.stop())


class WriterTests(WriterCase):
    """Batches."""

    def test_one_batch_a_second(self) -> None:
        """What comes within a second is one batch; an idle writer has no timer."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.take(1, 2)
        self.clock.advance(0.9)
        self.take(3)
        self.assertEqual(self.sink.batches, [])
        self.clock.advance(0.2)
        self.assertEqual(self.sink.batches, [["r1", "r2", "r3"]])
        self.assertEqual((self.clock.getDelayedCalls(), self.told), ([], 1))

    def test_full_batch(self) -> None:
        """A full batch does not wait."""
        self.take(1, 2, 3, 4, 5)
        self.assertEqual(self.sink.batches, [["r1", "r2", "r3", "r4"]])
        self.clock.advance(0.9)
        self.assertEqual(len(self.sink.batches), 1)
        self.clock.advance(0.1)
        self.assertEqual(self.sink.ids, ["r1", "r2", "r3", "r4", "r5"])

    def test_one_at_a_time(self) -> None:
        """While the store is busy records gather, and follow in order: full batches at once, what
        is less in a second, since a batch costs about the same however small it is."""
        self.sink.late = Deferred()
        self.take(*range(9))
        self.clock.advance(5)
        self.assertEqual(len(self.sink.batches), 1)
        late, self.sink.late = self.sink.late, None
        late.callback(None)
        self.assertEqual(self.sink.ids, [f"r{n}" for n in range(8)])
        self.clock.advance(1)
        self.assertEqual(self.sink.ids, [f"r{n}" for n in range(9)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failing_store(self) -> None:
        """Nothing is lost by a failure; it is told once, and when it is over."""
        self.sink.broken = True
        self.take(1, 2)
        for _ in range(3):
            self.clock.advance(5)
        self.assertEqual(self.writer.waiting, 2)
        self.sink.broken = False
        self.take(3)
        self.clock.advance(5)
        self.assertEqual(self.sink.batches, [["r1", "r2", "r3"]])

    def test_overflow(self) -> None:
        """The oldest are dropped and counted; the memory does not grow."""
        self.sink.broken = True
        self.take(*range(25))
        self.assertEqual((self.writer.waiting, self.writer.dropped), (10, 15))
        self.sink.broken = False
        self.clock.advance(5)
        self.clock.advance(1)
        self.assertEqual(self.sink.ids, [f"r{n}" for n in range(15, 25)])

    def test_stop_writes_everything(self) -> None:
        """Nothing is left, and no timer."""
        self.take(*range(3))
        self.successResultOf(self.stop())
        self.take(9)
        self.assertEqual(self.sink.ids, ["r0", "r1", "r2"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_waits_for_a_batch(self) -> None:
        """One that is under way is completed first."""
        self.sink.late = Deferred()
        self.take(*range(7))
        stopped = self.stop()
        self.assertNoResult(stopped)
        late, self.sink.late = self.sink.late, None
        late.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.sink.ids, [f"r{n}" for n in range(7)])

    def test_stop_does_not_hang(self) -> None:
        """On a broken store the rest is counted as dropped."""
        self.sink.broken = True
        self.take(1, 2)
        self.successResultOf(self.stop())
        self.assertEqual((self.writer.waiting, self.writer.dropped), (0, 2))


class PrunerTests(SynchronousTestCase):
    """Forgetting."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100 * 86400)
        self.sink = FakeSink()
        self.pruner = RecordPruner(self.sink, self.clock, days=7, megabytes=2, every=600, pause=1)

    def test_steps(self) -> None:
        """Quickly while there is something to forget, seldom otherwise; sums are kept longer."""
        self.sink.more = [True, True, False]
        self.pruner.start()
        self.clock.pump([1, 1, 1])
        self.assertEqual(len(self.sink.steps), 3)
        day = 86400.0
        self.assertEqual(self.sink.steps[0], (93 * day + 1, 68 * day + 1, 2_000_000))
        self.clock.advance(599)
        self.assertEqual(len(self.sink.steps), 3)
        self.clock.advance(1)
        self.assertEqual(len(self.sink.steps), 4)

    def test_failure(self) -> None:
        """It is tried again."""
        self.sink.broken = True
        self.pruner.start()
        self.clock.advance(1)
        self.sink.broken = False
        self.clock.advance(600)
        self.assertEqual(len(self.sink.steps), 1)

    def test_stop(self) -> None:
        """No timer is left."""
        self.pruner.stop()
        self.pruner.start()
        self.pruner.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
