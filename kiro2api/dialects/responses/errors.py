# -*- test-case-name: tests.dialects.responses.test_errors -*-
"""A failure within a stream, as the ``error`` of a failed response.

Clients go by ``code``: some codes they try again, some end the turn, some make them shorten the
conversation. Failures before the stream look as in the chat dialect.
"""

from typing import Final

import msgspec

from kiro2api.errors import Kind, KiroError

_RATE: Final = "rate_limit_exceeded"
_SERVER: Final = "server_error"
_REQUEST: Final = "invalid_prompt"
_LENGTH: Final = "context_length_exceeded"

_CODES: Final = {
    Kind.INVALID_REQUEST: _REQUEST,
    Kind.THREAD_UNSUPPORTED: _REQUEST,
    Kind.CONTEXT_OVERFLOW: _LENGTH,
    Kind.UNAUTHENTICATED: _REQUEST,
    Kind.QUOTA_EXHAUSTED: "insufficient_quota",
    Kind.FORBIDDEN: _REQUEST,
    Kind.NOT_FOUND: _REQUEST,
    Kind.MODEL_NOT_FOUND: _REQUEST,
    Kind.METHOD_NOT_ALLOWED: _REQUEST,
    Kind.TOO_LARGE: _LENGTH,
    Kind.RATE_LIMITED: _RATE,
    # Codex gives up on a code that speaks of overload, and tries again after a server error.
    Kind.OVERLOADED: _SERVER,
    Kind.UNAVAILABLE: _SERVER,
    Kind.TIMEOUT: _SERVER,
    Kind.INTERNAL: _SERVER,
}


class _Failure(msgspec.Struct, frozen=True):
    code: str
    message: str


def failure_json(error: KiroError) -> bytes:
    """``error`` of a failed response."""
    code, message = _CODES[error.kind], error.message
    if code == _RATE and error.retry_after is not None:
        # There is no header within a stream; clients look for the time in these words.
        message = f"{message.rstrip('.')}. Please try again in {error.retry_after:.3f}s."
    return msgspec.json.encode(_Failure(code, message))
