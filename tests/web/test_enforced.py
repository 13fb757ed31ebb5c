"""What the upstream has no field for, as clients of both dialects see it, streamed and whole."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import End
from kiro2api.errors import Kind, UpstreamRefused
from kiro2api.upstream.interfaces import AnswerStream
from kiro2api.upstream.stream import EventStream
from kiro2api.wire.eventstream import FrameDecoder
from kiro2api.wire.sse import SSEDecoder
from tests.fakes.lending import FakeClient
from tests.fakes.upstream import FakeResponse, event, metered, said
from tests.web.case import HELLO, Reply, WebCase

MESSAGES = "/v1/messages"
CHAT = "/v1/chat/completions"
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"required": ["a"]}}}


def called(id: str, json: str) -> bytes:
    """The frames of a whole call."""
    head = {"toolUseId": id, "name": "look"}
    return event("toolUseEvent", **head, input=json) + event("toolUseEvent", **head, stop=True)


class FramingClient(FakeClient):
    """Answers with real frames that the test gives."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock
        self.responses: list[FakeResponse] = []
        self.ready: list[bytes] = []
        self.refusals: list[UpstreamRefused] = []

    def generate(
        self, account: Account, credentials: Credentials, body: bytes, interpreter: Any
    ) -> Deferred[AnswerStream]:
        """A stream of the next bytes."""
        self.calls.append((account.name, body))
        if self.refusals:
            raise self.refusals.pop()
        response = FakeResponse.stream()
        stream = EventStream(FrameDecoder(), interpreter, self.clock)
        response.deliverBody(stream)
        self.responses.append(response)
        if self.ready:
            response.give(self.ready.pop(0))
        return succeed(stream)

    def sent(self, number: int) -> Any:
        """The body of a call, decoded."""
        return msgspec.json.decode(self.calls[number][1])


class EnforcedCase(WebCase):
    """Clients of both dialects in front of real frames."""

    def setUp(self) -> None:
        super().setUp()
        self.frames = FramingClient(self.clock)
        self.serving._exchanges._attempts._client = self.frames

    def reply(self, path: str, body: dict[str, Any], *answers: bytes) -> Reply:
        """The reply to one request that is answered by these answers, one per round."""
        self.frames.ready = list(answers)
        _, wire = self.start(path, {**HELLO, **body})
        while self.frames.responses:
            self.frames.responses.pop(0).end()
        self.assertEqual(self.timers(), [])
        return Reply(wire.value())

    def anthropic(self, body: dict[str, Any], *answers: bytes) -> dict[str, Any]:
        """The message, which is the same streamed and whole."""
        whole = self.reply(MESSAGES, body, *answers)
        self.assertEqual(whole.status, 200, whole.body)
        streamed = self.reply(MESSAGES, {**body, "stream": True}, *answers)
        self.assertEqual(streamed.status, 200, streamed.body)
        message = assembled([msgspec.json.decode(d) for _, d in SSEDecoder().feed(streamed.body)])
        expected = {key: whole.json[key] for key in message}
        self.assertEqual(message, expected)
        return message

    def chat(self, body: dict[str, Any], *answers: bytes) -> dict[str, Any]:
        """The choice, which is the same streamed and whole."""
        whole = self.reply(CHAT, body, *answers)
        self.assertEqual(whole.status, 200, whole.body)
        choice = whole.json["choices"][0]
        streamed = self.reply(CHAT, {**body, "stream": True}, *answers)
        chunks = [d for _, d in SSEDecoder().feed(streamed.body)]
        self.assertEqual(chunks.pop(), b"[DONE]")
        choices = [msgspec.json.decode(chunk)["choices"][0] for chunk in chunks]
        text = "".join(c["delta"].get("content") or "" for c in choices)
        self.assertEqual(text, choice["message"]["content"] or "")
        thoughts = "".join(c["delta"].get("reasoning_content") or "" for c in choices)
        self.assertEqual(thoughts, choice["message"].get("reasoning_content", ""))
        self.assertEqual(choices[-1]["finish_reason"], choice["finish_reason"])
        return {**choice["message"], "reason": choice["finish_reason"]}


def assembled(events: list[Any]) -> dict[str, Any]:
    """The message that a client makes of a stream."""
    blocks: list[Any] = []
    message: dict[str, Any] = {}
    for told in events:
        if told["type"] == "content_block_start":
            blocks.append(told["content_block"])
            inputs = ""
        elif told["type"] == "content_block_delta":
            delta = told["delta"]
            if delta["type"] == "input_json_delta":
                inputs += delta["partial_json"]
                continue
            key = delta["type"].removesuffix("_delta")
            blocks[-1][key] = blocks[-1].get(key, "") + delta[key]
        elif told["type"] == "content_block_stop" and blocks[-1]["type"] == "tool_use":
            blocks[-1]["input"] = msgspec.json.decode(inputs)
        elif told["type"] == "message_delta":
            message = {**told["delta"], "content": blocks}
    return message


