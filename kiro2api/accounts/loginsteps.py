# -*- test-case-name: tests.accounts.test_loginsteps -*-
"""The device flows of the login services: what is asked, and what their answers mean.

Must not know who logs in, when the next step is due, or what becomes of the credentials. A
service's own words never reach a message.

Wire: SSO OIDC registers a client, authorizes a device and is then polled at its token endpoint;
Kiro's own service for social logins knows one client and answers polls with a status.
"""

from enum import Enum
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from kiro2api.accounts.account import DEFAULT_REGION, Credentials, Method, is_token
from kiro2api.accounts.loginfaults import error_code, login_fault
from kiro2api.accounts.loginservice import LoginAnswer, LoginService
from kiro2api.accounts.tokensource import merged
from kiro2api.errors import CredentialsRejected, RequestRejected, UpstreamUnavailable
from kiro2api.redaction import Secret

BUILDER_ID_URL: Final = "https://view.awsapps.com/start"
SCOPES: Final = (
    "codewhisperer:completions",
    "codewhisperer:analysis",
    "codewhisperer:conversations",
)
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"

# Wire: the only client that the social service's device flow is known to accept.
_SOCIAL_CLIENT: Final = "kiro-cli"
_CLIENT_NAME: Final = "kiro2api"

_LONGEST_INTERVAL: Final = 60.0
_DEFAULT_INTERVAL: Final = 5.0
_LONGEST_LIFETIME: Final = 3600.0
_DEFAULT_LIFETIME: Final = 600.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_NOTHING: Final = Credentials(Secret(""), Secret(""))


class Wait(Enum):
    """There are no credentials yet."""

    PENDING = "pending"
    SLOWER = "slower"
    """The same, and we ask too often."""


class LoginEnded(Exception):
    """There will be no credentials. ``expired``: nobody acted in time."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class Grant(msgspec.Struct, frozen=True):
    """What somebody has to do, and how long they have; ``interval`` and ``lifetime`` in seconds."""

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    interval: float
    lifetime: float


class DeviceFlow(Protocol):
    """One login at one service."""

    @property
    def method(self) -> Method:
        """How the account will be renewed."""

    @property
    def region(self) -> str:
        """The region of the login."""

    async def begin(self) -> Grant:
        """Ask for a code; fails with an UpstreamFault, or RequestRejected."""

    async def poll(self, grant: Grant) -> Credentials | Wait:
        """Look whether somebody has approved it; fails with LoginEnded, or with an UpstreamFault
        that does not end the login."""


class _Registered(msgspec.Struct, rename="camel"):
    client_id: str
    client_secret: str


class _Authorized(msgspec.Struct, rename="camel"):
    """Durations are judged one by one: an odd one must not end the login."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: object = None
    expires_in: object = None
    interval: object = None
    expires_in_milliseconds: object = None
    interval_in_milliseconds: object = None


class _Status(msgspec.Struct):
    status: object = None
    access_token: object = msgspec.field(default=None, name="accessToken")


_REGISTERED: Final = msgspec.json.Decoder(_Registered)
_AUTHORIZED: Final = msgspec.json.Decoder(_Authorized)
_STATUS: Final = msgspec.json.Decoder(_Status)


class OidcDevice:
    """Builder ID and IAM Identity Center.

    :param base: of the region's OIDC service, without a trailing slash.
    :param start_url: of the organisation, or ``BUILDER_ID_URL``.
    """

    method: Method = "idc"

    def __init__(self, service: LoginService, base: str, region: str, start_url: str) -> None:
        self._service = service
        self._base = base
        self._start_url = start_url
        self._client_id = ""
        self._client_secret = Secret("")
        self.region = region

    async def begin(self) -> Grant:
        registration = {
            "clientName": _CLIENT_NAME,
            "clientType": "public",
            "scopes": SCOPES,
        }
        answer = await self._ask("/client/register", registration)
        try:
            registered = _REGISTERED.decode(answer.body)
        except (msgspec.DecodeError, UnicodeError):
            raise _nonsense() from None
        if not (is_token(registered.client_id) and is_token(registered.client_secret)):
            raise _nonsense()
        self._client_id = registered.client_id
        self._client_secret = Secret(registered.client_secret)
        asked = {**self._client(), "startUrl": self._start_url}
        return _grant(await self._ask("/device_authorization", asked), self._base)

    async def poll(self, grant: Grant) -> Credentials | Wait:
        asked = {
            **self._client(),
            "grantType": DEVICE_GRANT,
            "deviceCode": grant.device_code.reveal(),
        }
        answer = await self._service.ask(f"{self._base}/token", asked)
        if answer.status != 200:
            return _not_yet(answer)
        old = msgspec.structs.replace(
            _NOTHING, client_id=self._client_id, client_secret=self._client_secret
        )
        return _credentials(old, answer)

    def _client(self) -> dict[str, str]:
        return {"clientId": self._client_id, "clientSecret": self._client_secret.reveal()}

    async def _ask(self, path: str, question: object) -> LoginAnswer:
        answer = await self._service.ask(f"{self._base}{path}", question)
        if answer.status == 200:
            return answer
        if answer.status == 400 and error_code(answer.headers, answer.body) == "invalid_request":
            raise RequestRejected(
                "The login service does not know this start URL in this region.", param="start_url"
            )
        raise login_fault(answer.status, answer.headers, answer.body)


