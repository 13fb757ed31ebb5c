"""From the upstream's bytes to the client's: however they are cut, and streamed or whole."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import StreamEvent
from kiro2api.dialects.anthropic.dialect import ANTHROPIC
from kiro2api.dialects.chat.dialect import CHAT
from kiro2api.dialects.dialect import Dialect, Opening
from kiro2api.dialects.responses.dialect import ResponsesDialect
from kiro2api.errors import UpstreamFault
from kiro2api.kiro.interpret import Interpreter
from kiro2api.kiro.leaks import Leaks
from kiro2api.wire.eventstream import FrameDecoder
from kiro2api.wire.sse import SSEDecoder
from tests.fakes.upstream import event, exception, metered, said

RESPONSES = ResponsesDialect()
DONE = b"[DONE]"

BODIES: dict[Dialect, bytes] = {
    ANTHROPIC: b'{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}',
    CHAT: b'{"model":"m","messages":[{"role":"user","content":"hi"}],'
    b'"stream_options":{"include_usage":true},"stream":true}',
    RESPONSES: b'{"model":"m","input":"hi"}',
}


def call(id: str, *inputs: str, stop: bool = True) -> bytes:
    """The fragments of one call."""
    frames = [event("toolUseEvent", toolUseId=id, name="run", input=text) for text in inputs]
    if stop:
        frames.append(event("toolUseEvent", toolUseId=id, name="run", stop=True))
    return b"".join(frames)


SIGNED = event("reasoningContentEvent", text="hm") + event(
    "reasoningContentEvent", signature="c2ln"
)
PIECES = (
    said("Hello"),
    said(" w\u00f6rld \N{SNOWMAN}\n"),
    said('<invoke name="run">\n</invoke>\n'),
    said('```\n<invoke name="run"></invoke>\n```\n'),
    said("a < b"),
    SIGNED,
    call("a", '{"p":', "1}"),
    call("b"),
    event("contextUsageEvent", contextUsagePercentage=12.5),
    event(
        "metadataEvent",
        tokenUsage={"uncachedInputTokens": 9, "outputTokens": 4, "cacheReadInputTokens": 3},
        stopReason="end_turn",
    ),
)
ENDS = (
    metered(),
    exception("ContentLengthExceededException", message="m"),
    call("z", '{"cut":', stop=False) + metered(),
    call("z", '{"cut":') + metered(),
)

answers = st.tuples(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(b"".join), st.sampled_from(ENDS)
).map(b"".join)


def batches(data: bytes, cuts: Sequence[int]) -> list[list[StreamEvent]]:
    """The events of each read, the upstream\'s bytes being cut like this."""
    decoder = FrameDecoder()
    reader = Interpreter(
        window=1000,
        input_estimate=7,
        names={"run": "run"},
        leaks=Leaks({"run": b"{}"}),
        salt="s",
    )
    bounds = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(data)), len(data)]
    out = [reader.feed(decoder.receive(data[a:b])) for a, b in pairwise(bounds)]
    out.append(reader.finish())
    return [batch for batch in out if batch]


def opening(dialect: Dialect) -> Opening:
    """The same for stream and whole."""
    asked = dialect.parse(BODIES[dialect])
    return Opening(
        id="0" * 32,
        model="m",
        created=1,
        input_tokens=7,
        include_usage=True,
        request_id="req_1",
        echo=asked.echo,
    )


def streamed(dialect: Dialect, reads: Sequence[Sequence[StreamEvent]]) -> list[tuple[str, Any]]:
    """What a streaming client gets, decoded, neighbouring pieces of one thing joined."""
    writer = dialect.writer(opening(dialect))
    data = writer.begin() + b"".join(map(writer.write, reads))
    out = []
    for name, text in SSEDecoder().feed(data):
        out.append((name or "", None if text == DONE else msgspec.json.decode(text)))
    return out


def whole(dialect: Dialect, reads: Sequence[Sequence[StreamEvent]]) -> Any:
    """What any other client gets."""
    collector = dialect.collector(opening(dialect))
    for batch in reads:
        collector.add(batch)
    return msgspec.json.decode(collector.reply())


def message(stream: Sequence[tuple[str, Any]]) -> Any:
    """An Anthropic message as its client puts it together."""
    built: dict[str, Any] = {}
    for name, data in stream:
        if name == "message_start":
            built = data["message"]
        elif name == "content_block_start":
            built["content"].append({**data["content_block"], "_json": ""})
        elif name == "content_block_delta":
            block, delta = built["content"][data["index"]], data["delta"]
            if delta["type"] == "input_json_delta":
                block["_json"] += delta["partial_json"]
            else:
                key = delta["type"].removesuffix("_delta")
                block[key] = block.get(key, "") + delta[key]
        elif name == "message_delta":
            built |= data["delta"]
            built["usage"] = built["usage"] | data["usage"]
    for block in built["content"]:
        text = block.pop("_json")
        if block["type"] == "tool_use":
            block["input"] = decoded(text)
    return built


