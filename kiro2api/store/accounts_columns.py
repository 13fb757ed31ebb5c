# -*- test-case-name: tests.store.test_accounts -*-
"""An account as the columns of its row, with its secrets sealed.

Must not know when rows are written.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Row

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import Parked, StoredAccount
from kiro2api.redaction import Secret
from kiro2api.store.sealing import Seal

Columns = dict[str, Any]

SEALED: Final = ("access_token", "refresh_token", "client_secret")

PATCHABLE: Final[Mapping[str, str]] = {
    "name": "name",
    "group": "group_name",
    "region": "region",
    "order": "position",
    "enabled": "enabled",
    "max_in_flight": "max_in_flight",
    "requests_per_minute": "requests_per_minute",
    "email": "email",
    "last_error": "last_error",
}
"""What may be changed of a stored account, and its column."""

UNSAVED: Final[Mapping[str, object]] = {
    "name": "",
    "method": "",
    "access_token": "",
    "refresh_token": "",
    "client_id": "",
    "client_secret": "",
    "profile_arn": "",
    "expires_at": 0.0,
}
"""A row of which nothing is known yet."""


def account_columns(account: Account) -> Columns:
    """Everything of an account but its fingerprint."""
    return {
        "name": account.name,
        "method": account.method,
        "group_name": account.group,
        "region": account.region,
        "position": account.order,
        "max_in_flight": account.max_in_flight,
        "requests_per_minute": account.requests_per_minute,
    }


def credential_columns(fingerprint: str, credentials: Credentials, seal: Seal) -> Columns:
    """The credentials, as they are kept."""
    columns = {
        "access_token": credentials.access_token.reveal(),
        "refresh_token": credentials.refresh_token.reveal(),
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret.reveal(),
        "profile_arn": credentials.profile_arn,
    }
    sealed = {name: seal.seal(columns[name], place(fingerprint, name)) for name in SEALED}
    return {**columns, **sealed, "expires_at": credentials.expires_at}


def place(fingerprint: str, column: str) -> str:
    """Where a sealed text belongs; in another row or column it does not open."""
    return f"accounts/{fingerprint}/{column}"


def stored_account(row: Row[Any], seal: Seal) -> StoredAccount:
    """What a row says; raises StoreError if its secrets cannot be opened."""
    opened = {
        name: Secret(seal.open(getattr(row, name), place(row.fingerprint, name))) for name in SEALED
    }
    credentials = Credentials(
        **opened,
        expires_at=row.expires_at,
        client_id=row.client_id,
        profile_arn=row.profile_arn,
    )
    return StoredAccount(
        credentials,
        None if row.parked_reason is None else Parked(row.parked_reason, row.parked_until or 0.0),
        account=_account(row) if row.method else None,
        enabled=row.enabled,
        source=row.source,
        quota=row.quota,
        quota_checked_at=row.quota_checked_at,
        email=row.email,
        profile_checked_at=row.profile_checked_at,
        last_error=row.last_error,
    )


def laid_over(account: Account, configured: Credentials, stored: Credentials) -> Credentials:
    """Which credentials of a configured account hold.

    The stored tokens, which may have been rotated since; the rest of the configuration wins where
    it is given, so that an operator can correct it. Another registration than the configured one
    came with a new login and belongs to its tokens.
    """
    arn = configured.profile_arn or stored.profile_arn
    if account.method == "api_key" or not stored.refresh_token:
        return msgspec.structs.replace(configured, profile_arn=arn)
    if stored.client_id and stored.client_id != configured.client_id:
        return msgspec.structs.replace(stored, profile_arn=arn)
    return msgspec.structs.replace(
        stored,
        client_id=configured.client_id,
        client_secret=configured.client_secret or stored.client_secret,
        profile_arn=arn,
    )


def _account(row: Row[Any]) -> Account:
    return Account(
        fingerprint=row.fingerprint,
        name=row.name,
        method=row.method,
        group=row.group_name,
        region=row.region,
        order=row.position,
        max_in_flight=row.max_in_flight,
        requests_per_minute=row.requests_per_minute,
    )
