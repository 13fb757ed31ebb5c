# -*- test-case-name: tests.accounts.test_tokensource -*-
"""The login services that renew access tokens: Kiro's for social logins, SSO OIDC for IdC.

Must not know who needs the token, nor store anything. The service's own words never reach a
message: only our own sentences and known error codes do.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials, is_profile_arn, is_token
from kiro2api.accounts.interfaces import ITokenSource
from kiro2api.accounts.loginfaults import login_fault
from kiro2api.errors import UpstreamFault, UpstreamUnavailable
from kiro2api.redaction import Secret
from kiro2api.upstream.bodies import BodyTooLong, read_bounded

SOCIAL_URL: Final = "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken"
DEFAULT_TIMEOUT: Final = 20.0

_BODY_LIMIT: Final = 64 * 1024
_DEFAULT_LIFETIME: Final = 3600.0
_LONGEST_LIFETIME: Final = 30 * 24 * 3600.0

_UNREACHABLE: Final = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
)


def oidc_url(region: str) -> str:
    """Wire: the token endpoint lies in the region of the login, not of the profile."""
    return f"https://oidc.{region}.amazonaws.com/token"


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


class _Reply(msgspec.Struct, rename="camel"):
    """A successful answer. Optional members are judged one by one: a strange one must not cost
    the rotated refresh token beside it."""

    access_token: str
    refresh_token: object = None
    expires_in: object = None
    profile_arn: object = None


_REPLIES: Final = msgspec.json.Decoder(_Reply)


class _LoginService:
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

    async def renewed(self, url: str, question: object, old: Credentials) -> Credentials:
        """``old`` with whatever the service gave anew."""
        asked = self._clock.seconds()
        status, headers, body = await self._ask(url, msgspec.json.encode(question))
        if status != 200:
            raise login_fault(status, headers, body)
        return _merged(old, body, asked)

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


@implementer(ITokenSource)
class SocialTokenSource:
    """Renews logins through Google or GitHub.

    Wire: POST {"refreshToken"} to ``url``, without a bearer.
    """

    def __init__(
        self,
        http: Poster,
        clock: IReactorTime,
        *,
        url: str = SOCIAL_URL,
        timeout: float = DEFAULT_TIMEOUT,
        user_agent: str = "kiro2api",
    ) -> None:
        self._service = _LoginService(http, clock, timeout, user_agent)
        self._url = url

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        question = {"refreshToken": credentials.refresh_token.reveal()}
        return Deferred.fromCoroutine(self._service.renewed(self._url, question, credentials))


@implementer(ITokenSource)
class IdcTokenSource:
    """Renews Builder ID and IAM Identity Center logins.

    Wire: POST the registration, the grant type and the refresh token to the region's endpoint.
    """

    def __init__(
        self,
        http: Poster,
        clock: IReactorTime,
        *,
        url: Callable[[str], str] = oidc_url,
        timeout: float = DEFAULT_TIMEOUT,
        user_agent: str = "kiro2api",
    ) -> None:
        """:param url: gives the token endpoint of a region."""
        self._service = _LoginService(http, clock, timeout, user_agent)
        self._url = url

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        question = {
            "clientId": credentials.client_id,
            "clientSecret": credentials.client_secret.reveal(),
            "grantType": "refresh_token",
            "refreshToken": credentials.refresh_token.reveal(),
        }
        url = self._url(account.region)
        return Deferred.fromCoroutine(self._service.renewed(url, question, credentials))


def _merged(old: Credentials, body: bytes, asked: float) -> Credentials:
    try:
        reply = _REPLIES.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        raise _nonsense() from None
    if not is_token(reply.access_token):
        raise _nonsense()
    refresh_token, arn = reply.refresh_token, reply.profile_arn
    rotated = isinstance(refresh_token, str) and is_token(refresh_token)
    known_arn = isinstance(arn, str) and is_profile_arn(arn)
    return msgspec.structs.replace(
        old,
        access_token=Secret(reply.access_token),
        refresh_token=Secret(str(refresh_token)) if rotated else old.refresh_token,
        # Counted from the question, so that our clock errs on the early side.
        expires_at=asked + _lifetime(reply.expires_in),
        profile_arn=str(arn) if known_arn else old.profile_arn,
    )


def _nonsense() -> UpstreamFault:
    return UpstreamUnavailable(
        "The login service's answer is not understood.", code="bad_answer", status=200
    )


def _lifetime(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return _DEFAULT_LIFETIME
    return float(expires_in) if 0 < expires_in <= _LONGEST_LIFETIME else _DEFAULT_LIFETIME
