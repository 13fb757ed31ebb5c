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
from twisted.web.iweb import IResponse
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials, is_profile_arn, is_token
from kiro2api.accounts.interfaces import ITokenSource
from kiro2api.errors import (
    AccessRefused,
    CredentialsRejected,
    Throttled,
    UpstreamFault,
    UpstreamUnavailable,
)
from kiro2api.redaction import Secret
from kiro2api.upstream.bodies import read_bounded

SOCIAL_URL: Final = "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken"
DEFAULT_TIMEOUT: Final = 20.0

_BODY_LIMIT: Final = 64 * 1024
_DEFAULT_LIFETIME: Final = 3600.0
_LONGEST_LIFETIME: Final = 30 * 24 * 3600.0

# Wire: the error type header of SSO OIDC carries the exception, its body the OAuth name.
_EXCEPTIONS: Final[Mapping[str, str]] = {
    "InvalidGrantException": "invalid_grant",
    "InvalidClientException": "invalid_client",
    "UnauthorizedClientException": "unauthorized_client",
    "ExpiredTokenException": "expired_token",
    "SlowDownException": "slow_down",
    "AccessDeniedException": "access_denied",
    "ThrottlingException": "slow_down",
}
_DEAD: Final = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "expired_token"})
_KNOWN: Final = frozenset(
    {
        *_EXCEPTIONS.values(),
        "invalid_request",
        "invalid_scope",
        "unsupported_grant_type",
        "server_error",
    }
)
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

    def post(self, url: str, data: bytes, **options: Any) -> Deferred[Any]:
        """Send ``data``; fires with the response at its head."""


class _Reply(msgspec.Struct, rename="camel"):
    """A successful answer. Optional members are judged one by one: a strange one must not cost
    the rotated refresh token beside it."""

    access_token: str
    refresh_token: object = None
    expires_in: object = None
    profile_arn: object = None


class _Complaint(msgspec.Struct):
    """An unsuccessful answer, as far as it is understood."""

    error: object = None
    type: object = msgspec.field(default=None, name="__type")
    message: object = None
    error_description: object = None


_REPLIES: Final = msgspec.json.Decoder(_Reply)
_COMPLAINTS: Final = msgspec.json.Decoder(_Complaint)


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
            raise _fault(status, headers, body)
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
            headers={
                "content-type": ["application/json"],
                "accept": ["application/json"],
                "user-agent": [self._user_agent],
            },
            allow_redirects=False,
            unbuffered=True,
            reactor=self._clock,
        )
        body = await read_bounded(response, _BODY_LIMIT, self._clock, self._timeout)
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


def _fault(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """What an unsuccessful answer means.

    Wire: every OAuth error is a 400 except invalid_client (401) and server_error (500); a 403 is
    the content network's, not the login's.
    """
    code = _code(headers, body)
    request_id = headers.get("x-amzn-requestid", "")
    request_id = request_id if is_token(request_id) and len(request_id) <= 100 else None
    if status == 401 or (status == 400 and code in _DEAD):
        return CredentialsRejected(
            "The account needs a new login.",
            code=code if code in _DEAD else "invalid_grant",
            status=status,
            request_id=request_id,
        )
    if status == 429 or code == "slow_down":
        return Throttled(
            "The login service is asked too often.",
            retry_after=_seconds(headers.get("retry-after", "")),
            code=code or None,
            status=status,
            request_id=request_id,
        )
    if status == 400 and code == "access_denied":
        return AccessRefused(
            "The login service refuses this account.",
            code=code,
            status=status,
            request_id=request_id,
        )
    return UpstreamUnavailable(
        f"The login service answered with status {status}.",
        code=code or None,
        status=status,
        request_id=request_id,
    )


def _code(headers: Mapping[str, str], body: bytes) -> str:
    """The OAuth name of the error where it is one we know, else empty."""
    try:
        complaint = _COMPLAINTS.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        complaint = _Complaint()
    if isinstance(complaint.error, str) and complaint.error in _KNOWN:
        return complaint.error
    for said in (headers.get("x-amzn-errortype"), complaint.type):
        if isinstance(said, str):
            name = said.rpartition("#")[2].partition(":")[0]
            if name in _EXCEPTIONS:
                return _EXCEPTIONS[name]
    words = f"{complaint.error} {complaint.message} {complaint.error_description}".lower()
    if "invalid_grant" in words or "invalid refresh token" in words:
        return "invalid_grant"
    return ""


def _seconds(text: str) -> float | None:
    """Delta seconds of a Retry-After; dates are not worth a calendar here."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
