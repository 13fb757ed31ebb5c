"""Tests for kiro2api.upstream.stream: opening, holding, abandoning."""

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocol
from zope.interface.verify import verifyObject

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta
from kiro2api.errors import ProtocolViolation, StreamTruncated, Throttled, UpstreamFault
from kiro2api.kiro.interpret import Interpreter
from kiro2api.upstream.interfaces import AnswerStream
from kiro2api.upstream.stream import EventStream, State
from kiro2api.wire.eventstream import FrameDecoder
from tests.fakes.upstream import FakeResponse, event, metered, said
from tests.upstream.streaming import FULL, THROTTLED, StreamTestCase


class OpeningTests(StreamTestCase):
    """From the response head to the first event."""

    def tearDown(self) -> None:
        self.stream.abandon()
        super().tearDown()

    def test_shape(self) -> None:
        """It is a protocol below and an answer stream above; its repr shows its state."""
        verifyObject(IProtocol, self.stream)
        answer: AnswerStream = self.stream
        self.assertEqual((answer.request_id, answer.last_read), ("0f-1", 0.0))
        self.assertEqual(repr(self.stream), "<EventStream opening 0f-1>")

    def test_first_waits(self) -> None:
        """Half a frame is nothing; with the whole frame first fires. The upstream goes on for the
        moment: whoever waited attaches a sink at once, or the next read pauses it."""
        first = self.stream.first()
        frame = said("a")
        self.response.give(frame[:20])
        self.assertNoResult(first)
        self.assertEqual((self.stream.state, self.transport.calls), (State.OPENING, []))
        paused: list[bool] = []
        first.addCallback(lambda _: paused.append(self.transport.paused))
        self.response.give(frame[20:])
        self.successResultOf(first)
        self.assertEqual((paused, self.stream.state), ([False], State.HOLDING))

    def test_frames_without_events(self) -> None:
        """Frames that say nothing do not count as a first event."""
        first = self.stream.first()
        self.response.give(event("messageMetadataEvent", conversationId="c"))
        self.assertNoResult(first)
        self.assertFalse(self.transport.paused)
        first.addErrback(lambda _: None)

    def test_first_afterwards(self) -> None:
        """Asked after the first event came, first fires at once, more than once."""
        self.response.give(said("a"))
        self.successResultOf(self.stream.first())
        self.successResultOf(self.stream.first())

    def test_one_waiter(self) -> None:
        """Two cannot wait for the first event."""
        first = self.stream.first()
        self.assertRaises(RuntimeError, self.stream.first)
        first.addErrback(lambda _: None)

    def test_last_read(self) -> None:
        """Each read leaves its time, also one without a whole frame."""
        self.clock.advance(4)
        self.response.give(said("a")[:5])
        self.assertEqual(self.stream.last_read, 4.0)

    def test_fault_before(self) -> None:
        """A fault before any event makes first fail, closes the connection, and may be asked for
        again."""
        first = self.stream.first()
        self.response.give(THROTTLED)
        self.failureResultOf(first, Throttled)
        self.failureResultOf(self.stream.first(), Throttled)
        self.assertTrue(self.transport.stopped)

    def test_malformed_before(self) -> None:
        """So does something that is no event stream."""
        self.response.give(b"<html>this is not an event stream</html>")
        self.failureResultOf(self.stream.first(), ProtocolViolation)
        self.assertTrue(self.transport.stopped)

    def test_cut_before(self) -> None:
        """So does a cut; the library's words are not passed on."""
        first = self.stream.first()
        self.response.end(ConnectionLost("secret"))
        fault = self.failureResultOf(first, StreamTruncated).value
        self.assertNotIn("secret", str(fault))
        self.assertIsNone(fault.__cause__)
        self.assertEqual(self.transport.calls, [])

    def test_empty(self) -> None:
        """So does a clean end without an answer."""
        first = self.stream.first()
        self.response.end()
        self.failureResultOf(first, UpstreamFault)

    def test_first_event_at_the_end(self) -> None:
        """The end's own events may be the first ones."""
        first = self.stream.first()
        self.response.give(metered())
        self.assertNoResult(first)
        self.response.end()
        self.successResultOf(first)
        self.stream.flow(self.sink)
        self.assertEqual(self.sink.all[-1], Ended(StopReason.END_TURN))

    def test_reader_without_last_words(self) -> None:
        """Somebody who waits is told of the end even if it brings no event."""

        class Mute(Interpreter):
            def finish(self) -> list[StreamEvent]:
                return []

        response = FakeResponse.stream()
        reader = Mute(window=1, input_estimate=1, names={})
        stream = EventStream(FrameDecoder(), reader, self.clock)
        response.deliverBody(stream)
        first = stream.first()
        response.end()
        self.successResultOf(first)
        stream.flow(self.sink)
        self.assertEqual((self.sink.batches, self.sink.endings), ([], [None]))

    def test_flow_of_a_fault(self) -> None:
        """A sink that is attached nevertheless hears the fault."""
        self.response.give(THROTTLED)
        self.stream.flow(self.sink)
        self.assertEqual(self.sink.batches, [])
        self.assertIsInstance(self.sink.endings[0], Throttled)
        self.successResultOf(self.stream.first())

    def test_cancel_first(self) -> None:
        """Cancelling first abandons the stream; asked again it is still cancelled."""
        first = self.stream.first()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.stream.state, State.ABANDONED)
        self.assertTrue(self.transport.stopped)
        self.failureResultOf(self.stream.first(), CancelledError)

    def test_flow_without_first(self) -> None:
        """first need not be asked: a sink may be attached at once."""
        self.stream.flow(self.sink)
        self.response.give(said("a"))
        self.assertEqual(self.sink.text, "a")


