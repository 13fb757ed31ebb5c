# -*- test-case-name: tests.store.test_accounts_adoption -*-
"""What becomes of an account's row when the configuration is read.

The row outlives the configuration: rotated tokens, parking, and what an operator changed stay. A
field that was edited in the configuration wins over what was changed here. Must not know who
else changes rows.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.sources import Configured
from kiro2api.store.accounts_columns import (
    UNSAVED,
    Columns,
    account_columns,
    credential_columns,
    laid_over,
    stored_account,
)
from kiro2api.store.database_portable import put_all_missing
from kiro2api.store.schema import ACCOUNTS
from kiro2api.store.sealing import Seal

_COMPARED: Final = (
    "name",
    "group_name",
    "region",
    "position",
    "enabled",
    "max_in_flight",
    "requests_per_minute",
)
_LIMITS: Final = ("max_in_flight", "requests_per_minute")


def configured_digest(account: Account, enabled: bool) -> str:
    """By which an edited entry is recognised: eight digits for each field that is compared.

    A field each, because an entry that is put before others moves and may rename all of them;
    that must not undo what was changed in their other fields. Holds nothing of a credential.
    """
    values = {**account_columns(account), "enabled": enabled}
    return ":".join(
        blake2b(repr(values[field]).encode("utf-8"), digest_size=4).hexdigest()
        for field in _COMPARED
    )


def everything(connection: Connection) -> dict[str, Row[Any]]:
    """All rows by fingerprint, locked in one order, so that two who do it wait for each other."""
    ordered = select(ACCOUNTS).order_by(ACCOUNTS.c.fingerprint).with_for_update()
    return {row.fingerprint: row for row in connection.execute(ordered)}


def align(
    connection: Connection,
    rows: Mapping[str, Row[Any]],
    configured: Configured,
    seal: Seal,
    now: float,
) -> list[str]:
    """Bring the rows (``everything``) in line with the configuration; the fingerprints of those
    that were added or changed."""
    entries = [
        (
            account,
            configured.credentials[account.fingerprint],
            account.fingerprint not in configured.disabled,
        )
        for account in configured.accounts
    ]
    new = [
        {**new_row(*entry, seal), "created_at": now, "updated_at": now}
        for entry in entries
        if entry[0].fingerprint not in rows
    ]
    if new:
        # Another process may have added some meanwhile, and may have said less of them.
        put_all_missing(connection, ACCOUNTS, new)
        rows = everything(connection)
    changed = dict.fromkeys(row["fingerprint"] for row in new)
    for entry in entries:
        fingerprint = entry[0].fingerprint
        if values := changed_columns(rows[fingerprint], *entry, seal):
            mine = update(ACCOUNTS).where(ACCOUNTS.c.fingerprint == fingerprint)
            connection.execute(mine.values({**values, "updated_at": now}))
            changed[fingerprint] = None
    return list(changed)


def new_row(account: Account, credentials: Credentials, enabled: bool, seal: Seal) -> Columns:
    """The row of an entry that was never seen."""
    return {
        **UNSAVED,
        "fingerprint": account.fingerprint,
        **account_columns(account),
        **credential_columns(account.fingerprint, credentials, seal),
        "enabled": enabled,
        "source": "configured",
        "configured_digest": configured_digest(account, enabled),
    }


def changed_columns(
    row: Row[Any], account: Account, credentials: Credentials, enabled: bool, seal: Seal
) -> Columns:
    """What of a known row has to change; nothing as long as nothing was edited."""
    changed: Columns = {}
    digest = configured_digest(account, enabled)
    if row.source != "configured" or row.configured_digest != digest:
        edited = _edited(row, digest)
        values = {**account_columns(account), "enabled": enabled}
        changed = {field: values[field] for field in edited}
        if len(edited) == len(_COMPARED):
            # Known, but new as an entry: limits that it does not speak of stay.
            changed = {k: v for k, v in changed.items() if v or k not in _LIMITS}
        changed |= {"method": account.method, "source": "configured", "configured_digest": digest}
    stored = stored_account(row, seal).credentials
    merged = laid_over(account, credentials, stored)
    if merged != stored:
        changed |= credential_columns(account.fingerprint, merged, seal)
    return changed


def _edited(row: Row[Any], digest: str) -> tuple[str, ...]:
    before, after = row.configured_digest.split(":"), digest.split(":")
    if row.source != "configured" or len(before) != len(after):
        return _COMPARED
    pairs = zip(_COMPARED, before, after, strict=True)
    return tuple(field for field, old, new in pairs if old != new)
