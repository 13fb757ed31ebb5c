# -*- test-case-name: tests.commands.test_calling -*-
"""Calls to a service's operator API.

Must not know the commands, nor what is printed.
"""

from typing import Any, Final

import msgspec
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.web.client import ResponseFailed, ResponseNeverReceived

from kiro2api.errors import KiroError
from kiro2api.redaction import Secret

ANSWER_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 5.0
_UNREACHABLE: Final = (ConnectError, ConnectionLost, ConnectTimeout, DNSLookupError)


class CommandFailed(KiroError):
    """A command cannot be carried out; one line for whoever typed it."""


class Unreachable(CommandFailed):
    """No service answers."""


class ApiRefused(CommandFailed):
    """The service answered with an error. ``status``: of HTTP; ``body``: decoded, or None."""

    def __init__(self, message: str, status: int, param: str, body: object) -> None:
        super().__init__(message, param=param or None)
        self.status = status
        self.body = body


class Api:
    """One service.

    :param http: treq's client, which names too many parameters to be typed here.
    :param base: such as ``http://127.0.0.1:8080``.
    """

    def __init__(self, http: Any, base: str, key: Secret) -> None:
        self._http = http
        self.base = base.rstrip("/")
        self._key = key

    async def get(self, path: str) -> Any:
        """The decoded answer to a GET; raises CommandFailed."""
        return await self.call("GET", path)

    async def post(self, path: str, body: object) -> Any:
        """The decoded answer to a POST; raises CommandFailed."""
        return await self.call("POST", path, body)

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer, None where there is none; raises CommandFailed."""
        headers = {"accept": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key.reveal()}"
        data = None
        if body is not None:
            headers["content-type"] = "application/json"
            data = msgspec.json.encode(body)
        try:
            response = await self._http.request(
                method, self.base + path, headers=headers, data=data, timeout=ANSWER_SECONDS
            )
            content = await response.content()
        except (*_UNREACHABLE, ResponseFailed, ResponseNeverReceived) as error:
            raise Unreachable(
                f"no service answers at {self.base} ({type(error).__name__}); start it, name it "
                "with --url, or use --offline to work on the database itself"
            ) from None
        return _read(response.code, content)


def over_http(reactor: Any, base: str, key: Secret) -> Api:
    """The service at an address, over connections of its own."""
    # Only now, because with treq comes much that ``--help`` can do without.
    from treq.client import HTTPClient
    from twisted.web.client import Agent, HTTPConnectionPool

    pool = HTTPConnectionPool(reactor, persistent=False)
    return Api(HTTPClient(Agent(reactor, connectTimeout=CONNECT_SECONDS, pool=pool)), base, key)


def _read(status: int, content: bytes) -> Any:
    try:
        value = msgspec.json.decode(content) if content else None
    except msgspec.DecodeError:
        raise ApiRefused(
            f"the address answers, but not as kiro2api does (HTTP {status})", status, "", None
        ) from None
    if status < 400:
        return value
    told = value.get("error") if isinstance(value, dict) else None
    message, param = f"HTTP {status}", ""
    if isinstance(told, str):
        message = told
    elif isinstance(told, dict):
        message, param = str(told.get("message") or message), str(told.get("param") or "")
    raise ApiRefused(message, status, param, value)