class EndTests(EnforcedCase):
    """Answers that are ended here."""

    def test_stop_sequences(self) -> None:
        """Each dialect has its own word for it; the account is not blamed."""
        answer = said("one ST") + said("OP two") + metered()
        message = self.anthropic({"stop_sequences": ["STOP"]}, answer)
        self.assertEqual(
            message,
            {
                "content": [{"type": "text", "text": "one "}],
                "stop_reason": "stop_sequence",
                "stop_sequence": "STOP",
            },
        )
        for stop in ("STOP", ["x", "STOP"]):
            message = self.chat({"stop": stop}, answer)
            self.assertEqual((message["content"], message["reason"]), ("one ", "stop"))
        ends = {lease.outcomes[0].end for lease in self.pool.leases}
        self.assertEqual(ends, {End.SERVED})

    def test_upstream_is_closed(self) -> None:
        """At once, in the middle of its answer."""
        _, wire = self.start(MESSAGES, {**HELLO, "stop_sequences": ["STOP"]})
        (response,) = self.frames.responses
        response.give(said("one STOP two"))
        self.assertTrue(response.transport.stopped)
        reply = Reply(wire.value())
        self.assertEqual(reply.json["stop_reason"], "stop_sequence")
        self.assertGreater(reply.json["usage"]["output_tokens"], 0)
        self.assertEqual(self.meter.recent[0].outcome, "served")

    def test_max_tokens(self) -> None:
        """Cut by our count, and called so."""
        answer = said("word " * 20) + said("word " * 20) + metered()
        message = self.anthropic({"max_tokens": 10}, answer)
        self.assertEqual(message["stop_reason"], "max_tokens")
        self.assertEqual(message["content"][0]["text"], ("word " * 20)[:37])
        for key in ("max_tokens", "max_completion_tokens"):
            message = self.chat({key: 10}, answer)
            self.assertEqual((len(message["content"]), message["reason"]), (37, "length"))
        self.assertEqual(self.meter.recent[-1].output_tokens, 10)

    def test_one_call(self) -> None:
        """The second one is not shown."""
        answer = called("1", '{"a":1}') + called("2", '{"a":2}') + metered()
        choice = {"type": "auto", "disable_parallel_tool_use": True}
        message = self.anthropic({"tools": [TOOL], "tool_choice": choice}, answer)
        self.assertEqual([block["input"] for block in message["content"]], [{"a": 1}])
        self.assertEqual(message["stop_reason"], "tool_use")
        message = self.chat({"tools": [FUNCTION], "parallel_tool_calls": False}, answer)
        self.assertEqual(len(message["tool_calls"]), 1)
        self.assertEqual(message["reason"], "tool_calls")

    def test_no_tools(self) -> None:
        """A choice of none offers none."""
        self.anthropic({"tools": [TOOL], "tool_choice": {"type": "none"}}, said("no") + metered())
        self.chat({"tools": [FUNCTION], "tool_choice": "none"}, said("no") + metered())
        for number in range(4):
            state = self.frames.sent(number)["conversationState"]
            message = state["currentMessage"]["userInputMessage"]
            self.assertNotIn("tools", message.get("userInputMessageContext", {}))


