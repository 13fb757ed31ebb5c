# -*- test-case-name: tests.emulator.test_app -*-
"""One call to the emulator under way, and the replies that do not depend on what it asks.

Must not know routes, accounts or operations.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from twisted.web.iweb import IRequest

from kiro2api.emulator.calls import Call
from kiro2api.emulator.replies import (
    INVALID_JSON,
    JSON,
    Reply,
    invalid,
    oauth_refusal,
    refusal,
    status_of,
)
from kiro2api.emulator.script import Script

_LOGIN = (
    "/refreshToken",
    "/token",
    "/client/register",
    "/device_authorization",
    "/oauth/device/authorization",
    "/oauth/device/poll",
)


class Visit(msgspec.Struct):
    """One call under way: the request, what was noted of it, and the order it is subject to."""

    request: Any
    call: Call
    raw: bytes
    body: Any
    script: Script
    now: float

    def header(self, name: str) -> str:
        """The value of a request header, empty if there is none."""
        return self.request.getHeader(name) or ""

    def object(self) -> Mapping[str, Any]:
        """The body as a JSON object; raises Refused."""
        if self.header("content-type").split(";")[0].strip().lower() != JSON:
            raise invalid("The content type must be application/json.", INVALID_JSON)
        if not isinstance(self.body, dict):
            raise invalid("Improperly formed request.", INVALID_JSON)
        return self.body


def ordered(script: Script, path: str) -> Reply | None:
    """The reply that a script orders instead of the operation's own."""
    if script.body is not None:
        return Reply(script.status or 200, script.body.encode())
    if not (script.status or script.error) or script.error_at is not None:
        return None
    status = script.status or status_of(script.error)
    if path in _LOGIN:
        code = script.reason or "server_error"
        return oauth_refusal(
            script.error, code, script.message, status=status, retry_after=script.retry_after
        )
    return refusal(
        script.error,
        script.message,
        script.reason,
        status=status,
        retry_after=script.retry_after,
    )


def content(request: Any) -> bytes:
    """The whole body."""
    body: bytes = request.content.read()
    return body


def control(request: IRequest, value: object, status: int = 200) -> bytes:
    """What the emulator's own controls answer."""
    request.setResponseCode(status)
    request.setHeader("content-type", JSON)
    return msgspec.json.encode(value)
