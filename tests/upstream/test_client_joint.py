"""Tests for the client over real agents of both kinds and connections in memory."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from kiro2api.conversation.answer import Ended, StopReason, TextDelta
from kiro2api.errors import StreamTruncated, Throttled
from kiro2api.kiro.interpret import Interpreter
from kiro2api.upstream.agent import AgentKind, make_http
from kiro2api.upstream.client import KiroClient
from kiro2api.upstream.hosts import Hosts
from kiro2api.upstream.interfaces import AnswerStream
from tests.fakes.upstream import an_account, its_credentials, metered, said
from tests.upstream.streaming import Sink
from tests.upstream.test_agent import KINDS, AgentTestCase, Wire

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
    b"x-amzn-RequestId: 0a-1\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk, as the upstream sends each frame."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class JointTests(AgentTestCase):
    """Bytes of a connection to events of a sink."""

    def begin(self, kind: AgentKind) -> tuple[Deferred[AnswerStream], Protocol, Wire]:
        """A question has gone out on a new connection."""
        self.agent = self.make(kind)
        self.client = KiroClient(
            self.agent,
            make_http(self.agent),
            Hosts(upstream="http://127.0.0.1:9"),
            self.reactor,
            version="1",
            entropy=lambda: "u",
            fresh=self.agent.fresh,
        )
        opening = self.open()
        return (opening, *self.network.accept())

    def open(self) -> Deferred[AnswerStream]:
        reader = Interpreter(window=200_000, input_estimate=1, names={})
        return self.client.generate(an_account(), its_credentials(), b"{}", reader)

    def lose(self, protocol: Protocol) -> None:
        protocol.connectionLost(Failure(ConnectionDone()))

    def test_whole(self) -> None:
        """Head and events in one read: held; more of them: held with the wire paused; then the
        rest; and the connection serves the next question."""
        for kind in KINDS:
            opening, protocol, wire = self.begin(kind)
            protocol.dataReceived(HEAD + chunk(said("a")) + chunk(said("b")))
            stream = self.successResultOf(opening)
            self.assertEqual(stream.request_id, "0a-1")
            self.successResultOf(stream.first())
            protocol.dataReceived(chunk(said("c")))
            self.assertEqual(wire.producerState, "paused", kind)
            sink = Sink()
            stream.flow(sink)
            self.assertEqual(wire.producerState, "producing", kind)
            self.assertEqual(sink.text, "abc")
            protocol.dataReceived(chunk(said("d")) + chunk(metered()) + LAST)
            self.assertEqual((sink.text, sink.endings), ("abcd", [None]), kind)
            self.assertEqual(sink.all[-1], Ended(StopReason.END_TURN))
            self.assertFalse(wire.closing)
            count = self.network.count
            opening = self.open()
            self.assertEqual(self.network.count, count)
            protocol.dataReceived(HEAD + chunk(said("e")) + LAST)
            stream = self.successResultOf(opening)
            stream.flow(sink := Sink())
            self.assertEqual((sink.text, sink.endings), ("e", [None]))
            self.close(self.agent, protocol)

    def test_batches(self) -> None:
        """Our own agent makes one batch of the many chunks of one read."""
        opening, protocol, _ = self.begin("own")
        protocol.dataReceived(HEAD)
        stream = self.successResultOf(opening)
        stream.flow(sink := Sink())
        protocol.dataReceived(b"".join(chunk(said("x")) for _ in range(100)))
        self.assertEqual([len(batch) for batch in sink.batches], [100])
        stream.abandon()
        self.lose(protocol)
        self.close(self.agent)

    def test_abandon(self) -> None:
        """Abandoned while paused the connection is closed at once, and the sink hears nothing."""
        for kind in KINDS:
            opening, protocol, wire = self.begin(kind)
            protocol.dataReceived(HEAD + chunk(said("a")))
            stream = self.successResultOf(opening)
            stream.flow(sink := Sink())
            stream.pause()
            self.assertEqual(wire.producerState, "paused")
            stream.abandon()
            self.assertTrue(wire.closing or wire.producerState == "stopped", kind)
            self.lose(protocol)
            self.assertEqual((sink.all, sink.endings), ([TextDelta("a")], []))
            self.close(self.agent)

    def test_cut(self) -> None:
        """A connection that breaks inside the answer is a truncation."""
        for kind in KINDS:
            opening, protocol, _ = self.begin(kind)
            protocol.dataReceived(HEAD + chunk(said("a")))
            self.successResultOf(opening).flow(sink := Sink())
            self.lose(protocol)
            self.assertIsInstance(sink.endings[0], StreamTruncated)
            self.close(self.agent)

    def test_cancel(self) -> None:
        """Cancelled before the head, the connection is closed and no timer is left."""
        for kind in KINDS:
            opening, protocol, wire = self.begin(kind)
            opening.cancel()
            self.failureResultOf(opening, CancelledError)
            self.assertTrue(wire.closing)
            self.lose(protocol)
            self.close(self.agent)

    def test_refusal(self) -> None:
        """A refusal is read to its end, and its connection kept."""
        for kind in KINDS:
            opening, protocol, wire = self.begin(kind)
            protocol.dataReceived(b"HTTP/1.1 429 No\r\nContent-Length: 15\r\n\r\n")
            self.assertNoResult(opening)
            protocol.dataReceived(b'{"message":"a"}')
            self.failureResultOf(opening, Throttled)
            self.assertFalse(wire.closing)
            self.close(self.agent, protocol)

    def test_stale(self) -> None:
        """A kept connection that closed is replaced by a fresh one, unseen."""
        for kind in KINDS:
            opening, protocol, _ = self.begin(kind)
            protocol.dataReceived(HEAD + chunk(said("a")) + LAST)
            self.successResultOf(opening).flow(Sink())
            opening = self.open()
            count = self.network.count
            self.lose(protocol)
            self.assertNoResult(opening)
            self.assertEqual(self.network.count, count + 1, kind)
            fresh, wire = self.network.accept()
            self.assertIn(b"\r\nconnection: close\r\n", wire.value().lower())
            fresh.dataReceived(HEAD + chunk(said("b")) + LAST)
            self.successResultOf(opening).flow(sink := Sink())
            self.assertEqual((sink.text, sink.endings), ("b", [None]))
            self.lose(fresh)
            self.close(self.agent)
