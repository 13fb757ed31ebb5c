# -*- test-case-name: tests.dialects.anthropic.test_collect -*-
"""Events to the one JSON message of an answer that is not streamed.

Must not know how the events came. What a client reads here is what the stream would have told it.
"""

from collections.abc import Sequence

import msgspec

from kiro2api.conversation.answer import StreamEvent
from kiro2api.dialects.anthropic.answer import usage_fields
from kiro2api.dialects.anthropic.encoding import clean, encode, is_json
from kiro2api.dialects.anthropic.searches import Content, result_block, search_block
from kiro2api.dialects.anthropic.sequence import BlockSequence
from kiro2api.dialects.dialect import Opening


class AnthropicCollector(BlockSequence):
    """Collects one answer. Texts are joined once per block, never grown."""

    __slots__ = ("_blocks", "_field", "_opening", "_pieces", "_stop_reason", "_stop_sequence")

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._opening = opening
        self._blocks: list[dict[str, object]] = []
        self._field = ""
        self._pieces: list[str] = []
        self._stop_reason: str | None = None
        self._stop_sequence: str | None = None

    def add(self, events: Sequence[StreamEvent]) -> None:
        """Take more events."""
        for event in events:
            self._take(event)

    def reply(self) -> bytes:
        """The message."""
        return encode(
            {
                "id": clean(f"msg_{self._opening.id}"),
                "type": "message",
                "role": "assistant",
                "model": clean(self._opening.model),
                "content": self._blocks,
                "stop_reason": self._stop_reason,
                "stop_sequence": self._stop_sequence,
                "usage": usage_fields(self._usage),
            }
        )

    # ── what it looks like ───────────────────────────────────────────────────

    def _show_begin(self) -> None:
        """Nothing precedes a message that comes whole."""

    def _show_text_open(self) -> None:
        self._open("text", {"type": "text", "text": ""})

    def _show_thinking_open(self) -> None:
        self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""})

    def _show_redacted_open(self, data: str) -> None:
        self._open("", {"type": "redacted_thinking", "data": data})

    def _show_tool_open(self, tool_id: str, name: str) -> None:
        self._open("input", {"type": "tool_use", "id": tool_id, "name": name, "input": {}})

    def _show_search(self, search_id: str, query: str) -> None:
        self._open("", search_block(search_id, query))

    def _show_found(self, search_id: str, content: Content) -> None:
        self._open("", result_block(search_id, content))

    def _show_text(self, text: str) -> None:
        self._pieces.append(text)

    def _show_thinking(self, text: str) -> None:
        self._pieces.append(text)

    def _show_signature(self, signature: str) -> None:
        self._blocks[-1]["signature"] = signature

    def _show_input(self, fragment: str) -> None:
        self._pieces.append(fragment)

    def _show_close(self) -> None:
        block = self._blocks[-1]
        if self._field == "input":
            # Input that was cut stays {}; the stop reason tells that it is not to be run.
            if is_json(self._pieces):
                block["input"] = msgspec.Raw("".join(self._pieces).encode("utf-8"))
        elif self._field:
            block[self._field] = "".join(self._pieces)
        self._pieces.clear()

    def _show_end(self, reason: str, stop_sequence: str | None) -> None:
        self._stop_reason = reason
        self._stop_sequence = stop_sequence

    def _open(self, field: str, block: dict[str, object]) -> None:
        self._field = field
        self._blocks.append(block)
