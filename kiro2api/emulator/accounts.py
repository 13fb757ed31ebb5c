# -*- test-case-name: tests.emulator.test_app -*-
"""The accounts that the emulator knows, and the tokens it gave them.

Invented tokens only, the same ones for the same seed and order of calls. The time comes in as an
argument (seconds). Must not know HTTP, except for the replies it refuses with.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from kiro2api.emulator.replies import Refused, denied, oauth_refusal, refusal

_KEPT_TOKENS = 64
"""Access tokens remembered per account: older ones are as good as unknown."""

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEVICE_INTERVAL = 1
DEVICE_LIFETIME = 600


class EmulatedAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account. ``models`` empty means every model the emulator has.

    ``rotates``: a refresh replaces the refresh token and kills the one before. ``profile`` says
    whether calls must name the profile ARN; API keys never may.
    """

    name: str
    method: Literal["social", "idc", "api_key"] = "social"
    refresh_token: str = ""
    api_key: str = ""
    client_id: str = ""
    client_secret: str = ""
    profile_arn: str = "arn:aws:codewhisperer:us-east-1:000000000000:profile/EMULATEDACCT"
    profile: Literal["optional", "required"] = "optional"
    models: tuple[str, ...] = ()
    credits: float = 1000.0
    used: float = 0.0
    token_lifetime: int = 3600
    rotates: bool = True

    def __repr__(self) -> str:
        return f"EmulatedAccount({self.name!r}, {self.method!r})"


DEMO = EmulatedAccount(
    name="demo",
    refresh_token="demo-refresh-token",  # noqa: S106 - opens nothing but the emulator
    # A store may outlive the emulator's memory, so the demo's token never changes.
    rotates=False,
)
"""The account that is there when nothing else is configured."""


class Member:
    """One account with what happened to it so far."""

    def __init__(self, account: EmulatedAccount) -> None:
        self.account = account
        self.used = account.used
        self.refresh_token = account.refresh_token
        self.expiries: dict[str, float] = {}

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def exhausted(self) -> bool:
        """Whether the credits of the month are spent."""
        return self.used >= self.account.credits


class _Device(msgspec.Struct):
    client_id: str
    expires_at: float
    polled_at: float = float("-inf")
    polls: int = 0


