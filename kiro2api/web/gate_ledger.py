# -*- test-case-name: tests.web.test_gate_ledger -*-
"""Stored keys between the store and the gate: read at start, followed, and their use written back.

Must not know requests. What is spent is added to the store every few seconds, and what other
processes have spent is read with it: between two times, each process knows only its own. So a
budget may be exceeded by what runs when it is reached, and by what other processes spend within
``SETTLE_SECONDS``; a process that is killed forgets what it has spent since the last time.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from kiro2api.errors import KiroError
from kiro2api.store.changes import Change
from kiro2api.store.keys import GENERATED, Role, StoredKey
from kiro2api.store.spending import Spent
from kiro2api.web.budgets import day_of, month_of
from kiro2api.web.gate import Gate

SETTLE_SECONDS: Final = 5.0


class Keys(Protocol):
    """Where keys are kept."""

    def digests(self) -> Deferred[tuple[StoredKey, ...]]:
        """All."""

    def find(self, ids: Iterable[int]) -> Deferred[dict[int, StoredKey]]:
        """Some."""


class Spending(Protocol):
    """Where it is kept what was spent."""

    def settle(
        self, used: Mapping[int, float], spent: Mapping[int, Mapping[int, float]], since: int
    ) -> Deferred[Spent]:
        """Add to it; the sums of all processes by key and day."""


class KeyLedger(Service):
    """Keeps the gate true to the store, and the store to the gate.

    :param single: a generated key administrates, because there is no key for that.
    :param idle: a generated key is not admitted, because keys are configured.
    :param now: epoch seconds.
    """

    log = Logger()

    def __init__(
        self,
        gate: Gate,
        keys: Keys,
        spending: Spending,
        clock: IReactorTime,
        *,
        single: bool,
        idle: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._gate = gate
        self._keys = keys
        self._spending = spending
        self._now = now
        self._single = single
        self._idle = idle
        self._saved: dict[int, float] = {}
        self._turn = DeferredLock()
        self._rounds = LoopingCall(self.settle)
        self._rounds.clock = clock

    def startService(self) -> None:
        """Begin to settle every few seconds."""
        super().startService()
        rounds = self._rounds.start(SETTLE_SECONDS, now=False)
        rounds.addErrback(lambda f: self.log.failure("keys are no longer settled", f))

    def stopService(self) -> Deferred[None]:
        """Settle for the last time."""
        super().stopService()
        if self._rounds.running:
            self._rounds.stop()
        return self.settle()

    # ── keys ─────────────────────────────────────────────────────────────────

    async def load(self) -> None:
        """Admit all stored keys, with what they have spent; raises StoreError."""
        for key in await self._keys.digests():
            self.put(key)
        stored = await self._spending.settle({}, {}, self._since())
        for use in self._gate.uses:
            use.budget.told(stored.get(use.key.id, {}))

    def put(self, key: StoredKey) -> None:
        """A key is new, or has other terms."""
        if key.name == GENERATED and self._idle:
            self._gate.expel(key.id)
            return
        self._gate.admit(key, self.role_of(key))
        self._saved.setdefault(key.id, key.last_used_at)

    def drop(self, key_id: int) -> None:
        """A key is gone."""
        self._gate.expel(key_id)
        self._saved.pop(key_id, None)

    def role_of(self, key: StoredKey) -> Role:
        """What a key may: its own role, but for one that was made because there was none."""
        if key.name == GENERATED and self._single:
            return "admin"
        return key.role

    def counts(self, key: StoredKey) -> bool:
        """Whether it is admitted, expired or not."""
        return self._gate.use(key.id) is not None

    async def follow(self, changes: Iterable[Change]) -> None:
        """Do as other processes did; raises StoreError."""
        ids = {
            int(change.subject)
            for change in changes
            if change.topic == "key" and change.subject.isdecimal()
        }
        if not ids:
            return
        found = await self._keys.find(ids)
        for key_id in sorted(ids):
            if key_id in found:
                self.put(found[key_id])
            else:
                self.drop(key_id)

    # ── what was had ─────────────────────────────────────────────────────────

    def settle(self) -> Deferred[None]:
        """Tell the store what was spent here, and learn what was spent everywhere.

        One at a time; never fails because of the store.
        """
        return self._turn.run(lambda: Deferred.fromCoroutine(self._settle()))

    async def _settle(self) -> None:
        uses = {use.key.id: use for use in self._gate.uses}
        used = {
            key_id: use.last_used
            for key_id, use in uses.items()
            if use.last_used > self._saved.get(key_id, 0.0)
        }
        spent = {key_id: days for key_id, use in uses.items() if (days := use.budget.underway())}
        stored: Spent | None = None
        try:
            stored = await self._spending.settle(used, spent, self._since())
        except KiroError as error:
            self.log.warn("what keys have spent is not stored yet: {reason}", reason=error.message)
        finally:
            if stored is None:
                for use in uses.values():
                    use.budget.not_told()
        if stored is not None:
            self._saved.update(used)
            for key_id, use in uses.items():
                use.budget.told(stored.get(key_id, {}))

    def _since(self) -> int:
        return month_of(day_of(self._now()))