def decoded(text: str) -> Any:
    """The input of a call; half of one is as good as none."""
    try:
        return msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return {}


def completion(stream: Sequence[tuple[str, Any]]) -> Any:
    """A chat completion as its client puts it together."""
    built: dict[str, Any] = {"content": "", "calls": {}, "finish": None, "usage": None}
    for _, data in stream:
        if data is None:
            continue
        built["usage"] = data.get("usage") or built["usage"]
        for choice in data["choices"]:
            delta = choice["delta"]
            built["content"] += delta.get("content") or ""
            built["finish"] = choice.get("finish_reason") or built["finish"]
            for part in delta.get("tool_calls") or ():
                made = built["calls"].setdefault(part["index"], ["", "", ""])
                made[0] = part.get("id") or made[0]
                made[1] = part["function"].get("name") or made[1]
                made[2] += part["function"].get("arguments") or ""
    return built


def flat(reply: Any) -> Any:
    """A whole chat completion in the same shape."""
    (choice,) = reply["choices"]
    calls = choice["message"].get("tool_calls") or ()
    return {
        "content": choice["message"].get("content") or "",
        "calls": {
            index: [made["id"], made["function"]["name"], made["function"]["arguments"]]
            for index, made in enumerate(calls)
        },
        "finish": choice["finish_reason"],
        "usage": reply["usage"],
    }


class ParityTests(SynchronousTestCase):
    """One answer of the upstream is one answer, whatever its way."""

    def fault(self, data: bytes, cuts: Sequence[int]) -> tuple[str, str] | None:
        """How it fails, if it does."""
        try:
            batches(data, cuts)
        except UpstreamFault as fault:
            return type(fault).__name__, fault.message
        return None

    @settings(max_examples=40, deadline=None)
    @given(answers, st.lists(st.integers(1, 3000), max_size=12))
    def test_any_split(self, data: bytes, cuts: list[int]) -> None:
        """Any cut of the same bytes gives the same events, pieces joined, and so the same
        messages, to every kind of client."""
        self.assertEqual(self.fault(data, cuts), self.fault(data, ()))
        if self.fault(data, ()) is not None:
            return
        one, other = batches(data, ()), batches(data, cuts)
        events = list(chain.from_iterable(one))
        self.assertEqual(list(chain.from_iterable(other)), events)
        for dialect in BODIES:
            self.assertEqual(whole(dialect, other), whole(dialect, one))
        self.assertEqual(message(streamed(ANTHROPIC, other)), message(streamed(ANTHROPIC, one)))
        self.assertEqual(completion(streamed(CHAT, other)), completion(streamed(CHAT, one)))
        self.assertEqual(streamed(RESPONSES, other)[-1][1]["response"], whole(RESPONSES, one))

    @settings(max_examples=40, deadline=None)
    @given(answers, st.lists(st.integers(1, 3000), max_size=5))
    def test_messages(self, data: bytes, cuts: list[int]) -> None:
        """Content, stop reason and usage of a streamed message are those of a whole one."""
        reads = batches(data, cuts)
        built, reply = message(streamed(ANTHROPIC, reads)), whole(ANTHROPIC, reads)
        self.assertEqual(built["stop_reason"], reply["stop_reason"])
        self.assertEqual(built["usage"], built["usage"] | reply["usage"])
        self.assertEqual(built["content"], reply["content"])

    @settings(max_examples=40, deadline=None)
    @given(answers, st.lists(st.integers(1, 3000), max_size=5))
    def test_completions(self, data: bytes, cuts: list[int]) -> None:
        """So it is with chat completions."""
        reads = batches(data, cuts)
        self.assertEqual(completion(streamed(CHAT, reads)), flat(whole(CHAT, reads)))

    @settings(max_examples=40, deadline=None)
    @given(answers, st.lists(st.integers(1, 3000), max_size=5))
    def test_responses(self, data: bytes, cuts: list[int]) -> None:
        """The last event of a streamed response holds the whole one."""
        reads = batches(data, cuts)
        name, last = streamed(RESPONSES, reads)[-1]
        self.assertIn(name, ("response.completed", "response.incomplete"))
        self.assertEqual(last["response"], whole(RESPONSES, reads))
