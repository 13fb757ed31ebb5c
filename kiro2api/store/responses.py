# -*- test-case-name: tests.store.test_responses -*-
"""Finished responses as rows, for later requests of the same key to any process.

Answers are not held up: what is kept is written right afterwards, several at once when they come
faster than the disk takes them. Must not know what the items mean.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeVar

import msgspec
import txaio.tx
from sqlalchemy import Connection, Select, delete, insert, literal, select, update
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from kiro2api.conversation.held import Finished, Recollection, Wanted
from kiro2api.store.database import Database
from kiro2api.store.heldroom import HeldRoom
from kiro2api.store.schema import RESPONSE_ITEMS, RESPONSES

T = TypeVar("T")

BACKLOG: Final = 64 * 1024 * 1024
"""Octets that may wait to be written; beyond, the disk is too slow to hold everything."""

_USED_WITHIN: Final = 60.0
"""Seconds for which a use is not noted again: most reads write nothing."""

# Another process commits its answer a moment after it has left.
_PATIENCE: Final = (0.05, 0.2)

_LONGEST_CHAIN: Final = 10_000
_AT_ONCE: Final = 500
_QUICKLY: Final = 1

_encode = msgspec.msgpack.Encoder().encode


class _Content(msgspec.Struct, array_like=True, frozen=True):
    body: bytes
    given: tuple[bytes, ...]
    made: tuple[tuple[str, bytes], ...]


_decode = msgspec.msgpack.Decoder(_Content).decode


class _Kept(msgspec.Struct, frozen=True):
    owner: str
    finished: Finished
    size: int


class _Link(msgspec.Struct, frozen=True):
    id: str
    previous: str
    content: _Content


class ResponseRows:
    """The tables ``responses`` and ``response_items``, as what the routes call held responses.

    :param clock: measures the moments for which an answer of another process is waited for.
    :param now: epoch seconds, for the time stamps of rows.
    :param room: how much is held, and for how long.
    """

    log = txaio.tx.make_logger()

    def __init__(
        self,
        database: Database,
        clock: IReactorTime,
        now: Callable[[], float] = time.time,
        room: HeldRoom | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._now = now
        self._room = HeldRoom() if room is None else room
        self._waiting: list[_Kept] = []
        self._backlog = 0
        self._writing = 0
        self._stopping: list[Deferred[None]] = []

    # ── what the routes call ─────────────────────────────────────────────────

    async def recollect(self, owner: str, wanted: Wanted) -> Recollection:
        """What a request refers to. All responses that led to the previous one count as used."""
        if not (wanted.previous or wanted.items):
            return Recollection()
        before: tuple[bytes, ...] | None = ()
        if wanted.previous:
            chain = await self._found(partial(self._chain, owner, wanted.previous))
            before = _items(chain) if chain and not chain[0].previous else None
        if not wanted.items:
            return Recollection(before)
        return Recollection(before, await self._run(partial(self._named, owner, wanted.items)))

    async def find(self, owner: str, response_id: str) -> bytes | None:
        """The JSON of a response, None if it is not held."""
        found = await self._found(partial(self._one, owner, response_id))
        return found[0].content.body if found else None

    async def listed(self, owner: str, response_id: str) -> tuple[bytes, ...] | None:
        """The items that a response was asked with, None if it is not held."""
        chain = await self._found(partial(self._chain, owner, response_id))
        return _items(chain[:-1]) + chain[-1].content.given if chain else None

    async def forget(self, owner: str, response_id: str) -> bool:
        """Drop a response; whether it was held."""
        return bool(await self._found(partial(self._drop, owner, response_id)))

    def keep(self, owner: str, finished: Finished) -> None:
        """Put a response away in the place of those that were unused for longest."""
        size = len(finished.body) + sum(map(len, finished.given))
        size += sum(len(json) for _, json in finished.made)
        if size > self._room.largest:
            return
        if self._backlog + size > BACKLOG:
            self.log.warn("store: too slow to hold a response id={id}", id=finished.id)
            return
        self._backlog += size
        self._waiting.append(_Kept(owner, finished, size))
        if not self._writing:
            self._write()

    def stop(self) -> Deferred[None]:
        """Fires when everything that was kept is written; must come before the database's."""
        self._write()
        if not self._writing:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._stopping.append(done)
        return done

    # ── in the reactor's thread ──────────────────────────────────────────────

    def _write(self) -> None:
        """Hand over what waits. The store's thread keeps the order, so later reads find it."""
        if self._waiting:
            kept, self._waiting = self._waiting, []
            self._writing += 1
            done = self._database.run(partial(self._put, kept))
            done.addErrback(self._lost, len(kept))
            done.addCallback(self._written, sum(each.size for each in kept))

    def _lost(self, failure: Failure, count: int) -> None:
        self.log.error(
            "store: {count} responses are not held: {reason}", count=count, reason=failure.value
        )

    def _written(self, result: None, octets: int) -> None:
        self._writing -= 1
        self._backlog -= octets
        self._write()
        if not self._writing:
            stopping, self._stopping = self._stopping, []
            for each in stopping:
                each.callback(None)

    def _run(self, function: Callable[[Connection], T]) -> Deferred[T]:
        self._write()
        return self._database.run(function)

    async def _found(self, look: Callable[[Connection], list[T]]) -> list[T]:
        """What is looked for, with some patience where it is not there yet."""
        found = await self._run(look)
        for seconds in _PATIENCE:
            if found:
                break
            await deferLater(self._clock, seconds, lambda: None)
            found = await self._run(look)
        return found

    # ── in the store's thread, each in one transaction ───────────────────────

    def _put(self, kept: Sequence[_Kept], connection: Connection) -> None:
        now = self._now()
        newest = {each.finished.id: each for each in kept}
        _delete(connection, list(newest))
        rows, items = [], []
        for each in newest.values():
            finished = each.finished
            content = _Content(finished.body, finished.given, finished.made)
            packed = zlib.compress(_encode(content), _QUICKLY)
            rows.append(
                {
                    "id": finished.id,
                    "owner": each.owner,
                    "previous": finished.previous,
                    "octets": len(packed),
                    "content": packed,
                    "created_at": now,
                    "used_at": now,
                }
            )
            items += [
                {"owner": each.owner, "id": item_id, "response_id": finished.id}
                for item_id, _ in finished.made
            ]
            self._room.taken(each.owner, len(packed))
        connection.execute(insert(RESPONSES), rows)
        if items:
            connection.execute(insert(RESPONSE_ITEMS), items)
        _delete(connection, self._room.surplus(connection, now))

    def _chain(self, owner: str, response_id: str, connection: Connection) -> list[_Link]:
        """A response and all that led to it, oldest first, as far as they are held."""
        links = self._mine(owner).where(RESPONSES.c.id == response_id)
        chain = links.add_columns(literal(0).label("depth")).cte("chain", recursive=True)
        before = (
            self._mine(owner)
            .where(RESPONSES.c.id == chain.c.previous, chain.c.depth < _LONGEST_CHAIN)
            .add_columns((chain.c.depth + 1).label("depth"))
        )
        whole = chain.union_all(before)
        return self._links(connection, select(whole).order_by(whole.c.depth.desc()))

    def _one(self, owner: str, response_id: str, connection: Connection) -> list[_Link]:
        return self._links(connection, self._mine(owner).where(RESPONSES.c.id == response_id))

    def _named(self, owner: str, names: Sequence[str], connection: Connection) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        wanted = set(names)
        for some in _parts(list(wanted)):
            where = select(RESPONSE_ITEMS.c.response_id).where(
                RESPONSE_ITEMS.c.owner == owner, RESPONSE_ITEMS.c.id.in_(some)
            )
            for link in self._links(connection, self._mine(owner).where(RESPONSES.c.id.in_(where))):
                found.update(each for each in link.content.made if each[0] in wanted)
        return found

    def _drop(self, owner: str, response_id: str, connection: Connection) -> list[str]:
        mine = select(RESPONSES.c.id).where(
            RESPONSES.c.owner == owner, RESPONSES.c.id == response_id
        )
        found = [row.id for row in connection.execute(mine)]
        _delete(connection, found)
        return found

    def _mine(self, owner: str) -> Select[tuple[str, str, bytes, float]]:
        fresh = self._now() - self._room.seconds
        return select(
            RESPONSES.c.id, RESPONSES.c.previous, RESPONSES.c.content, RESPONSES.c.used_at
        ).where(RESPONSES.c.owner == owner, RESPONSES.c.used_at >= fresh)

    def _links(
        self, connection: Connection, wanted: Select[tuple[str, str, bytes, float]]
    ) -> list[_Link]:
        """The rows, which count as used from now on."""
        rows = connection.execute(wanted).all()
        now = self._now()
        for some in _parts([row.id for row in rows if row.used_at < now - _USED_WITHIN]):
            connection.execute(
                update(RESPONSES).where(RESPONSES.c.id.in_(some)).values(used_at=now)
            )
        return [_Link(row.id, row.previous, _decode(zlib.decompress(row.content))) for row in rows]


def _items(links: Sequence[_Link]) -> tuple[bytes, ...]:
    """All items of some responses, in order."""
    return tuple(
        item
        for link in links
        for item in (*link.content.given, *(json for _, json in link.content.made))
    )


def _delete(connection: Connection, response_ids: Sequence[str]) -> None:
    for some in _parts(response_ids):
        connection.execute(delete(RESPONSE_ITEMS).where(RESPONSE_ITEMS.c.response_id.in_(some)))
        connection.execute(delete(RESPONSES).where(RESPONSES.c.id.in_(some)))


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at once as every database takes in one statement."""
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
