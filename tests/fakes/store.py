"""A credential store in memory that can be late, and can fail."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ICredentialStore, Parked, StoredAccount, Superseded
from kiro2api.redaction import Secret

_T = TypeVar("_T")

UNSAVED = Credentials(access_token=Secret(""), refresh_token=Secret(""))


@implementer(ICredentialStore)
class MemoryStore:
    """``rows`` is what is "on disk".

    While ``late``, nothing happens until ``release()``; the row changes only then. While
    ``broken`` is set, writes fail with it. ``journal`` lists the operations that took effect.
    """

    def __init__(self, rows: Mapping[str, StoredAccount] | None = None) -> None:
        self.rows: dict[str, StoredAccount] = dict(rows or {})
        self.journal: list[tuple[str, str]] = []
        self.fences: dict[str, int] = {}
        self.late = False
        self.broken: Exception | None = None
        self._held: list[Callable[[], None]] = []

    def load(self) -> Deferred[Mapping[str, StoredAccount]]:
        return self._perform(lambda: dict(self.rows))

    def read(self, fingerprint: str) -> Deferred[StoredAccount | None]:
        def look() -> StoredAccount | None:
            if self.broken is not None:
                raise self.broken
            return self.rows.get(fingerprint)

        return self._perform(look)

    def save(self, account: Account, credentials: Credentials, fence: int = 0) -> Deferred[None]:
        def write() -> None:
            if fence and fence < self.fences.get(account.fingerprint, 0):
                raise Superseded
            self._write("save", account.fingerprint, credentials=credentials)
            self.fences[account.fingerprint] = fence

        return self._perform(write)

    def park(self, fingerprint: str, parked: Parked | None) -> Deferred[None]:
        def write() -> None:
            self._write("park", fingerprint, parked=parked)

        return self._perform(write)

    def held(self) -> int:
        """How many operations wait for ``release``."""
        return len(self._held)

    def release(self, count: int | None = None) -> None:
        """Let the waiting operations happen, in order; ``count`` of them or all."""
        now = self._held[:count]
        self._held = self._held[len(now) :]
        for happen in now:
            happen()

    def _write(self, what: str, fingerprint: str, **fields: object) -> None:
        if self.broken is not None:
            raise self.broken
        row = self.rows.get(fingerprint, StoredAccount(UNSAVED))
        self.rows[fingerprint] = msgspec.structs.replace(row, **fields)
        self.journal.append((what, fingerprint))

    def _perform(self, operation: Callable[[], _T]) -> Deferred[_T]:
        if not self.late:
            try:
                return succeed(operation())
            except Exception as error:  # noqa: BLE001
                return fail(error)
        result: Deferred[_T] = Deferred()

        def happen() -> None:
            try:
                value = operation()
            except Exception as error:  # noqa: BLE001
                result.errback(error)
            else:
                result.callback(value)

        self._held.append(happen)
        return result
