"""Tests of one connection."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IConsumer,
    IHandshakeListener,
    IPushProducer,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import (
    RequestGenerationFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IClientRequest, IResponse
from zope.interface.verify import verifyObject

from kiro2api.upstream.bodies import BytesBody
from kiro2api.upstream.http11_connection import Connection
from kiro2api.upstream.http11_head import MAX_HEAD, MalformedResponse
from tests.upstream.wires import Bench, Owned, SlowBody, Taker, Wire, order, reasons_of

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nX-Id: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-Trailer: x\r\n\r\n"
)
KNOWN = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
ENDLESS = b"HTTP/1.0 200 OK\r\n\r\nhello world"


class RequestTests(SynchronousTestCase):
    """The sending side."""

    def test_without_body(self) -> None:
        """The head is all there is."""
        bench = Bench(order(b"GET"))
        self.assertEqual(bench.wire.value(), b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n")

    def test_body_at_once(self) -> None:
        """A body that is there is written together with the head."""
        written: list[object] = []
        wire = Wire()
        wire.write = written.append  # type: ignore[method-assign]
        connection = Connection(Owned(), "key")
        connection.makeConnection(wire)
        connection.send(order(body=BytesBody(b"body")))
        head = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"
        self.assertEqual(written, [head + b"body"])
        self.assertEqual(wire.value(), b"")

    def test_empty_body(self) -> None:
        """A producer of nothing still sends the head."""

        class Nothing(SlowBody):
            def startProducing(self, consumer: IConsumer) -> Deferred[None]:
                return succeed(None)

        bench = Bench(order(body=Nothing(0)))
        self.assertIn(b"Content-Length: 0\r\n\r\n", bench.wire.value())
        self.assertIsNone(bench.wire.producer)

    def test_slow_body(self) -> None:
        """The head goes out at once, the producer is the transport's until it is done."""
        body = SlowBody(4)
        bench = Bench(order(body=body))
        self.assertTrue(bench.wire.value().endswith(b"Content-Length: 4\r\n\r\n"))
        self.assertIs(bench.wire.producer, body)
        bench.wire.clear()
        body.consumer.write(b"ab")
        body.consumer.write(b"cd")
        self.assertEqual(bench.wire.value(), b"abcd")
        body.done.callback(None)
        self.assertIsNone(bench.wire.producer)
        bench.taker = Taker()
        bench.receive(KNOWN)
        self.assertEqual(bench.owner.freed, [bench.connection])
        self.assertEqual(body.stopped, 0)

    def test_too_long(self) -> None:
        """What is beyond the length is never sent: it would be another request."""
        body = SlowBody(4)
        bench = Bench(order(body=body))
        body.consumer.write(b"abc")
        bench.wire.clear()
        body.consumer.write(b"def")
        body.consumer.write(b"ghi")
        self.assertEqual(bench.wire.value(), b"")
        assert bench.failure is not None
        bench.failure.trap(RequestGenerationFailed)
        self.assertEqual(bench.reasons(), [ValueError])
        self.assertTrue(bench.wire.aborted)
        self.assertEqual(body.stopped, 1)
        body.done.callback(None)

    def test_too_short(self) -> None:
        """The other side would wait for ever."""
        body = SlowBody(4)
        bench = Bench(order(body=body))
        body.consumer.write(b"abc")
        body.done.callback(None)
        self.assertEqual(bench.reasons(), [ValueError])
        self.assertTrue(bench.wire.aborted)

    def test_failing_body(self) -> None:
        """Now or later, the request fails because of it."""
        body = SlowBody(4)
        bench = Bench(order(body=body))
        body.done.errback(OSError())
        self.assertEqual(bench.reasons(), [OSError])
        self.assertIsNone(bench.wire.producer)

        class Broken(SlowBody):
            def startProducing(self, consumer: IConsumer) -> Deferred[None]:
                raise OSError

        bench = Bench(order(body=Broken(4)))
        self.assertEqual(bench.reasons(), [OSError])
        self.assertEqual(bench.owner.freed, [])

    def test_early_response(self) -> None:
        """An answer before the request is whole is given; the connection then is of no use."""
        body = SlowBody(4)
        taker = Taker()
        bench = Bench(order(body=body), taker=taker)
        bench.receive(KNOWN[:-5])
        self.assertEqual((taker.body, body.stopped), (b"hello ", 0))
        bench.receive(KNOWN[-5:])
        self.assertIs(taker.ended_by(), ResponseDone)
        self.assertEqual(body.stopped, 1)
        self.assertIsNone(bench.wire.producer)
        self.assertTrue(bench.wire.disconnecting)
        self.assertEqual(bench.owner.freed, [])
        body.done.errback(CancelledError())

    def test_consumer(self) -> None:
        """The producer is ours to register."""
        body = SlowBody(4)
        bench = Bench(order(body=body))
        verifyObject(IConsumer, body.consumer)
        self.assertRaises(RuntimeError, body.consumer.registerProducer, body, True)
        body.consumer.unregisterProducer()
        self.assertIs(bench.wire.producer, body)

    def test_order_hides_its_bytes(self) -> None:
        """They hold credentials."""
        self.assertEqual(repr(order()), "<Order POST>")


