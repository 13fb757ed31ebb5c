# -*- test-case-name: tests.web.admin.test_failures -*-
"""Failures of the operator's API: the usual JSON body, with the field that was wrong.

Also the reading of bodies, so that each mistake in one is told in the same way. Must not know
what the routes do.
"""

import re
from typing import Any, Final, TypeVar, cast

import msgspec
from klein import Klein
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from kiro2api.errors import Conflict as Conflict
from kiro2api.errors import KiroError, RequestRejected
from kiro2api.web.reply import id_of, install_error_pages, rendered, send_error
from kiro2api.web.site import ApiRequest

T = TypeVar("T")

_PLACE: Final = re.compile(r"^(?P<what>.*?) - at `\$\.?(?P<path>[^`]*)`$", re.DOTALL)
_EXTRA: Final = re.compile(r"^Object contains unknown field `(?P<name>[^`]*)`")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<name>[^`]*)`")


def install_operator_errors(app: Klein) -> None:
    """Render every failure of ``app``'s routes, naming the wrong field in ``param``."""

    @app.handle_errors(KiroError)
    def known(self: Any, request: IRequest, failure: Failure) -> bytes:
        return send_failure(cast(ApiRequest, request), cast(KiroError, failure.value))

    install_error_pages(app)


def send_failure(request: ApiRequest, error: KiroError) -> bytes:
    """Answer with ``error``."""
    if request.startedWriting:
        return send_error(request, error)
    status, headers, _ = rendered(request, error)
    conflict = isinstance(error, Conflict)
    shown: dict[str, object] = {
        "type": "conflict" if conflict else error.kind.value,
        "message": error.message,
    }
    if error.param is not None:
        shown["param"] = error.param
    if error.code is not None:
        shown["code"] = error.code
    answer: dict[str, object] = {"type": "error", "error": shown, "request_id": id_of(request)}
    answer.update((name, value) for name, value in error.details.items() if name not in answer)
    body = msgspec.json.encode(answer)
    request.setResponseCode(409 if conflict else status)
    for name, value in headers:
        request.setHeader(name, value)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


def body_of(request: ApiRequest, decoder: msgspec.json.Decoder[T]) -> T:
    """The request's body; raises RequestRejected with the path of the wrong field.

    An empty body counts as an empty object.
    """
    try:
        return decoder.decode(request.body or b"{}")
    except msgspec.ValidationError as error:
        raise rejected(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRejected("the request body is not JSON") from None


def rejected(error: msgspec.ValidationError) -> RequestRejected:
    """A mistake that msgspec found, with the place apart from the text."""
    text, path = str(error), ""
    if found := _PLACE.match(text):
        text, path = found["what"], found["path"]
    if named := _EXTRA.match(text):
        path = f"{path}.{named['name']}" if path else named["name"]
        text = "there is no such field"
    elif named := _MISSING.match(text):
        path = f"{path}.{named['name']}" if path else named["name"]
        text = "this field is required"
    return RequestRejected(text, param=path or None)
