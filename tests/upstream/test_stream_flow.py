"""Tests for kiro2api.upstream.stream: with a sink."""

from twisted.web.http import PotentialDataLoss

from kiro2api.conversation.answer import Ended, StopReason, TextDelta, Usage
from kiro2api.errors import ProtocolViolation, StreamTruncated, Throttled
from kiro2api.upstream.stream import State
from tests.fakes.upstream import event, metered, said
from tests.upstream.streaming import FULL, THROTTLED, Sink, StreamTestCase


class FlowingTests(StreamTestCase):
    """With a sink."""

    def test_one_batch_per_read(self) -> None:
        """Each read gives one batch; equal neighbours stay."""
        self.flow(said("ha"), said("ha") + said("ha"), said("ha"))
        self.assertEqual([len(batch) for batch in self.sink.batches], [1, 2, 1])
        self.assertEqual(self.sink.text, "hahahaha")
        self.stream.abandon()

    def test_complete(self) -> None:
        """A clean end: usage and the ending, then ended(None); the connection stays alive."""
        self.flow(said("a"))
        self.response.end()
        usage, ending = self.sink.batches[-1]
        self.assertIsInstance(usage, Usage)
        self.assertEqual(ending, Ended(StopReason.END_TURN))
        self.assertEqual((self.sink.endings, self.stream.state), ([None], State.ENDED))
        self.assertEqual(self.transport.calls, [])
        self.assert_over()

    def test_second_sink(self) -> None:
        """There is one sink for an answer."""
        self.flow(said("a"))
        self.assertRaises(RuntimeError, self.stream.flow, Sink())
        self.response.end()
        self.assertRaises(RuntimeError, self.stream.flow, Sink())

    def test_fault_midway(self) -> None:
        """Events before a fault in the same read are delivered, then the fault; it is closed."""
        self.flow(said("a"), said("b") + THROTTLED + said("c"))
        self.assertEqual(self.sink.text, "ab")
        self.assertIsInstance(self.sink.endings[0], Throttled)
        self.assertTrue(self.transport.stopped)
        self.assert_over()

    def test_malformed_midway(self) -> None:
        """The same for bytes that are no frame."""
        self.flow(said("a"), said("b") + b"x" * 40)
        self.assertEqual(self.sink.text, "ab")
        self.assertIsInstance(self.sink.endings[0], ProtocolViolation)
        self.assertTrue(self.transport.stopped)
        self.assert_over()

    def test_bad_checksum_alone(self) -> None:
        """A read that is nothing but a damaged frame gives no batch."""
        damaged = bytearray(said("b"))
        damaged[-1] ^= 1
        self.flow(said("a"), bytes(damaged))
        self.assertEqual(self.sink.text, "a")
        self.assertIsInstance(self.sink.endings[0], ProtocolViolation)

    def test_cut(self) -> None:
        """A broken connection is a truncation, also between two frames."""
        self.flow(said("a"))
        self.response.cut()
        self.assertIsInstance(self.sink.endings[0], StreamTruncated)
        self.assertEqual(self.sink.all, [TextDelta("a")])
        self.assert_over()

    def test_cut_inside_a_frame(self) -> None:
        """A clean HTTP end inside a frame is a truncation too."""
        self.flow(said("a"), said("b")[:-1])
        self.response.end()
        self.assertIsInstance(self.sink.endings[0], StreamTruncated)

    def test_incomplete_tool_call(self) -> None:
        """A clean end inside a tool call is a truncation."""
        self.flow(
            said("a"),
            event("toolUseEvent", toolUseId="t1", name="ls")
            + event("toolUseEvent", toolUseId="t1", name="ls", input='{"p'),
        )
        self.response.end()
        self.assertIsInstance(self.sink.endings[0], StreamTruncated)
        self.assertFalse([event for event in self.sink.all if isinstance(event, Ended)])

    def test_without_length(self) -> None:
        """An end that only the connection marks is believed after the last frame alone."""
        for last, fault in ((said("b"), StreamTruncated), (metered(), type(None))):
            self.open()
            self.flow(said("a"), last)
            self.response.end(PotentialDataLoss())
            self.assertIsInstance(self.sink.endings[0], fault)
            self.assert_over()

    def test_cut_after_everything(self) -> None:
        """An answer that has everything is complete even if its connection breaks then, inside
        whatever else it was sending."""
        self.flow(said("a"), metered() + said("b")[:9])
        self.response.cut()
        self.assertEqual(self.sink.endings, [None])
        self.assertEqual(self.sink.all[-1], Ended(StopReason.END_TURN))

    def test_output_full(self) -> None:
        """When the answer ends before its bytes do, the rest is not waited for."""
        self.flow(said("a"), said("b") + FULL + said("c"))
        self.assertEqual(self.sink.all[-1], Ended(StopReason.MAX_TOKENS))
        self.assertEqual(self.sink.text, "ab")
        self.assertEqual(self.sink.endings, [None])
        self.assertTrue(self.transport.stopped)
        self.assert_over()

    def test_abandon(self) -> None:
        """Abandoned while flowing: closed at once, nothing more is told."""
        self.flow(said("a"))
        self.stream.abandon()
        self.assertEqual(self.transport.calls, ["stop"])
        self.assertEqual(self.sink.endings, [])
        self.assert_over()

    def test_abandon_inside_events(self) -> None:
        """A sink may abandon from within a batch: no end follows, whatever came behind."""
        for tail in (b"", THROTTLED, FULL, metered()):
            self.open()
            self.flow(said("a"))
            self.sink._react = self.stream.abandon
            self.response.give(said("b") + tail)
            self.assertEqual(self.sink.endings, [])
            self.assert_over()

    def test_abandon_inside_the_last_events(self) -> None:
        """The same for the events that the end itself gives, and for those that were held."""
        self.flow(said("a"))
        self.sink._react = self.stream.abandon
        self.response.end()
        self.assertEqual(self.sink.endings, [])
        self.assert_over()
        self.open()
        self.sink._react = self.stream.abandon
        self.flow(said("a"))
        self.assertEqual(self.transport.calls, ["stop"])
        self.assert_over()


