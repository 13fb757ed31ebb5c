# -*- test-case-name: tests.accounts.test_tokensource -*-
"""The login services that renew access tokens: Kiro's for social logins, SSO OIDC for IdC.

Must not know who needs the token, nor store anything. The service's own words never reach a
message: only our own sentences and known error codes do.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials, is_profile_arn, is_token
from kiro2api.accounts.interfaces import ITokenSource
from kiro2api.accounts.loginfaults import login_fault
from kiro2api.accounts.loginservice import DEFAULT_TIMEOUT, LoginService, Poster
from kiro2api.errors import UpstreamFault, UpstreamUnavailable
from kiro2api.redaction import Secret

SOCIAL_URL: Final = "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken"
_DEFAULT_LIFETIME: Final = 3600.0
_LONGEST_LIFETIME: Final = 30 * 24 * 3600.0


def oidc_url(region: str) -> str:
    """Wire: the token endpoint lies in the region of the login, not of the profile."""
    return f"https://oidc.{region}.amazonaws.com/token"


class _Reply(msgspec.Struct, rename="camel"):
    """A successful answer. Optional members are judged one by one: a strange one must not cost
    the rotated refresh token beside it."""

    access_token: str
    refresh_token: object = None
    expires_in: object = None
    profile_arn: object = None


_REPLIES: Final = msgspec.json.Decoder(_Reply)


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
        self._service = LoginService(http, clock, timeout, user_agent)
        self._url = url

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        question = {"refreshToken": credentials.refresh_token.reveal()}
        return Deferred.fromCoroutine(_renewed(self._service, self._url, question, credentials))


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
        self._service = LoginService(http, clock, timeout, user_agent)
        self._url = url

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        question = {
            "clientId": credentials.client_id,
            "clientSecret": credentials.client_secret.reveal(),
            "grantType": "refresh_token",
            "refreshToken": credentials.refresh_token.reveal(),
        }
        url = self._url(account.region)
        return Deferred.fromCoroutine(_renewed(self._service, url, question, credentials))


async def _renewed(
    service: LoginService, url: str, question: object, old: Credentials
) -> Credentials:
    """``old`` with whatever the service gave anew."""
    answer = await service.ask(url, question)
    if answer.status != 200:
        raise login_fault(answer.status, answer.headers, answer.body)
    return merged(old, answer.body, answer.asked_at)


def merged(old: Credentials, body: bytes, asked_at: float) -> Credentials:
    """``old`` with what a successful answer holds.

    :param asked_at: when it was asked for, in epoch seconds: our clock errs on the early side.
    :raises UpstreamUnavailable: there is no access token in it (code ``bad_answer``).
    """
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
        expires_at=asked_at + _lifetime(reply.expires_in),
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