class ResponseTests(SynchronousTestCase):
    """The receiving side."""

    def test_response(self) -> None:
        """What a response tells."""
        bench = Bench(order(b"GET"))
        bench.receive(CHUNKED)
        response = bench.response
        verifyObject(IResponse, response)
        verifyObject(IClientRequest, response.request)
        self.assertEqual(response.version, (b"HTTP", 1, 1))
        self.assertEqual((response.code, response.phrase), (200, b"OK"))
        self.assertEqual(response.headers.getRawHeaders(b"x-id"), [b"7"])
        self.assertEqual(response.length, UNKNOWN_LENGTH)
        self.assertEqual(response.request.absoluteURI, b"http://h/p")
        self.assertIsNone(response.previousResponse)
        response.setPreviousResponse(response)
        self.assertIs(response.previousResponse, response)
        self.assertEqual(repr(response), "<PlainResponse 200>")
        bench = Bench()
        bench.receive(KNOWN)
        self.assertEqual(bench.response.length, 11)

    def test_every_split(self) -> None:
        """Chunked, known and endless bodies, cut anywhere, with two interim responses before."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        for data in (CHUNKED, KNOWN, interim + KNOWN, ENDLESS):
            for cut in range(1, len(data)):
                bench = Bench(taker=Taker())
                bench.receive(data[:cut], data[cut:])
                if data is ENDLESS:
                    bench.lose()
                self.check(bench, endless=data is ENDLESS)

    def check(self, bench: Bench, *, endless: bool = False) -> None:
        taker = bench.taker
        assert taker is not None
        self.assertEqual(taker.body, b"hello world")
        self.assertIs(taker.ended_by(), PotentialDataLoss if endless else ResponseDone)
        self.assertEqual(len(bench.owner.freed), 0 if endless else 1)
        self.assertFalse(bench.wire.disconnecting)

    @settings(max_examples=100, deadline=None)
    @given(
        st.sampled_from([CHUNKED, KNOWN]),
        st.sets(st.integers(min_value=1, max_value=200), max_size=8),
        st.integers(min_value=0, max_value=9),
    )
    def test_random_cuts_and_a_late_taker(self, data: bytes, cuts: set[int], late: int) -> None:
        """Whenever the body is asked for: nothing lost, the wire paused while nobody takes it."""
        bench = Bench()
        taker = Taker()
        edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        for number, (start, stop) in enumerate(pairwise(edges)):
            if number == late and bench.response is not None:
                bench.response.deliverBody(taker)
                self.assertEqual(bench.wire.state, "producing")
            bench.receive(data[start:stop])
            if bench.response is not None and not bench.owner.freed and taker.transport is None:
                self.assertEqual(bench.wire.state, "paused")
        if taker.transport is None:
            bench.response.deliverBody(taker)
        self.assertEqual(taker.body, b"hello world")
        self.assertIs(taker.ended_by(), ResponseDone)
        self.assertEqual(bench.wire.state, "producing")
        self.assertEqual(bench.owner.freed, [bench.connection])

    def test_one_piece_per_read(self) -> None:
        """A thousand chunks of one read are one call."""
        bench = Bench(taker=Taker())
        head, _, _ = CHUNKED.partition(b"\r\n\r\n")
        bench.receive(head + b"\r\n\r\n" + b"1\r\na\r\n" * 1000)
        assert bench.taker is not None
        self.assertEqual(bench.taker.pieces, [b"a" * 1000])

    def test_no_body(self) -> None:
        """HEAD, 204 and 304 end with their head."""
        lines = b"\r\nContent-Length: 11\r\n\r\n"
        for asked, status in (
            (b"HEAD", b"HTTP/1.1 200 OK"),
            (b"POST", b"HTTP/1.1 204 No Content"),
            (b"GET", b"HTTP/1.1 304 Not Modified"),
        ):
            bench = Bench(order(asked), taker=Taker())
            bench.receive(status + lines)
            assert bench.taker is not None
            self.assertIs(bench.taker.ended_by(), ResponseDone)
            self.assertEqual((bench.taker.body, bench.response.length), (b"", 0))
            self.assertEqual(bench.owner.freed, [bench.connection])

    def test_delivered_once(self) -> None:
        """A body has one taker, also after its end."""
        bench = Bench(taker=Taker())
        bench.receive(KNOWN[:-1])
        self.assertRaises(RuntimeError, bench.response.deliverBody, Taker())
        bench.receive(KNOWN[-1:])
        self.assertRaises(RuntimeError, bench.response.deliverBody, Taker())

    def test_late_taker_of_a_whole_body(self) -> None:
        """The connection is free before somebody takes what came."""
        bench = Bench()
        bench.receive(KNOWN)
        self.assertEqual(bench.owner.freed, [bench.connection])
        self.assertEqual(bench.wire.state, "producing")
        taker = Taker(on_start=lambda taker: taker.producer.pauseProducing())
        bench.response.deliverBody(taker)
        self.assertEqual((taker.pieces, taker.ended_by()), ([b"hello world"], ResponseDone))
        self.assertEqual(bench.wire.state, "producing")

    def test_late_taker_after_the_loss(self) -> None:
        """What came is given, then the loss."""
        bench = Bench()
        bench.receive(KNOWN[:-3])
        bench.lose()
        taker = Taker()
        bench.response.deliverBody(taker)
        self.assertEqual((taker.body, taker.ended_by()), (b"hello wo", ResponseFailed))


class EndTests(SynchronousTestCase):
    """How a response or its connection may end."""

    def test_nothing_received(self) -> None:
        """The stale connection: it fails as Agent's does."""
        for reason in (ConnectionDone(), ConnectionLost()):
            bench = Bench(order(body=BytesBody(b"x")))
            bench.lose(reason)
            assert bench.failure is not None
            self.assertIs(type(bench.failure.value), ResponseNeverReceived)
            self.assertEqual(bench.reasons(), [type(reason)])
        bench.asked(order())
        self.assertEqual(bench.reasons(), [ConnectionLost])

    def test_lost_while_sending(self) -> None:
        """The producer is stopped."""
        body = SlowBody(4)
        bench = Bench(order(body=body))
        bench.lose()
        self.assertEqual((bench.reasons(), body.stopped), ([ConnectionDone], 1))
        self.assertIsNone(bench.wire.producer)

    def test_cut_head(self) -> None:
        """Some of the head came, or a response that announced it."""
        for data in (b"H", KNOWN[:20], b"HTTP/1.1 100 Continue\r\n\r\n"):
            bench = Bench()
            bench.receive(data)
            bench.lose()
            assert bench.failure is not None
            self.assertIs(type(bench.failure.value), ResponseFailed)
            self.assertEqual(bench.reasons(), [ConnectionDone])

    def test_cut_body(self) -> None:
        """At every position of the body, also where a chunk ends."""
        for data in (CHUNKED, KNOWN):
            start = data.index(b"\r\n\r\n") + 4
            for cut in range(start, len(data)):
                bench = Bench(taker=Taker())
                bench.receive(data[:cut])
                bench.lose()
                assert bench.taker is not None
                (end,) = bench.taker.ends
                end.trap(ResponseFailed)
                failed: Any = end.value
                self.assertIs(failed.response, bench.response)
                self.assertEqual(reasons_of(end), [ConnectionDone])

    def test_endless_body(self) -> None:
        """A close may be its end; a reset is not."""
        for reason, wanted in ((ConnectionDone(), PotentialDataLoss), (ConnectionLost(), None)):
            bench = Bench(taker=Taker())
            bench.receive(ENDLESS)
            bench.lose(reason)
            assert bench.taker is not None
            self.assertIs(bench.taker.ended_by(), wanted or ResponseFailed)

    def test_malformed_head(self) -> None:
        """The request fails at once, the connection is closed."""
        for data in (
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 17,
            b"x" * (MAX_HEAD + 1),
        ):
            bench = Bench()
            bench.receive(data)
            assert bench.failure is not None
            self.assertIs(type(bench.failure.value), ResponseFailed)
            self.assertEqual(bench.reasons(), [MalformedResponse])
            self.assertTrue(bench.wire.aborted)
            bench.receive(KNOWN)
            bench.lose()
            self.assertIsNone(bench.response)

    def test_malformed_body(self) -> None:
        """What was good is given, then the failure; at every split."""
        data = CHUNKED[: CHUNKED.index(b"5\r\nworld")] + b"zz\r\n"
        for cut in range(len(data)):
            bench = Bench(taker=Taker())
            bench.receive(data[:cut], data[cut:])
            assert bench.taker is not None
            self.assertEqual(bench.taker.body, b"hello ")
            (end,) = bench.taker.ends
            end.trap(ResponseFailed)
            self.assertEqual(reasons_of(end), [MalformedResponse])
            self.assertTrue(bench.wire.aborted)
            bench.lose()
            self.assertEqual(len(bench.taker.ends), 1)

    def test_garbage_after_the_end(self) -> None:
        """The response is whole, the connection cannot be trusted; before or after the end."""
        for data in (KNOWN, CHUNKED):
            bench = Bench(taker=Taker())
            bench.receive(data + b"HTTP/1.1 200 OK\r\n\r\n")
            assert bench.taker is not None
            self.assertIs(bench.taker.ended_by(), ResponseDone)
            self.assertTrue(bench.wire.disconnecting)
            self.assertEqual(bench.owner.freed, [])
            bench = Bench(taker=Taker())
            bench.receive(data, b"HTTP/1.1 200 OK\r\n\r\n")
            self.assertTrue(bench.wire.aborted)
            self.assertFalse(bench.connection.usable)
            self.assertEqual(bench.owner.losses, 1)
        bench = Bench(order(b"HEAD"), taker=Taker())
        bench.receive(b"HTTP/1.1 200 OK\r\n\r\nbody after all")
        self.assertEqual(bench.owner.freed, [])

    def test_last_response_of_a_connection(self) -> None:
        """Either side may say so."""
        for asked, data in (
            (order(), KNOWN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")),
            (order(close=True), KNOWN),
            (order(), KNOWN.replace(b"HTTP/1.1", b"HTTP/1.0")),
        ):
            bench = Bench(asked, taker=Taker())
            bench.receive(data)
            assert bench.taker is not None
            self.assertIs(bench.taker.ended_by(), ResponseDone)
            self.assertEqual((bench.owner.freed, bench.wire.disconnecting), ([], True))
            self.assertFalse(bench.wire.aborted)
            bench.receive(b"ignored")
            bench.lose()
            self.assertFalse(bench.connection.usable)

    def test_used_again(self) -> None:
        """One request after the other on one connection, started by the end of the first."""
        bench = Bench(taker=Taker())
        bench.receive(CHUNKED)
        first = bench.taker
        bench.taker = Taker()
        bench.wire.clear()
        bench.asked(order(b"GET"))
        self.assertTrue(bench.wire.value().startswith(b"GET /p"))
        bench.receive(KNOWN)
        assert first is not None and bench.taker is not None
        self.assertEqual(bench.taker.body, b"hello world")
        self.assertEqual(len(first.ends), 1)

    def test_old_transport_is_dead(self) -> None:
        """Whoever took the last body has no power over the next one."""
        bench = Bench(taker=Taker())
        bench.receive(KNOWN)
        taker = bench.taker
        bench.taker = None
        bench.asked(order())
        assert taker is not None
        for act in ("pauseProducing", "resumeProducing", "stopProducing", "loseConnection"):
            getattr(taker.producer, act)()
        self.assertEqual(bench.wire.state, "producing")
        self.assertFalse(bench.wire.disconnecting)


class ControlTests(SynchronousTestCase):
    """What the body's taker, and whoever asked, may do."""

    def test_transport(self) -> None:
        """It is a push producer."""
        bench = Bench(taker=Taker())
        bench.receive(KNOWN[:-1])
        assert bench.taker is not None
        verifyObject(IPushProducer, bench.taker.producer)

    def test_no_pause_for_a_prompt_taker(self) -> None:
        """Who takes the body at once causes no change of the wire."""
        calls: list[str] = []
        bench = Bench(taker=Taker())
        bench.wire.pauseProducing = lambda: calls.append("p")  # type: ignore[method-assign]
        bench.wire.resumeProducing = lambda: calls.append("r")  # type: ignore[method-assign]
        bench.receive(CHUNKED)
        self.assertEqual(calls, [])

    def test_pause_and_resume(self) -> None:
        """They reach the wire; the next request finds it reading."""
        bench = Bench(taker=Taker())
        bench.receive(KNOWN[:-3])
        assert bench.taker is not None
        bench.taker.producer.pauseProducing()
        self.assertEqual(bench.wire.state, "paused")
        bench.taker.producer.pauseProducing()
        bench.taker.producer.resumeProducing()
        self.assertEqual(bench.wire.state, "producing")
        bench.taker.producer.resumeProducing()
        bench.taker.producer.pauseProducing()
        bench.receive(KNOWN[-3:])
        self.assertEqual(bench.taker.body, b"hello world")
        self.assertEqual(bench.wire.state, "producing")

    def test_paused_from_the_start(self) -> None:
        """A late taker that pauses at once, or with the first piece, is not resumed."""
        pause = {"on_start": None, "on_data": None}
        for when in pause:
            bench = Bench()
            bench.receive(KNOWN[:-3])
            act = {when: lambda taker: taker.producer.pauseProducing()}
            bench.response.deliverBody(Taker(**act))
            self.assertEqual(bench.wire.state, "paused", when)

    def test_stop(self) -> None:
        """The connection is closed at once, nothing more is delivered but the loss."""
        for act in ("stopProducing", "loseConnection"):
            bench = Bench(taker=Taker())
            bench.receive(KNOWN[:-3])
            taker = bench.taker
            assert taker is not None
            taker.producer.pauseProducing()
            getattr(taker.producer, act)()
            self.assertTrue(bench.wire.aborted)
            bench.receive(KNOWN[-3:])
            self.assertEqual((taker.body, taker.ends), (b"hello wo", []))
            bench.lose()
            (end,) = taker.ends
            self.assertEqual(reasons_of(end), [ConnectionAborted])
            self.assertEqual(bench.owner.freed, [])

    def test_stop_at_the_start(self) -> None:
        """A response that nobody wants: before, with or after its body."""
        for early in (True, False):
            taker = Taker(on_start=lambda taker: taker.producer.stopProducing())
            bench = Bench(taker=taker if early else None)
            bench.receive(KNOWN[:-3])
            if not early:
                bench.response.deliverBody(taker)
            self.assertEqual((taker.pieces, bench.wire.aborted), ([], True))
            bench.lose()
            self.assertIs(taker.ended_by(), ResponseFailed)

    def test_stop_with_the_last_piece(self) -> None:
        """The connection is not kept, whatever came with the end."""
        taker = Taker(on_data=lambda taker: taker.producer.stopProducing())
        bench = Bench(taker=taker)
        bench.receive(CHUNKED)
        self.assertEqual((taker.pieces, bench.owner.freed), ([b"hello world"], []))
        self.assertTrue(bench.wire.aborted)

    def test_cancel(self) -> None:
        """Before the head came: the connection is closed, the producer stopped."""
        body = SlowBody(4)
        bench = Bench(order(body=body))
        bench.receive(KNOWN[:10])
        bench.answered.cancel()
        assert bench.failure is not None
        bench.failure.trap(CancelledError)
        self.assertEqual((bench.wire.aborted, body.stopped), (True, 1))
        bench.receive(KNOWN[10:])
        bench.lose()
        self.assertIsNone(bench.response)

    def test_give_up(self) -> None:
        """The owner's way to end a request; without one nothing happens."""
        bench = Bench()
        bench.connection.give_up(Failure(ConnectTimeout()))
        assert bench.failure is not None
        bench.failure.trap(ConnectTimeout)
        self.assertTrue(bench.wire.aborted)
        bench.connection.give_up(Failure(ConnectTimeout()))
        bench.lose()
        bench.connection.abort()

    def test_calls_after_the_loss(self) -> None:
        """A gone connection takes no orders."""
        bench = Bench()
        bench.receive(KNOWN[:-3])
        bench.lose()
        bench.connection.pause()
        bench.connection.resume()
        bench.connection.close()
        self.assertEqual(bench.wire.state, "paused")
        self.assertFalse(bench.wire.disconnecting)


class WireTests(SynchronousTestCase):
    """The connection and what is below it."""

    def test_no_delay(self) -> None:
        """TCP is told not to wait; another transport is not."""
        calls: list[bool] = []
        wire: Any = Wire()
        connection = Connection(Owned(), "key")
        connection.makeConnection(wire)
        self.assertEqual(calls, [])
        wire.setTcpNoDelay = calls.append
        connection.makeConnection(wire)
        self.assertEqual(calls, [True])

    def test_established(self) -> None:
        """Told once: by the handshake, or by the first bytes; never after the loss."""
        told: list[str] = []
        for how in ("handshake", "bytes", "loss"):
            bench = Bench()
            verifyObject(IHandshakeListener, bench.connection)
            self.assertFalse(bench.connection.established)
            bench.connection.on_established = lambda how=how: told.append(how)
            if how == "loss":
                bench.lose()
                self.assertIsNone(bench.connection.on_established)
                continue
            if how == "handshake":
                bench.connection.handshakeCompleted()
            bench.receive(KNOWN[:3], KNOWN[3:])
            self.assertTrue(bench.connection.established)
        self.assertEqual(told, ["handshake", "bytes"])

    def test_nothing_keeps_a_request_body(self) -> None:
        """A stream outlives its request by minutes; the request's bytes go when they are sent."""
        import gc
        import weakref

        body = BytesBody(b"x" * 100)
        asked = order(body=body)
        gone = weakref.ref(body)
        bench = Bench(asked)
        del body, asked
        gc.collect()
        self.assertIsNone(gone())
        self.assertIsNone(bench.failure)
