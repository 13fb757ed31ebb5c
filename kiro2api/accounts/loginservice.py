# -*- test-case-name: tests.accounts.test_tokensource -*-
"""One question to a login service, and its whole answer.

Must not know what is asked, nor what an answer means. The service's own words never reach a
message.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from kiro2api.errors import UpstreamUnavailable
from kiro2api.upstream.bodies import BodyTooLong, read_bounded

DEFAULT_TIMEOUT: Final = 20.0

_BODY_LIMIT: Final = 64 * 1024
_UNREACHABLE: Final = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
)


class Poster(Protocol):
    """The part of treq's HTTPClient that is used here."""

    def post(
        self,
        url: str,
        /,
        *,
        data: bytes,
        headers: Headers,
        allow_redirects: bool,
        unbuffered: bool,
        reactor: Any,
    ) -> Deferred[Any]:
        """Send ``data``; fires with the response at its head."""


class LoginAnswer(msgspec.Struct, frozen=True):
    """``headers``: those that matter, by lower-case name. ``asked_at``: epoch seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_at: float

    def __repr__(self) -> str:
        # Without the body: tokens are in it.
        return f"<answer of a login service with status {self.status}>"


class LoginService:
    """One POST of JSON to a login service, with one timer around head and body."""

    def __init__(
        self,
        http: Poster,
        clock: IReactorTime,
        timeout: float,
        user_agent: str,
    ) -> None:
        self._http = http
        self._clock = clock
        self._timeout = timeout
        self._user_agent = user_agent

    async def ask(self, url: str, question: object) -> LoginAnswer:
        """Whatever is answered, also an error's status.

        :raises UpstreamUnavailable: with code ``timeout`` or ``unreachable``.
        """
        asked = self._clock.seconds()
        status, headers, body = await self._ask(url, msgspec.json.encode(question))
        return LoginAnswer(status, headers, body, asked)

    async def _ask(self, url: str, data: bytes) -> tuple[int, Mapping[str, str], bytes]:
        try:
            asking = Deferred.fromCoroutine(self._post(url, data))
            return await asking.addTimeout(self._timeout, self._clock)
        except CancelledError:
            raise
        except DeferredTimeout:
            raise UpstreamUnavailable(
                "The login service did not answer in time.", code="timeout"
            ) from None
        except _UNREACHABLE as error:
            # Cancelled before its head, a request fails as "never received".
            late = isinstance(error, ResponseFailed) and any(
                reason.check(CancelledError) for reason in error.reasons
            )
            if late:
                raise UpstreamUnavailable(
                    "The login service did not answer in time.", code="timeout"
                ) from None
            raise UpstreamUnavailable(
                "The login service cannot be reached.", code="unreachable"
            ) from None

    async def _post(self, url: str, data: bytes) -> tuple[int, Mapping[str, str], bytes]:
        response: IResponse = await self._http.post(
            url,
            data=data,
            headers=Headers(
                {
                    "content-type": ["application/json"],
                    "accept": ["application/json"],
                    "user-agent": [self._user_agent],
                }
            ),
            allow_redirects=False,
            unbuffered=True,
            reactor=self._clock,
        )
        try:
            body = await read_bounded(response, _BODY_LIMIT, self._clock, self._timeout)
        except BodyTooLong as fault:
            # Somebody's web page: its status still tells, its text is no JSON anyway.
            body = fault.partial
        headers = {
            name: values[-1]
            for name in ("retry-after", "x-amzn-errortype", "x-amzn-requestid")
            if (values := response.headers.getRawHeaders(name))
        }
        return response.code, headers, body
