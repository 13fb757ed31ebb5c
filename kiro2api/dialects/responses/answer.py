# -*- test-case-name: tests.dialects.responses.test_answer -*-
"""Events to the events of one streamed response.

``Idle -> Begun -> Closed``: created and in_progress, then the items one after the other, at last
completed or incomplete with the whole response; or failed, after which nothing follows. Must not
know the transport or the clock.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kiro2api.conversation.answer import StreamEvent, TextDelta
from kiro2api.dialects.chat.answer import LONGEST_FRAGMENT
from kiro2api.dialects.dialect import Opening
from kiro2api.dialects.responses.clientcalls import ActionCall
from kiro2api.dialects.responses.draft import AnyItem, Draft
from kiro2api.dialects.responses.envelope import Envelope, echo_of
from kiro2api.dialects.responses.errors import failure_json
from kiro2api.dialects.responses.mcp import ToolList
from kiro2api.dialects.responses.output import (
    CustomCall,
    Message,
    OutputText,
    Reasoning,
    SummaryText,
)
from kiro2api.dialects.responses.searches import SearchCall
from kiro2api.errors import KiroError

_KEEP_ALIVE: Final = b": keep-alive\n\n"

_encode: Final = msgspec.json.Encoder().encode


class ResponseWriter:
    """Writes one streamed answer."""

    def __init__(self, opening: Opening) -> None:
        echo = echo_of(opening)
        self._envelope = Envelope(opening)
        self._draft = Draft(opening.id, echo, self)
        self._summary = echo.summary
        self._begun = False
        self._closed = False
        self._number = 0
        self._out: list[bytes] = []
        # Of the open item: what its deltas begin with, where it stands, and a message's texts.
        self._delta = b""
        self._place = b""
        self._fragments: list[str] | None = None

    def begin(self) -> bytes:
        """The two events that come before all items."""
        if self._begun or self._closed:
            return b""
        self._begun = True
        self._out = out = list[bytes]()
        response = self._envelope.response(b"in_progress")
        self._put(b"response.created", b'"response":' + response)
        self._put(b"response.in_progress", b'"response":' + response)
        return b"".join(out)

    def write(self, events: Sequence[StreamEvent]) -> bytes:
        """The events of these events."""
        if self._closed:
            return b""
        out = [] if self._begun else [self.begin()]
        self._out = out
        number, fragments, delta = self._number, self._fragments, self._delta
        for event in events:
            # The hot path: more text of the open message.
            if type(event) is TextDelta and fragments is not None:
                text = event.text
                fragments.append(text)
                out += (delta, _encode(text), b',"sequence_number":%d}\n\n' % number)
                number += 1
                continue
            self._number = number
            self._draft.take(event)
            if self._draft.ended is not None:
                self._closed = True
                status, response = self._envelope.finished(self._draft)
                self._put(b"response." + status, b'"response":' + response)
                return b"".join(out)
            number, fragments, delta = self._number, self._fragments, self._delta
        self._number = number
        return b"".join(out)

    def ping(self) -> bytes:
        """A comment, which every client skips."""
        return b"" if self._closed else _KEEP_ALIVE

    def fail(self, error: KiroError) -> bytes:
        """The failed response. An open item stays open: what is told as done is carried out."""
        if self._closed:
            return b""
        begin = self.begin()
        self._closed = True
        self._out = out = [begin]
        failed = self._envelope.response(b"failed", self._draft.shown, error=failure_json(error))
        self._put(b"response.failed", b'"response":' + failed)
        return b"".join(out)

    # ── told by the draft ────────────────────────────────────────────────────

    def begun(self, item: AnyItem) -> None:
        """An item was opened."""
        place = b'"item_id":%b,"output_index":%d' % (_encode(item.id), item.index)
        self._place = place
        if isinstance(item, Reasoning):
            opened = item.json(self._summary, False)
            kind, where = b"response.reasoning_summary_text.delta", b',"summary_index":0'
        elif isinstance(item, Message):
            opened = item.json("in_progress")
            kind, where = b"response.output_text.delta", b',"content_index":0,"logprobs":[]'
        else:
            opened = item.json("in_progress")
            custom = isinstance(item, CustomCall)
            kind, where = b"response.function_call_arguments.delta", b""
            if custom:
                kind = b"response.custom_tool_call_input.delta"
        self._delta = b'event: %b\ndata: {"type":"%b",%b%b,"delta":' % (kind, kind, place, where)
        self._put_item(b"response.output_item.added", item, opened)
        if isinstance(item, Message):
            self._put_part(b"response.content_part.added", b"content", OutputText(""))
            self._fragments = item.fragments
        elif isinstance(item, SearchCall):
            self._put(b"response.web_search_call.in_progress", place)
            self._put(b"response.web_search_call.searching", place)
        elif isinstance(item, ToolList):
            self._put(b"response.mcp_list_tools.in_progress", place)

    def more(self, item: AnyItem, text: str) -> None:
        """More text of the open item."""
        if isinstance(item, Reasoning):
            if not self._summary:
                return
            if len(item.fragments) == 1:
                part = b"response.reasoning_summary_part.added"
                self._put_part(part, b"summary", SummaryText(""))
        elif isinstance(item, (CustomCall, ActionCall)):
            # What the text says can only be told once the JSON around it is complete.
            return
        self._put_delta(text)

    def done(self, item: AnyItem, json: bytes) -> None:
        """The open item is complete."""
        if isinstance(item, Message):
            self._fragments = None
            part = item.part
            for index, named in enumerate(part.annotations):
                self._put(
                    b"response.output_text.annotation.added",
                    b'%b,"content_index":0,"annotation_index":%d,"annotation":%b'
                    % (self._place, index, _encode(named)),
                )
            self._put(
                b"response.output_text.done",
                b'%b,"content_index":0,"logprobs":[],"text":%b' % (self._place, _encode(part.text)),
            )
            self._put_part(b"response.content_part.done", b"content", part)
        elif isinstance(item, Reasoning):
            if self._summary and item.fragments:
                text = item.text
                self._put(
                    b"response.reasoning_summary_text.done",
                    b'%b,"summary_index":0,"text":%b' % (self._place, _encode(text)),
                )
                kind = b"response.reasoning_summary_part.done"
                self._put_part(kind, b"summary", SummaryText(text))
        elif isinstance(item, CustomCall):
            self._put_delta(item.input)
            self._put(
                b"response.custom_tool_call_input.done",
                b'%b,"input":%b' % (self._place, _encode(item.input)),
            )
        elif isinstance(item, SearchCall):
            # There is no event for a failure, which the item itself tells.
            if not item.error:
                self._put(b"response.web_search_call.completed", self._place)
        elif isinstance(item, ToolList):
            self._put(b"response.mcp_list_tools.failed", self._place)
        elif not isinstance(item, ActionCall):
            self._put(
                b"response.function_call_arguments.done",
                b'%b,"name":%b,"arguments":%b'
                % (self._place, _encode(item.callee.name), _encode(item.text)),
            )
        self._put_item(b"response.output_item.done", item, json)

    # ── single events ────────────────────────────────────────────────────────

    def _put(self, kind: bytes, fields: bytes) -> None:
        self._out.append(
            b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n'
            % (kind, kind, fields, self._number)
        )
        self._number += 1

    def _put_delta(self, text: str) -> None:
        for start in range(0, len(text), LONGEST_FRAGMENT):
            piece = _encode(text[start : start + LONGEST_FRAGMENT])
            end = b',"sequence_number":%d}\n\n' % self._number
            self._number += 1
            self._out += (self._delta, piece, end)

    def _put_item(self, kind: bytes, item: AnyItem, json: bytes) -> None:
        self._put(kind, b'"output_index":%d,"item":%b' % (item.index, json))

    def _put_part(self, kind: bytes, what: bytes, part: OutputText | SummaryText) -> None:
        self._put(kind, b'%b,"%b_index":0,"part":%b' % (self._place, what, _encode(part)))
