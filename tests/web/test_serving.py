"""Model requests from the first byte to the record they leave."""

from twisted.internet.defer import Deferred

from kiro2api.accounts.interfaces import End
from kiro2api.conversation.answer import TextDelta, ToolBegun, ToolEnded, ToolInputDelta
from kiro2api.errors import AccountSuspended, StreamTruncated, Throttled, UpstreamRefused
from kiro2api.upstream.interfaces import AnswerStream
from kiro2api.web.serving import LARGE
from kiro2api.web.site import DrainingChannel
from kiro2api.wire.sse import SSEDecoder
from tests.fakes.answers import END, USAGE, FakeStream
from tests.web.case import HELLO, Reply, WebCase, Wire


def names(reply: Reply) -> list[str]:
    """The events of a stream in order."""
    return [event or "" for event, _ in SSEDecoder().feed(reply.body)]


class WholeAnswerTests(WebCase):
    """Clients that wait for the whole answer."""

    def test_anthropic(self) -> None:
        """One JSON message; the lease is settled, the record written."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/messages", HELLO)
        self.assertEqual(wire.value(), b"")
        stream.push(TextDelta("lo"), USAGE, END)
        stream.end()
        reply = Reply(wire.value())
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.json["content"], [{"type": "text", "text": "Hello"}])
        self.assertEqual(reply.json["usage"]["input_tokens"], 10)
        self.assertEqual(reply.json["model"], HELLO["model"])
        self.assertEqual(reply.headers["request-id"], "req_00000001")
        (record,) = self.meter.recent
        self.assertEqual((record.outcome, record.account, record.status), ("served", "a", 200))
        self.assertEqual((record.input_tokens, record.output_tokens), (10, 2))
        self.assertEqual(self.pool.leases[0].outcomes[0].end, End.SERVED)
        self.assertEqual(self.timers(), [])
        self.assertEqual(self.gate.inside, 0)
        self.assertEqual(self.serving.active, set())

    def test_chat(self) -> None:
        """The same events as a chat completion, below a doubled version."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/v1/chat/completions", HELLO)
        stream.push(USAGE, END)
        stream.end()
        reply = Reply(wire.value())
        self.assertEqual(reply.json["choices"][0]["message"]["content"], "Hel")
        self.assertIn("x-request-id", reply.headers)

    def test_fault(self) -> None:
        """A failure before the answer is a status in the dialect."""
        self.client.results += [Throttled("slow", retry_after=3.2), Throttled("slow")]
        reply = self.ask("/v1/messages", HELLO)
        self.assertEqual(reply.status, 429)
        self.assertEqual(reply.json["error"]["type"], "rate_limit_error")
        self.assertEqual(reply.headers["retry-after"], "7")
        self.assertEqual(self.meter.recent[0].outcome, "failed")
        self.assertEqual(reply.reason, "Too Many Requests")

    def test_whose_fault(self) -> None:
        """What no account would have answered is no failure of the service."""
        self.assertEqual(self.ask("/v1/messages", {"model": "m"}).status, 400)
        self.client.results.append(UpstreamRefused("too long"))
        self.assertEqual(self.ask("/v1/messages", HELLO).status, 400)
        self.client.results += [AccountSuspended("locked"), AccountSuspended("locked")]
        self.assertEqual(self.ask("/v1/messages", HELLO).status, 403)
        outcomes = [record.outcome for record in self.meter.recent]
        self.assertEqual(outcomes, ["refused", "refused", "failed"])

    def test_fault_in_the_middle(self) -> None:
        """Nothing was sent yet, so it is a status as well; the account pays for it."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/chat/completions", HELLO)
        stream.end(StreamTruncated("cut"))
        self.assertEqual(Reply(wire.value()).status, 503)
        self.assertEqual(self.pool.leases[0].outcomes[0].end, End.FAILED)

    def test_silence(self) -> None:
        """An upstream that falls silent ends in a timeout."""
        self.client.results.append(FakeStream(self.clock))
        _, wire = self.start("/v1/messages", HELLO)
        self.clock.pump([30, 30])
        self.assertEqual(Reply(wire.value()).status, 504)
        self.assertEqual(self.timers(), [])

    def test_slow_but_alive(self) -> None:
        """The silence is counted from the last read."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/messages", HELLO)
        for _ in range(5):
            self.clock.advance(40)
            stream.push(TextDelta("."))
        stream.push(USAGE, END)
        stream.end()
        self.assertEqual(Reply(wire.value()).status, 200)

    def test_client_leaves(self) -> None:
        """The upstream is dropped, the account is not blamed, the record says so."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        channel, _ = self.start("/v1/messages", HELLO)
        self.hang_up(channel)
        self.assertTrue(stream.abandoned)
        self.assertEqual(self.pool.leases[0].outcomes[0].end, End.ABANDONED)
        self.assertEqual(self.meter.recent[0].outcome, "abandoned")
        self.assertEqual(self.timers(), [])


class LargeBodyTests(WebCase):
    """Bodies of which the work would hold up all other answers for long."""

    large = {**HELLO, "messages": [{"role": "user", "content": "word " * (LARGE // 5)}]}

    def setUp(self) -> None:
        super().setUp()
        self.site.max_body_bytes = 2 * LARGE

    def test_two_turns(self) -> None:
        """It is read in one turn of the reactor and asked in the next; small ones at once."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/messages", self.large)
        self.assertEqual(self.pool.leases, [])
        self.clock.advance(0)
        self.assertEqual(len(self.pool.leases), 1)
        stream.push(TextDelta("lo"), USAGE, END)
        stream.end()
        self.assertEqual(Reply(wire.value()).status, 200)
        self.assertEqual(self.timers(), [])

    def test_left_in_between(self) -> None:
        """Who leaves between the turns costs no account anything."""
        channel, _ = self.start("/v1/messages", self.large)
        self.hang_up(channel)
        self.clock.advance(1)
        self.assertEqual(self.pool.leases, [])
        (record,) = self.meter.recent
        self.assertEqual(record.outcome, "abandoned")
        self.assertEqual((self.timers(), self.gate.inside), ([], 0))