class HoldingTests(StreamTestCase):
    """Between the first event and the sink."""

    def test_more_while_held(self) -> None:
        """What still arrives after the pause is held too, and delivered in one batch."""
        self.response.give(said("a"))
        self.response.give(said("b") + said("c"))
        self.assertTrue(self.transport.paused)
        self.stream.flow(self.sink)
        self.assertEqual(self.sink.batches, [[TextDelta("a"), TextDelta("b"), TextDelta("c")]])
        self.assertFalse(self.transport.paused)
        self.stream.abandon()

    def test_resumed_by_others(self) -> None:
        """Somebody below who resumes by himself after the first read is paused again at the
        next."""
        self.response.give(said("a"))
        self.transport.resumeProducing()
        self.response.give(said("b"))
        self.assertTrue(self.transport.paused)
        self.stream.abandon()

    def test_whole_answer_held(self) -> None:
        """An answer that ended before anybody listened is delivered whole."""
        self.response.give(said("a") + metered())
        self.response.end()
        self.successResultOf(self.stream.first())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.stream.flow(self.sink)
        self.assertEqual(self.sink.all[0], TextDelta("a"))
        self.assertEqual(self.sink.all[-1], Ended(StopReason.END_TURN))
        self.assertEqual(self.sink.endings, [None])
        self.assertEqual(self.transport.calls, [])
        self.assert_over()

    def test_fault_while_held(self) -> None:
        """A fault behind the first event does not undo it: it follows the events."""
        for data in ([said("a") + THROTTLED], [said("a"), THROTTLED]):
            self.open()
            first = self.stream.first()
            for piece in data:
                self.response.give(piece)
            self.successResultOf(first)
            self.stream.flow(self.sink)
            self.assertEqual(self.sink.all, [TextDelta("a")])
            (fault,) = self.sink.endings
            self.assertIsInstance(fault, Throttled)
            self.assert_over()

    def test_cut_while_held(self) -> None:
        """So does a cut."""
        self.response.give(said("a"))
        self.response.cut()
        self.successResultOf(self.stream.first())
        self.stream.flow(self.sink)
        self.assertIsInstance(self.sink.endings[0], StreamTruncated)

    def test_flow_inside_first(self) -> None:
        """A sink attached by first's own callback gets the events of that read, then its end."""
        first = self.stream.first()
        first.addCallback(lambda _: self.stream.flow(self.sink))
        self.response.give(said("a") + FULL)
        self.assertEqual(self.sink.all[0], TextDelta("a"))
        self.assertEqual(self.sink.all[-1], Ended(StopReason.MAX_TOKENS))
        self.assertEqual(self.sink.endings, [None])
        self.assert_over()

    def test_abandon(self) -> None:
        """Abandoned while held, it closes the connection and forgets the events."""
        self.response.give(said("a"))
        self.stream.abandon()
        self.assertEqual(self.transport.calls, ["stop"])
        self.stream.flow(self.sink)
        self.assertEqual(self.sink.batches, [])
        self.assert_over()

    def test_abandon_after_the_end(self) -> None:
        """Abandoned when the body has ended already, the connection is not touched: it may serve
        somebody else."""
        self.response.give(said("a"))
        self.response.end()
        self.stream.abandon()
        self.assertEqual(self.transport.calls, [])
        self.stream.flow(self.sink)
        self.assertEqual((self.sink.batches, self.sink.endings), ([], []))


class AbandonTests(StreamTestCase):
    """Before anything came."""

    def test_opening(self) -> None:
        """Abandoned while opening, a waiter for the first event is not left alone."""
        first = self.stream.first()
        self.stream.abandon()
        self.failureResultOf(first, CancelledError)
        self.assert_over()

    def test_before_the_body(self) -> None:
        """Abandoned before the body is connected, it closes as soon as it is."""
        response = FakeResponse.stream()
        stream = EventStream(FrameDecoder(), self.interpreter, self.clock)
        stream.abandon()
        response.deliverBody(stream)
        self.assertEqual(response.transport.calls, ["stop"])
        self.stream.abandon()


class FailedTests(StreamTestCase):
    """Answers that fail while something waits inside the reader."""

    OPEN = event("toolUseEvent", toolUseId="t1", name="ls", input='{"p":') + said("later")

    def test_flowing(self) -> None:
        """It comes before the fault, whether the stream is cut or says so itself."""
        for end in (self.cut, lambda: self.response.give(THROTTLED)):
            self.open()
            self.flow(self.OPEN)
            self.assertEqual(self.sink.text, "")
            end()
            self.assertEqual(self.sink.all[-1], TextDelta("later"))
            self.assertEqual(len(self.sink.endings), 1)
            self.assert_over()

    def test_held(self) -> None:
        """So it does for a sink that is attached later."""
        self.response.give(self.OPEN)
        self.cut()
        self.successResultOf(self.stream.first())
        self.stream.flow(self.sink)
        self.assertEqual(self.sink.all[-1], TextDelta("later"))
        self.assertEqual(len(self.sink.endings), 1)

    def test_sink_leaves(self) -> None:
        """A sink that leaves at that very event hears no fault."""
        self.flow(self.OPEN)
        self.sink._react = self.stream.abandon
        self.cut()
        self.assertEqual((self.sink.text, self.sink.endings), ("later", []))
        self.assert_over()

    def cut(self) -> None:
        """The connection breaks."""
        self.response.cut()
