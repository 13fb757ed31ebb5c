# -*- test-case-name: tests.accounts.test_parkbook -*-
"""Writes down, one after another per account, which accounts are parked.

Must not know why accounts are parked. A failed write is logged and not repeated: at worst the
account is asked once more after a restart.
"""

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger

from kiro2api.accounts.interfaces import ICredentialStore
from kiro2api.accounts.outcome import Parked


class ParkBook:
    """At most one write per account is under way; of those that wait only the last counts."""

    _log = Logger()

    def __init__(self, store: ICredentialStore) -> None:
        self._store = store
        self._next: dict[str, Parked | None] = {}
        self._writing: dict[str, Deferred[None]] = {}

    def note(self, fingerprint: str, parked: Parked | None) -> None:
        """Remember, or with None forget, that an account is parked."""
        self._next[fingerprint] = parked
        if fingerprint not in self._writing:
            # Noted before the first write, which may end at once.
            written: Deferred[None] = Deferred()
            self._writing[fingerprint] = written
            writing = Deferred.fromCoroutine(self._write(fingerprint))
            writing.addBoth(lambda _: written.callback(None))

    def written(self) -> Deferred[None]:
        """Fires when nothing is left to write."""
        writing = DeferredList(tuple(self._writing.values()), consumeErrors=True)
        return writing.addCallback(lambda _: None)

    async def _write(self, fingerprint: str) -> None:
        try:
            while fingerprint in self._next:
                await self._store_one(fingerprint, self._next.pop(fingerprint))
        finally:
            del self._writing[fingerprint]

    async def _store_one(self, fingerprint: str, parked: Parked | None) -> None:
        try:
            await self._store.park(fingerprint, parked)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (a store may fail in any way of its own)
            self._log.error(
                "a parked account is not stored ({kind}): {account}",
                kind=type(error).__name__,
                account=fingerprint[:8],
            )
