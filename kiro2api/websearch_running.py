# -*- test-case-name: tests.test_websearch_running -*-
"""The searches of one answer while they run, within their limits.

Must not know the answer, nor how a search is made.
"""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api.conversation.question import ServerTool
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import UpstreamFault
from kiro2api.websearch_round import Search
from kiro2api.websearch_tool import BadInput, SearchInput, error_code, permitted, read_input

SEARCH_SECONDS: Final = 30.0
"""How long a search may take."""
MAX_USES: Final = 20
"""How many searches one answer may make where the client sets no limit."""
MAX_RESULTS: Final = 512 * 1024
"""Characters of results that one answer may bring into its conversation."""


class Searches:
    """Carries out calls of the search tool; each is settled exactly once.

    ``succeeded`` counts those that found what there is; ``changed_at`` is when one ended last, in
    reactor seconds.

    :param look_up: looks for a query.
    :param settled: called when a search was settled that did not settle at once.
    """

    _log = Logger()

    def __init__(
        self,
        tool: ServerTool,
        look_up: Callable[[str], "Deferred[tuple[SearchHit, ...]]"],
        clock: IReactorTime,
        settled: Callable[[], None],
    ) -> None:
        self._tool = tool
        self._look_up = look_up
        self._clock = clock
        self._settled = settled
        self._left = MAX_USES if tool.max_uses is None else tool.max_uses
        self._size = 0
        self._running: dict[Deferred[tuple[SearchHit, ...]], Search] = {}
        self.succeeded = 0
        self.changed_at = 0.0

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._running)

    def start(self, search: Search) -> None:
        """Carry out a call whose input is complete."""
        try:
            given = read_input(search.input)
        except BadInput as bad:
            search.query = bad.query
            search.settle(error=bad.code)
            return
        search.query = given.query
        if self._left <= 0 or self._size >= MAX_RESULTS:
            search.settle(error="max_uses_exceeded")
            return
        self._left -= 1
        running = self._look_up(given.query)
        if running.called:
            running.addCallbacks(
                self._found, self._failed, callbackArgs=(search, given), errbackArgs=(search,)
            )
            return
        self._running[running] = search
        timer = self._clock.callLater(SEARCH_SECONDS, running.cancel)

        def over(result: object) -> object:
            self._running.pop(running, None)
            self.changed_at = self._clock.seconds()
            if timer.active():
                timer.cancel()
            return result

        running.addBoth(over)
        running.addCallbacks(
            self._found, self._failed, callbackArgs=(search, given), errbackArgs=(search,)
        )
        running.addCallback(lambda _: self._settled())
        running.addErrback(lambda failure: self._log.failure("cannot use a search", failure))

    def cancel(self) -> None:
        """Give up all that run; they are settled as unavailable."""
        for running, search in tuple(self._running.items()):
            search.settle(error="unavailable")
            running.cancel()

    def _found(self, hits: tuple[SearchHit, ...], search: Search, given: SearchInput) -> None:
        if not search.settled:
            self.succeeded += 1
            search.settle(permitted(hits, self._tool, given))
            self._size += len(search.text)

    def _failed(self, failure: Failure, search: Search) -> None:
        fault = failure.value
        if isinstance(fault, UpstreamFault):
            search.settle(error=error_code(fault))
            return
        if failure.check(CancelledError) is None:
            self._log.failure("cannot search", failure)
        search.settle(error="unavailable")
