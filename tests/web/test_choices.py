# -*- test-case-name: tests.web.test_choices -*-
"""Several answers to one question, from the first byte to the record."""

import json
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from kiro2api.accounts.interfaces import End, Lease
from kiro2api.conversation.answer import StreamEvent, TextDelta, Usage
from kiro2api.errors import StreamTruncated, Throttled
from kiro2api.upstream.interfaces import AnswerStream
from tests.fakes.answers import END, FakeStream
from tests.web.case import HELLO, Reply, WebCase

PATH = "/v1/chat/completions"
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def usage(output: int, credits: float = 0.5) -> Usage:
    """What one answer has cost."""
    return Usage(10, output, credits=credits, provenance="exact")


class ChoicesCase(WebCase):
    """Asks for several answers."""

    def streams(self, count: int) -> list[FakeStream]:
        """The answers to come; the number of each is its first text."""
        streams = [FakeStream(self.clock) for _ in range(count)]
        for number, stream in enumerate(streams):
            stream.held = [TextDelta(str(number))]
        self.client.results += streams
        return streams

    def finish(self, stream: FakeStream, *events: StreamEvent) -> None:
        """The end of an answer."""
        stream.push(*events, END)
        stream.end()

    def chunks(self, wire: Any) -> list[Any]:
        """The chunks so far, without the end."""
        body = wire.value().partition(b"\r\n\r\n")[2]
        lines = [line for line in body.split(b"\r\n") if line.startswith(b"data: ")]
        events = b"".join(lines).replace(b"\n\n", b"\n").replace(b"\ndata: ", b"\n").splitlines()
        return [json.loads(each.removeprefix(b"data: ")) for each in events if b"{" in each]

    def ends(self) -> list[End]:
        """How each lease has ended."""
        return [end for lease in self.pool.leases for end in [o.end for o in lease.outcomes]]

    def gone(self) -> None:
        """Nothing is left over."""
        self.assertEqual(self.timers(), [])
        self.assertEqual(self.gate.inside, 0)
        self.assertEqual(self.serving.active, set())


class WholeTests(ChoicesCase):
    """Clients that wait for the whole answers."""

    def test_in_order(self) -> None:
        """The choices stand in order, however they end; the prompt counts once."""
        streams = self.streams(3)
        _, wire = self.start(PATH, {**HELLO, "n": 3})
        self.assertEqual(len(self.client.calls), 3)
        for number in (1, 2, 0):
            self.assertEqual(wire.value(), b"")
            self.finish(streams[number], TextDelta("!"), usage(number + 1))
        reply = Reply(wire.value())
        self.assertEqual(
            [(each["index"], each["message"]["content"]) for each in reply.json["choices"]],
            [(0, "0!"), (1, "1!"), (2, "2!")],
        )
        self.assertEqual(
            (reply.json["usage"]["prompt_tokens"], reply.json["usage"]["completion_tokens"]),
            (10, 6),
        )
        self.assertEqual(reply.headers["x-kiro2api-credits"], "1.5")
        (record,) = self.meter.recent
        self.assertEqual(
            (record.outcome, record.attempts, record.credits, record.output_tokens),
            ("served", 3, 1.5, 6),
        )
        self.assertEqual(self.ends(), [End.SERVED] * 3)
        self.gone()

    def test_one_is_like_none(self) -> None:
        """One answer is what everybody gets."""
        (stream,) = self.streams(1)
        _, wire = self.start(PATH, {**HELLO, "n": 1})
        self.finish(stream, usage(1))
        self.assertEqual(len(Reply(wire.value()).json["choices"]), 1)

    def test_refused(self) -> None:
        """Each answer is paid, so their number is bounded."""
        for wanted in (0, -1, 9, 10**30, "2"):
            reply = self.ask(PATH, {**HELLO, "n": wanted})
            self.assertEqual((reply.status, reply.json["error"]["param"]), (400, "n"))
        self.assertEqual(self.client.calls, [])

    def test_one_fails(self) -> None:
        """Then all of them do, with its status, and the others are not read any further."""
        streams = self.streams(2)
        _, wire = self.start(PATH, {**HELLO, "n": 2})
        self.finish(streams[0], usage(1))
        streams[1].end(StreamTruncated("cut"))
        reply = Reply(wire.value())
        self.assertEqual(reply.status, 503)
        self.assertEqual(self.ends(), [End.SERVED, End.FAILED])
        self.assertEqual(self.meter.recent[0].outcome, "failed")
        self.gone()

    def test_the_others_are_given_up(self) -> None:
        """Whoever still answers when one fails has not failed."""
        streams = self.streams(2)
        _, wire = self.start(PATH, {**HELLO, "n": 2})
        streams[1].end(StreamTruncated("cut"))
        self.assertEqual(Reply(wire.value()).status, 503)
        self.assertTrue(streams[0].abandoned)
        self.assertEqual(self.ends(), [End.ABANDONED, End.FAILED])
        self.gone()

    def test_silent(self) -> None:
        """One that stays silent is to blame, not those that go on."""
        streams = self.streams(2)
        _, wire = self.start(PATH, {**HELLO, "n": 2})
        for _ in range(13):
            self.clock.advance(5)
            if not streams[0].abandoned:
                streams[0].push(TextDelta("."))
        self.assertEqual(Reply(wire.value()).status, 504)
        self.assertTrue(all(stream.abandoned for stream in streams))
        self.assertEqual(self.ends(), [End.ABANDONED, End.FAILED])
        self.gone()


