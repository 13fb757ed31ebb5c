# -*- test-case-name: tests.dialects.chat.test_collect -*-
"""Tests of the whole answer."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    SearchBegun,
    SearchEnded,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.chat.answer import ChunkWriter
from kiro2api.dialects.chat.collect import CompletionCollector
from kiro2api.dialects.chat.searching import Echo
from kiro2api.dialects.dialect import Opening
from tests.dialects.chat.checker import read
from tests.dialects.chat.events import ANY, answers

OPENING = Opening("ab", "m", 1700000000, 40, include_usage=True)
END = Ended(StopReason.END_TURN)
SEARCHING = msgspec.structs.replace(OPENING, echo=Echo())
SEARCHED: list[StreamEvent] = [
    SearchBegun("s", "q"),
    SearchEnded("s", (SearchHit("https://a", "A"), SearchHit("https://b"))),
    TextDelta("https://"),
    TextDelta("a "),
    TextDelta("b"),
]


def collect(*events: StreamEvent) -> dict[str, Any]:
    collector = CompletionCollector(OPENING)
    collector.add(events)
    return json.loads(collector.reply())  # type: ignore[no-any-return]


class ReplyTests(SynchronousTestCase):
    """The shape of the reply."""

    def message(self, *events: StreamEvent) -> dict[str, Any]:
        return collect(*events, END)["choices"][0]["message"]  # type: ignore[no-any-return]

    def test_whole(self) -> None:
        """Everything at once."""
        self.assertEqual(
            {
                "id": "chatcmpl-ab",
                "object": "chat.completion",
                "created": 1700000000,
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": "ab",
                            "reasoning_content": "hm",
                            "tool_calls": [
                                {
                                    "id": "call_X",
                                    "type": "function",
                                    "function": {"name": "f", "arguments": '{"a":1}'},
                                }
                            ],
                        },
                        "finish_reason": "tool_calls",
                    }
                ],
                "usage": {
                    "prompt_tokens": 111,
                    "completion_tokens": 7,
                    "total_tokens": 118,
                    "prompt_tokens_details": {"cached_tokens": 10},
                },
            },
            collect(
                ThinkingDelta("h"),
                ThinkingDelta("m"),
                ThinkingSigned("s"),
                TextDelta("a"),
                TextDelta("b"),
                ToolBegun("tooluse_X", "f"),
                ToolInputDelta("tooluse_X", '{"a"'),
                ToolInputDelta("tooluse_X", ":1}"),
                ToolEnded("tooluse_X"),
                Usage(1, 7, 10, 100),
                Ended(StopReason.TOOL_USE),
            ),
        )

    def test_text_only(self) -> None:
        """Without calls and reasoning their keys are absent."""
        self.assertEqual({"role": "assistant", "content": "a"}, self.message(TextDelta("a")))

    def test_nothing(self) -> None:
        """An empty answer has an empty text."""
        self.assertEqual({"role": "assistant", "content": ""}, self.message())

    def test_calls_only(self) -> None:
        """With calls alone the content is null."""
        self.assertIsNone(self.message(ToolBegun("t", "f"), ToolEnded("t"))["content"])

    def test_call_without_arguments(self) -> None:
        """Arguments are JSON also where the upstream sent none."""
        for fragments in ((), (ToolInputDelta("t", ""),)):
            message = self.message(ToolBegun("t", "f"), *fragments, ToolEnded("t"))
            self.assertEqual("{}", message["tool_calls"][0]["function"]["arguments"])

    def test_named_pages(self) -> None:
        """Pages that the text names are annotated where a search was asked for, and only there."""
        events: list[StreamEvent] = [
            SearchBegun("s", "q"),
            SearchEnded("s", (SearchHit("https://a", "A"), SearchHit("https://b", "B"))),
            TextDelta("See https://"),
            TextDelta("a."),
            END,
        ]
        self.assertNotIn("annotations", self.message(*events))
        collector = CompletionCollector(SEARCHING)
        collector.add(events)
        message = json.loads(collector.reply())["choices"][0]["message"]
        self.assertEqual(
            message["annotations"],
            [
                {
                    "type": "url_citation",
                    "url_citation": {
                        "start_index": 4,
                        "end_index": 13,
                        "title": "A",
                        "url": "https://a",
                    },
                }
            ],
        )

    def test_before_the_end(self) -> None:
        """A reply can be had at any time."""
        self.assertEqual("stop", collect(TextDelta("a"))["choices"][0]["finish_reason"])

    def test_nothing_after_the_end(self) -> None:
        """Events after the end do not count, in one batch or another."""
        collector = CompletionCollector(OPENING)
        collector.add([TextDelta("a"), END, TextDelta("b")])
        collector.add([TextDelta("c")])
        self.assertEqual("a", json.loads(collector.reply())["choices"][0]["message"]["content"])


class ParityTests(SynchronousTestCase):
    """The same events say the same, streamed or whole."""

    def check(self, events: list[StreamEvent], opening: Opening = OPENING) -> None:
        stream = read(ChunkWriter(opening).write(events), include_usage=True)
        collector = CompletionCollector(opening)
        collector.add(events)
        whole = json.loads(collector.reply())
        choice = whole["choices"][0]
        message = choice["message"]
        self.assertEqual(stream.content, message["content"] or "")
        self.assertEqual(stream.reasoning, message.get("reasoning_content", ""))
        self.assertEqual(stream.annotations, message.get("annotations", []))
        self.assertEqual(stream.calls, message.get("tool_calls", []))
        self.assertEqual(stream.finish_reason, choice["finish_reason"])
        self.assertEqual(stream.usage, whole["usage"])

    @settings(max_examples=100)
    @given(answers())
    def test_proper_answers(self, events: list[StreamEvent]) -> None:
        """Answers that keep the grammar."""
        self.check(events)

    @settings(max_examples=100)
    @given(st.lists(st.sampled_from(SEARCHED), max_size=8))
    def test_searches(self, events: list[StreamEvent]) -> None:
        """Answers that name pages, wherever the text is cut and the search was made."""
        self.check([*events, END], SEARCHING)

    @settings(max_examples=100)
    @given(ANY, st.sampled_from(StopReason))
    def test_any_events(self, events: list[StreamEvent], reason: StopReason) -> None:
        """Answers that do not."""
        self.check([*events, Ended(reason)])