class Accounts:
    """Issues, rotates and checks tokens."""

    def __init__(self, accounts: Iterable[EmulatedAccount], seed: int) -> None:
        self._seed = seed
        self._issued = 0
        self._members: dict[str, Member] = {}
        self._by_refresh: dict[str, Member] = {}
        self._by_access: dict[str, Member] = {}
        self._clients: dict[str, str] = {}
        self._devices: dict[str, _Device] = {}
        for account in accounts:
            self.add(account)

    def add(self, account: EmulatedAccount) -> Member:
        """Make an account known; one of the same name is replaced."""
        member = self._members[account.name] = Member(account)
        if account.refresh_token:
            self._by_refresh[account.refresh_token] = member
        if account.api_key:
            self._by_access[account.api_key] = member
        if account.client_id:
            self._clients[account.client_id] = account.client_secret
        return member

    def member(self, name: str) -> Member:
        """The account of this name; KeyError if there is none."""
        return self._members[name]

    def expire(self) -> None:
        """Let every access token expire now."""
        for member in self._members.values():
            member.expiries = dict.fromkeys(member.expiries, float("-inf"))

    def made(self, prefix: str) -> str:
        """A new invented token or id."""
        self._issued += 1
        digest = hashlib.sha256(f"{self._seed}:{prefix}:{self._issued}".encode()).hexdigest()
        return prefix + digest[:40]

    # ── who is it ────────────────────────────────────────────────────────────

    def whose(self, token: str) -> Member | None:
        """Whom a bearer or refresh token was given to, be it good or not."""
        return self._by_access.get(token) or self._by_refresh.get(token)

    def bearer(self, authorization: str, token_type: str, now: float) -> Member:
        """The account that may call with these headers; raises Refused.

        Wire: API keys need ``tokentype: API_KEY``, other tokens must not carry it.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(refusal("UnrecognizedClientException", "Missing Authentication Token"))
        member = self._by_access.get(token)
        if member is None:
            raise denied("The bearer token included in the request is invalid.")
        if (token == member.account.api_key) != (token_type.upper() == "API_KEY"):
            raise denied("Unsupported token type for this bearer token.")
        if token != member.account.api_key and member.expiries.get(token, 0.0) <= now:
            message = "The security token included in the request is expired"
            raise Refused(refusal("ExpiredTokenException", message))
        return member

    # ── tokens ───────────────────────────────────────────────────────────────

    def refresh_social(
        self, token: object, now: float, *, rotate: bool | None, lifetime: int
    ) -> dict[str, Any]:
        """What POST /refreshToken answers; raises Refused."""
        member = self._holder(token, "social")
        given = self._renewed(member, now, rotate, lifetime)
        return given | {"profileArn": member.account.profile_arn}

    def token(
        self, body: Mapping[str, Any], now: float, *, rotate: bool | None, lifetime: int
    ) -> dict[str, Any]:
        """What POST /token answers; raises Refused."""
        client_id = body.get("clientId")
        secret = self._clients.get(client_id) if isinstance(client_id, str) else None
        if secret is None or secret != body.get("clientSecret"):
            raise _oauth("InvalidClientException", "invalid_client", "Unknown client")
        grant = body.get("grantType")
        if grant == "refresh_token":
            member = self._holder(body.get("refreshToken"), "idc")
            if member.account.client_id != client_id:
                raise _oauth("InvalidGrantException", "invalid_grant", "Another client's token")
        elif grant == DEVICE_GRANT:
            member = self._approved(body.get("deviceCode"), client_id, now)
        else:
            raise _oauth("UnsupportedGrantTypeException", "unsupported_grant_type", "Not served")
        given = self._renewed(member, now, rotate, lifetime)
        # Wire: an unchanged refresh token may be left out.
        if grant == "refresh_token" and given["refreshToken"] == body.get("refreshToken"):
            del given["refreshToken"]
        return given | {"tokenType": "Bearer"}

    def _holder(self, token: object, method: str) -> Member:
        member = self._by_refresh.get(token) if isinstance(token, str) else None
        if member is None or member.account.method != method or member.refresh_token != token:
            raise _oauth("InvalidGrantException", "invalid_grant", "Invalid refresh token provided")
        return member

    def _renewed(
        self, member: Member, now: float, rotate: bool | None, lifetime: int
    ) -> dict[str, Any]:
        seconds = lifetime or member.account.token_lifetime
        access = self.made("aoa")
        self._by_access[access] = member
        member.expiries[access] = now + seconds
        while len(member.expiries) > _KEPT_TOKENS:
            oldest = next(iter(member.expiries))
            del member.expiries[oldest], self._by_access[oldest]
        if member.account.rotates if rotate is None else rotate:
            member.refresh_token = self.made("aor")
            self._by_refresh[member.refresh_token] = member
        return {
            "accessToken": access,
            "refreshToken": member.refresh_token,
            "expiresIn": seconds,
        }

    # ── device login ─────────────────────────────────────────────────────────

    def register_client(self, now: float) -> dict[str, Any]:
        """What POST /client/register answers."""
        client_id = self.made("client-")
        secret = self._clients[client_id] = self.made("secret-")
        return {
            "clientId": client_id,
            "clientSecret": secret,
            "clientIdIssuedAt": int(now),
            "clientSecretExpiresAt": int(now) + 90 * 86_400,
        }

    def begin_device(self, body: Mapping[str, Any], now: float) -> dict[str, Any]:
        """What POST /device_authorization answers; raises Refused."""
        client_id = body.get("clientId")
        if not isinstance(client_id, str) or client_id not in self._clients:
            raise _oauth("InvalidClientException", "invalid_client", "Unknown client")
        code = self.made("device-")
        self._devices[code] = _Device(client_id, now + DEVICE_LIFETIME)
        user_code = f"{code[-8:-4]}-{code[-4:]}".upper()
        address = "https://device.example.invalid/"
        return {
            "deviceCode": code,
            "userCode": user_code,
            "verificationUri": address,
            "verificationUriComplete": f"{address}?user_code={user_code}",
            "expiresIn": DEVICE_LIFETIME,
            "interval": DEVICE_INTERVAL,
        }

    def _approved(self, code: object, client_id: object, now: float) -> Member:
        """The invented user approves between the first poll and the second."""
        device = self._devices.get(code) if isinstance(code, str) else None
        if device is None or device.client_id != client_id:
            raise _oauth("InvalidGrantException", "invalid_grant", "Unknown device code")
        if device.expires_at <= now:
            raise _oauth("ExpiredTokenException", "expired_token", "Too late", status=400)
        early = now - device.polled_at < DEVICE_INTERVAL
        device.polled_at = now
        if early:
            raise _oauth("SlowDownException", "slow_down", "Polled too often")
        device.polls += 1
        if device.polls == 1:
            raise _oauth("AuthorizationPendingException", "authorization_pending", "Not yet")
        del self._devices[str(code)]
        return self.add(
            EmulatedAccount(
                name=f"device-{len(self._members) + 1}",
                method="idc",
                refresh_token=self.made("aor"),
                client_id=device.client_id,
                client_secret=self._clients[device.client_id],
            )
        )


def _oauth(error: str, code: str, message: str, *, status: int = 0) -> Refused:
    return Refused(oauth_refusal(error, code, message, status=status))