class OpeningTests(ChoicesCase):
    """Before there is any answer."""

    def test_one_cannot_be_opened(self) -> None:
        """Nothing half is sent, and what was opened is given back."""
        streams = self.streams(1)
        self.client.results += [Throttled("slow"), Throttled("slow")]
        for body in (HELLO, {**HELLO, **STREAM}):
            self.client.results[:] = [streams[0], Throttled("slow"), Throttled("slow")]
            self.pool.leases.clear()
            reply = self.ask(PATH, {**body, "n": 2})
            self.assertEqual(reply.status, 429)
            self.assertIn(End.ABANDONED, self.ends())
            self.assertEqual(self.meter.recent[-1].attempts, 3)
        self.gone()

    def test_the_first_cannot_be_opened(self) -> None:
        """The calls that are still under way are cancelled."""
        cancelled: list[bool] = []
        waiting: Deferred[AnswerStream] = Deferred(lambda _: cancelled.append(True))
        first: Deferred[AnswerStream] = Deferred()
        self.client.results += [first, waiting, Throttled("slow")]
        _, wire = self.start(PATH, {**HELLO, "n": 2})
        first.errback(Throttled("slow"))
        self.assertEqual(Reply(wire.value()).status, 429)
        self.assertEqual(cancelled, [True])
        self.assertEqual({End.FAILED, End.ABANDONED}, set(self.ends()))
        self.gone()

    def test_client_leaves(self) -> None:
        """All calls are cancelled."""
        cancelled: list[int] = []
        for number in range(3):
            gone = partial(cancelled.append, number)
            self.client.results.append(Deferred(lambda _, gone=gone: gone()))  # type: ignore[misc]
        channel, _ = self.start(PATH, {**HELLO, **STREAM, "n": 3})
        self.hang_up(channel)
        self.assertEqual(sorted(cancelled), [0, 1, 2])
        self.assertEqual(self.meter.recent[0].outcome, "abandoned")
        self.gone()

    def test_client_leaves_in_between(self) -> None:
        """What was opened already is given back."""
        (stream,) = self.streams(1)
        self.client.results.append(Deferred())
        channel, _ = self.start(PATH, {**HELLO, **STREAM, "n": 2})
        self.hang_up(channel)
        self.assertTrue(stream.abandoned)
        self.assertEqual(self.ends(), [End.ABANDONED] * 2)
        self.gone()

    def test_one_after_another(self) -> None:
        """Where there is room for one at a time, an answer goes on while another one waits, and
        its account is free as soon as it is over; nothing is sent before all of them are open."""
        for stream in (False, True):
            first, second = self.streams(2)
            self.pool.leases.clear()
            lend, waiting = self.pool.acquire, Deferred[Lease]()

            def acquire(*args: Any, lend: Any = lend, waiting: Any = waiting) -> Any:
                return waiting if self.pool.leases else lend(*args)

            self.pool.acquire = acquire  # type: ignore[assignment,method-assign]
            _, wire = self.start(PATH, {**HELLO, **(STREAM if stream else {}), "n": 2})
            self.finish(first, TextDelta("!"), usage(1))
            self.assertEqual((self.ends(), wire.value()), ([End.SERVED], b""))
            self.pool.acquire = lend  # type: ignore[method-assign]
            lend("default", frozenset()).chainDeferred(waiting)
            self.finish(second, TextDelta("?"), usage(2))
            self.assertEqual(self.ends(), [End.SERVED] * 2)
            for said in (b"0", b"!", b"1", b"?"):
                self.assertIn(b'"content":"' + said if stream else said, wire.value())
            self.assertEqual(self.meter.recent[-1].outcome, "served")
            self.assertEqual(self.meter.recent[-1].credits, 1.0)
            self.gone()

    def test_a_fault_while_another_waits(self) -> None:
        """The account is free at once, and is to blame; the answers fail when all are open."""
        first, _ = self.streams(2)
        lend, waiting = self.pool.acquire, Deferred[Lease]()
        self.pool.acquire = lambda *args: (  # type: ignore[method-assign]
            waiting if self.pool.leases else lend(*args)
        )
        _, wire = self.start(PATH, {**HELLO, "n": 2})
        first.end(StreamTruncated("cut"))
        self.assertEqual((self.ends(), wire.value()), ([End.FAILED], b""))
        lend("default", frozenset()).chainDeferred(waiting)
        self.assertEqual(Reply(wire.value()).status, 503)
        self.assertEqual(self.ends(), [End.FAILED, End.ABANDONED])
        self.gone()

    def test_slow_start(self) -> None:
        """The client is kept, and from then on nobody else is tried."""
        openings: list[Deferred[AnswerStream]] = [Deferred(), Deferred()]
        self.client.results += openings
        _, wire = self.start(PATH, {**HELLO, **STREAM, "n": 2})
        self.clock.pump([5, 5])
        self.assertIn(b": keep-alive", wire.value())
        self.assertEqual(wire.value().count(b'"role":"assistant"'), 2)
        openings[1].errback(Throttled("slow"))
        self.assertEqual(len(self.client.calls), 2)
        self.assertIn(b'"error"', wire.value())
        self.assertNotIn(b"[DONE]", wire.value())
        self.gone()


