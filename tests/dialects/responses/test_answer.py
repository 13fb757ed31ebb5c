# -*- test-case-name: tests.dialects.responses.test_answer -*-
"""Tests of the stream's writer, and of what it and the collector agree on."""

import json
from typing import Any

from hypothesis import given
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
    ThinkingRedacted,
    ThinkingSigned,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.conversation.held import Finished
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.chat.answer import LONGEST_FRAGMENT
from kiro2api.dialects.dialect import Opening
from kiro2api.dialects.responses.answer import ResponseWriter
from kiro2api.dialects.responses.collect import ResponseCollector
from kiro2api.errors import Kind, KiroError, StreamTruncated, Throttled, UpstreamRefused
from tests.dialects.chat.events import answers
from tests.dialects.responses.checker import Read, read
from tests.dialects.responses.examples import BROKEN, opening, searching

END = Ended(StopReason.END_TURN)
USAGE = Usage(10, 7, 3, 2)


def written(*events: StreamEvent, **fields: Any) -> Read:
    """A whole stream, read."""
    return read(ResponseWriter(opening(**fields)).write(events))


def collected(*events: StreamEvent, **fields: Any) -> Any:
    """The whole answer."""
    collector = ResponseCollector(opening(**fields))
    collector.add(events)
    return json.loads(collector.reply())


class BytesTests(SynchronousTestCase):
    """The exact bytes of the most frequent events."""

    def test_text(self) -> None:
        """A delta is one event with its type twice, and the text escaped as JSON."""
        writer = ResponseWriter(Opening("ab", "m", 1, 2))
        writer.write([TextDelta("a")])
        self.assertEqual(
            "event: response.output_text.delta\n"
            'data: {"type":"response.output_text.delta","item_id":"msg_ab00","output_index":0,'
            '"content_index":0,"logprobs":[],"delta":"é\\n\\"","sequence_number":5}\n\n'.encode(),
            writer.write([TextDelta('é\n"')]),
        )

    def test_begin(self) -> None:
        """Two events, by themselves or with the first ones, once."""
        writer = ResponseWriter(opening())
        begin = writer.begin()
        self.assertEqual(["response.created", "response.in_progress"], read(begin).types)
        self.assertEqual((b"", b""), (writer.begin(), writer.write([])))
        self.assertEqual(begin, ResponseWriter(opening()).write([]))

    def test_ping(self) -> None:
        """A comment, until the end."""
        writer = ResponseWriter(opening())
        self.assertEqual(b": keep-alive\n\n", writer.ping())
        writer.write([END])
        self.assertEqual(b"", writer.ping())

    def test_end(self) -> None:
        """Nothing follows it."""
        writer = ResponseWriter(opening())
        got = read(writer.write([END, TextDelta("no")]))
        self.assertEqual(("completed", {}), (got.status, got.done))
        for late in (writer.write([END]), writer.begin(), writer.fail(StreamTruncated("x"))):
            self.assertEqual(b"", late)

    def test_one_read_one_write(self) -> None:
        """Batches of any size give the same stream."""
        events: list[StreamEvent] = [
            TextDelta("a"),
            TextDelta("b"),
            ToolBegun("1", "tool0"),
            ToolEnded("1"),
            END,
        ]
        writer = ResponseWriter(opening())
        split = b"".join(writer.write([event]) for event in events)
        self.assertEqual(ResponseWriter(opening()).write(events), split)


