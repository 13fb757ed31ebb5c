# -*- test-case-name: tests.dialects.responses.test_answer -*-
"""The response object around the items, the same in every event and in a whole answer.

Must not know how items come about.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kiro2api.conversation.answer import StopReason, Usage
from kiro2api.conversation.held import Finished
from kiro2api.dialects.dialect import Opening
from kiro2api.dialects.responses.draft import Draft
from kiro2api.dialects.responses.echo import NO_ECHO, Echo

_encode: Final = msgspec.json.Encoder().encode

_INCOMPLETE: Final = {
    StopReason.MAX_TOKENS: b'{"reason":"max_output_tokens"}',
    StopReason.CONTEXT_WINDOW: b'{"reason":"max_output_tokens"}',
    StopReason.REFUSAL: b'{"reason":"content_filter"}',
}


class _InputDetails(msgspec.Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class _OutputDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int
    input_tokens_details: _InputDetails
    output_tokens: int
    output_tokens_details: _OutputDetails
    total_tokens: int


def echo_of(opening: Opening) -> Echo:
    """What the answer needs of the request."""
    return opening.echo if isinstance(opening.echo, Echo) else NO_ECHO


def usage_json(opening: Opening, usage: Usage | None, thought: int) -> bytes:
    """``usage``; the opening's estimate stands in where nothing was reported."""
    if usage is None:
        usage = Usage(opening.input_tokens, 0)
    asked = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return _encode(
        _Usage(
            asked,
            _InputDetails(usage.cache_read_tokens, usage.cache_write_tokens),
            usage.output_tokens,
            # The upstream does not count reasoning apart, so this is an estimate.
            _OutputDetails(min(thought, usage.output_tokens)),
            asked + usage.output_tokens,
        )
    )


class Envelope:
    """The response objects of one answer."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._echo = echo_of(opening)
        self.id = f"resp_{opening.id}"
        self._head = b'{"id":%b,"object":"response","created_at":%d,"model":%b,"status":' % (
            _encode(self.id),
            opening.created,
            _encode(opening.model),
        )

    def response(
        self,
        status: bytes,
        output: Sequence[bytes] = (),
        *,
        error: bytes = b"null",
        details: bytes = b"null",
        usage: bytes = b"null",
    ) -> bytes:
        """The object in some state."""
        return b'%b"%b","error":%b,"incomplete_details":%b,"output":[%b],"usage":%b,%b}' % (
            self._head,
            status,
            error,
            details,
            b",".join(output),
            usage,
            self._echo.fields,
        )

    def finished(self, draft: Draft) -> tuple[bytes, bytes]:
        """Status and object of an answer that has ended; puts it away if that is wanted."""
        reason = StopReason.END_TURN if draft.ended is None else draft.ended.reason
        details = _INCOMPLETE.get(reason)
        status = b"completed" if details is None else b"incomplete"
        body = self.response(
            status,
            draft.shown,
            details=b"null" if details is None else details,
            usage=usage_json(self._opening, draft.usage, draft.thought),
        )
        echo = self._echo
        if echo.keep is not None:
            echo.keep(Finished(self.id, body, echo.previous, echo.given, tuple(draft.made)))
        return status, body