class StreamTests(ChoicesCase):
    """Streams."""

    def test_interleaved(self) -> None:
        """As it comes, each chunk with its index; one usage, one end."""
        streams = self.streams(2)
        _, wire = self.start(PATH, {**HELLO, **STREAM, "n": 2})
        streams[1].push(TextDelta("b"))
        streams[0].push(TextDelta("a"))
        self.finish(streams[1], usage(3))
        streams[0].push(TextDelta("c"))
        self.assertNotIn(b"[DONE]", wire.value())
        self.finish(streams[0], usage(4))
        *chunks, last = self.chunks(wire)
        said = [
            (choice["index"], choice["delta"].get("content"), choice["finish_reason"])
            for chunk in chunks
            for choice in chunk["choices"]
        ]
        self.assertEqual(
            [each for each in said if each[1] != ""],
            [
                (0, "0", None),
                (1, "1", None),
                (1, "b", None),
                (0, "a", None),
                (1, None, "stop"),
                (0, "c", None),
                (0, None, "stop"),
            ],
        )
        self.assertEqual(
            (last["choices"], last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]),
            ([], 10, 7),
        )
        self.assertEqual(wire.value().count(b"data: [DONE]"), 1)
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        (record,) = self.meter.recent
        self.assertEqual((record.outcome, record.credits), ("served", 1.0))
        self.assertEqual(self.ends(), [End.SERVED] * 2)
        self.gone()

    def test_in_one_read(self) -> None:
        """Answers that are whole from the beginning."""
        for stream in self.streams(2):
            stream.held += [usage(1), END]

            def flow(sink: Any, stream: FakeStream = stream) -> None:
                stream.sink = sink
                sink.events(stream.held)
                sink.ended(None)

            stream.flow = flow  # type: ignore[method-assign]
        reply = self.ask(PATH, {**HELLO, **STREAM, "n": 2})
        self.assertEqual(reply.body.count(b"data: [DONE]"), 1)
        self.assertEqual(reply.body.count(b'"finish_reason":"stop"'), 2)
        self.gone()

    def test_fault_in_the_middle(self) -> None:
        """Told in-band, once; what follows of the others is not sent."""
        streams = self.streams(3)
        _, wire = self.start(PATH, {**HELLO, **STREAM, "n": 3})
        self.finish(streams[0], usage(1))
        streams[1].end(StreamTruncated("cut"))
        streams[2].push(TextDelta("late"))
        self.assertEqual(wire.value().count(b'"error"'), 1)
        self.assertNotIn(b"late", wire.value())
        self.assertNotIn(b"[DONE]", wire.value())
        self.assertEqual(self.ends(), [End.SERVED, End.FAILED, End.ABANDONED])
        self.assertTrue(streams[2].abandoned)
        self.gone()

    def test_fault_at_once(self) -> None:
        """The first may fail before the second is open; that one is not read any further."""
        streams = self.streams(2)

        def flow(sink: Any) -> None:
            streams[0].sink = sink
            sink.ended(StreamTruncated("cut"))

        streams[0].flow = flow  # type: ignore[method-assign]
        reply = self.ask(PATH, {**HELLO, **STREAM, "n": 2})
        self.assertIn(b'"error"', reply.body)
        self.assertTrue(streams[1].abandoned)
        self.assertEqual(self.ends(), [End.FAILED, End.ABANDONED])
        self.gone()

    def test_backpressure(self) -> None:
        """A slow client stops all of them, a fast one none; those that are over are left alone."""
        streams = self.streams(3)
        _, wire = self.start(PATH, {**HELLO, **STREAM, "n": 3})
        self.finish(streams[0], usage(1))
        producer: Any = wire.producer
        producer.pauseProducing()
        self.assertEqual([stream.paused for stream in streams], [False, True, True])
        producer.resumeProducing()
        self.assertEqual([stream.paused for stream in streams], [False] * 3)
        for stream in streams[1:]:
            self.finish(stream, usage(1))
        self.gone()

    def test_client_leaves(self) -> None:
        """All of them are abandoned; what was over stays served."""
        streams = self.streams(3)
        channel, wire = self.start(PATH, {**HELLO, **STREAM, "n": 3})
        self.finish(streams[0], usage(1))
        written = wire.value()
        self.hang_up(channel)
        self.assertTrue(all(stream.abandoned for stream in streams))
        # What the network has delivered already comes to nothing.
        for stream in streams[1:]:
            assert stream.sink is not None
            stream.sink.events([TextDelta("late")])
            stream.sink.ended(None)
        self.assertEqual(wire.value(), written)
        self.assertEqual(self.ends(), [End.SERVED, End.ABANDONED, End.ABANDONED])
        (record,) = self.meter.recent
        self.assertEqual((record.outcome, record.attempts), ("abandoned", 3))
        self.gone()