class PauseTests(StreamTestCase):
    """Back-pressure."""

    def test_pause_resume(self) -> None:
        """The sink's wishes reach the transport, each once."""
        self.flow(said("a"))
        self.stream.pause()
        self.stream.pause()
        self.assertEqual(self.stream.state, State.PAUSED)
        self.stream.resume()
        self.stream.resume()
        self.assertEqual(self.transport.calls, ["pause", "resume"])
        self.stream.abandon()

    def test_before_flow(self) -> None:
        """Without a sink nobody else pauses or resumes."""
        self.stream.pause()
        self.stream.resume()
        self.response.give(said("a"))
        self.stream.resume()
        self.assertEqual(self.transport.calls, [])
        self.stream.abandon()

    def test_events_while_paused(self) -> None:
        """What still arrives while paused is delivered: the sink's transport buffers it."""
        self.flow(said("a"))
        self.stream.pause()
        self.response.give(said("b"))
        self.assertEqual(self.sink.text, "ab")
        self.response.end()
        self.assertEqual(self.sink.endings, [None])

    def test_pause_inside_held_events(self) -> None:
        """A sink that is full after the held events leaves the upstream paused."""
        self.sink._react = self.stream.pause
        self.flow(said("a"))
        self.assertEqual(self.stream.state, State.PAUSED)
        self.assertTrue(self.transport.paused)
        self.stream.resume()
        self.assertFalse(self.transport.paused)
        self.stream.abandon()

    def test_abandon_while_paused(self) -> None:
        """Closing works while paused, where closing politely would not."""
        self.flow(said("a"))
        self.stream.pause()
        self.stream.abandon()
        self.assertTrue(self.transport.stopped)
        self.assert_over()


