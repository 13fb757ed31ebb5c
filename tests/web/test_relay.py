"""The pump between an answer and a streaming client."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from zope.interface.verify import verifyObject

from kiro2api.conversation.answer import TextDelta
from kiro2api.errors import StreamStalled, StreamTruncated
from kiro2api.upstream.interfaces import IEventSink
from kiro2api.web.relay import StreamRelay
from tests.fakes.answers import END, USAGE, FakeStream, PlainWriter


class FakeChannel:
    """A connection that can be cut."""

    def __init__(self, written: list[bytes]) -> None:
        self.transport = self
        self.write = written.append
        self.aborted = False

    def forceAbortClient(self) -> None:
        """Remember."""
        self.aborted = True


class FakeRequest:
    """A request that records what is written and who produces."""

    chunked = 0

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.channel: FakeChannel | None = FakeChannel(self.written)
        self.responseHeaders = Headers()
        self.producers: list[str] = []

    def begin_stream(self, data: bytes, *, whole: bool = False) -> None:
        """Record."""
        self.written.append(data + b"<whole>" * whole)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Record."""
        assert streaming and self.channel is not None
        self.producers.append("registered")

    def unregisterProducer(self) -> None:
        """Record."""
        assert self.channel is not None
        self.producers.append("unregistered")


class StreamRelayTests(SynchronousTestCase):
    """One answer to one client."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.request = FakeRequest()
        self.commits: list[bool] = []
        self.relay = StreamRelay(
            self.request,
            PlainWriter(),
            self.clock,
            ping_seconds=10,
            silence_seconds=60,
            stall_seconds=100,
            committed=lambda: self.commits.append(True),
        )
        self.stream = FakeStream(self.clock)

    def run_it(self) -> "Deferred[None]":
        """Start relaying."""
        return self.relay.run(self.stream)

    def pass_time(self, seconds: int) -> None:
        """Second by second, as a reactor would."""
        for _ in range(seconds):
            self.clock.advance(1)

    def finish(self) -> None:
        """Close, and see that no timer is left (I10)."""
        self.relay.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_interfaces(self) -> None:
        """It is what transports and streams expect."""
        verifyObject(IPushProducer, self.relay)
        verifyObject(IEventSink, self.relay)
        self.finish()

    def test_one_write_per_read(self) -> None:
        """The events of one upstream read leave in one write; the end fires once."""
        done = self.run_it()
        self.stream.push(TextDelta("lo"), TextDelta("!"))
        self.assertNoResult(done)
        self.stream.push(USAGE, END)
        self.stream.end()
        self.successResultOf(done)
        self.finish()
        self.assertEqual(self.request.written, [b"Hel", b"lo!", b"<end>"])
        self.assertEqual(self.request.producers, ["registered", "unregistered"])
        self.assertEqual(self.relay.usage, USAGE)
        self.assertEqual(self.commits, [True])

    def test_an_answer_in_one_read(self) -> None:
        """Everything at once is still a whole answer."""
        self.stream.held = [TextDelta("all"), USAGE, END]
        self.run_it()
        self.stream.end()
        self.finish()
        self.assertEqual(self.request.written, [b"all<end><whole>"])

    def test_usage_as_the_last_event_of_a_read(self) -> None:
        """The network may part usage and end."""
        self.run_it()
        self.stream.push(USAGE)
        self.stream.push(END)
        self.assertEqual(self.relay.usage, USAGE)
        self.finish()

    def test_fault_is_told_in_band(self) -> None:
        """After the first byte a failure is an event of the stream, and then the end."""
        done = self.run_it()
        fault = StreamTruncated("cut")
        self.stream.end(fault)
        self.successResultOf(done)
        self.assertEqual(self.request.written, [b"Hel", b"<fail>", b""])
        self.assertIs(self.relay.fault, fault)
        self.finish()

    def test_pings_before_the_first_event(self) -> None:
        """A slow start opens the answer with a ping within the promised time and commits it."""
        self.assertEqual(self.commits, [])
        self.pass_time(10)
        self.assertEqual(self.request.written, [b"<begin><ping>"])
        self.assertEqual(self.commits, [True])
        self.assertTrue(self.relay.begun)
        self.run_it()
        self.assertEqual(self.request.written[1:], [b"Hel"])
        self.finish()

    def test_pings_while_the_upstream_is_silent(self) -> None:
        """Never longer than ten seconds without a byte; silence is not counted while it speaks."""
        self.run_it()
        self.pass_time(4)
        self.stream.push(TextDelta("a"))
        self.pass_time(40)
        self.assertEqual(self.request.written, [b"Hel", b"a"] + [b"<ping>"] * 4)
        self.finish()

    def test_silent_upstream_ends_in_an_error(self) -> None:
        """Pings do not keep a dead upstream alive."""
        done = self.run_it()
        self.pass_time(65)
        self.successResultOf(done)
        self.assertEqual(self.request.written[-2:], [b"<fail>", b""])
        self.assertIsInstance(self.relay.fault, StreamStalled)
        self.assertTrue(self.stream.abandoned)
        self.finish()

    def test_slow_client_stops_the_upstream(self) -> None:
        """Pause and resume reach the stream; a paused client is not pinged."""
        self.run_it()
        self.relay.pauseProducing()
        self.relay.pauseProducing()
        self.assertTrue(self.stream.paused)
        self.pass_time(50)
        self.assertEqual(self.request.written, [b"Hel"])
        self.relay.resumeProducing()
        self.assertFalse(self.stream.paused)
        self.finish()

    def test_pause_before_the_stream_is_there(self) -> None:
        """A client may be slow from the opening ping on."""
        self.pass_time(10)
        self.relay.pauseProducing()
        self.relay.resumeProducing()
        self.finish()

    def test_stalled_client_is_cut(self) -> None:
        """A client that takes nothing for too long loses both sides, visibly."""
        self.run_it()
        self.relay.pauseProducing()
        self.pass_time(106)
        assert self.request.channel is not None
        self.assertTrue(self.request.channel.aborted)
        self.assertTrue(self.stream.abandoned)
        self.finish()

    def test_client_leaves_transport_first(self) -> None:
        """The transport says so, then the waiting coroutine is cancelled: idempotent."""
        done = self.run_it()
        self.relay.stopProducing()
        self.request.channel = None
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(self.stream.abandoned)
        self.finish()
        self.assertEqual(self.request.producers, ["registered"])

    def test_client_leaves_coroutine_first(self) -> None:
        """The other order ends the same way (I11)."""
        done = self.run_it()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.relay.stopProducing()
        self.assertTrue(self.stream.abandoned)
        written = list(self.request.written)
        self.relay.fail(StreamTruncated("late"))
        self.assertEqual(self.request.written, written)
        self.finish()

    def test_failure_before_any_event_but_after_the_opening_ping(self) -> None:
        """Once begun, a failed opening is told in-band."""
        self.pass_time(10)
        self.relay.fail(StreamTruncated("x"))
        self.assertEqual(self.request.written, [b"<begin><ping>", b"<fail>"])
        self.finish()

    def test_stalled_client_before_the_stream_is_there(self) -> None:
        """The client may stop reading during the opening pings."""
        self.pass_time(10)
        self.relay.pauseProducing()
        self.pass_time(110)
        assert self.request.channel is not None
        self.assertTrue(self.request.channel.aborted)
        self.finish()
