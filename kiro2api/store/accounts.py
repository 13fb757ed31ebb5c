# -*- test-case-name: tests.store.test_accounts -*-
"""Accounts and their credentials, as rows.

A rotated refresh token is on disk before anybody learns of it. Must not know how tokens are
fetched or who uses them.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select, update
from twisted.internet.defer import Deferred
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import (
    Duplicate,
    ICredentialStore,
    Parked,
    Source,
    StoredAccount,
    Superseded,
    refresh_lease,
)
from kiro2api.accounts.sources import Configured
from kiro2api.store.accounts_adoption import align, everything
from kiro2api.store.accounts_columns import (
    PATCHABLE,
    SEALED,
    UNSAVED,
    Columns,
    account_columns,
    credential_columns,
    stored_account,
)
from kiro2api.store.changes import note, note_all
from kiro2api.store.database import Database
from kiro2api.store.database_portable import alone, put_missing
from kiro2api.store.leases import free, outdate
from kiro2api.store.schema import ACCOUNTS
from kiro2api.store.sealing import Seal, make_seal


@implementer(ICredentialStore)
class AccountRows:
    """The table ``accounts``. Every change is noted for other processes.

    ``added``, ``replaced``, ``patched``, ``parked`` and ``removed`` work inside a transaction of
    the caller's; the others are transactions of their own. All fail with StoreError where
    credentials are sealed that no key of ``seal`` opens.

    :param now: epoch seconds, for the time stamps of rows.
    :param seal: how secrets are kept; in clear by default.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], float] = time.time,
        seal: Seal | None = None,
    ) -> None:
        self._database = database
        self._now = now
        self._seal = make_seal(()) if seal is None else seal
        self._configured: frozenset[str] = frozenset()

    # ── reading ──────────────────────────────────────────────────────────────

    def load(self) -> Deferred[Mapping[str, StoredAccount]]:
        """Everything stored, by fingerprint, whether it counts or not."""

        def load(connection: Connection) -> Mapping[str, StoredAccount]:
            rows = connection.execute(select(ACCOUNTS))
            return {row.fingerprint: self._stored(row) for row in rows}

        return self._database.run(load)

    def read(self, fingerprint: str) -> Deferred[StoredAccount | None]:
        """What is stored of one account."""

        def read(connection: Connection) -> StoredAccount | None:
            row = connection.execute(_mine(fingerprint)).one_or_none()
            return None if row is None else self._stored(row)

        return self._database.run(read)

    def counts(self, fingerprint: str, stored: StoredAccount) -> bool:
        """Whether it is to be used: it was added, or is among the entries that were adopted."""
        return stored.source == "stored" or fingerprint in self._configured

    # ── credentials and parking ──────────────────────────────────────────────

    def save(self, account: Account, credentials: Credentials, fence: int = 0) -> Deferred[None]:
        """Fires only once the credentials are on disk; all else of a known account stays.

        What was saved under a later fence wins, not what arrives last: a process that was held
        up after its refresh must not bring back credentials that another has replaced since. As
        long as nobody has, they are still the newest there are, however late. An account that was
        removed meanwhile is kept, too, though it does not count.
        """
        fingerprint = account.fingerprint

        def save(connection: Connection) -> None:
            known = self._locked(connection, account)
            if fence and known.fence > fence:
                raise Superseded
            values = credential_columns(fingerprint, credentials, self._seal)
            if not credentials.profile_arn:
                del values["profile_arn"]
            if fence:
                values["fence"] = fence
            if not known.method:
                values |= account_columns(account)
            self._changed(connection, fingerprint, values)
            if fence:
                free(connection, refresh_lease(fingerprint), fence)
            self._note(connection, fingerprint)

        return self._database.run(save)

    def park(self, fingerprint: str, parked: Parked | None) -> Deferred[None]:
        """Remember, or forget, why an account is not to be asked.

        Also for an account that was never saved: it is then loaded with empty credentials.
        """
        return self._database.run(lambda connection: self.parked(connection, fingerprint, parked))

    def parked(self, connection: Connection, fingerprint: str, parked: Parked | None) -> None:
        """``park`` inside a transaction."""
        values: Columns = {
            "parked_reason": None if parked is None else parked.reason,
            "parked_until": None if parked is None else parked.until,
        }
        self._put(connection, fingerprint, values)
        self._note(connection, fingerprint)

    # ── what an operator does ────────────────────────────────────────────────

    def add(
        self,
        account: Account,
        credentials: Credentials,
        *,
        source: Source = "stored",
        enabled: bool = True,
    ) -> Deferred[None]:
        """Keep a new account. Fails with Duplicate if it is there and counts.

        One that does not count any more begins anew; its tokens stay, because those that were
        rotated from the given ones are the newer.
        """
        return self._database.run(
            lambda connection: self.added(
                connection, account, credentials, source=source, enabled=enabled
            )
        )

    def added(
        self,
        connection: Connection,
        account: Account,
        credentials: Credentials,
        *,
        source: Source = "stored",
        enabled: bool = True,
    ) -> None:
        """``add`` inside a transaction; raises Duplicate, having changed nothing."""
        fingerprint = account.fingerprint
        values = {**account_columns(account), "enabled": enabled, "source": source}
        secrets = credential_columns(fingerprint, credentials, self._seal)
        fresh = self._stamped({**UNSAVED, **values, **secrets}, fingerprint)
        if not put_missing(connection, ACCOUNTS, fresh):
            known = connection.execute(_mine(fingerprint).with_for_update()).one()
            stored = self._stored(known)
            if self.counts(fingerprint, stored):
                raise Duplicate(stored)
            if not stored.credentials.refresh_token:
                values |= secrets
            cleared = {"configured_digest": "", "parked_reason": None, "parked_until": None}
            self._put(connection, fingerprint, {**values, **cleared})
        self._note(connection, fingerprint)

    def replace(self, account: Account, credentials: Credentials) -> Deferred[None]:
        """Other credentials for an account, from a new login; it is not parked any more."""
        return self._database.run(
            lambda connection: self.replaced(connection, account, credentials)
        )

    def replaced(self, connection: Connection, account: Account, credentials: Credentials) -> None:
        """``replace`` inside a transaction. A refresh of the old ones that is still under way
        in any process is superseded by this."""
        fingerprint = account.fingerprint
        # In the order in which ``save`` does it, or the two could wait for each other.
        known = self._locked(connection, account)
        fence = outdate(connection, refresh_lease(fingerprint))
        values = credential_columns(fingerprint, credentials, self._seal)
        values |= {"fence": fence, "parked_reason": None, "parked_until": None, "last_error": ""}
        if not known.method:
            values |= account_columns(account)
        self._changed(connection, fingerprint, values)
        self._note(connection, fingerprint)

    def patch(self, fingerprint: str, **columns: object) -> Deferred[StoredAccount | None]:
        """Change an account; as it is then, None if there is none.

        :param columns: some of name, group, region, order, enabled, max_in_flight,
            requests_per_minute, email and last_error.
        :raises ValueError: something else.
        """
        values = _patched(columns)
        return self._database.run(lambda connection: self._patch(connection, fingerprint, values))

    def patched(
        self, connection: Connection, fingerprint: str, columns: Mapping[str, object]
    ) -> StoredAccount | None:
        """``patch`` inside a transaction."""
        return self._patch(connection, fingerprint, _patched(columns))

    def remove(self, fingerprint: str) -> Deferred[bool]:
        """Forget an account and its credentials; whether there was one."""
        return self._database.run(lambda connection: self.removed(connection, fingerprint))

    def removed(self, connection: Connection, fingerprint: str) -> bool:
        """``remove`` inside a transaction."""
        gone = delete(ACCOUNTS).where(ACCOUNTS.c.fingerprint == fingerprint)
        if connection.execute(gone).rowcount == 0:
            return False
        self._note(connection, fingerprint)
        return True

    # ── what is learnt ───────────────────────────────────────────────────────

    def write_quota(
        self, fingerprint: str, quota_json: str, checked_at: float, email: str = ""
    ) -> Deferred[None]:
        """Remember usage limits; an empty ``email`` leaves the known one."""
        values: Columns = {"quota": quota_json, "quota_checked_at": checked_at}
        if email:
            values["email"] = email
        return self._learnt(fingerprint, values)

    def write_profile(self, fingerprint: str, arn: str, checked_at: float) -> Deferred[None]:
        """Remember a profile, or with an empty ``arn`` that none was found."""
        values: Columns = {"profile_checked_at": checked_at}
        if arn:
            values["profile_arn"] = arn
        return self._learnt(fingerprint, values)

    # ── at the start ─────────────────────────────────────────────────────────

    def adopt(self, configured: Configured) -> Deferred[Mapping[str, StoredAccount]]:
        """Bring the rows in line with the configuration; all accounts that count from now on.

        Those configured in their order, then those added, by position. An entry is found by its
        fingerprint, so that rotated tokens survive; a field that was edited in it wins over what
        was changed here. A row whose entry is gone stays, but does not count. An added account
        that appears in the configuration becomes a configured one.
        """
        self._configured = frozenset(account.fingerprint for account in configured.accounts)

        def adopt(connection: Connection) -> Mapping[str, StoredAccount]:
            alone(connection, "accounts.adopt")
            rows = everything(connection)
            # All of them are opened before anything is changed: a missing key is told first.
            stored = {fingerprint: self._stored(row) for fingerprint, row in rows.items()}
            changed = align(connection, rows, configured, self._seal, self._now())
            if changed:
                rows = everything(connection)
                stored = {fingerprint: self._stored(row) for fingerprint, row in rows.items()}
                note_all(connection, "account", changed, self._now())
            added = sorted(
                (row for row in rows.values() if row.source == "stored"),
                key=lambda row: (row.position, row.fingerprint),
            )
            order = [account.fingerprint for account in configured.accounts]
            order += [row.fingerprint for row in added]
            return {fingerprint: stored[fingerprint] for fingerprint in order}

        return self._database.run(adopt)

    def reseal(self) -> Deferred[int]:
        """Seal what is kept in clear or under an old key as it would be kept now; how many rows.

        Fails with StoreError, changing nothing, if a row cannot be opened.
        """

        def reseal(connection: Connection) -> int:
            count = 0
            for row in everything(connection).values():
                stored = self._stored(row)
                if all(self._seal.is_current(getattr(row, name)) for name in SEALED):
                    continue
                kept = credential_columns(row.fingerprint, stored.credentials, self._seal)
                mine = update(ACCOUNTS).where(ACCOUNTS.c.fingerprint == row.fingerprint)
                connection.execute(mine.values({name: kept[name] for name in SEALED}))
                count += 1
            return count

        return self._database.run(reseal)

    # ── inside ───────────────────────────────────────────────────────────────

    def _patch(
        self, connection: Connection, fingerprint: str, values: Columns
    ) -> StoredAccount | None:
        if not self._changed(connection, fingerprint, values):
            return None
        stored = self._stored(connection.execute(_mine(fingerprint)).one())
        self._note(connection, fingerprint)
        return stored

    def _learnt(self, fingerprint: str, values: Columns) -> Deferred[None]:
        def learn(connection: Connection) -> None:
            if self._changed(connection, fingerprint, values):
                self._note(connection, fingerprint)

        return self._database.run(learn)

    def _locked(self, connection: Connection, account: Account) -> Row[Any]:
        """The account's row, made if need be, which nobody else changes meanwhile."""
        mine = _mine(account.fingerprint).with_for_update()
        row = connection.execute(mine).one_or_none()
        if row is None:
            about = {**UNSAVED, **account_columns(account)}
            put_missing(connection, ACCOUNTS, self._stamped(about, account.fingerprint))
            row = connection.execute(mine).one()
        return row

    def _put(self, connection: Connection, fingerprint: str, values: Columns) -> None:
        """Change the row, or make it."""
        if self._changed(connection, fingerprint, values):
            return
        fresh = self._stamped({**UNSAVED, **values}, fingerprint)
        if not put_missing(connection, ACCOUNTS, fresh):
            self._changed(connection, fingerprint, values)

    def _changed(self, connection: Connection, fingerprint: str, values: Columns) -> bool:
        mine = update(ACCOUNTS).where(ACCOUNTS.c.fingerprint == fingerprint)
        stamped = {**values, "updated_at": self._now()}
        return connection.execute(mine.values(stamped)).rowcount > 0

    def _stamped(self, values: Columns, fingerprint: str) -> Columns:
        now = self._now()
        return {**values, "fingerprint": fingerprint, "created_at": now, "updated_at": now}

    def _stored(self, row: Row[Any]) -> StoredAccount:
        return stored_account(row, self._seal)

    def _note(self, connection: Connection, fingerprint: str) -> None:
        note(connection, "account", fingerprint, self._now())


def _mine(fingerprint: str) -> Select[Any]:
    return select(ACCOUNTS).where(ACCOUNTS.c.fingerprint == fingerprint)


def _patched(columns: Mapping[str, object]) -> Columns:
    unknown = sorted(columns.keys() - PATCHABLE.keys())
    if unknown or not columns:
        raise ValueError(f"not to be changed: {', '.join(unknown) or 'nothing'}")
    return {PATCHABLE[name]: value for name, value in columns.items()}
