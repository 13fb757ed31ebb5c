# -*- test-case-name: tests.dialects.anthropic.test_errors -*-
"""A failure as clients of this dialect know it: status, type, message.

Wire: clients retry 429, 529 and 5xx and stop at 400, 403 and 404; they compact a conversation on
the words "prompt is too long". Must not know where a failure comes from.
"""

from typing import Final

from kiro2api.dialects.anthropic.encoding import clean, encode
from kiro2api.errors import Kind, KiroError

_STATUS_AND_TYPE: Final[dict[Kind, tuple[int, str]]] = {
    Kind.INVALID_REQUEST: (400, "invalid_request_error"),
    Kind.THREAD_UNSUPPORTED: (400, "invalid_request_error"),
    Kind.CONTEXT_OVERFLOW: (400, "invalid_request_error"),
    Kind.UNAUTHENTICATED: (401, "authentication_error"),
    Kind.QUOTA_EXHAUSTED: (402, "billing_error"),
    Kind.FORBIDDEN: (403, "permission_error"),
    Kind.NOT_FOUND: (404, "not_found_error"),
    Kind.MODEL_NOT_FOUND: (404, "not_found_error"),
    Kind.METHOD_NOT_ALLOWED: (405, "invalid_request_error"),
    Kind.TOO_LARGE: (413, "request_too_large"),
    Kind.RATE_LIMITED: (429, "rate_limit_error"),
    Kind.OVERLOADED: (529, "overloaded_error"),
    # Before the first byte the status alone makes clients retry, and some give up earlier on
    # "overloaded"; within a stream there is no status and "overloaded" is what they retry.
    Kind.UNAVAILABLE: (503, "api_error"),
    Kind.TIMEOUT: (504, "timeout_error"),
    Kind.INTERNAL: (500, "api_error"),
}
_IN_STREAM: Final = {Kind.UNAVAILABLE: "overloaded_error"}
_TOO_LONG: Final = "prompt is too long"


def status(error: KiroError) -> int:
    """The HTTP status of a failure before the first byte."""
    return _STATUS_AND_TYPE[error.kind][0]


def error_body(error: KiroError, request_id: str) -> bytes:
    """The JSON body of a failure before the first byte."""
    return _body(_STATUS_AND_TYPE[error.kind][1], error, request_id)


def event_body(error: KiroError, request_id: str) -> bytes:
    """The data of the ``error`` event of a failure within a stream."""
    kind = _IN_STREAM.get(error.kind, _STATUS_AND_TYPE[error.kind][1])
    return _body(kind, error, request_id)


def _body(kind: str, error: KiroError, request_id: str) -> bytes:
    shown: dict[str, object] = {"type": kind, "message": clean(_message(error))}
    if error.kind is Kind.THREAD_UNSUPPORTED:
        # Wire: without these details a client does not fall back to sending the history.
        shown["details"] = dict(error.details)
    return encode({"type": "error", "error": shown, "request_id": clean(request_id)})


def _message(error: KiroError) -> str:
    message = error.message
    if error.kind is Kind.CONTEXT_OVERFLOW:
        tokens, maximum = error.details.get("tokens"), error.details.get("maximum")
        if isinstance(tokens, int) and isinstance(maximum, int):
            return f"{_TOO_LONG}: {tokens} tokens > {maximum} maximum"
        return message if message.startswith(_TOO_LONG) else f"{_TOO_LONG}: {message}"
    if error.param is not None and error.param not in message:
        return f"{error.param}: {message}"
    return message
