# -*- test-case-name: tests.emulator.test_devices -*-
"""Logins by a code that somebody approves elsewhere, as both login services offer them.

Must not know HTTP, except for the replies it refuses with, nor what an approved login is given.
The time comes in as an argument (seconds).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from kiro2api.emulator.replies import Refused, oauth_refusal

Decision: TypeAlias = Literal["auto", "hold", "approve", "deny", "expire", "slow_down"]

INTERVAL: Final = 1
LIFETIME: Final = 600
SLOWER: Final = 5
BUILDER_ID_URL: Final = "https://view.awsapps.com/start"
SOCIAL_CLIENT: Final = "kiro-cli"

_SCOPES: Final = "codewhisperer:"
_PROVIDERS: Final = ("Google", "Github")
_ELSEWHERE: Final = "https://device.example.invalid/"


class DeviceOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the invented user does about a login.

    ``auto``: approves it between the first poll and the second. ``hold``: nothing, until told
    otherwise. ``slow_down``: nothing, and the next poll is told to come less often.
    ``user_code`` empty means all logins that are open and all that will be.
    """

    decision: Decision
    user_code: str = ""


class Device(msgspec.Struct):
    """One login under way. ``start_url`` is empty, and ``provider`` given, for a social one."""

    client_id: str
    user_code: str
    expires_at: float
    decision: Decision
    start_url: str = ""
    provider: str = ""
    interval: float = INTERVAL
    polled_at: float = float("-inf")
    polls: int = 0