class OrderTests(SynchronousTestCase):
    """The order of events of each kind of item."""

    def kinds(self, *events: StreamEvent, **fields: Any) -> list[str]:
        """What comes between beginning and end."""
        got = written(*events, END, **fields)
        return [kind.removeprefix("response.") for kind in got.types[2:-1]]

    def test_message(self) -> None:
        """Item, part, deltas, and the same backwards."""
        self.assertEqual(
            [
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "output_item.done",
            ],
            self.kinds(TextDelta("a"), TextDelta("b")),
        )

    def test_empty_text(self) -> None:
        """An empty text opens nothing."""
        self.assertEqual([], self.kinds(TextDelta(""), ThinkingDelta("")))

    def test_function_call(self) -> None:
        """Arguments as they come."""
        self.assertEqual(
            [
                "output_item.added",
                "function_call_arguments.delta",
                "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done",
            ],
            self.kinds(
                ToolBegun("1", "tool0"),
                ToolInputDelta("1", '{"a"'),
                ToolInputDelta("1", ""),
                ToolInputDelta("1", ":1}"),
                ToolEnded("1"),
            ),
        )

    def test_custom_call(self) -> None:
        """Raw text, once it can be told from the JSON around it."""
        events: list[StreamEvent] = [
            ToolBegun("1", "tool1"),
            ToolInputDelta("1", '{"inp'),
            ToolInputDelta("1", 'ut":"raw\\n"}'),
            ToolEnded("1"),
        ]
        self.assertEqual(
            [
                "output_item.added",
                "custom_tool_call_input.delta",
                "custom_tool_call_input.done",
                "output_item.done",
            ],
            self.kinds(*events),
        )
        item = written(*events, END).done[0]
        told = (item["input"], item["name"], item["call_id"])
        self.assertEqual(("raw\n", "tool1", "call_1"), told)

    def test_local_shell(self) -> None:
        """An item without events of its own."""
        events: list[StreamEvent] = [
            ToolBegun("1", "local_shell"),
            ToolInputDelta("1", '{"command":["ls"],"timeout_ms":5}'),
            ToolEnded("1"),
        ]
        self.assertEqual(["output_item.added", "output_item.done"], self.kinds(*events))
        action = written(*events, END).done[0]["action"]
        self.assertEqual((["ls"], 5, {}), (action["command"], action["timeout_ms"], action["env"]))

    def test_reasoning(self) -> None:
        """A summary in words where it is wanted, else the bare item."""
        events: list[StreamEvent] = [ThinkingDelta("hm"), ThinkingDelta("!"), ThinkingSigned("sig")]
        self.assertEqual(["output_item.added", "output_item.done"], self.kinds(*events))
        self.assertEqual(
            [
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
            ],
            self.kinds(*events, reasoning={"summary": "auto"}),
        )

    def test_hidden_reasoning(self) -> None:
        """Without words there is no summary, wanted or not."""
        for event in (ThinkingRedacted("AAAA"), ThinkingSigned("sig")):
            self.assertEqual(
                ["output_item.added", "output_item.done"],
                self.kinds(event, reasoning={"summary": "auto"}),
            )

    def test_long_arguments(self) -> None:
        """No line gets too long for tunnels that hold back long ones."""
        text = '{"a":"' + "x" * (2 * LONGEST_FRAGMENT) + '"}'
        kinds = self.kinds(ToolBegun("1", "tool0"), ToolInputDelta("1", text), ToolEnded("1"))
        self.assertEqual(3, kinds.count("function_call_arguments.delta"))

    def test_namespace(self) -> None:
        """A call tells the namespace of its tool."""
        item = written(ToolBegun("1", "tool2"), ToolEnded("1"), END).done[0]
        told = (item["name"], item["namespace"], item["arguments"])
        self.assertEqual(("tool2", "space", "{}"), told)

    def test_all_kinds(self) -> None:
        """One after the other, each closed by the next."""
        got = written(
            ThinkingDelta("hm"),
            TextDelta("a"),
            ToolBegun("1", "tool0"),
            ToolEnded("1"),
            TextDelta("b"),
            USAGE,
            END,
        )
        self.assertEqual(
            ["reasoning", "message", "function_call", "message"],
            [got.done[index]["type"] for index in range(4)],
        )
        assert got.response is not None
        self.assertEqual(
            {
                "input_tokens": 15,
                "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
                "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 1},
                "total_tokens": 22,
            },
            got.response["usage"],
        )


