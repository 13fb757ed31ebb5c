# -*- test-case-name: tests.store.test_accounts -*-
"""Credentials of the accounts, as rows.

A rotated refresh token is on disk before anybody learns of it. Must not know how tokens are
fetched or who uses them.
"""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Row, insert, select, update
from twisted.internet.defer import Deferred
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import (
    ICredentialStore,
    Parked,
    StoredAccount,
    Superseded,
    refresh_lease,
)
from kiro2api.redaction import Secret
from kiro2api.store.database import Database
from kiro2api.store.leases import free
from kiro2api.store.schema import ACCOUNTS


@implementer(ICredentialStore)
class AccountRows:
    """The table ``accounts``. :param now: epoch seconds, for the time stamps of rows."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def load(self) -> Deferred[Mapping[str, StoredAccount]]:
        """Everything stored, by fingerprint."""
        return self._database.run(_load)

    def read(self, fingerprint: str) -> Deferred[StoredAccount | None]:
        """What is stored of one account."""

        def read(connection: Connection) -> StoredAccount | None:
            mine = select(ACCOUNTS).where(ACCOUNTS.c.fingerprint == fingerprint)
            row = connection.execute(mine).one_or_none()
            return None if row is None else _stored(row)

        return self._database.run(read)

    def save(self, account: Account, credentials: Credentials, fence: int = 0) -> Deferred[None]:
        """Fires only once the credentials are on disk; an account's parking stays as it is.

        What was saved under a later fence wins, not what arrives last: a process that was held
        up after its refresh must not bring back credentials that another has replaced since. As
        long as nobody has, they are still the newest there are, however late.
        """
        values: dict[str, str | float | None] = {
            "name": account.name,
            "method": account.method,
            "access_token": credentials.access_token.reveal(),
            "refresh_token": credentials.refresh_token.reveal(),
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret.reveal(),
            "profile_arn": credentials.profile_arn,
            "expires_at": credentials.expires_at,
        }
        fingerprint = account.fingerprint
        if not fence:
            return self._database.run(self._putting(fingerprint, values))
        put = self._putting(fingerprint, {**values, "fence": fence})

        def save(connection: Connection) -> None:
            known = select(ACCOUNTS.c.fence).where(ACCOUNTS.c.fingerprint == fingerprint)
            if (connection.execute(known).scalar() or 0) > fence:
                raise Superseded
            put(connection)
            free(connection, refresh_lease(fingerprint), fence)

        return self._database.run(save)

    def park(self, fingerprint: str, parked: Parked | None) -> Deferred[None]:
        """Remember, or forget, why an account is not to be asked.

        Also for an account that was never saved: it is then loaded with empty credentials.
        """
        values: dict[str, str | float | None] = {
            "parked_reason": None if parked is None else parked.reason,
            "parked_until": None if parked is None else parked.until,
        }
        return self._database.run(self._putting(fingerprint, values))

    def _putting(
        self, fingerprint: str, values: Mapping[str, str | float | None]
    ) -> Callable[[Connection], None]:
        stamped = {**values, "updated_at": self._now()}

        def put(connection: Connection) -> None:
            mine = ACCOUNTS.c.fingerprint == fingerprint
            if connection.execute(update(ACCOUNTS).where(mine).values(stamped)).rowcount == 0:
                connection.execute(
                    insert(ACCOUNTS).values(
                        {
                            **_UNSAVED,
                            **stamped,
                            "fingerprint": fingerprint,
                            "created_at": stamped["updated_at"],
                        }
                    )
                )

        return put


_UNSAVED: Mapping[str, str | float] = {
    "name": "",
    "method": "",
    "access_token": "",
    "refresh_token": "",
    "client_id": "",
    "client_secret": "",
    "profile_arn": "",
    "expires_at": 0.0,
}


def _load(connection: Connection) -> Mapping[str, StoredAccount]:
    return {row.fingerprint: _stored(row) for row in connection.execute(select(ACCOUNTS))}


def _stored(row: Row[tuple[object, ...]]) -> StoredAccount:
    return StoredAccount(
        credentials=Credentials(
            access_token=Secret(row.access_token),
            refresh_token=Secret(row.refresh_token),
            expires_at=row.expires_at,
            client_id=row.client_id,
            client_secret=Secret(row.client_secret),
            profile_arn=row.profile_arn,
        ),
        parked=None
        if row.parked_reason is None
        else Parked(row.parked_reason, row.parked_until or 0.0),
    )
