# -*- test-case-name: tests.store.test_operator -*-
"""What an operator changes, each change in one transaction with its line in the audit.

Must not know what makes a change a good one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import Duplicate, StoredAccount
from kiro2api.accounts.registry_store import Newcomer, Said, Stored
from kiro2api.store.accounts import AccountRows
from kiro2api.store.audit import wrote
from kiro2api.store.database import Database
from kiro2api.store.groups import GroupRows

_T = TypeVar("_T")

_FEW: Final = 20
"""More rows than these are read all at once."""


class OperatorRows:
    """Implements ``accounts.registry_store.OperatorStore``.

    :param accounts: those that have adopted the configuration.
    :param now: epoch seconds, for the time stamps of the audit.
    """

    def __init__(
        self,
        database: Database,
        accounts: AccountRows,
        groups: GroupRows,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._groups = groups
        self._now = now

    def read(self, fingerprint: str) -> Deferred[StoredAccount | None]:
        """One account; None if there is none that counts."""

        def counting(row: StoredAccount | None) -> StoredAccount | None:
            return row if row is not None and self._accounts.counts(fingerprint, row) else None

        return self._accounts.read(fingerprint).addCallback(counting)

    def groups(self) -> Deferred[dict[str, GroupPolicy]]:
        """The policies that are stored, by name."""
        return self._groups.load()

    def add(self, newcomers: Sequence[Newcomer], said: Said) -> Deferred[Stored]:
        """Store these; those that are there already stay as they are."""

        def add(connection: Connection) -> Stored:
            there: dict[str, StoredAccount] = {}
            for each in newcomers:
                try:
                    self._accounts.added(
                        connection, each.account, each.credentials, enabled=each.enabled
                    )
                except Duplicate as duplicate:
                    there[each.account.fingerprint] = duplicate.existing
            return Stored({}, there)

        wanted = [each.account.fingerprint for each in newcomers]
        done = self._run(add, said, lambda stored: len(stored.there) < len(wanted))
        return done.addCallback(lambda stored: self._read_back(wanted, stored.there))

    def patch(
        self, fingerprint: str, changes: Mapping[str, object], said: Said
    ) -> Deferred[StoredAccount | None]:
        """Change fields of an account; as it is then, None if there is none."""
        return self._run(
            lambda connection: self._accounts.patched(connection, fingerprint, changes),
            said,
            lambda row: row is not None,
        )

    def replace(self, account: Account, credentials: Credentials, said: Said) -> Deferred[None]:
        """Other credentials for an account, which is not parked any more."""

        def replace(connection: Connection) -> None:
            self._accounts.replaced(connection, account, credentials)
            self._accounts.patched(connection, account.fingerprint, {"region": account.region})

        return self._run(replace, said)

    def unpark(self, fingerprint: str, said: Said) -> Deferred[None]:
        """Forget why an account was not to be asked."""
        return self._run(
            lambda connection: self._accounts.parked(connection, fingerprint, None), said
        )

    def remove(self, fingerprint: str, said: Said) -> Deferred[bool]:
        """Forget an account; whether there was one."""
        return self._run(
            lambda connection: self._accounts.removed(connection, fingerprint), said, bool
        )

    def put_group(self, policy: GroupPolicy, said: Said) -> Deferred[None]:
        """A new group, or a known one as it shall be."""
        return self._run(lambda connection: self._groups.put_in(connection, policy), said)

    def rename_group(self, old: str, policy: GroupPolicy, said: Said) -> Deferred[None]:
        """The group's policy under its new name, with its accounts and the keys for it."""

        def rename(connection: Connection) -> None:
            self._groups.renamed(connection, old, policy.name)
            self._groups.put_in(connection, policy)

        return self._run(rename, said)

    def remove_group(self, name: str, said: Said) -> Deferred[None]:
        """Forget a group; its accounts go to the default group."""

        def remove(connection: Connection) -> None:
            self._groups.removed(connection, name)

        return self._run(remove, said)

    def wrote(self, said: Said) -> Deferred[None]:
        """Only the line in the audit, of something that changes nothing here."""
        return self._run(lambda connection: None, said)

    def _run(
        self,
        change: Callable[[Connection], _T],
        said: Said,
        happened: Callable[[_T], bool] = lambda _: True,
    ) -> Deferred[_T]:
        def run(connection: Connection) -> _T:
            result = change(connection)
            if happened(result):
                wrote(connection, said.actor, said.action, said.subject, said.detail, self._now())
            return result

        return self._database.run(run)

    async def _read(self, wanted: Sequence[str], there: Mapping[str, StoredAccount]) -> Stored:
        """Newcomers as they are stored: a row that had ceased to count keeps its newer tokens."""
        added: dict[str, StoredAccount] = {}
        if len(wanted) > _FEW:
            rows = await self._accounts.load()
            added = {one: rows[one] for one in wanted if one in rows and one not in there}
        else:
            for one in wanted:
                row = None if one in there else await self._accounts.read(one)
                if row is not None:
                    added[one] = row
        return Stored(added, there)

    def _read_back(
        self, wanted: Sequence[str], there: Mapping[str, StoredAccount]
    ) -> Deferred[Stored]:
        return Deferred.fromCoroutine(self._read(wanted, there))
