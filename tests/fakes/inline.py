"""A database in memory that answers at once, and a pool that does what the registry says."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar, cast

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool
from twisted.internet.defer import Deferred, fail, succeed

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.status import AccountStatus
from kiro2api.store.database import Database
from kiro2api.store.schema import METADATA

_T = TypeVar("_T")


class InlineDatabase:
    """``Database.run`` without a thread. ``broken``: what every run fails with."""

    def __init__(self) -> None:
        self._engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(self._engine, "connect", _configure)
        METADATA.create_all(self._engine)
        self.broken: Exception | None = None
        self.held: list[Callable[[], None]] | None = None

    def run(self, function: Callable[[Connection], _T]) -> Deferred[_T]:
        """One transaction; at once, or when ``release`` is called while ``held`` is a list."""
        if self.held is None:
            return self._run(function)
        done: Deferred[_T] = Deferred(lambda _: None)

        def later() -> None:
            self._run(function).addBoth(lambda r: None if done.called else done.callback(r))

        self.held.append(later)
        return done

    def release(self) -> None:
        """Let what is held happen."""
        held, self.held = self.held or [], None
        for happen in held:
            happen()

    def _run(self, function: Callable[[Connection], _T]) -> Deferred[_T]:
        if self.broken is not None:
            return fail(self.broken)
        try:
            with self._engine.begin() as connection:
                return succeed(function(connection))
        except Exception as error:  # noqa: BLE001
            return fail(error)

    def close(self) -> None:
        """Forget everything."""
        self._engine.dispose()

    @property
    def real(self) -> Database:
        """As the rows want it."""
        return cast(Database, self)


def _configure(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


class OperatedPool:
    """What was admitted, and how it is to be lent."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.members: dict[str, Account] = {}
        self.enabled: dict[str, bool] = {}
        self.parked: dict[str, Parked | None] = {}
        self.policies: dict[str, GroupPolicy] = {}
        self.released: list[str] = []
        self.admitted: list[str] = []
        self.in_flight: dict[str, int] = {}
        self.served: dict[str, int] = {}

    def admit(
        self,
        account: Account,
        credentials: Credentials,
        enabled: bool,
        parked: Parked | None,
        credits_left: float | None,
    ) -> None:
        """Add or update."""
        fingerprint = account.fingerprint
        self.keyring.put(fingerprint, credentials)
        self.members[fingerprint] = account
        self.enabled[fingerprint] = enabled
        self.parked[fingerprint] = parked or self.parked.get(fingerprint)
        self.admitted.append(fingerprint)

    def expel(self, fingerprint: str) -> None:
        """Forget."""
        del self.members[fingerprint]

    def release(self, fingerprint: str) -> Deferred[None]:
        """Unpark."""
        self.parked[fingerprint] = None
        self.released.append(fingerprint)
        return succeed(None)

    def set_group(self, policy: GroupPolicy) -> None:
        """Remember."""
        self.policies[policy.name] = policy

    def drop_group(self, name: str) -> None:
        """Forget."""
        if any(account.group == name for account in self.members.values()):
            raise ValueError("the group has accounts")
        self.policies.pop(name, None)

    def snapshot(self, now: float) -> list[AccountStatus]:
        """In the order of choice."""
        ordered = sorted(self.members.values(), key=lambda account: account.order)
        return [self._status(account) for account in ordered]

    def _status(self, account: Account) -> AccountStatus:
        fingerprint = account.fingerprint
        parked = self.parked.get(fingerprint)
        state, reason = "ready", ""
        if not self.enabled[fingerprint]:
            state = reason = "disabled"
        elif parked is not None:
            state, reason = "suspended", parked.reason
        return AccountStatus(
            name=account.name,
            group=account.group,
            method=account.method,
            state=state,
            reason=reason,
            until=0.0 if parked is None else parked.until,
            expires_at=self.keyring.current(fingerprint).expires_at,
            in_flight=self.in_flight.get(fingerprint, 0),
            served=self.served.get(fingerprint, 0),
            failed=0,
            order=account.order,
            last_used=0.0,
            fingerprint=fingerprint[:16],
        )
