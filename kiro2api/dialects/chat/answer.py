# -*- test-case-name: tests.dialects.chat.test_answer -*-
"""Events to the chunks of one streamed chat completion.

``Idle -> Begun -> Closed``: a chunk with the role, any number of deltas, then a chunk with the
finish reason, the usage if wanted, and ``[DONE]``; or an error, after which nothing follows. All
that is the same in every chunk is encoded once. Must not know the transport or the clock.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kiro2api.conversation.answer import (
    Ended,
    SearchEnded,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.dialects.chat.ending import call_id, completion_id, counts, finish_reason
from kiro2api.dialects.chat.errors import error_json
from kiro2api.dialects.chat.freeform import FreeformCall
from kiro2api.dialects.chat.searching import Echo, Said
from kiro2api.dialects.dialect import Opening
from kiro2api.errors import KiroError

LONGEST_FRAGMENT: Final = 8192
"""Characters of arguments per chunk: some tunnels hold back lines of 32 KiB and more."""

KEEP_ALIVE: Final = b": keep-alive\n\n"
_DONE: Final = b"data: [DONE]\n\n"

_encode: Final = msgspec.json.Encoder().encode


class ChunkWriter:
    """Writes one streamed answer.

    :param index: which of several choices it is.
    :param alone: the end of the choice is the end of the stream, too.
    """

    def __init__(self, opening: Opening, index: int = 0, *, alone: bool = True) -> None:
        self._opening = opening
        self._alone = alone
        self._begun = False
        self._closed = False
        self._usage: Usage | None = None
        # The text is kept only where pages may be named in it.
        self._said = Said() if isinstance(opening.echo, Echo) else None
        # Prefixes of the argument chunks by the id of the call; "" once the call has ended.
        self._calls: dict[str, bytes] = {}
        self._unfilled: set[str] = set()
        self._freeform: dict[str, FreeformCall] = {}
        self._head = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,' % (
            _encode(completion_id(opening)),
            opening.created,
            _encode(opening.model),
        )
        self._tail = b',"usage":null}\n\n' if opening.include_usage else b"}\n\n"
        self._delta = self._head + b'"choices":[{"index":%d,"delta":' % index
        self._text = self._delta + b'{"content":'
        self._thinking = self._delta + b'{"reasoning_content":'
        self._more = b'},"finish_reason":null}]' + self._tail
        self._more_arguments = b"}}]" + self._more

    def begin(self) -> bytes:
        """The chunk that names the role."""
        if self._begun or self._closed:
            return b""
        self._begun = True
        return self._delta + b'{"role":"assistant","content":""' + self._more

    def write(self, events: Sequence[StreamEvent]) -> bytes:
        """The chunks of these events."""
        if self._closed:
            return b""
        out = [] if self._begun else [self.begin()]
        said = self._said
        for event in events:
            # In the order of their frequency: this loop is the hot path.
            if type(event) is TextDelta:
                text = event.text if said is None else said.more(event.text)
                out += (self._text, _encode(text), self._more)
            elif type(event) is ToolInputDelta:
                self._put_arguments(event.id, event.json, out)
            elif type(event) is ThinkingDelta:
                out += (self._thinking, _encode(event.text), self._more)
            elif type(event) is ToolBegun:
                self._begin_call(event, out)
            elif type(event) is ToolEnded:
                self._end_call(event.id, out)
            elif type(event) is Usage:
                self._usage = event
            elif type(event) is SearchEnded and said is not None:
                said.found(event.hits)
            elif type(event) is Ended:
                self._finish(event, out)
                break
        return b"".join(out)

    def ping(self) -> bytes:
        """A comment, which every client skips."""
        return b"" if self._closed else KEEP_ALIVE

    def fail(self, error: KiroError) -> bytes:
        """The error, and nothing that could be taken for an end."""
        if self._closed:
            return b""
        self._closed = True
        return failure(error)

    def _begin_call(self, event: ToolBegun, out: list[bytes]) -> None:
        if event.id in self._calls:
            return
        index = len(self._calls)
        if event.name in self._opening.freeform:
            self._calls[event.id] = b""
            self._freeform[event.id] = FreeformCall(event.name, index)
            return
        self._calls[event.id] = (
            self._delta + b'{"tool_calls":[{"index":%d,"function":{"arguments":' % index
        )
        self._unfilled.add(event.id)
        out += (
            self._delta,
            b'{"tool_calls":[{"index":%d,"id":' % index,
            _encode(call_id(event.id)),
            b',"type":"function","function":{"name":',
            _encode(event.name),
            b',"arguments":""',
            self._more_arguments,
        )

    def _put_arguments(self, call: str, fragment: str, out: list[bytes]) -> None:
        """Fragments of a call that never began, or has ended, have no place to go."""
        if call in self._freeform:
            self._freeform[call].fragments.append(fragment)
            return
        prefix = self._calls.get(call)
        if not prefix or not fragment:
            return
        self._unfilled.discard(call)
        for start in range(0, len(fragment), LONGEST_FRAGMENT):
            piece = fragment[start : start + LONGEST_FRAGMENT]
            out += (prefix, _encode(piece), self._more_arguments)

    def _end_call(self, call: str, out: list[bytes]) -> None:
        freeform = self._freeform.pop(call, None)
        if freeform is not None:
            # Raw text can only be told once the JSON around it is complete.
            out += (
                self._delta,
                b'{"tool_calls":[{"index":%d,"id":' % freeform.index,
                _encode(call_id(call)),
                b',"type":"custom","custom":{"name":',
                _encode(freeform.name),
                b',"input":',
                _encode(freeform.text()),
                self._more_arguments,
            )
            return
        if call in self._unfilled:
            # A call without arguments: clients parse what they joined, and "" is not JSON.
            self._put_arguments(call, "{}", out)
        if call in self._calls:
            self._calls[call] = b""

    def _finish(self, event: Ended, out: list[bytes]) -> None:
        self._closed = True
        if self._said is not None and (named := self._said.annotations):
            out += (self._delta, b'{"annotations":', _encode(named), self._more)
        reason = finish_reason(event.reason, bool(self._calls))
        out += (self._delta, b'{},"finish_reason":', _encode(reason), b"}]", self._tail)
        if self._alone:
            self.end(self._usage, out)

    def end(self, usage: Usage | None, out: list[bytes]) -> None:
        """The end of the stream: the usage if it is wanted, and ``[DONE]``."""
        if self._opening.include_usage:
            told = _encode(counts(self._opening, usage))
            out += (self._head, b'"choices":[],"usage":', told, b"}\n\n")
        out.append(_DONE)


def failure(error: KiroError) -> bytes:
    """An error within the stream."""
    return b"data: %b\n\n" % error_json(error)