class Devices:
    """:param made: gives a new invented id for a prefix."""

    def __init__(self, made: Callable[[str], str]) -> None:
        self._made = made
        self._devices: dict[str, Device] = {}
        self._decision: Decision = "auto"
        self.clients: dict[str, str] = {}

    def register(self, body: Mapping[str, Any], now: float) -> dict[str, Any]:
        """What POST /client/register answers; raises Refused."""
        scopes = body.get("scopes")
        named = isinstance(body.get("clientName"), str) and body["clientName"]
        if not named or body.get("clientType") != "public":
            raise _wrong("clientName or clientType is missing or wrong")
        if not isinstance(scopes, list) or not all(
            isinstance(scope, str) and scope.startswith(_SCOPES) for scope in scopes
        ):
            raise oauth("InvalidScopeException", "invalid_scope", "Unknown scope")
        client_id = self._made("client-")
        secret = self.clients[client_id] = self._made("secret-")
        return {
            "clientId": client_id,
            "clientSecret": secret,
            "clientIdIssuedAt": int(now),
            "clientSecretExpiresAt": int(now) + 90 * 86_400,
        }

    def known(self, body: Mapping[str, Any]) -> str:
        """The id of the client that asks; raises Refused."""
        client_id = body.get("clientId")
        secret = self.clients.get(client_id) if isinstance(client_id, str) else None
        if secret is None or secret != body.get("clientSecret"):
            raise oauth("InvalidClientException", "invalid_client", "Unknown client")
        return str(client_id)

    def begin(self, body: Mapping[str, Any], host: str, now: float) -> dict[str, Any]:
        """What POST /device_authorization answers; raises Refused.

        :param host: under which the emulator was asked.
        """
        client_id, start_url = self.known(body), body.get("startUrl")
        if not isinstance(start_url, str) or not _is_start_url(start_url):
            raise _wrong("Unknown startUrl")
        code, device = self._new(client_id, now)
        device.start_url = start_url
        return _shown(code, device, host) | {"expiresIn": LIFETIME, "interval": INTERVAL}

    def begin_social(self, body: Mapping[str, Any], host: str, now: float) -> dict[str, Any]:
        """What POST /oauth/device/authorization answers; raises Refused."""
        if body.get("clientId") != SOCIAL_CLIENT:
            raise oauth("InvalidClientException", "invalid_client", "Unknown client")
        if body.get("loginProvider") not in _PROVIDERS:
            raise _wrong("Unknown loginProvider")
        code, device = self._new(SOCIAL_CLIENT, now)
        device.provider = body["loginProvider"]
        return _shown(code, device, host) | {
            "expiresInMilliseconds": LIFETIME * 1000,
            "intervalInMilliseconds": INTERVAL * 1000,
        }

    def approved(self, code: object, client_id: str, now: float) -> Device:
        """The login behind a device code, once it is approved, and only once; raises Refused."""
        device = self._devices.get(code) if isinstance(code, str) else None
        if device is None or device.client_id != client_id:
            raise oauth("InvalidGrantException", "invalid_grant", "Unknown device code")
        if device.expires_at <= now:
            raise oauth("ExpiredTokenException", "expired_token", "Too late", status=400)
        early = now - device.polled_at < device.interval
        device.polled_at = now
        if early:
            raise _slow_down()
        device.polls += 1
        if device.decision == "slow_down":
            device.decision = "hold"
            device.interval += SLOWER
            raise _slow_down()
        if device.decision == "deny":
            raise oauth("AccessDeniedException", "access_denied", "Declined", status=400)
        if device.decision == "hold" or (device.decision == "auto" and device.polls == 1):
            raise oauth("AuthorizationPendingException", "authorization_pending", "Not yet")
        del self._devices[str(code)]
        return device

    def poll_social(self, body: Mapping[str, Any], now: float) -> Device | str:
        """The login once it is approved, before that the ``status`` to answer; raises Refused."""
        if body.get("clientId") != SOCIAL_CLIENT:
            raise oauth("InvalidClientException", "invalid_client", "Unknown client")
        try:
            return self.approved(body.get("deviceCode"), SOCIAL_CLIENT, now)
        except Refused as refused:
            status: str = msgspec.json.decode(refused.reply.body)["error"]
            if status == "invalid_grant":
                raise
            return status

    def decide(self, order: DeviceOrder) -> int:
        """Carry out an order; how many open logins it concerned."""
        if not order.user_code:
            self._decision = order.decision
        meant = [
            device for device in self._devices.values() if order.user_code in ("", device.user_code)
        ]
        for device in meant:
            device.decision = order.decision
            if order.decision == "expire":
                device.expires_at = float("-inf")
        return len(meant)

    def _new(self, client_id: str, now: float) -> tuple[str, Device]:
        code = self._made("device-")
        user_code = f"{code[-8:-4]}-{code[-4:]}".upper()
        expired = self._decision == "expire"
        expires_at = float("-inf") if expired else now + LIFETIME
        device = Device(client_id, user_code, expires_at, self._decision)
        self._devices[code] = device
        return code, device


def page(user_code: str, decided: str) -> str:
    """What a browser shows under the address of a login."""
    if decided:
        return f"<!doctype html><title>Emulator</title><p>{decided}</p>"
    links = " or ".join(
        f'<a href="/device?user_code={user_code}&amp;decision={word}">{word}</a>'
        for word in ("approve", "deny")
    )
    return f"<!doctype html><title>Emulator</title><p>Login {user_code}: {links}.</p>"


def oauth(error: str, code: str, message: str, *, status: int = 0) -> Refused:
    """A refusal of a login service, to be raised."""
    return Refused(oauth_refusal(error, code, message, status=status))


def _slow_down() -> Refused:
    return oauth("SlowDownException", "slow_down", "Polled too often")


def _wrong(message: str) -> Refused:
    return oauth("InvalidRequestException", "invalid_request", message)


def _is_start_url(url: str) -> bool:
    parts = urlsplit(url)
    known = (parts.hostname or "").endswith(".awsapps.com") and parts.path.startswith("/start")
    return parts.scheme == "https" and known


def _shown(code: str, device: Device, host: str) -> dict[str, Any]:
    """Addresses of the emulator's own page where it is on this machine."""
    local = host.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")
    address = f"http://{host}/device" if local else _ELSEWHERE
    return {
        "deviceCode": code,
        "userCode": device.user_code,
        "verificationUri": address,
        "verificationUriComplete": f"{address}?user_code={device.user_code}",
    }
