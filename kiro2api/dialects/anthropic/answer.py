# -*- test-case-name: tests.dialects.anthropic.test_answer -*-
"""Events to the Server-Sent Events of one streamed Messages answer.

Must not know the connection it goes to: bytes come back, nothing is written here.
"""

from collections.abc import Sequence
from typing import Final

from kiro2api.conversation.answer import StreamEvent, TextDelta, Usage
from kiro2api.dialects.anthropic.encoding import clean, encode, mended
from kiro2api.dialects.anthropic.errors import event_body
from kiro2api.dialects.anthropic.searches import Content, query_json, result_block, search_block
from kiro2api.dialects.anthropic.sequence import BlockSequence, State
from kiro2api.dialects.dialect import Opening
from kiro2api.errors import KiroError

_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_DELTA_END: Final = b"}}\n\n"
_MESSAGE_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_INPUT_SLICE: Final = 8192
"""Characters of a call's input per event: some proxies hold back a line that is much longer."""


def usage_fields(usage: Usage) -> dict[str, object]:
    """The dialect's names for what was counted."""
    fields: dict[str, object] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
    }
    if usage.searches:
        fields["server_tool_use"] = {"web_search_requests": usage.searches}
    return fields


class AnthropicStreamWriter(BlockSequence):
    """Writes one streamed answer.

    Hot: a text delta inside an open text block costs one type check, one JSON encoding and three
    appends; everything else takes the slower way through the state machine.
    """

    __slots__ = ("_opening", "_out", "_text_head")

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._opening = opening
        self._out: list[bytes] = []
        # The bytes before the text of a text delta, empty outside a text block.
        self._text_head = b""

    def begin(self) -> bytes:
        """``message_start`` and a first ``ping``; empty if already begun."""
        if self._state is not State.IDLE:
            return b""
        self._state = State.BETWEEN
        self._show_begin()
        return self._taken()

    def write(self, events: Sequence[StreamEvent]) -> bytes:
        """The bytes of these events."""
        out = self._out
        head = self._text_head
        for event in events:
            if head and type(event) is TextDelta:
                if event.text:
                    out.append(head)
                    try:
                        out.append(encode(event.text))
                    except UnicodeEncodeError:
                        out.append(encode(mended(event.text)))
                    out.append(_DELTA_END)
            else:
                self._take(event)
                head = self._text_head
        return self._taken()

    def ping(self) -> bytes:
        """A keep-alive. Before the beginning it stands alone, so that a failure can still come
        first, which more clients retry than a failure within a message."""
        return b"" if self._over else _PING

    def fail(self, error: KiroError) -> bytes:
        """Close what is open, then the error event; never a ``message_stop`` after it.

        A call stays open: clients carry out a closed one with whatever came of its input, and go
        on as if it had been meant; an open one they ask for again.
        """
        if self._over:
            return b""
        if self._state is not State.TOOL:
            self._leave()
        self._state = State.FAILED
        self._out += (b"event: error\ndata: ", event_body(error, self._opening.request_id), b"\n\n")
        return self._taken()

    def _taken(self) -> bytes:
        joined = b"".join(self._out)
        self._out.clear()
        return joined

    # ── what it looks like ───────────────────────────────────────────────────

    def _show_begin(self) -> None:
        opening = self._opening
        message = {
            "id": clean(f"msg_{opening.id}"),
            "type": "message",
            "role": "assistant",
            "model": clean(opening.model),
            "content": (),
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_fields(self._usage),
        }
        self._event("message_start", {"type": "message_start", "message": message})
        self._out.append(_PING)

    def _show_text_open(self) -> None:
        self._open({"type": "text", "text": ""})
        self._text_head = self._delta_head("text_delta", "text")

    def _show_thinking_open(self) -> None:
        self._open({"type": "thinking", "thinking": "", "signature": ""})

    def _show_redacted_open(self, data: str) -> None:
        self._open({"type": "redacted_thinking", "data": data})

    def _show_tool_open(self, tool_id: str, name: str) -> None:
        self._open({"type": "tool_use", "id": tool_id, "name": name, "input": {}})
        self._delta("input_json_delta", "partial_json", "")

    def _show_search(self, search_id: str, query: str) -> None:
        self._open(search_block(search_id, query) | {"input": {}})
        self._show_input(query_json(query))

    def _show_found(self, search_id: str, content: Content) -> None:
        self._open(result_block(search_id, content))

    def _show_text(self, text: str) -> None:
        self._delta("text_delta", "text", text)

    def _show_thinking(self, text: str) -> None:
        self._delta("thinking_delta", "thinking", text)

    def _show_signature(self, signature: str) -> None:
        self._delta("signature_delta", "signature", signature)

    def _show_input(self, fragment: str) -> None:
        for start in range(0, len(fragment), _INPUT_SLICE):
            piece = fragment[start : start + _INPUT_SLICE]
            self._delta("input_json_delta", "partial_json", piece)

    def _show_close(self) -> None:
        self._text_head = b""
        self._event("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _show_end(self, reason: str, stop_sequence: str | None) -> None:
        self._event(
            "message_delta",
            {
                "type": "message_delta",
                "delta": {"stop_reason": reason, "stop_sequence": stop_sequence},
                "usage": usage_fields(self._usage),
            },
        )
        self._out.append(_MESSAGE_STOP)

    def _open(self, block: dict[str, object]) -> None:
        self._event(
            "content_block_start",
            {"type": "content_block_start", "index": self._index, "content_block": block},
        )

    def _delta_head(self, kind: str, field: str) -> bytes:
        return (
            "event: content_block_delta\n"
            f'data: {{"type":"content_block_delta","index":{self._index},'
            f'"delta":{{"type":"{kind}","{field}":'
        ).encode("ascii")

    def _delta(self, kind: str, field: str, text: str) -> None:
        self._out += (self._delta_head(kind, field), encode(text), _DELTA_END)

    def _event(self, name: str, data: dict[str, object]) -> None:
        self._out += (b"event: ", name.encode("ascii"), b"\ndata: ", encode(data), b"\n\n")
