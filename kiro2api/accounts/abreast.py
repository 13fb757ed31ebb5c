# -*- test-case-name: tests.accounts.test_keeper, tests.accounts.test_quotawatch -*-
"""Work that waits in line and is done a few at a time, each piece once.

Must not know what the work is.
"""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred, DeferredList


class Abreast:
    """Items in line, known by a text.

    :param work: does one; must not fail.
    :param most: how many are done at a time.
    """

    def __init__(self, work: Callable[[str], Awaitable[None]], most: int) -> None:
        self._work = work
        self._most = most
        # In line, and under way: a dict keeps the order.
        self._line: dict[str, None] = {}
        self._begun: set[str] = set()
        self._workers: set[Deferred[None]] = set()

    def __contains__(self, item: str) -> bool:
        return item in self._line or item in self._begun

    def put(self, item: str) -> None:
        """One more at the end of the line, unless it is there or under way."""
        if item not in self:
            self._line[item] = None

    def employ(self) -> None:
        """Begin as much as may be under way."""
        while self._line and len(self._workers) < self._most:
            worker = Deferred.fromCoroutine(self._work_off())
            self._workers.add(worker)
            worker.addBoth(self._ended, worker)

    def _ended(self, result: object, worker: Deferred[None]) -> None:
        self._workers.discard(worker)

    def stop(self) -> Deferred[None]:
        """Empty the line and cancel what is under way; fires when that has ended."""
        self._line.clear()
        workers = tuple(self._workers)
        ended = DeferredList(workers, consumeErrors=True)
        for worker in workers:
            worker.cancel()
        return ended.addCallback(lambda _: None)

    async def _work_off(self) -> None:
        while self._line:
            item = next(iter(self._line))
            del self._line[item]
            self._begun.add(item)
            try:
                await self._work(item)
            finally:
                self._begun.discard(item)