PAGE = SearchHit("https://a.example/", "A", "About a.")
SEARCHED = (SearchBegun("tooluse_1", 'old "maps"'), SearchEnded("tooluse_1", (PAGE,)))


class SearchTests(SynchronousTestCase):
    """Searches between texts."""

    def test_bytes(self) -> None:
        """Told when it begins and when it has ended, without the pages."""
        writer = ResponseWriter(Opening("ab", "m", 1, 2))
        writer.begin()
        head = b'"item_id":"ws_ab00","output_index":0,"sequence_number"'
        item = (
            b'"output_index":0,"item":{"id":"ws_ab00","status":"%b","action":'
            b'{"query":"old \\"maps\\"","type":"search"},"type":"web_search_call"}'
        )
        self.assertEqual(
            b"event: response.output_item.added\n"
            b'data: {"type":"response.output_item.added",' + item % b"in_progress" + b","
            b'"sequence_number":2}\n\n'
            b"event: response.web_search_call.in_progress\n"
            b'data: {"type":"response.web_search_call.in_progress",' + head + b":3}\n\n"
            b"event: response.web_search_call.searching\n"
            b'data: {"type":"response.web_search_call.searching",' + head + b":4}\n\n",
            writer.write(SEARCHED[:1]),
        )
        self.assertEqual(
            b"event: response.web_search_call.completed\n"
            b'data: {"type":"response.web_search_call.completed",' + head + b":5}\n\n"
            b"event: response.output_item.done\n"
            b'data: {"type":"response.output_item.done",' + item % b"completed" + b","
            b'"sequence_number":6}\n\n',
            writer.write(SEARCHED[1:]),
        )

    def test_failed(self) -> None:
        """The item says so; there is no event for it."""
        failed = SearchEnded("tooluse_1", (), "unavailable")
        got = written(SEARCHED[0], failed, TextDelta("a"), END)
        self.assertEqual("failed", got.done[0]["status"])
        self.assertNotIn("response.web_search_call.completed", got.types)
        self.assertEqual("completed", got.status)

    def test_citations(self) -> None:
        """Texts after a search name its pages; those before do not, and places are their own."""
        text = f"See {PAGE.url}."
        got = written(TextDelta(text), *SEARCHED, TextDelta("See "), TextDelta(text[4:]), END)
        before, search, after = (got.done[index] for index in range(3))
        self.assertEqual("web_search_call", search["type"])
        self.assertEqual([], before["content"][0]["annotations"])
        (named,) = after["content"][0]["annotations"]
        self.assertEqual(
            {
                "type": "url_citation",
                "start_index": 4,
                "end_index": 22,
                "title": "A",
                "url": PAGE.url,
            },
            named,
        )
        added = got.types.index("response.output_text.annotation.added")
        self.assertEqual(
            [
                "response.output_text.delta",
                "response.output_text.annotation.added",
                "response.output_text.done",
                "response.content_part.done",
            ],
            got.types[added - 1 : added + 3],
        )
        self.assertIn(
            b'data: {"type":"response.output_text.annotation.added","item_id":"msg_ab02",'
            b'"output_index":2,"content_index":0,"annotation_index":0,"annotation":'
            b'{"type":"url_citation","start_index":4,',
            got.lines[added],
        )

    def test_sources(self) -> None:
        """Addresses for a client that wants them."""
        got = written(*SEARCHED, END, include=["web_search_call.action.sources"])
        sources = got.done[0]["action"]["sources"]
        self.assertEqual([{"type": "url", "url": PAGE.url}], sources)

    def test_kept(self) -> None:
        """What was found is put away with the item, and not shown."""
        kept: list[Finished] = []
        ResponseWriter(opening(kept)).write([*SEARCHED, END])
        ((name, item),) = kept[0].made
        self.assertEqual("ws_ab00", name)
        self.assertEqual(
            [{"url": PAGE.url, "title": "A", "snippet": "About a.", "page_age": ""}],
            json.loads(item)["results"],
        )
        self.assertNotIn(b"About a.", kept[0].body)

    def test_without_an_end(self) -> None:
        """It is never told as done, and nobody else's end is taken for its own."""
        kept: list[Finished] = []
        writer = ResponseWriter(opening(kept))
        got = read(
            writer.write([SEARCHED[0], SearchEnded("other"), TextDelta("a"), SEARCHED[1], END])
        )
        self.assertEqual(([0], [1]), (list(got.cut), list(got.done)))
        self.assertEqual(["msg_ab01"], [name for name, _ in kept[0].made])

    def test_failure(self) -> None:
        """A stream that breaks in a search."""
        writer = ResponseWriter(opening())
        got = read(writer.write([TextDelta("a"), SEARCHED[0]]) + writer.fail(StreamTruncated("x")))
        assert got.response is not None
        self.assertEqual(["message"], [item["type"] for item in got.response["output"]])