class SocialDevice:
    """Google and GitHub, through Kiro's own service.

    :param base: of the service, without a trailing slash.
    :param provider: ``Google`` or ``Github``.
    """

    method: Method = "social"
    region = DEFAULT_REGION

    def __init__(self, service: LoginService, base: str, provider: str) -> None:
        self._service = service
        self._base = base
        self._provider = provider

    async def begin(self) -> Grant:
        url = f"{self._base}/oauth/device/authorization"
        question = {"clientId": _SOCIAL_CLIENT, "loginProvider": self._provider}
        answer = await self._service.ask(url, question)
        if answer.status != 200:
            raise login_fault(answer.status, answer.headers, answer.body)
        return _grant(answer, self._base)

    async def poll(self, grant: Grant) -> Credentials | Wait:
        url = f"{self._base}/oauth/device/poll"
        question = {"clientId": _SOCIAL_CLIENT, "deviceCode": grant.device_code.reveal()}
        answer = await self._service.ask(url, question)
        if answer.status != 200:
            return _not_yet(answer)
        try:
            status = _STATUS.decode(answer.body)
        except (msgspec.DecodeError, UnicodeError):
            raise _nonsense() from None
        if status.access_token is not None:
            return _credentials(_NOTHING, answer)
        return _verdict(status.status if isinstance(status.status, str) else "")


def _verdict(code: str) -> Wait:
    """Wire: only ``authorization_pending`` was seen; the others are those of OAuth."""
    if code in ("expired_token", "expired"):
        raise LoginEnded("Nobody approved the login in time.", expired=True)
    if code in ("access_denied", "denied"):
        raise LoginEnded("The login was declined.")
    return Wait.SLOWER if code == "slow_down" else Wait.PENDING


def _not_yet(answer: LoginAnswer) -> Wait:
    code = error_code(answer.headers, answer.body)
    if code in ("authorization_pending", "slow_down", "expired_token", "access_denied"):
        return _verdict(code)
    fault = login_fault(answer.status, answer.headers, answer.body)
    if isinstance(fault, CredentialsRejected) or code:
        # Wire: a code that was used or withdrawn, a client that is not known any more.
        if code == "server_error":
            raise fault
        raise LoginEnded("The login service has given this login up.")
    raise fault


def _credentials(old: Credentials, answer: LoginAnswer) -> Credentials:
    found = merged(old, answer.body, answer.asked_at)
    if not found.refresh_token:
        raise LoginEnded("The login service gave no refresh token.")
    return found


def _grant(answer: LoginAnswer, base: str) -> Grant:
    try:
        said = _AUTHORIZED.decode(answer.body)
    except (msgspec.DecodeError, UnicodeError):
        raise _nonsense() from None
    complete = said.verification_uri_complete
    shown = isinstance(complete, str) and _is_shown(complete, base)
    fits = is_token(said.device_code) and is_token(said.user_code) and len(said.user_code) <= 64
    if not (fits and _is_shown(said.verification_uri, base)):
        raise _nonsense()
    lifetime = _seconds(said.expires_in, said.expires_in_milliseconds, _DEFAULT_LIFETIME)
    interval = _seconds(said.interval, said.interval_in_milliseconds, _DEFAULT_INTERVAL)
    return Grant(
        device_code=Secret(said.device_code),
        user_code=said.user_code,
        verification_uri=said.verification_uri,
        verification_uri_complete=str(complete) if shown else "",
        interval=min(max(interval, 1.0), _LONGEST_INTERVAL),
        lifetime=min(lifetime, _LONGEST_LIFETIME),
    )


def _is_shown(address: str, base: str) -> bool:
    """Whether an operator may be sent to this address: https, or a service on this machine if
    the login service itself is one."""
    if not is_token(address) or len(address) > 2048:
        return False
    try:
        parts = urlsplit(address)
        if parts.scheme == "https":
            return bool(parts.hostname)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        return local and urlsplit(base).hostname in _LOOPBACK
    except ValueError:
        return False


def _seconds(seconds: object, milliseconds: object, default: float) -> float:
    for value, unit in ((seconds, 1.0), (milliseconds, 1000.0)):
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9:
            return float(value) / unit
    return default


def _nonsense() -> UpstreamUnavailable:
    return UpstreamUnavailable(
        "The login service's answer is not understood.", code="bad_answer", status=200
    )
