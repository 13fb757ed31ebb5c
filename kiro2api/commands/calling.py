# -*- test-case-name: tests.commands.test_calling -*-
"""Calls to a service's operator API.

Must not know the commands, nor what is printed.
"""

from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TooLate
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.web.client import ResponseFailed, ResponseNeverReceived

from kiro2api import __version__
from kiro2api.errors import KiroError
from kiro2api.redaction import Secret

ANSWER_SECONDS: Final = 120.0
CONNECT_SECONDS: Final = 5.0
PAGE: Final = 500
_UNREACHABLE: Final = (ConnectError, ConnectionClosed, ConnectTimeout, DNSLookupError)
_NO_KEY: Final = (
    "the service asks for a key: set KIRO2API_KEY to an admin's (KIRO_ADMIN_TOKEN of the service, "
    "else KIRO_CLIENT_TOKEN, else the key that it showed at its first start)"
)


class CommandFailed(KiroError):
    """A command cannot be carried out; one line for whoever typed it."""


class Unreachable(CommandFailed):
    """No service answers."""


class Stranger(CommandFailed):
    """Something answers that is no kiro2api."""


class ApiRefused(CommandFailed):
    """The service answered with an error. ``status``: of HTTP; ``body``: decoded, or None."""

    def __init__(self, message: str, status: int, param: str, body: object) -> None:
        super().__init__(message, param=param or None)
        self.status = status
        self.body = body


class Key(msgspec.Struct, frozen=True):
    """What lets a command in.

    ``origin``: the setting it comes from. ``made``: it lives only as long as the command.
    """

    secret: Secret = Secret("")
    origin: str = ""
    made: bool = False


class Answer(msgspec.Struct, frozen=True):
    """What came back, of whatever status."""

    status: int
    content: bytes
    content_type: str = ""