class DemandTests(EnforcedCase):
    """Answers that must be something, and second rounds."""

    def test_json(self) -> None:
        """In the second round; the client sees one answer."""
        answers = said("Sure! ") + metered(), said('```json\n{"a":1}\n```') + metered()
        form = {"type": "json_schema", "schema": {"required": ["a"]}}
        for body in ({"output_config": {"format": form}}, {"output_format": form}):
            message = self.anthropic(body, *answers)
            self.assertEqual(message["content"], [{"type": "text", "text": '{"a":1}'}])
            self.assertEqual(message["stop_reason"], "end_turn")
        for wanted in (FORMAT, {"type": "json_object"}):
            message = self.chat({"response_format": wanted}, *answers)
            self.assertEqual((message["content"], message["reason"]), ('{"a":1}', "stop"))
        record = self.meter.recent[-1]
        self.assertEqual((record.attempts, record.credits), (2, 0.5))

    def test_no_json(self) -> None:
        """A failure with a code and without the answer: a status, or in-band."""
        answers = said("Sure! ") + metered(), said("secret") + metered()
        for stream in (True, False):
            body = {"response_format": FORMAT, "stream": stream}
            reply = self.reply(CHAT, body, *answers)
            self.assertEqual(reply.status, 200 if stream else 400)
            self.assertIn(b'"code":"invalid_json_output"', reply.body)
            self.assertNotIn(b"secret", reply.body)
            self.assertNotIn(b"finish_reason", reply.body)
            self.assertEqual(self.pool.leases[-1].outcomes[0].end, End.ABANDONED)
        form = {"output_format": {"type": "json_object"}}
        reply = self.reply(MESSAGES, form, *answers)
        self.assertEqual(self.meter.recent[-1].credits, 0.5)
        self.assertEqual(
            (reply.status, reply.json["error"]["type"]), (400, "invalid_request_error")
        )

    def test_waiting_client(self) -> None:
        """Hears signs of life while the answer is held back, and the failure in-band."""
        body = {**HELLO, "response_format": FORMAT, "stream": True}
        _, wire = self.start(CHAT, body)
        self.frames.responses[0].give(said("Sure"))
        self.clock.pump([5, 5])
        self.assertIn(b": keep-alive", wire.value())
        self.assertNotIn(b"Sure", wire.value())
        self.frames.responses[0].give(metered())
        self.frames.responses[0].end()
        self.assertEqual(len(self.frames.responses), 2)
        self.frames.responses[1].give(said("never") + metered())
        self.frames.responses[1].end()
        self.assertIn(b'"code":"invalid_json_output"', wire.value())
        self.assertNotIn(b"never", wire.value())

    def test_client_leaves_between_the_rounds(self) -> None:
        """The second round is dropped as well."""
        body = {**HELLO, "response_format": FORMAT, "stream": True}
        channel, _ = self.start(CHAT, body)
        self.frames.responses[0].give(said("Sure") + metered())
        self.frames.responses[0].end()
        self.hang_up(channel)
        self.assertTrue(self.frames.responses[1].transport.stopped)
        record = self.meter.recent[-1]
        self.assertEqual((record.outcome, record.credits), ("abandoned", 0.25))
        self.assertEqual(self.timers(), [])
        self.assertEqual([len(lease.outcomes) for lease in self.pool.leases], [1])

    def test_demanded_call(self) -> None:
        """Made in the second round; what the first one said is not shown."""
        answers = said("I will not.") + metered(), called("1", "{}") + metered()
        for choice in ({"type": "any"}, {"type": "tool", "name": "look"}):
            message = self.anthropic({"tools": [TOOL], "tool_choice": choice}, *answers)
            self.assertEqual([block["type"] for block in message["content"]], ["tool_use"])
            self.assertEqual(message["stop_reason"], "tool_use")
        named = {"type": "function", "function": {"name": "look"}}
        for wanted in ("required", named):
            message = self.chat({"tools": [FUNCTION], "tool_choice": wanted}, *answers)
            self.assertEqual((message["content"], message["reason"]), (None, "tool_calls"))
        second = self.frames.sent(1)["conversationState"]
        self.assertEqual(
            second["history"][-1]["assistantResponseMessage"]["content"], "I will not."
        )


class ThinkingTests(EnforcedCase):
    """Reasoning of models that have no fields for it."""

    def test_tags(self) -> None:
        """A thinking block without a signature, or reasoning content."""
        answer = said("<thin") + said("king>hm</thinking>\n\nHello") + metered()
        thinking = {"type": "enabled", "budget_tokens": 2000}
        message = self.anthropic({"thinking": thinking}, answer)
        self.assertEqual(
            [(block["type"], block.get("thinking")) for block in message["content"]],
            [("thinking", "hm"), ("text", None)],
        )
        self.assertEqual(message["content"][1]["text"], "Hello")
        message = self.chat({"reasoning_effort": "high"}, answer)
        self.assertEqual((message["reasoning_content"], message["content"]), ("hm", "Hello"))
        history = self.frames.sent(0)["conversationState"]["history"]
        self.assertIn("<max_thinking_length>2000<", history[0]["userInputMessage"]["content"])

    def test_fields(self) -> None:
        """Newer models are asked by fields, in both dialects alike."""
        answer = said("Hello") + metered()
        model = {"model": "claude-opus-4-7"}
        self.anthropic(
            {**model, "thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
            answer,
        )
        self.chat({**model, "reasoning_effort": "xhigh"}, answer)
        self.chat({**model, "reasoning_effort": "none"}, answer)
        self.chat(model, answer)
        fields = [
            self.frames.sent(number).get("additionalModelRequestFields") for number in (0, 2, 4, 6)
        ]
        shown = {"type": "adaptive", "display": "summarized"}
        wanted = {"thinking": shown, "output_config": {"effort": "xhigh"}}
        self.assertEqual(fields, [wanted, wanted, {"thinking": {"type": "disabled"}}, None])


class OverflowTests(EnforcedCase):
    """Conversations that are too long."""

    def test_message(self) -> None:
        """The words and numbers on which clients shorten a conversation."""
        for path, place in ((MESSAGES, "message"), (CHAT, "message")):
            self.frames.refusals = [
                UpstreamRefused(
                    "the prompt is too long for the model: Input is too long.",
                    kind=Kind.CONTEXT_OVERFLOW,
                    code="CONTENT_LENGTH_EXCEEDS_THRESHOLD",
                )
            ]
            reply = self.ask(path, HELLO)
            self.assertEqual(reply.status, 400)
            self.assertEqual(
                reply.json["error"][place],
                "prompt is too long: 200001 tokens > 200000 maximum",
            )