class StreamedAnswerTests(WebCase):
    """Clients that stream."""

    def stream(self, path: str = "/v1/messages") -> tuple[DrainingChannel, Wire, FakeStream]:
        """A streamed request whose first event is there."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        channel, wire = self.start(path, {**HELLO, "stream": True})
        return channel, wire, stream

    def test_anthropic(self) -> None:
        """The whole grammar, and a connection that can be used again."""
        _, wire, stream = self.stream()
        stream.push(ToolBegun("tooluse_1", "ls"), ToolInputDelta("tooluse_1", "{}"))
        stream.push(ToolEnded("tooluse_1"), USAGE, END)
        stream.end()
        reply = Reply(wire.value())
        self.assertEqual(reply.headers["content-type"], "text/event-stream; charset=utf-8")
        self.assertEqual(reply.headers["cache-control"], "no-cache")
        self.assertEqual(reply.headers["x-accel-buffering"], "no")
        self.assertEqual(names(reply)[0], "message_start")
        self.assertEqual(names(reply)[-2:], ["message_delta", "message_stop"])
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        self.assertFalse(wire.disconnecting)
        self.assertEqual(self.meter.recent[0].outcome, "served")
        self.assertEqual(self.meter.recent[0].first_event_seconds, 0)

    def test_chat(self) -> None:
        """It ends with [DONE]."""
        _, wire, stream = self.stream("/v1/chat/completions")
        stream.push(USAGE, END)
        stream.end()
        self.assertTrue(Reply(wire.value()).body.endswith(b"data: [DONE]\n\n"))

    def test_fault_before_the_first_event(self) -> None:
        """A real status, since nothing was promised yet."""
        self.client.results.append(UpstreamRefused("bad", status=400))
        reply = self.ask("/v1/messages", {**HELLO, "stream": True})
        self.assertEqual(reply.status, 400)
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(self.timers(), [])

    def test_fault_after_the_first_event(self) -> None:
        """In-band, then a proper end of the body, and the account pays for it."""
        _, wire, stream = self.stream()
        stream.end(StreamTruncated("cut"))
        reply = Reply(wire.value())
        self.assertEqual(reply.status, 200)
        self.assertEqual(names(reply)[-1], "error")
        self.assertNotIn("message_stop", names(reply))
        self.assertEqual(self.pool.leases[0].outcomes[0].end, End.FAILED)
        (record,) = self.meter.recent
        self.assertEqual((record.outcome, record.status), ("failed", 503))

    def test_slow_start_is_committed(self) -> None:
        """After the first ping a failure is told in-band and nobody else is asked (I2)."""
        pending: Deferred[AnswerStream] = Deferred()
        self.client.results.append(pending)
        _, wire = self.start("/v1/messages", {**HELLO, "stream": True})
        self.clock.pump([5, 5])
        self.assertEqual(names(Reply(wire.value() + b"0\r\n\r\n"))[:2], ["message_start", "ping"])
        pending.errback(Throttled("late"))
        self.assertEqual(names(Reply(wire.value()))[-1], "error")
        self.assertEqual(len(self.client.calls), 1)
        self.assertEqual(self.meter.recent[0].outcome, "failed")
        self.assertEqual(self.timers(), [])

    def test_slow_start_then_an_answer(self) -> None:
        """The answer follows the pings on the same stream."""
        pending: Deferred[AnswerStream] = Deferred()
        self.client.results.append(pending)
        _, wire = self.start("/v1/messages", {**HELLO, "stream": True})
        self.clock.pump([5] * 6)
        stream = FakeStream(self.clock)
        pending.callback(stream)
        stream.push(USAGE, END)
        stream.end()
        seen = names(Reply(wire.value()))
        self.assertEqual(seen.count("message_start"), 1)
        self.assertEqual(seen.count("message_stop"), 1)

    def test_client_leaves_in_every_phase(self) -> None:
        """Before an account, before the head, and in mid-stream: the upstream hears of it."""
        self.pool.waiting = Deferred()
        channel, _ = self.start("/v1/messages", {**HELLO, "stream": True})
        self.hang_up(channel)
        self.pool.waiting = None

        cancelled: list[bool] = []
        self.client.results.append(Deferred(lambda _: cancelled.append(True)))
        channel, _ = self.start("/v1/messages", {**HELLO, "stream": True})
        self.hang_up(channel)
        self.assertEqual(cancelled, [True])

        channel, wire, stream = self.stream()
        written = wire.value()
        self.hang_up(channel)
        self.assertTrue(stream.abandoned)
        stream.push(TextDelta("late"))
        self.assertEqual(wire.value(), written)

        self.assertEqual([r.outcome for r in self.meter.recent], ["abandoned"] * 3)
        self.assertEqual(self.timers(), [])
        self.assertEqual(self.gate.inside, 0)


class RefusedTests(WebCase):
    """Requests that never get as far as an account."""

    def test_broken_bodies(self) -> None:
        """A 400 in the dialect of the path, naming the field."""
        for path in ("/v1/messages", "/v1/chat/completions"):
            for body in (b"{", b"[]", b'{"model":"m"}', b"\xff"):
                reply = self.ask(path, body)
                self.assertEqual(reply.status, 400, (path, body))
                self.assertIn("error", reply.json)
        self.assertEqual(self.pool.asked, [])

    def test_choice_of_an_unserved_tool(self) -> None:
        """A demanded call that nobody here can make is refused by name, and costs nothing."""
        kind = "web_fetch_20250910"
        tools = [{"type": kind, "name": "web_fetch"}]
        for path, choice, expected in (
            (
                "/v1/messages",
                {"type": "tool", "name": "web_fetch"},
                b'{"type":"error","error":{"type":"invalid_request_error","message":'
                b'"tool_choice.name: the tool web_fetch is not served here"},'
                b'"request_id":"req_00000001"}',
            ),
            (
                "/v1/chat/completions",
                {"type": kind},
                b'{"error":{"message":"tool_choice: the tool web_fetch_20250910 is not served '
                b'here","type":"invalid_request_error","param":"tool_choice","code":null}}',
            ),
        ):
            reply = self.ask(path, {**HELLO, "tools": tools, "tool_choice": choice})
            self.assertEqual((reply.status, reply.raw), (400, expected))
        self.assertEqual(self.client.calls, [])

    def test_keys(self) -> None:
        """401 in the dialect of the path; either header will do."""
        self.assertEqual(self.ask("/v1/messages", HELLO, key="no").status, 401)
        reply = self.ask("/v1/chat/completions", HELLO, key="")
        self.assertEqual(reply.status, 401)
        self.assertIn("code", reply.json["error"])
        self.assertEqual(
            self.ask("/v1/messages", b"{", key="", headers={"X-Api-Key": "key"}).status, 400
        )

    def test_full(self) -> None:
        """Over the limit of concurrent requests: 429 with Retry-After."""
        self.gate._limit = 1
        self.client.results.append(Deferred())
        self.start("/v1/messages", HELLO)
        reply = self.ask("/v1/messages", HELLO)
        self.assertEqual((reply.status, reply.headers["retry-after"]), (429, "1"))

    def test_too_large(self) -> None:
        """413 in the dialect of the path."""
        reply = self.ask("/v1/chat/completions", b"x" * 100_001)
        self.assertEqual(reply.status, 413)
        self.assertIn("param", reply.json["error"])
        reply = self.ask("/v1/messages", b"x" * 100_001)
        self.assertEqual(reply.json["error"]["type"], "request_too_large")

    def test_bug_in_mid_stream(self) -> None:
        """Nothing but a cut may follow the first bytes of a stream."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/messages", {**HELLO, "stream": True})
        before = wire.value()
        (progress,) = self.serving.active
        progress.caller = None  # type: ignore[assignment]
        stream.push(USAGE, END)
        stream.end()
        self.assertTrue(wire.aborted)
        self.assertNotIn(b"internal error", wire.value()[len(before) :])
        self.flushLoggedErrors()

    def test_bug(self) -> None:
        """A bug is a 500 in JSON and a traceback in the log, never HTML."""
        self.client.results.append(ValueError("boom"))  # type: ignore[arg-type]
        reply = self.ask("/v1/messages", HELLO)
        self.assertEqual(reply.status, 500)
        self.assertEqual(reply.json["error"]["type"], "api_error")
        self.assertNotIn("boom", reply.body.decode())
        self.flushLoggedErrors()
