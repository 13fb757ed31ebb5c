# -*- test-case-name: tests.web.test_held -*-
"""Finished responses, held for a while for later requests of the same key.

``HeldResponses`` is what the routes need; ``ResponsesInMemory`` keeps them as long as the process
lives. Must not know HTTP, nor what the items mean.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from kiro2api.conversation.held import Finished, Recollection, Wanted


class HeldResponses(Protocol):
    """Where finished responses are put away. ``owner`` names the key that asked for one: nobody
    else finds it."""

    async def recollect(self, owner: str, wanted: Wanted) -> Recollection:
        """What a request refers to, as far as it is held."""

    async def find(self, owner: str, response_id: str) -> bytes | None:
        """The JSON of a response, None if it is not held."""

    async def listed(self, owner: str, response_id: str) -> tuple[bytes, ...] | None:
        """The items that a response was asked with, those of earlier responses first as far as
        they are held; None if it is not held itself."""

    async def forget(self, owner: str, response_id: str) -> bool:
        """Drop a response; whether it was held."""

    def keep(self, owner: str, finished: Finished) -> None:
        """Put a response away, as far as there is room."""


class _Held(msgspec.Struct):
    finished: Finished
    size: int
    used: float


_ENTRY_OCTETS = 1024
"""What an entry costs beside its JSON, roughly."""


class _Shelf:
    """One owner's responses, those unused for longest in front."""

    def __init__(self) -> None:
        self.held: dict[str, _Held] = {}
        self.items: dict[str, bytes] = {}
        self.octets = 0

    def put(self, finished: Finished, size: int, now: float) -> None:
        self.drop(finished.id)
        self.held[finished.id] = _Held(finished, size, now)
        self.items.update(finished.made)
        self.octets += size

    def use(self, response_id: str, now: float) -> Finished | None:
        entry = self.held.pop(response_id, None)
        if entry is None:
            return None
        entry.used = now
        self.held[response_id] = entry
        return entry.finished

    def drop(self, response_id: str) -> bool:
        entry = self.held.pop(response_id, None)
        if entry is None:
            return False
        self.octets -= entry.size
        for item_id, _ in entry.finished.made:
            self.items.pop(item_id, None)
        return True


class ResponsesInMemory:
    """Holds responses in this process.

    :param entries: responses held per owner.
    :param octets: bytes of JSON held per owner; a response that alone exceeds them is not held.
    :param seconds: a response unused for longer is dropped.
    """

    def __init__(
        self,
        seconds_now: Callable[[], float],
        *,
        entries: int = 1000,
        octets: int = 32 * 1024 * 1024,
        seconds: float = 24 * 3600.0,
    ) -> None:
        self._now = seconds_now
        self._entries = entries
        self._octets = octets
        self._seconds = seconds
        self._shelves: dict[str, _Shelf] = {}

    async def recollect(self, owner: str, wanted: Wanted) -> Recollection:
        """What a request refers to. All responses that led to the previous one count as used."""
        if not (wanted.previous or wanted.items):
            return Recollection()
        shelf = self._shelf(owner)
        items = {name: shelf.items[name] for name in wanted.items if name in shelf.items}
        return Recollection(self._before(shelf, wanted.previous), items)

    async def find(self, owner: str, response_id: str) -> bytes | None:
        """The JSON of a response, None if it is not held."""
        found = self._shelf(owner).use(response_id, self._now())
        return None if found is None else found.body

    async def listed(self, owner: str, response_id: str) -> tuple[bytes, ...] | None:
        """The items that a response was asked with."""
        shelf = self._shelf(owner)
        found = shelf.use(response_id, self._now())
        if found is None:
            return None
        return (self._before(shelf, found.previous) or ()) + found.given

    async def forget(self, owner: str, response_id: str) -> bool:
        """Drop a response; whether it was held."""
        return self._shelf(owner).drop(response_id)

    def keep(self, owner: str, finished: Finished) -> None:
        """Put a response away in the place of those that were unused for longest."""
        size = _ENTRY_OCTETS + len(finished.body)
        size += sum(map(len, finished.given)) + sum(len(json) for _, json in finished.made)
        if size > self._octets:
            return
        shelf = self._shelf(owner)
        shelf.put(finished, size, self._now())
        while len(shelf.held) > self._entries or shelf.octets > self._octets:
            shelf.drop(next(iter(shelf.held)))

    def _before(self, shelf: _Shelf, response_id: str) -> tuple[bytes, ...] | None:
        """All items up to and including a response; None if any link of the chain is missing."""
        chain: list[Finished] = []
        now = self._now()
        while response_id:
            found = shelf.use(response_id, now)
            if found is None:
                return None
            chain.append(found)
            response_id = found.previous
        items: list[bytes] = []
        for link in reversed(chain):
            items += link.given
            items += (json for _, json in link.made)
        return tuple(items)

    def _shelf(self, owner: str) -> _Shelf:
        """The owner's shelf, without what was unused for too long."""
        shelf = self._shelves.get(owner)
        if shelf is None:
            shelf = self._shelves[owner] = _Shelf()
        limit = self._now() - self._seconds
        while shelf.held:
            oldest = next(iter(shelf.held))
            if shelf.held[oldest].used >= limit:
                break
            shelf.drop(oldest)
        return shelf