class EndTests(SynchronousTestCase):
    """How answers end."""

    def test_too_long(self) -> None:
        """An answer that was cut says so, and so does its last item."""
        for reason in (StopReason.MAX_TOKENS, StopReason.CONTEXT_WINDOW):
            got = written(TextDelta("a"), USAGE, Ended(reason))
            assert got.response is not None
            self.assertEqual("incomplete", got.status)
            self.assertEqual({"reason": "max_output_tokens"}, got.response["incomplete_details"])
            self.assertEqual("incomplete", got.done[0]["status"])

    def test_refused(self) -> None:
        """The model would not go on."""
        got = written(Ended(StopReason.REFUSAL))
        assert got.response is not None
        self.assertEqual({"reason": "content_filter"}, got.response["incomplete_details"])

    def test_complete(self) -> None:
        """All other reasons are regular."""
        for reason in (StopReason.END_TURN, StopReason.TOOL_USE, StopReason.STOP_SEQUENCE):
            got = written(TextDelta("a"), Ended(reason))
            self.assertEqual(("completed", "completed"), (got.status, got.done[0]["status"]))

    def test_cut_call(self) -> None:
        """Half a call is never done, whatever its kind; the answer says it is incomplete."""
        for name in ("tool0", "tool1", "local_shell"):
            got = written(
                ToolBegun("1", name), ToolInputDelta("1", '{"a'), Ended(StopReason.MAX_TOKENS)
            )
            self.assertEqual(("incomplete", {}), (got.status, got.done))
            self.assertEqual([0], list(got.cut))

    def test_failure_before_content(self) -> None:
        """The stream still begins as it should."""
        got = read(ResponseWriter(opening()).fail(StreamTruncated("stopped")))
        self.assertEqual(["response.created", "response.in_progress", "response.failed"], got.types)
        assert got.response is not None
        self.assertEqual({"code": "server_error", "message": "stopped"}, got.response["error"])

    def test_failure_after_content(self) -> None:
        """What is open stays open; what was done is still told."""
        writer = ResponseWriter(opening())
        stream = writer.write([TextDelta("a"), ToolBegun("1", "tool0"), ToolInputDelta("1", "{")])
        got = read(stream + writer.fail(StreamTruncated("stopped")))
        assert got.response is not None
        self.assertEqual(["message"], [item["type"] for item in got.response["output"]])
        self.assertEqual("failed", got.status)
        self.assertEqual(b"", writer.write([END]))

    def test_codes(self) -> None:
        """Codes that clients act upon."""
        faults: dict[str, KiroError] = {
            "rate_limit_exceeded": Throttled("slow", retry_after=2.5),
            "context_length_exceeded": UpstreamRefused("long", kind=Kind.CONTEXT_OVERFLOW),
            "server_error": StreamTruncated("cut"),
        }
        for code, fault in faults.items():
            got = read(ResponseWriter(opening()).fail(fault))
            assert got.response is not None
            self.assertEqual(code, got.response["error"]["code"])


