# -*- test-case-name: tests.dialects.chat.test_answer -*-
"""Tests of the stream's writer."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.dialects.chat.answer import LONGEST_FRAGMENT, ChunkWriter
from kiro2api.dialects.dialect import Opening
from kiro2api.errors import StreamTruncated
from tests.dialects.chat.checker import read
from tests.dialects.chat.events import ANY, answers

ENVELOPE = (
    b'{"id":"chatcmpl-ab","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"claude \\"x\\""'
)
END = Ended(StopReason.END_TURN)
DONE = b"data: [DONE]\n\n"
ERROR = StreamTruncated("the answer stopped")
ERROR_EVENT = (
    b'data: {"error":{"message":"the answer stopped","type":"server_error","param":null,'
    b'"code":"unavailable"}}\n\n'
)


def writer(*, include_usage: bool = False) -> ChunkWriter:
    return ChunkWriter(Opening("ab", 'claude "x"', 1700000000, 40, include_usage))


def chunk(delta: bytes, finish: bytes = b"null", more: bytes = b"") -> bytes:
    return b'data: %b,"choices":[{"index":0,"delta":%b,"finish_reason":%b}]%b}\n\n' % (
        ENVELOPE,
        delta,
        finish,
        more,
    )


ROLE = chunk(b'{"role":"assistant","content":""}')


class BytesTests(SynchronousTestCase):
    """The exact bytes of each kind of chunk."""

    def after_begin(self, *events: StreamEvent) -> bytes:
        given = writer()
        given.begin()
        return given.write(events)

    def test_begin(self) -> None:
        """The role comes once, by itself or with the first events."""
        given = writer()
        self.assertEqual(ROLE, given.begin())
        self.assertEqual(b"", given.begin())
        self.assertEqual(b"", given.write([]))
        self.assertEqual(ROLE, writer().write([]))
        self.assertEqual(ROLE + chunk(b'{"content":"a"}'), writer().write([TextDelta("a")]))

    def test_text(self) -> None:
        """Text is escaped as JSON and nothing else."""
        self.assertEqual(
            chunk('{"content":"é\\n\\"\\\\ </x>"}'.encode()) + chunk(b'{"content":""}'),
            self.after_begin(TextDelta('é\n"\\ </x>'), TextDelta("")),
        )

    def test_thinking(self) -> None:
        """Reasoning has its own key; signatures and sealed reasoning have no place."""
        self.assertEqual(
            chunk(b'{"reasoning_content":"hm"}'),
            self.after_begin(ThinkingDelta("hm"), ThinkingSigned("s"), ThinkingRedacted("d")),
        )

    def test_call(self) -> None:
        """A call: its head with empty arguments, then fragments by index."""
        self.assertEqual(
            chunk(
                b'{"tool_calls":[{"index":0,"id":"call_X","type":"function",'
                b'"function":{"name":"re\\"ad","arguments":""}}]}'
            )
            + chunk(b'{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\""}}]}')
            + chunk(b'{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}')
            + chunk(
                b'{"tool_calls":[{"index":1,"id":"call_Y","type":"function",'
                b'"function":{"name":"g","arguments":""}}]}'
            )
            + chunk(b'{"tool_calls":[{"index":1,"function":{"arguments":"[]"}}]}'),
            self.after_begin(
                ToolBegun("tooluse_X", 're"ad'),
                ToolInputDelta("tooluse_X", '{"a"'),
                ToolInputDelta("tooluse_X", ":1}"),
                ToolEnded("tooluse_X"),
                ToolBegun("Y", "g"),
                ToolInputDelta("Y", "[]"),
                ToolEnded("Y"),
            ),
        )

    def test_call_without_arguments(self) -> None:
        """The joined arguments are JSON also where the upstream sent none."""
        for fragments in ((), (ToolInputDelta("t", ""),)):
            written = self.after_begin(ToolBegun("t", "f"), *fragments, ToolEnded("t"))
            self.assertTrue(
                written.endswith(
                    chunk(b'{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}')
                )
            )

    def test_long_fragment(self) -> None:
        """A long fragment is cut, between characters."""
        text = "é" * (2 * LONGEST_FRAGMENT + 1)
        given = writer()
        got = read(given.write([ToolBegun("t", "f"), ToolInputDelta("t", text)]))
        self.assertEqual(text, got.calls[0]["function"]["arguments"])
        self.assertEqual(1 + 1 + 3, len(got.lines))

    def test_end(self) -> None:
        """The finish reason, then the end mark."""
        self.assertEqual(chunk(b"{}", b'"stop"') + DONE, self.after_begin(END))
        self.assertEqual(
            chunk(b"{}", b'"length"') + DONE, self.after_begin(Ended(StopReason.MAX_TOKENS))
        )

    def test_end_with_calls(self) -> None:
        """Calls show in the finish reason, whatever the upstream called its own."""
        written = self.after_begin(ToolBegun("t", "f"), ToolEnded("t"), END)
        self.assertTrue(written.endswith(chunk(b"{}", b'"tool_calls"') + DONE))

    def test_usage(self) -> None:
        """Usage is null until the chunk of its own between the finish reason and the end mark."""
        null = b',"usage":null'
        given = writer(include_usage=True)
        self.assertEqual(
            chunk(b'{"role":"assistant","content":""}', more=null)
            + chunk(b'{"content":"a"}', more=null)
            + chunk(b"{}", b'"stop"', null)
            + b"data: "
            + ENVELOPE
            + b',"choices":[],"usage":{"prompt_tokens":111,"completion_tokens":7,'
            b'"total_tokens":118,"prompt_tokens_details":{"cached_tokens":10}}}\n\n' + DONE,
            given.write([TextDelta("a"), Usage(1, 7, 10, 100), END]),
        )

    def test_ping(self) -> None:
        """A comment at any time before the end."""
        given = writer()
        self.assertEqual(b": keep-alive\n\n", given.ping())
        given.write([TextDelta("a")])
        self.assertEqual(b": keep-alive\n\n", given.ping())
        given.write([END])
        self.assertEqual(b"", given.ping())


class StateTests(SynchronousTestCase):
    """Every method may be called in every state."""

    def silent(self, given: ChunkWriter) -> None:
        self.assertEqual(b"", given.begin())
        self.assertEqual(b"", given.write([TextDelta("a"), END]))
        self.assertEqual(b"", given.ping())
        self.assertEqual(b"", given.fail(ERROR))

    def test_nothing_after_the_end(self) -> None:
        """Nothing follows the end, neither in one batch nor later."""
        given = writer()
        self.assertTrue(given.write([END, TextDelta("late"), END]).endswith(DONE))
        self.silent(given)

    def test_fail_in_every_state(self) -> None:
        """An error says the same everywhere and is the last thing said."""
        before: list[list[StreamEvent]] = [
            [],
            [TextDelta("a")],
            [ThinkingDelta("a")],
            [ToolBegun("t", "f")],
            [ToolBegun("t", "f"), ToolInputDelta("t", "{")],
            [ToolBegun("t", "f"), ToolEnded("t")],
            [Usage(1, 1)],
        ]
        for events in before:
            given = writer()
            written = given.write(events) + given.fail(ERROR)
            self.assertTrue(written.endswith(ERROR_EVENT))
            got = read(written)
            self.assertEqual(("the answer stopped", None, False), self.outcome(got))
            self.silent(given)

    def outcome(self, got: object) -> tuple[object, object, object]:
        return got.error["message"], got.finish_reason, got.done  # type: ignore[attr-defined]

    def test_fail_at_once(self) -> None:
        """An error needs no beginning."""
        given = writer()
        self.assertEqual(ERROR_EVENT, given.fail(ERROR))
        self.silent(given)

    def test_fail_after_the_end(self) -> None:
        """A finished answer cannot fail any more."""
        given = writer()
        given.write([END])
        self.silent(given)


class BrokenGrammarTests(SynchronousTestCase):
    """Events out of place do no harm."""

    def check(self, *events: StreamEvent) -> list[dict[str, object]]:
        calls = [call["function"] for call in read(writer().write([*events, END])).calls]
        for call in calls:
            json.loads(call["arguments"])
        return calls

    def test_fragment_without_call(self) -> None:
        """A fragment of no call, and the end of none, are dropped."""
        self.assertEqual([], self.check(ToolInputDelta("t", "{}"), ToolEnded("t")))

    def test_phantom_call(self) -> None:
        """A call that comes again after its end changes nothing."""
        self.assertEqual(
            [{"name": "f", "arguments": '{"a":1}'}],
            self.check(
                ToolBegun("t", "f"),
                ToolInputDelta("t", '{"a":1}'),
                ToolEnded("t"),
                ToolBegun("t", "f"),
                ToolInputDelta("t", "{}"),
                ToolEnded("t"),
            ),
        )

    def test_overlapping_calls(self) -> None:
        """Fragments find their own call."""
        self.assertEqual(
            [{"name": "f", "arguments": "[1]"}, {"name": "g", "arguments": "[2]"}],
            self.check(
                ToolBegun("t", "f"),
                ToolBegun("u", "g"),
                ToolInputDelta("u", "[2"),
                ToolInputDelta("t", "[1"),
                ToolInputDelta("u", "]"),
                ToolInputDelta("t", "]"),
                ToolEnded("t"),
                ToolEnded("u"),
            ),
        )


class AnyEventsTests(SynchronousTestCase):
    """The stream keeps its grammar whatever the events."""

    @settings(max_examples=100)
    @given(answers(), st.booleans(), st.data())
    def test_whole_answers(
        self, events: list[StreamEvent], include_usage: bool, data: st.DataObject
    ) -> None:
        """Proper answers arrive whole, however they are cut into batches."""
        given = writer(include_usage=include_usage)
        cut = data.draw(st.integers(0, len(events)))
        written = given.write(events[:cut]) + given.ping() + given.write(events[cut:])
        got = read(written, include_usage=include_usage)
        self.assertTrue(got.done)
        self.assertEqual(
            writer(include_usage=include_usage).write(events),
            written.replace(b": keep-alive\n\n", b""),
        )
        self.assertEqual("".join(e.text for e in events if isinstance(e, TextDelta)), got.content)
        self.assertEqual(
            "".join(e.text for e in events if isinstance(e, ThinkingDelta)), got.reasoning
        )
        for call in got.calls:
            self.assertIsInstance(json.loads(call["function"]["arguments"]), dict)
        self.assertEqual(
            [f"tool{index}" for index in self.calls(events)],
            [call["function"]["name"] for call in got.calls],
        )

    def calls(self, events: list[StreamEvent]) -> list[str]:
        return [e.id.removeprefix("tooluse_") for e in events if isinstance(e, ToolBegun)]

    @settings(max_examples=100)
    @given(st.lists(st.one_of(ANY, st.sampled_from(["begin", "ping", "fail"])), max_size=6))
    def test_any_calls(self, steps: list[list[StreamEvent] | str]) -> None:
        """Any events and any methods in any order."""
        given = writer(include_usage=True)
        written = b""
        for step in steps:
            if step == "begin":
                written += given.begin()
            elif step == "ping":
                written += given.ping()
            elif step == "fail":
                written += given.fail(ERROR)
            else:
                written += given.write(step)  # type: ignore[arg-type]
        written += given.write([END])
        got = read(written, include_usage=True)
        self.assertNotEqual(got.done, got.error is not None)
