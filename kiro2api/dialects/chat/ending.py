# -*- test-case-name: tests.dialects.chat.test_ending -*-
"""What a streamed and a whole answer say in the same words: call ids, the end, the usage.

Must not know how either is put together.
"""

from typing import Final

import msgspec

from kiro2api.conversation.answer import StopReason, Usage
from kiro2api.dialects.dialect import Opening

_REASONS: Final = {
    StopReason.END_TURN: "stop",
    StopReason.TOOL_USE: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTEXT_WINDOW: "length",
    StopReason.REFUSAL: "content_filter",
}


class PromptDetails(msgspec.Struct, frozen=True):
    """``usage.prompt_tokens_details``."""

    cached_tokens: int


class Counts(msgspec.Struct, frozen=True):
    """``usage``; ``prompt_tokens`` includes what was read from and written to a cache."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


def finish_reason(reason: StopReason, called: bool) -> str:
    """``finish_reason``: calls outrank all but a cut answer, whose last call may be in pieces."""
    if called and _REASONS[reason] != "length":
        return "tool_calls"
    return _REASONS[reason]


def counts(opening: Opening, usage: Usage | None) -> Counts:
    """``usage`` of an answer; the opening's estimate stands in where nothing was reported."""
    if usage is None:
        usage = Usage(opening.input_tokens, 0)
    asked = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return Counts(
        asked,
        usage.output_tokens,
        asked + usage.output_tokens,
        PromptDetails(usage.cache_read_tokens),
    )


def completion_id(opening: Opening) -> str:
    """``id`` of the answer."""
    return f"chatcmpl-{opening.id}"


def call_id(upstream_id: str) -> str:
    """The id of a call as this dialect's clients expect it to look."""
    return f"call_{upstream_id.removeprefix('tooluse_')}"
