# -*- test-case-name: tests.dialects.chat.test_errors -*-
"""How failures look to clients of the OpenAI dialects: one table, one body.

Must not know where a failure came from.
"""

from typing import Final

import msgspec

from kiro2api.errors import Kind, KiroError


class Look(msgspec.Struct, frozen=True):
    """HTTP status, ``type`` and ``code`` of one kind of failure."""

    status: int
    type: str
    code: str | None = None


class Details(msgspec.Struct, frozen=True):
    """``error``."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    """The whole body."""

    error: Details


_REQUEST: Final = "invalid_request_error"
_SERVER: Final = "server_error"

_LOOKS: Final = {
    Kind.INVALID_REQUEST: Look(400, _REQUEST),
    Kind.THREAD_UNSUPPORTED: Look(400, _REQUEST, "thread_unsupported_request"),
    Kind.CONTEXT_OVERFLOW: Look(400, _REQUEST, "context_length_exceeded"),
    Kind.UNAUTHENTICATED: Look(401, _REQUEST, "invalid_api_key"),
    Kind.QUOTA_EXHAUSTED: Look(429, "insufficient_quota", "insufficient_quota"),
    Kind.FORBIDDEN: Look(403, "permission_error", "permission_denied"),
    Kind.NOT_FOUND: Look(404, _REQUEST, "not_found"),
    Kind.MODEL_NOT_FOUND: Look(404, _REQUEST, "model_not_found"),
    Kind.METHOD_NOT_ALLOWED: Look(405, _REQUEST, "method_not_allowed"),
    Kind.TOO_LARGE: Look(413, _REQUEST, "request_too_large"),
    Kind.RATE_LIMITED: Look(429, "rate_limit_error", "rate_limit_exceeded"),
    Kind.OVERLOADED: Look(503, _SERVER, "overloaded"),
    Kind.UNAVAILABLE: Look(503, _SERVER, "unavailable"),
    Kind.TIMEOUT: Look(504, _SERVER, "timeout"),
    Kind.INTERNAL: Look(500, _SERVER, "server_error"),
}


def status(error: KiroError) -> int:
    """The HTTP status of a failure before the first byte."""
    return _LOOKS[error.kind].status


def error_json(error: KiroError) -> bytes:
    """The JSON of a failure, the same in a body and in a stream.

    Clients compare ``code`` with words they know, so a failure's own code shows only where its
    kind has none of these.
    """
    look = _LOOKS[error.kind]
    details = Details(error.message, look.type, error.param, look.code or error.code)
    return msgspec.json.encode(ErrorBody(details))
