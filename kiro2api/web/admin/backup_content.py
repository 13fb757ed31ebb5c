# -*- test-case-name: tests.web.admin.test_backup_content -*-
"""What a backup holds: accounts with their credentials, groups, digests of keys, settings.

Pure. Must not know how it is kept from others' eyes. What is read back is checked like anything
that comes from outside.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from kiro2api.accounts.account import (
    DEFAULT_GROUP,
    DEFAULT_REGION,
    Account,
    Credentials,
    Method,
    is_group_name,
    is_profile_arn,
    is_region,
    is_token,
)
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.registry_store import Newcomer
from kiro2api.errors import RequestRejected
from kiro2api.redaction import Secret
from kiro2api.store.keys import StoredKey

_NAME_LIMIT: Final = 64
_PRINT: Final = 32


class KeptAccount(msgspec.Struct, frozen=True):
    """One account in clear; never shown, only sealed."""

    fingerprint: str
    name: str
    method: Method
    group: str = DEFAULT_GROUP
    region: str = DEFAULT_REGION
    enabled: bool = True
    max_in_flight: int = 0
    requests_per_minute: int = 0
    access_token: str = ""
    refresh_token: str = ""
    expires_at: float = 0.0
    client_id: str = ""
    client_secret: str = ""
    profile_arn: str = ""

    def __repr__(self) -> str:
        return f"KeptAccount({self.name!r})"


class Content(msgspec.Struct, frozen=True):
    """All of it; entries that cannot be understood are told one by one."""

    accounts: list[msgspec.Raw] = []
    groups: list[GroupPolicy] = []
    keys: list[StoredKey] = []
    settings: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Content({len(self.accounts)} accounts)"


_ENCODER: Final = msgspec.json.Encoder()
_CONTENT: Final = msgspec.json.Decoder(Content)
_ACCOUNT: Final = msgspec.json.Decoder(KeptAccount)


def encode(
    accounts: Iterable[tuple[Account, bool, Credentials]],
    groups: Iterable[GroupPolicy],
    keys: Iterable[StoredKey],
    settings: Mapping[str, str],
) -> bytes:
    """As JSON; accounts with whether they are switched on."""
    return _ENCODER.encode(
        {
            "accounts": [_kept(*each) for each in accounts],
            "groups": list(groups),
            "keys": list(keys),
            "settings": dict(settings),
        }
    )


def decode(content: bytes) -> Content:
    """From JSON; raises RequestRejected."""
    try:
        return _CONTENT.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRejected("the document holds something else", param="document") from None


def newcomer(raw: msgspec.Raw) -> Newcomer:
    """One account; raises RequestRejected, without repeating a value."""
    try:
        kept = _ACCOUNT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRejected("the account has the wrong shape") from None
    for field, good in (
        ("fingerprint", len(kept.fingerprint) == _PRINT and kept.fingerprint.isalnum()),
        ("name", 0 < len(kept.name) <= _NAME_LIMIT and kept.name.isprintable()),
        ("group", is_group_name(kept.group)),
        ("region", is_region(kept.region)),
        ("profile_arn", not kept.profile_arn or is_profile_arn(kept.profile_arn)),
        ("access_token", _good_secret(kept.access_token, needed=kept.method == "api_key")),
        ("refresh_token", _good_secret(kept.refresh_token, needed=kept.method != "api_key")),
        ("client_secret", _good_secret(kept.client_secret, needed=kept.method == "idc")),
        ("max_in_flight", kept.max_in_flight >= 0),
        ("requests_per_minute", kept.requests_per_minute >= 0),
        ("expires_at", 0 <= kept.expires_at < 1e11),
    ):
        if not good:
            raise RequestRejected(f"{field} is not a legal one", param=field)
    return Newcomer(_account(kept), _credentials(kept), kept.enabled)


def _good_secret(text: str, *, needed: bool) -> bool:
    return is_token(text) if text else not needed


def _account(kept: KeptAccount) -> Account:
    return Account(
        fingerprint=kept.fingerprint,
        name=kept.name,
        method=kept.method,
        group=kept.group,
        region=kept.region,
        max_in_flight=kept.max_in_flight,
        requests_per_minute=kept.requests_per_minute,
    )


def _credentials(kept: KeptAccount) -> Credentials:
    return Credentials(
        access_token=Secret(kept.access_token),
        refresh_token=Secret(kept.refresh_token),
        expires_at=kept.expires_at,
        client_id=kept.client_id,
        client_secret=Secret(kept.client_secret),
        profile_arn=kept.profile_arn,
    )


def _kept(account: Account, enabled: bool, credentials: Credentials) -> KeptAccount:
    return KeptAccount(
        fingerprint=account.fingerprint,
        name=account.name,
        method=account.method,
        group=account.group,
        region=account.region,
        enabled=enabled,
        max_in_flight=account.max_in_flight,
        requests_per_minute=account.requests_per_minute,
        access_token=credentials.access_token.reveal(),
        refresh_token=credentials.refresh_token.reveal(),
        expires_at=credentials.expires_at,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret.reveal(),
        profile_arn=credentials.profile_arn,
    )
