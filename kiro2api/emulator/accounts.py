# -*- test-case-name: tests.emulator.test_app -*-
"""The accounts that the emulator knows, and the tokens it gave them.

Invented tokens only, the same ones for the same seed and order of calls. The time comes in as an
argument (seconds). Must not know HTTP, except for the replies it refuses with.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from kiro2api.emulator.credits import Plan, QuotaOrder
from kiro2api.emulator.devices import BUILDER_ID_URL, Device, Devices, oauth
from kiro2api.emulator.replies import Refused, denied, refusal

_KEPT_TOKENS = 64
"""Access tokens remembered per account: older ones are as good as unknown."""

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class EmulatedAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account. ``models`` empty means every model the emulator has.

    ``rotates``: a refresh replaces the refresh token and kills the one before. ``profile`` says
    whether calls must name the profile ARN; API keys never may. ``plan``: what it may spend.
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
    plan: Plan = Plan()
    token_lifetime: int = 3600
    rotates: bool = True

    def __repr__(self) -> str:
        return f"EmulatedAccount({self.name!r}, {self.method!r})"


DEMO = EmulatedAccount(
    name="demo",
    refresh_token="demo-refresh-token",  # noqa: S106 - opens nothing but the emulator
    # A store may outlive the emulator's memory, so the demo's token never changes.
    rotates=False,
    plan=Plan(used=312.4, subscription="KIRO PRO", email="ada.lovelace@example.com"),
)
"""The account that is there when nothing else is configured."""


class Member:
    """One account with what happened to it so far."""

    def __init__(self, account: EmulatedAccount) -> None:
        self.account = account
        self.plan = account.plan
        self.refresh_token = account.refresh_token
        self.expiries: dict[str, float] = {}

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def used(self) -> float:
        """Credits of the plan spent this month."""
        return self.plan.used

    def charge(self, credits: float) -> None:
        """An answer was given."""
        self.plan = self.plan.spent(credits)


class Accounts:
    """Issues, rotates and checks tokens."""

    def __init__(self, accounts: Iterable[EmulatedAccount], seed: int) -> None:
        self._seed = seed
        self._issued = 0
        self._members: dict[str, Member] = {}
        self._by_refresh: dict[str, Member] = {}
        self._by_access: dict[str, Member] = {}
        self.devices = Devices(self.made)
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
            self.devices.clients[account.client_id] = account.client_secret
        return member

    def order_quota(self, order: QuotaOrder) -> None:
        """Give an account another plan; KeyError if there is no such account."""
        member = self._members[order.account]
        member.plan = order.applied(member.plan)

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
        client_id = self.devices.known(body)
        grant = body.get("grantType")
        if grant == "refresh_token":
            member = self._holder(body.get("refreshToken"), "idc")
            if member.account.client_id != client_id:
                raise oauth("InvalidGrantException", "invalid_grant", "Another client's token")
        elif grant == DEVICE_GRANT:
            device = self.devices.approved(body.get("deviceCode"), client_id, now)
            member = self._logged_in(device)
        else:
            raise oauth("UnsupportedGrantTypeException", "unsupported_grant_type", "Not served")
        given = self._renewed(member, now, rotate, lifetime)
        # Wire: an unchanged refresh token may be left out.
        if grant == "refresh_token" and given["refreshToken"] == body.get("refreshToken"):
            del given["refreshToken"]
        return given | {"tokenType": "Bearer"}

    def _holder(self, token: object, method: str) -> Member:
        member = self._by_refresh.get(token) if isinstance(token, str) else None
        if member is None or member.account.method != method or member.refresh_token != token:
            raise oauth("InvalidGrantException", "invalid_grant", "Invalid refresh token provided")
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

    def poll_social(
        self, body: Mapping[str, Any], now: float, *, rotate: bool | None, lifetime: int
    ) -> dict[str, Any]:
        """What POST /oauth/device/poll answers; raises Refused."""
        polled = self.devices.poll_social(body, now)
        if isinstance(polled, str):
            return {"status": polled}
        member = self._logged_in(polled)
        return self._renewed(member, now, rotate, lifetime) | {
            "status": "success",
            "profileArn": member.account.profile_arn,
            "identityProvider": polled.provider,
        }

    def _logged_in(self, device: Device) -> Member:
        """A new account. Wire: organisations' accounts are not served without their profile."""
        name = f"device-{len(self._members) + 1}"
        if device.provider:
            return self.add(EmulatedAccount(name=name, refresh_token=self.made("aor")))
        return self.add(
            EmulatedAccount(
                name=name,
                method="idc",
                refresh_token=self.made("aor"),
                client_id=device.client_id,
                client_secret=self.devices.clients[device.client_id],
                profile="optional" if device.start_url == BUILDER_ID_URL else "required",
            )
        )