class Api:
    """One service.

    :param http: treq's client, which names too many parameters to be typed here.
    :param base: such as ``http://127.0.0.1:8080``.
    :param clock: bounds how long an answer may take.
    """

    def __init__(self, http: Any, base: str, key: Key, clock: Any) -> None:
        self._http = http
        self.base = base.rstrip("/")
        self.key = key
        self.clock = clock

    # ── answers ──────────────────────────────────────────────────────────────

    async def get(self, path: str) -> Any:
        """The decoded answer to a GET; raises CommandFailed."""
        return await self.call("GET", path)

    async def post(self, path: str, body: object) -> Any:
        """The decoded answer to a POST; raises CommandFailed."""
        return await self.call("POST", path, body)

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer, None where there is none; raises CommandFailed."""
        data = None if body is None else msgspec.json.encode(body)
        return self._read(await self.exchange(method, path, data))

    async def everything(self, path: str, field: str = "items", **filters: str) -> list[Any]:
        """All items of a list, page by page; raises CommandFailed.

        :param field: what this list is called where it is not ``items``.
        """
        found: list[Any] = []
        page, total = 1, 1
        given = {name: value for name, value in filters.items() if value}
        while len(found) < total:
            told = await self.get(f"{path}?{urlencode({**given, 'page': page, 'page_size': PAGE})}")
            items = told.get("items", told.get(field)) if isinstance(told, dict) else None
            if not isinstance(items, list):
                raise self.stranger("there is no list where its API has one")
            if not items:
                break
            found += items
            page, total = page + 1, told.get("total", len(found))
        return found

    async def exchange(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        *,
        keyed: bool = True,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """One exchange, whatever the status; raises Unreachable.

        :param keyed: whether the key goes along.
        """
        headers = {"accept": "application/json", "user-agent": f"kiro2api/{__version__} (command)"}
        if keyed and self.key.secret:
            headers["authorization"] = f"Bearer {self.key.secret.reveal()}"
            if path.startswith("/v1/messages"):
                headers["x-api-key"] = self.key.secret.reveal()
        if path.startswith("/v1/messages"):
            headers["anthropic-version"] = "2023-06-01"
        if data is not None:
            headers["content-type"] = "application/json"
        going = Deferred.fromCoroutine(self._exchange(method, path, headers, data))
        try:
            return await going.addTimeout(seconds, self.clock)
        except TooLate:
            raise Unreachable(
                f"{self.base} did not answer {method} {path.partition('?')[0]} "
                f"within {seconds:g} seconds"
            ) from None
        except (*_UNREACHABLE, ResponseFailed, ResponseNeverReceived) as error:
            raise Unreachable(
                f"no service answers at {self.base} ({_why(error)}): start it, say with --url "
                "where it is, or use --offline"
            ) from None

    async def _exchange(
        self, method: str, path: str, headers: dict[str, str], data: bytes | None
    ) -> Answer:
        # A redirection would take the key along to wherever it leads.
        response = await self._http.request(
            method, self.base + path, headers=headers, data=data, allow_redirects=False
        )
        content = await response.content()
        kinds = response.headers.getRawHeaders("content-type") or [""]
        return Answer(response.code, content, str(kinds[0]))

    # ── errors ───────────────────────────────────────────────────────────────

    def stranger(self, why: str) -> Stranger:
        """What answers is not what was meant."""
        return Stranger(f"{self.base} answers, but not as kiro2api does: {why}")

    def _read(self, answer: Answer) -> Any:
        status, content = answer.status, answer.content
        try:
            value = msgspec.json.decode(content) if content else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.stranger(f"HTTP {status} without JSON") from None
        if status < 300:
            return value
        message, param = told(value)
        if status == 401:
            message = self._locked_out(message)
        elif status == 403 and self.key.origin:
            message = f"{message} (the key is that of {self.key.origin})"
        elif not message and (status < 400 or status == 404 or not isinstance(value, dict)):
            raise self.stranger(f"HTTP {status}")
        raise ApiRefused(message or f"HTTP {status}", status, param, value)

    def _locked_out(self, message: str) -> str:
        if not self.key.secret:
            return _NO_KEY
        return (
            f"the service refuses the key of {self.key.origin} ({message or 'HTTP 401'}): "
            "set KIRO2API_KEY to an admin key of this service"
        )


def told(value: object) -> tuple[str, str]:
    """Message and field of an error in JSON, in any of the usual forms; else empty."""
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, str):
        return error, ""
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        param = error.get("param")
        return error["message"], param if isinstance(param, str) else ""
    return "", ""


def below(path: str, *parts: str) -> str:
    """A path with further parts, which may hold any characters."""
    return "/".join((path, *(quote(part, safe="") for part in parts)))


def over_http(reactor: Any, base: str, key: Key) -> Api:
    """The service at an address, over a connection of its own.

    One that is kept: what was begun on it is asked about there as well, and among several
    processes only the one that began a job or a login knows of it.
    """
    # Only now, because with treq comes much that ``--help`` can do without.
    from treq.client import HTTPClient
    from twisted.web.client import Agent, HTTPConnectionPool

    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 1
    agent = Agent(reactor, connectTimeout=CONNECT_SECONDS, pool=pool)
    return Api(HTTPClient(agent), base, key, reactor)


def _why(error: BaseException) -> str:
    """In few words, without what an exception's own text repeats of addresses."""
    reasons = getattr(error, "reasons", None)
    if reasons:
        return _why(reasons[-1].value)
    if type(error).__module__.startswith("OpenSSL"):
        return "TLS failed; is its certificate known here, and is it https?"
    names = {
        "ConnectionRefusedError": "connection refused",
        "ConnectError": "no connection",
        "DNSLookupError": "no such host",
        "TimeoutError": "no connection in time",
        "TCPTimedOutError": "no connection in time",
        "NoRouteError": "no way there",
        "ConnectionLost": "it hung up",
        "ConnectionDone": "it hung up",
        "ParseError": "it does not speak HTTP",
    }
    return names.get(type(error).__name__, type(error).__name__)
