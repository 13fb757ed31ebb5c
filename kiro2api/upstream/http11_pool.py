# -*- test-case-name: tests.upstream.test_http11_pool -*-
"""Connections between two requests.

Must not know how a connection is made, nor what it carries.
"""

from collections import deque
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from kiro2api.upstream.http11_connection import Connection


class _Kept(NamedTuple):
    connection: Connection
    until: float


class IdleConnections:
    """Keeps free connections for a while, per key; the last one freed is used first.

    Strategy: one timer for all of them, which runs only while there is something to keep.

    :param max_per_key: how many are kept; the one that has waited longest gives way.
    :param seconds: how long; less than servers keep theirs, or they go stale.
    """

    def __init__(self, clock: IReactorTime, max_per_key: int, seconds: float) -> None:
        self._clock = clock
        self._max_per_key = max_per_key
        self._seconds = seconds
        # Each deque is in the order of ``until``.
        self._kept: dict[object, deque[_Kept]] = {}
        self._timer: IDelayedCall | None = None
        self._closed = False
        self._dying: set[Connection] = set()
        self._waiting: list[Deferred[None]] = []

    def take(self, key: object) -> Connection | None:
        """A connection to use, if one is kept."""
        kept = self._kept.get(key)
        while kept:
            connection = kept.pop().connection
            if connection.usable:
                return connection
        return None

    def free(self, connection: Connection) -> None:
        """Keep it. See ``Owner``."""
        if self._closed or self._max_per_key < 1:
            connection.close()
            return
        kept = self._kept.setdefault(connection.key, deque())
        kept.append(_Kept(connection, self._clock.seconds() + self._seconds))
        if len(kept) > self._max_per_key:
            kept.popleft().connection.close()
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._expire)

    def lost(self, connection: Connection) -> None:
        """Forget it. See ``Owner``."""
        kept = self._kept.get(connection.key)
        if kept:
            for item in kept:
                if item.connection is connection:
                    kept.remove(item)
                    break
        if self._timer is not None and not any(self._kept.values()):
            self._stop_timer()
        if connection.gone and connection in self._dying:
            self._dying.discard(connection)
            self._tell_if_closed()

    def close(self) -> Deferred[None]:
        """Close what is kept, and keep no more; fires when all of it is gone."""
        self._closed = True
        connections = [item.connection for kept in self._kept.values() for item in kept]
        self._kept.clear()
        self._stop_timer()
        self._dying.update(connections)
        for connection in connections:
            connection.abort()
        if not self._dying:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _expire(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for key, kept in list(self._kept.items()):
            while kept and kept[0].until <= now:
                kept.popleft().connection.close()
            if not kept:
                self._kept.pop(key, None)
        if self._kept:
            next_ = min(kept[0].until for kept in self._kept.values())
            self._timer = self._clock.callLater(max(0.0, next_ - now), self._expire)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _tell_if_closed(self) -> None:
        if not self._dying:
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.callback(None)
