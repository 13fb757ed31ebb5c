# -*- test-case-name: tests.emulator.test_playback -*-
"""Tests for the delivery of an answer."""

from collections.abc import Iterator

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kiro2api.emulator.performance import Step, Turn, Wait
from kiro2api.emulator.playback import Playback


class Channel:
    """Notes whether the connection was cut."""

    aborted = False

    def forceAbortClient(self) -> None:
        self.aborted = True


class Request:
    """What a playback needs of a request; pauses its producer after ``room`` writes."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.written: list[bytes] = []
        self.producer: Playback | None = None
        self.channel = Channel()

    def registerProducer(self, producer: Playback, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.room -= 1
        if self.room == 0 and self.producer is not None:
            self.producer.pauseProducing()


class PlaybackTests(SynchronousTestCase):
    """Writing, pausing, waiting, leaving."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.request = Request()

    def playback(self, *steps: Step) -> Playback:
        """A playback of these steps; ``self.left`` tells how many were not taken."""
        self.left = len(steps)

        def counted() -> Iterator[Step]:
            for step in steps:
                self.left -= 1
                yield step

        return Playback(self.request, counted(), self.clock)

    def test_interface(self) -> None:
        """It is what twisted.web expects."""
        self.assertTrue(verifyObject(IPushProducer, self.playback()))

    def test_all_at_once(self) -> None:
        """Without waits everything is written in one go, headers first."""
        done = self.playback(b"a", b"b").run()
        self.successResultOf(done)
        self.assertEqual(self.request.written, [b"", b"a", b"b"])
        self.assertIsNone(self.request.producer)

    def test_waits(self) -> None:
        """A wait is a timer, and only one at a time."""
        done = self.playback(b"a", Wait(2), b"b", Wait(3)).run()
        self.assertEqual(self.request.written, [b"", b"a"])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(2)
        self.assertEqual(self.request.written[-1], b"b")
        self.assertNoResult(done)
        self.clock.advance(3)
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_reader(self) -> None:
        """No step is taken for a reader who is behind."""
        self.request.room = 2
        playback = self.playback(b"a", b"b", b"c")
        done = playback.run()
        self.assertEqual((self.request.written, self.left), ([b"", b"a"], 2))
        self.request.room = 100
        playback.resumeProducing()
        self.successResultOf(done)
        self.assertEqual(self.left, 0)

    def test_paused_while_waiting(self) -> None:
        """A wait that ends during a pause writes nothing; resuming during a wait neither."""
        playback = self.playback(Wait(1), b"a", Wait(1), b"b")
        done = playback.run()
        playback.pauseProducing()
        self.clock.advance(1)
        self.assertEqual(self.request.written, [b""])
        playback.resumeProducing()
        self.assertEqual(self.request.written, [b"", b"a"])
        playback.pauseProducing()
        playback.resumeProducing()
        self.assertEqual(self.request.written, [b"", b"a"])
        self.clock.advance(1)
        self.successResultOf(done)

    def test_many_steps_do_not_nest(self) -> None:
        """A reader who pauses and resumes within a write costs no stack."""
        request = self.request

        class Fickle(Request):
            def write(self, data: bytes) -> None:
                self.written.append(data)
                if self.producer is not None:
                    self.producer.pauseProducing()
                    self.producer.resumeProducing()

        self.request = Fickle()
        done = self.playback(*[b"x"] * 5000).run()
        self.successResultOf(done)
        self.assertEqual(len(self.request.written), 5001)
        self.assertEqual(request.written, [])

    def test_hang(self) -> None:
        """Nothing more happens, whatever the reader does."""
        playback = self.playback(b"a", Turn.HANG, b"b")
        done = playback.run()
        playback.resumeProducing()
        self.assertNoResult(done)
        self.assertEqual(self.request.written, [b"", b"a"])
        done.cancel()
        self.failureResultOf(done, CancelledError)

    def test_abort(self) -> None:
        """The connection is cut; the Deferred waits for the news of that."""
        done = self.playback(b"a", Turn.ABORT, b"b").run()
        self.assertTrue(self.request.channel.aborted)
        self.assertNoResult(done)
        self.assertEqual(self.request.written, [b"", b"a"])

    def test_reader_leaves(self) -> None:
        """The timer goes with the reader; a second farewell does no harm."""
        playback = self.playback(Wait(5), b"a")
        done = playback.run()
        playback.stopProducing()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.request.written, [b""])
