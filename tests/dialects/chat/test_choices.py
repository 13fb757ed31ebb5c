# -*- test-case-name: tests.dialects.chat.test_choices -*-
"""Tests of several answers in one completion."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta, Usage
from kiro2api.dialects.chat.answer import ChunkWriter
from kiro2api.dialects.chat.choices import ChoicesCollector, ChoicesWriter
from kiro2api.dialects.chat.collect import CompletionCollector
from kiro2api.dialects.dialect import OfChoice, Opening
from kiro2api.errors import StreamTruncated
from tests.dialects.chat.events import ANY, answers

END = Ended(StopReason.END_TURN)


def opening(choices: int, include_usage: bool = False) -> Opening:
    """The opening of so many answers."""
    return Opening("ab", "m", 1700000000, 40, include_usage=include_usage, choices=choices)


def chunks(stream: bytes) -> list[Any]:
    """The chunks of a stream that has ended as it should."""
    *events, done = stream[:-2].split(b"\n\n")
    assert done == b"data: [DONE]", done
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[list[StreamEvent]], list[OfChoice]]:
    """Some answers, and their events in batches as they may come."""
    whole = [draw(answers()) for _ in range(draw(st.integers(2, 4)))]
    left = [list(each) for each in whole]
    batches = []
    while any(left):
        index = draw(st.sampled_from([i for i, each in enumerate(left) if each]))
        size = draw(st.integers(1, 4))
        batches.append(OfChoice(index, left[index][:size]))
        del left[index][:size]
    return whole, batches


class ChoicesTests(SynchronousTestCase):
    """Streamed and whole."""

    def test_bytes(self) -> None:
        """Each chunk says which choice it belongs to; usage and end come once, at last."""
        writer = ChoicesWriter(opening(2, include_usage=True))
        out = writer.write([OfChoice(1, [TextDelta("b")])])
        out += writer.write([OfChoice(0, [TextDelta("a"), Usage(9, 1), END])])
        out += writer.write([OfChoice(1, [Usage(9, 2), END]), Usage(9, 3), END])
        head = (
            b'data: {"id":"chatcmpl-ab","object":"chat.completion.chunk","created":1700000000,'
            b'"model":"m","choices":['
        )
        more = b',"finish_reason":null}],"usage":null}\n\n'
        stop = b'"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
        self.assertEqual(
            b"".join(
                (
                    head + b'{"index":1,"delta":{"role":"assistant","content":""}' + more,
                    head + b'{"index":1,"delta":{"content":"b"}' + more,
                    head + b'{"index":0,"delta":{"role":"assistant","content":""}' + more,
                    head + b'{"index":0,"delta":{"content":"a"}' + more,
                    head + b'{"index":0,' + stop,
                    head + b'{"index":1,' + stop,
                    head + b'],"usage":{"prompt_tokens":9,"completion_tokens":3,'
                    b'"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0}}}\n\n',
                    b"data: [DONE]\n\n",
                )
            ),
            out,
        )

    @given(interleaved(), st.booleans())
    def test_like_answers_alone(
        self, drawn: tuple[list[list[StreamEvent]], list[OfChoice]], include_usage: bool
    ) -> None:
        """Every choice says what it would say alone, in whatever order the events come."""
        whole, batches = drawn
        writer = ChoicesWriter(opening(len(whole), include_usage))
        collector = ChoicesCollector(opening(len(whole)))
        out = writer.begin()
        for batch in batches:
            out += writer.write([batch])
            collector.add([batch])
        last: list[StreamEvent] = [Usage(7, 5), END]
        out += writer.write(last)
        collector.add(last)
        told = chunks(out)
        reply = json.loads(collector.reply())
        self.assertEqual(
            [12, 12] if include_usage else [12],
            [
                each["usage"]["total_tokens"]
                for each in ([told.pop()] if include_usage else []) + [reply]
            ],
        )
        for index, events in enumerate(whole):
            alone = ChunkWriter(opening(1, include_usage))
            expected = chunks(alone.begin() + alone.write(events))
            if include_usage:
                expected.pop()
            for chunk in expected:
                chunk["choices"][0]["index"] = index
            self.assertEqual(
                expected, [chunk for chunk in told if chunk["choices"][0]["index"] == index]
            )
            single = CompletionCollector(opening(1))
            single.add(events)
            choice = json.loads(single.reply())["choices"][0]
            self.assertEqual({**choice, "index": index}, reply["choices"][index])

    def test_begin(self) -> None:
        """All roles at once where the upstream is slow, and none of them again."""
        writer = ChoicesWriter(opening(3))
        began = writer.begin()
        self.assertEqual(3, began.count(b'"role":"assistant"'))
        out = b"".join(writer.write([OfChoice(i, [TextDelta("a"), END])]) for i in range(3))
        self.assertNotIn(b'"role"', out)
        self.assertEqual(b"", writer.begin())

    def test_ping(self) -> None:
        """Until the end of all, not only of one."""
        writer = ChoicesWriter(opening(2))
        self.assertEqual(b"", writer.write([TextDelta("of no choice")]))
        writer.write([OfChoice(0, [END])])
        self.assertEqual(b": keep-alive\n\n", writer.ping())
        self.assertNotIn(b"[DONE]", writer.write([OfChoice(1, [END])]))
        self.assertEqual(b"data: [DONE]\n\n", writer.write([END, OfChoice(1, [TextDelta("x")])]))
        for late in (
            writer.ping(),
            writer.begin(),
            writer.write([OfChoice(0, [TextDelta("x")])]),
            writer.fail(StreamTruncated("cut")),
        ):
            self.assertEqual(b"", late)

    def test_fail(self) -> None:
        """Once, for all of them, and no end after it."""
        writer = ChoicesWriter(opening(2))
        out = writer.write([OfChoice(0, [TextDelta("a"), END])])
        out += writer.fail(StreamTruncated("cut"))
        self.assertEqual(b"", writer.fail(StreamTruncated("cut")))
        self.assertEqual(b"", writer.write([OfChoice(1, [TextDelta("a"), END]), END]))
        self.assertEqual((1, 0), (out.count(b'data: {"error":'), out.count(b"[DONE]")))
        self.assertTrue(out.endswith(b"}}\n\n"))

    @given(st.lists(st.builds(OfChoice, st.integers(0, 1), ANY)))
    def test_anything(self, events: list[OfChoice]) -> None:
        """No order of events breaks either."""
        writer, collector = ChoicesWriter(opening(2)), ChoicesCollector(opening(2))
        for event in events:
            writer.write([event])
            collector.add([event])
        self.assertEqual(
            [0, 1], [choice["index"] for choice in json.loads(collector.reply())["choices"]]
        )
