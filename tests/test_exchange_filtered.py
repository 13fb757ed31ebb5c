"""An answer with its limits enforced, between a stream and a sink."""

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    TextDelta,
    ToolBegun,
    ToolEnded,
    added,
)
from kiro2api.conversation.question import OutputFormat, ToolChoice
from kiro2api.errors import StreamTruncated, Throttled
from kiro2api.exchange_filtered import FilteredStream, Opened
from kiro2api.kiro.choices import CalledFor
from kiro2api.kiro.formats import CODE, Formed
from kiro2api.kiro.limits import Limits
from kiro2api.kiro.stops import Stops
from kiro2api.kiro.unmet import Unmet
from tests.fakes.answers import END, USAGE, FakeStream
from tests.upstream.streaming import Sink

CALL = (ToolBegun("1", "t"), ToolEnded("1"))


def stopping() -> Limits:
    """Stops at STOP."""
    return Limits([Stops(["STOP"], lambda: USAGE)])


def calling() -> Limits:
    """Demands a call."""
    return Limits((), CalledFor(ToolChoice("any")))


def forming(**more: int) -> Limits:
    """Demands an object."""
    return Limits((), None, Formed(OutputFormat("json_object"), **more))


class FilteredCase(SynchronousTestCase):
    """A filtered stream whose second round the test gives."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.asked: list[Unmet] = []
        self.second: Deferred[Opened] = Deferred(lambda _: self.cancelled.append(True))
        self.cancelled: list[bool] = []
        self.sink = Sink()

    def again(self, unmet: Unmet) -> Deferred[Opened]:
        """The second round, as the test said."""
        self.asked.append(unmet)
        return self.second

    def flow(self, limits: Limits) -> FakeStream:
        """A first round that flows."""
        self.inner = FakeStream(self.clock)
        self.inner.held = []
        self.stream = FilteredStream(self.inner, limits, self.again, self.clock)
        self.successResultOf(self.stream.first())
        self.stream.flow(self.sink)
        return self.inner

    def finish(self, stream: FakeStream, *events: object) -> None:
        """The end of an answer that was complete."""
        stream.push(*events, USAGE, END)  # type: ignore[arg-type]
        stream.end()

    def other(self) -> FakeStream:
        """A stream for the second round, without anything in it yet."""
        stream = FakeStream(self.clock)
        stream.held = []
        return stream


class OneRoundTests(FilteredCase):
    """Answers that are not asked for again."""

    def test_passed_on(self) -> None:
        """Events, the end, and everything else as with the stream itself."""
        inner = self.flow(stopping())
        inner.push(TextDelta("a"))
        self.stream.pause()
        self.assertTrue(inner.paused)
        self.stream.resume()
        self.assertFalse(inner.paused)
        self.finish(inner, TextDelta("b"))
        self.assertEqual(self.sink.text, "ab")
        self.assertEqual(self.sink.all[-2:], [USAGE, END])
        self.assertEqual(self.sink.endings, [None])
        self.assertEqual(self.stream.request_id, inner.request_id)
        self.assertEqual(self.stream.last_read, 100)
        self.assertEqual(inner.abandoned, 0)

    def test_ended_here(self) -> None:
        """The upstream is closed at once and heard no more; the sink hears one end."""
        inner = self.flow(stopping())
        inner.push(TextDelta("aSTOPb"))
        self.assertEqual(inner.abandoned, 1)
        self.assertEqual(self.sink.all[-1], Ended(StopReason.STOP_SEQUENCE, "STOP"))
        self.assertEqual((self.sink.text, self.sink.endings), ("a", [None]))
        self.stream.events([TextDelta("late")])
        self.stream.ended(None)
        self.assertEqual((self.sink.text, self.sink.endings), ("a", [None]))

    def test_nothing_to_tell(self) -> None:
        """No empty batches."""
        inner = self.flow(stopping())
        inner.push(TextDelta("ST"))
        self.assertEqual(self.sink.batches, [])
        inner.push(TextDelta("x"))
        self.assertEqual(self.sink.text, "STx")

    def test_fault(self) -> None:
        """What was held comes before it."""
        inner = self.flow(stopping())
        inner.push(TextDelta("a ST"))
        fault = StreamTruncated("cut")
        inner.end(fault)
        self.assertEqual((self.sink.text, self.sink.endings), ("a ST", [fault]))

    def test_client_leaves(self) -> None:
        """The upstream is dropped, and nothing is told."""
        inner = self.flow(stopping())
        self.stream.abandon()
        self.stream.abandon()
        self.assertGreaterEqual(inner.abandoned, 1)
        self.stream.ended(None)
        self.assertEqual(self.sink.endings, [])

    def test_client_leaves_within_an_event(self) -> None:
        """Also when the sink does so while it is told."""
        self.sink = Sink(lambda: self.stream.abandon())
        inner = self.flow(stopping())
        inner.push(TextDelta("aSTOP"))
        self.assertEqual(self.sink.endings, [])
        self.assertEqual(len(self.sink.batches), 1)

    def test_client_leaves_while_it_is_told_of_the_rest(self) -> None:
        """Then it does not hear of the end either."""
        inner = self.flow(stopping())
        inner.push(TextDelta("a ST"))
        self.sink._react = self.stream.abandon
        inner.end(StreamTruncated("cut"))
        self.assertEqual((self.sink.text, self.sink.endings), ("a ST", []))

    def test_never_to_be_met(self) -> None:
        """An answer that cannot become what is demanded is ended with the reason."""
        inner = self.flow(forming(max_held=10))
        inner.push(TextDelta("x" * 20))
        self.assertEqual(inner.abandoned, 1)
        (fault,) = self.sink.endings
        assert fault is not None
        self.assertEqual(fault.code, CODE)


class TwoRoundsTests(FilteredCase):
    """Answers that do not do."""

    def test_mended(self) -> None:
        """The second answer is the answer; both are paid for."""
        first = self.flow(calling())
        self.finish(first, TextDelta("no"))
        self.assertEqual([unmet.said for unmet in self.asked], ["no"])
        self.assertEqual((self.sink.batches, self.sink.endings), ([], []))
        self.clock.advance(50)
        second = self.other()
        self.second.callback((second, calling()))
        self.clock.advance(5)
        self.finish(second, *CALL)
        self.assertEqual(self.sink.all[:2], list(CALL))
        self.assertEqual(self.sink.all[2], added(USAGE, USAGE))
        self.assertEqual(self.sink.endings, [None])
        self.assertEqual(self.stream.last_read, 155)

    def test_mended_at_once(self) -> None:
        """Also when the second answer is there at once; text is JSON then."""
        second = self.other()
        second.held = [TextDelta('{"a":1}'), USAGE, END]
        self.second = succeed((second, forming()))
        first = self.flow(forming())
        self.finish(first, TextDelta("no"))
        self.assertEqual(self.sink.text, '{"a":1}')
        second.end()
        self.assertEqual(self.sink.endings, [None])
        self.assertEqual(len(self.asked), 1)

    def test_not_called_again(self) -> None:
        """The second answer is passed on as it is, with the cost of both."""
        first = self.flow(calling())
        self.finish(first, TextDelta("no"))
        second = self.other()
        self.second.callback((second, calling()))
        self.finish(second, TextDelta("never"))
        self.assertEqual(self.sink.text, "never")
        self.assertEqual(self.sink.all[-2:], [added(USAGE, USAGE), END])
        self.assertEqual((self.sink.endings, len(self.asked)), ([None], 1))

    def test_not_formed_again(self) -> None:
        """Twice no JSON is a failure of its own name."""
        first = self.flow(forming())
        self.finish(first, TextDelta("no"))
        second = self.other()
        self.second.callback((second, forming()))
        self.finish(second, TextDelta("never"))
        (fault,) = self.sink.endings
        assert fault is not None
        self.assertEqual((fault.code, self.sink.batches), (CODE, []))

    def test_second_round_does_not_open(self) -> None:
        """The first answer has to do: as it came, or as the failure that it was."""
        for fault in (Throttled("slow"), ValueError("a bug")):
            self.setUp()
            self.second = fail(fault)
            first = self.flow(calling())
            self.finish(first, TextDelta("no"))
            self.assertEqual(self.sink.all, [TextDelta("no"), USAGE, END])
            self.assertEqual(self.sink.endings, [None])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.setUp()
        self.second = fail(Throttled("slow"))
        first = self.flow(forming())
        self.finish(first, TextDelta("no"))
        (ending,) = self.sink.endings
        assert ending is not None
        self.assertEqual(ending.code, CODE)

    def test_second_round_breaks(self) -> None:
        """So it is when the second answer is cut."""
        first = self.flow(calling())
        self.finish(first, TextDelta("no"))
        second = self.other()
        self.second.callback((second, calling()))
        second.push(TextDelta("half"))
        second.end(StreamTruncated("cut"))
        self.assertEqual(self.sink.all, [TextDelta("no"), USAGE, END])
        self.assertEqual(self.sink.endings, [None])

    def test_second_round_breaks_in_a_call(self) -> None:
        """But not once the client has seen some of it."""
        first = self.flow(calling())
        self.finish(first, TextDelta("no"))
        second = self.other()
        self.second.callback((second, calling()))
        second.push(CALL[0])
        fault = StreamTruncated("cut")
        second.end(fault)
        self.assertEqual((self.sink.all, self.sink.endings), ([CALL[0]], [fault]))

    def test_client_leaves_between(self) -> None:
        """The opening is cancelled; nothing is told."""
        first = self.flow(calling())
        self.finish(first, TextDelta("no"))
        self.stream.abandon()
        self.assertEqual(self.cancelled, [True])
        self.assertEqual((self.sink.batches, self.sink.endings), ([], []))
        self.assertIsNone(
            self.successResultOf(self.second.addErrback(lambda f: f.trap(CancelledError) and None))
        )

    def test_slow_client(self) -> None:
        """Whoever was paused between the rounds is paused in the second one."""
        first = self.flow(calling())
        self.finish(first, TextDelta("no"))
        self.stream.pause()
        second = self.other()
        self.second.callback((second, calling()))
        self.assertTrue(second.paused)
        self.stream.abandon()
        self.assertEqual(second.abandoned, 1)