class LingerTests(StreamTestCase):
    """Connections that the upstream leaves open after the last frame."""

    def test_silence_ends(self) -> None:
        """After the last frame, five silent seconds end the answer and close the connection."""
        self.flow(said("a"), metered())
        self.clock.advance(4.9)
        self.assertEqual(self.sink.endings, [])
        self.clock.advance(0.2)
        self.assertEqual(self.sink.all[-1], Ended(StopReason.END_TURN))
        self.assertEqual((self.sink.endings, self.transport.stopped), ([None], True))
        self.assert_over()

    def test_not_before_the_last_frame(self) -> None:
        """Without that frame no timer runs, however long it is silent."""
        self.flow(said("a"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.stream.abandon()

    def test_more_postpones(self) -> None:
        """A read postpones the end without a second timer."""
        self.flow(said("a"), metered())
        (timer,) = self.clock.getDelayedCalls()
        self.clock.advance(4)
        self.response.give(event("contextUsageEvent", contextUsagePercentage=1.0))
        self.assertEqual(self.clock.getDelayedCalls(), [timer])
        self.clock.advance(4)
        self.assertEqual(self.sink.endings, [])
        self.clock.advance(1)
        self.assertEqual(self.sink.endings, [None])

    def test_in_every_state(self) -> None:
        """It ends a held answer too; abandoning and a clean end cancel the timer."""
        self.response.give(said("a") + metered())
        self.clock.advance(5)
        self.assertTrue(self.transport.stopped)
        self.stream.flow(self.sink)
        self.assertEqual(self.sink.endings, [None])
        self.open()
        self.flow(said("a"), metered())
        self.stream.abandon()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.open()
        self.flow(said("a"), metered())
        self.response.end()
        self.assertEqual(self.sink.endings, [None])


class LastPieceTests(StreamTestCase):
    """A client that knows which piece of a body is the last one."""

    def last(self, data: bytes) -> None:
        """The last piece, then the end."""
        self.transport.ending = True
        self.response.give(data)
        self.response.end()

    def test_end_comes_along(self) -> None:
        """The last events, usage and the ending are one batch; the connection stays alive."""
        self.flow(said("a"))
        self.last(said("b") + metered())
        self.assertEqual(self.sink.batches[-1][0], TextDelta("b"))
        self.assertEqual(self.sink.batches[-1][-1], Ended(StopReason.END_TURN))
        self.assertEqual((self.sink.endings, self.stream.state), ([None], State.ENDED))
        self.assertEqual((self.sink.text, self.transport.calls), ("ab", []))

    def test_whole_answer_in_one_piece(self) -> None:
        """Held whole until there is a sink, then given in one batch."""
        first = self.stream.first()
        self.last(said("a") + metered())
        self.successResultOf(first)
        self.stream.flow(self.sink)
        self.assertEqual(len(self.sink.batches), 1)
        self.assertEqual(self.sink.batches[0][-1], Ended(StopReason.END_TURN))
        self.assertEqual((self.sink.endings, self.transport.calls), ([None], []))

    def test_cut_in_a_frame(self) -> None:
        """A whole body that ends inside a frame is no whole answer; what came is kept."""
        self.flow(said("a"))
        self.last(said("b") + said("c")[:-5])
        self.assertEqual(self.sink.text, "ab")
        self.assertIsInstance(self.sink.endings[0], StreamTruncated)
        self.assertEqual(len(self.sink.endings), 1)

    def test_nothing_but_an_end(self) -> None:
        """An answer without a single event fails whoever waits for the first."""
        first = self.stream.first()
        self.last(event("messageMetadataEvent", conversationId="c"))
        self.failureResultOf(first)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fault_in_the_last_piece(self) -> None:
        """It counts, not the end."""
        self.flow(said("a"))
        self.last(THROTTLED)
        self.assertIsInstance(self.sink.endings[0], Throttled)