class KeptTests(SynchronousTestCase):
    """What is put away."""

    def test_finished(self) -> None:
        """The whole response, with reasoning in the form that can be sent back."""
        for make in (self.streamed, self.whole):
            kept: list[Finished] = []
            make(kept)
            (finished,) = kept
            self.assertEqual(("resp_ab", ""), (finished.id, finished.previous))
            self.assertEqual("completed", json.loads(finished.body)["status"])
            self.assertEqual(["rs_ab00", "msg_ab01"], [name for name, _ in finished.made])
            reasoning = json.loads(finished.made[0][1])
            self.assertIn("encrypted_content", reasoning)
            self.assertNotIn("encrypted_content", json.loads(finished.body)["output"][0])
            (message,) = finished.given
            self.assertEqual("Hi", json.loads(message)["content"])

    EVENTS = (ThinkingDelta("hm"), ThinkingSigned("s"), TextDelta("a"), END)

    def streamed(self, kept: list[Finished]) -> None:
        """By a stream."""
        ResponseWriter(opening(kept)).write(self.EVENTS)

    def whole(self, kept: list[Finished]) -> None:
        """By a whole answer."""
        collector = ResponseCollector(opening(kept))
        collector.add(self.EVENTS)
        collector.reply()

    def test_not_wanted(self) -> None:
        """Neither what the client wants forgotten, nor what failed."""
        kept: list[Finished] = []
        ResponseWriter(opening(kept, store=False)).write(self.EVENTS)
        ResponseWriter(opening(kept)).fail(StreamTruncated("x"))
        self.assertEqual([], kept)

    def test_cut_call(self) -> None:
        """Half a call cannot be referred to."""
        kept: list[Finished] = []
        writer = ResponseWriter(opening(kept))
        writer.write([ToolBegun("1", "tool0"), Ended(StopReason.MAX_TOKENS)])
        self.assertEqual((), kept[0].made)


FIELDS = st.sampled_from(
    [
        {},
        {"reasoning": {"summary": "auto"}},
        {"include": ["reasoning.encrypted_content"], "reasoning": {"summary": "detailed"}},
        {"store": False},
        {"include": ["web_search_call.action.sources"]},
    ]
)


class GeneratedTests(SynchronousTestCase):
    """Any events at all."""

    @given(BROKEN, FIELDS, st.integers(0, 5))
    def test_any_events(self, events: list[StreamEvent], fields: dict[str, Any], size: int) -> None:
        """The grammar holds however broken the events are, and however they are batched."""
        writer = ResponseWriter(opening(**fields))
        out = b""
        for start in range(0, len(events), size + 1):
            out += writer.write(events[start : start + size + 1])
        got = read(out + writer.fail(StreamTruncated("x")))
        self.assertIn(got.status, ("completed", "incomplete", "failed"))

    @given(answers(), FIELDS)
    def test_parity(self, events: list[StreamEvent], fields: dict[str, Any]) -> None:
        """A stream ends with the very object that a whole answer is."""
        self.assertEqual(written(*events, **fields).response, collected(*events, **fields))

    @given(BROKEN, FIELDS)
    def test_parity_of_anything(self, events: list[StreamEvent], fields: dict[str, Any]) -> None:
        """Also for broken events."""
        events = [*events, END]
        self.assertEqual(written(*events, **fields).response, collected(*events, **fields))

    @given(searching(), FIELDS, st.integers(0, 5))
    def test_parity_of_searches(
        self, events: list[StreamEvent], fields: dict[str, Any], size: int
    ) -> None:
        """Also with searches, however they are batched."""
        writer = ResponseWriter(opening(**fields))
        out = b""
        for start in range(0, len(events), size + 1):
            out += writer.write(events[start : start + size + 1])
        got = read(out)
        self.assertEqual(collected(*events, **fields), got.response)
        searches = [item for item in got.done.values() if item["type"] == "web_search_call"]
        self.assertEqual(sum(isinstance(event, SearchBegun) for event in events), len(searches))
