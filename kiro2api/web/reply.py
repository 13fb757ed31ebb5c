# -*- test-case-name: tests.web.test_reply -*-
"""JSON answers and errors, in the language of whoever asks.

One place decides which dialect a path speaks and renders every failure, so that nothing ever
answers HTML.
"""

from typing import Any, cast

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from kiro2api.dialects.anthropic.dialect import ANTHROPIC
from kiro2api.dialects.chat.dialect import CHAT
from kiro2api.dialects.dialect import Dialect
from kiro2api.errors import Kind, KiroError, MethodNotAllowed, NotFound
from kiro2api.web.paths import is_openai
from kiro2api.web.site import ApiRequest

JSON_TYPE = [b"application/json"]

RETRY_SECONDS = 5.0
"""When to try again, where nobody knows better."""
_TRY_AGAIN = frozenset({Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED})

_encode = msgspec.json.Encoder().encode
_log = Logger()


def dialect_of(request: ApiRequest) -> Dialect:
    """The dialect of a request: by its path; for shared paths by ``anthropic-version``."""
    path = request.location.path
    if is_openai(path):
        return CHAT
    if path.startswith("/v1/messages") or request.getHeader(b"anthropic-version"):
        return ANTHROPIC
    return CHAT if path.startswith("/v1/models") else ANTHROPIC


def send_json(request: ApiRequest, body: bytes, status: int = 200) -> bytes:
    """Set status and headers for a JSON body and return it, for Klein to write."""
    request.setResponseCode(status)
    headers = request.responseHeaders
    headers.setRawHeaders(b"Content-Type", JSON_TYPE)
    headers.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
    return body


def send_value(request: ApiRequest, value: object, status: int = 200) -> bytes:
    """As send_json, for a value that is not yet encoded."""
    return send_json(request, _encode(value), status)


def rendered(request: ApiRequest, error: KiroError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and JSON body of ``error`` for this request."""
    dialect = dialect_of(request)
    request_id = id_of(request)
    headers = [
        (b"Content-Type", JSON_TYPE[0]),
        (dialect.id_header.encode("ascii"), request_id.encode("ascii")),
    ]
    retry_after = error.retry_after
    if retry_after is None and error.kind in _TRY_AGAIN:
        # Some clients never try again when they are not told when.
        retry_after = RETRY_SECONDS
    if retry_after is not None:
        headers.append((b"Retry-After", b"%d" % max(1, -int(-retry_after // 1))))
    if error.kind is Kind.METHOD_NOT_ALLOWED and error.code:
        headers.append((b"Allow", error.code.encode("ascii")))
    return dialect.status(error), headers, dialect.error_body(error, request_id)


def id_of(request: ApiRequest) -> str:
    """The request's id: given when it arrived, shown in headers, errors and the log."""
    return "req_" + request.unique


def send_error(request: ApiRequest, error: KiroError) -> bytes:
    """Answer with ``error``; in the middle of an answer all that is left is a visible cut."""
    if request.startedWriting:
        if request.channel is not None:
            request.channel.forceAbortClient()
        return b""
    status, headers, body = rendered(request, error)
    request.setResponseCode(status)
    for name, value in headers:
        request.setHeader(name, value)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


def from_http(error: HTTPException, request: ApiRequest) -> KiroError:
    """Klein's own failures (no route, wrong method) as ours."""
    path = request.location.path
    method = request.method.decode("ascii", "replace")
    if error.code == 405:
        allowed = sorted(getattr(error, "valid_methods", None) or [])
        return MethodNotAllowed(
            f"{method} is not allowed for {path}; allowed: {', '.join(allowed)}",
            code=", ".join(allowed),
        )
    return NotFound(f"there is no {method} {path}")


def install_error_pages(app: Klein) -> None:
    """Render every failure of ``app``'s routes with send_error."""

    @app.handle_errors(KiroError)
    def known(self: Any, request: IRequest, failure: Failure) -> bytes:
        return send_error(cast(ApiRequest, request), cast(KiroError, failure.value))

    @app.handle_errors(HTTPException)
    def routing(self: Any, request: IRequest, failure: Failure) -> bytes:
        ours = cast(ApiRequest, request)
        return send_error(ours, from_http(cast(HTTPException, failure.value), ours))

    @app.handle_errors(CancelledError)
    def left(self: Any, request: IRequest, failure: Failure) -> bytes:
        return b""

    @app.handle_errors(Exception)
    def unknown(self: Any, request: IRequest, failure: Failure) -> bytes:
        ours = cast(ApiRequest, request)
        _log.failure("unexpected failure in request {id}", failure=failure, id=id_of(ours))
        return send_error(ours, KiroError("internal error; the operator's log has the details"))
