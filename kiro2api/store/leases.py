# -*- test-case-name: tests.store.test_leases -*-
"""Leases, as rows: what only one process at a time may do.

Must not know what is done under them. Processes on one file are on one machine and agree on the
time; where there is a server, its clock is everybody's.
"""

import os
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update
from twisted.internet.defer import Deferred
from zope.interface import implementer

from kiro2api.accounts.interfaces import ILeases
from kiro2api.store.database import Database
from kiro2api.store.database_portable import put_missing, seconds_of
from kiro2api.store.schema import LEASES

_LONGEST: Final = 600.0
"""A lease that ends later than so many seconds from now was won before the clock was set back."""


def this_process() -> str:
    """A name for this process that no other has, not even one that gets its number later."""
    return f"{_machine()}/{os.getpid()}/{os.urandom(8).hex()}"


def is_dead(holder: str) -> bool:
    """Whether the process of that name is known to be gone; one that cannot be seen may live."""
    machine, _, rest = holder.rpartition("/")[0].rpartition("/")
    if not machine or machine != _machine() or not rest.isdecimal():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _machine() -> str:
    """What process numbers are unique in: this start of the machine, and this container."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            return f"{boot.read().strip()}:{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


@implementer(ILeases)
class LeaseRows:
    """The table ``leases``.

    :param holder: names this process and no other, see ``this_process``.
    :param now: epoch seconds.
    :param dead: whether a holder is gone; its leases are not waited for.
    """

    def __init__(
        self,
        database: Database,
        holder: str,
        now: Callable[[], float] = time.time,
        dead: Callable[[str], bool] = is_dead,
    ) -> None:
        self._database = database
        self._holder = holder
        self._now = now
        self._dead = dead

    def win(self, name: str, seconds: float) -> Deferred[int | None]:
        """The new fence, or None while another process holds the lease."""

        def win(connection: Connection) -> int | None:
            held = _locked(connection, name)
            now = seconds_of(connection, self._now())
            others = held.holder not in ("", self._holder)
            if others and now < held.expires_at <= now + _LONGEST and not self._dead(held.holder):
                return None
            values = {
                "holder": self._holder,
                "fence": held.fence + 1,
                "expires_at": now + min(seconds, _LONGEST),
            }
            connection.execute(update(LEASES).where(LEASES.c.name == name).values(values))
            return int(values["fence"])

        return self._database.run(win)

    def give_up(self, name: str, fence: int) -> Deferred[None]:
        """Free the lease, unless somebody has won it since."""
        return self._database.run(lambda connection: free(connection, name, fence))


def free(connection: Connection, name: str, fence: int) -> None:
    """The same inside a transaction of the caller's."""
    held = (LEASES.c.name == name) & (LEASES.c.fence == fence)
    connection.execute(update(LEASES).where(held).values({"holder": "", "expires_at": 0.0}))


def outdate(connection: Connection, name: str) -> int:
    """Take the lease from whoever holds it, inside a transaction of the caller's; the new fence.

    Nobody holds it afterwards, and what is saved under any earlier fence is superseded.
    """
    fence = int(_locked(connection, name).fence) + 1
    values = {"holder": "", "fence": fence, "expires_at": 0.0}
    connection.execute(update(LEASES).where(LEASES.c.name == name).values(values))
    return fence


def _locked(connection: Connection, name: str) -> Row[Any]:
    """The lease's row, made if need be, which nobody else changes until the transaction ends."""
    mine = select(LEASES).where(LEASES.c.name == name).with_for_update()
    row = connection.execute(mine).one_or_none()
    if row is None:
        free_one = {"name": name, "holder": "", "fence": 0, "expires_at": 0.0}
        put_missing(connection, LEASES, free_one)
        row = connection.execute(mine).one()
    return row
