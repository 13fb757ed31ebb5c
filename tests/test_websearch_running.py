"""Tests for kiro2api.websearch_running."""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import ServerTool
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import Throttled
from kiro2api.websearch_round import Search
from kiro2api.websearch_running import MAX_RESULTS, MAX_USES, SEARCH_SECONDS, Searches

HITS = (SearchHit("https://a.example/"), SearchHit("https://b.example/"))


class SearchesTests(SynchronousTestCase):
    """Each search is settled once, nothing is left behind."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.asked: list[str] = []
        self.results: list[Deferred[tuple[SearchHit, ...]]] = []
        self.told = 0
        self.searches = self.make(ServerTool(kind="web_search"))

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.searches), 0)

    def make(self, tool: ServerTool) -> Searches:
        def look_up(query: str) -> Deferred[tuple[SearchHit, ...]]:
            self.asked.append(query)
            return self.results.pop(0) if self.results else succeed(HITS)

        def settled() -> None:
            self.told += 1

        return Searches(tool, look_up, self.clock, settled)

    def search(self, text: str = '{"query":"q"}') -> Search:
        search = Search("i")
        search.more(text)
        self.searches.start(search)
        return search

    def test_at_once(self) -> None:
        """A result that is there needs no telling."""
        search = self.search()
        self.assertEqual((search.query, search.hits, search.error), ("q", HITS, ""))
        self.assertEqual((self.told, self.searches.succeeded), (0, 1))

    def test_later(self) -> None:
        """Otherwise whoever waits is told, once it is settled."""
        self.results.append(Deferred())
        waiting = self.results[0]
        search = self.search()
        self.assertEqual(len(self.searches), 1)
        self.assertFalse(search.settled)
        self.clock.advance(3)
        waiting.callback(HITS)
        self.assertEqual((search.hits, self.told, self.searches.changed_at), (HITS, 1, 103))

    def test_domains(self) -> None:
        """Pages that the client does not want are left out, and that is no failure."""
        self.searches = self.make(ServerTool(kind="web_search", blocked_domains=("a.example",)))
        self.assertEqual(self.search().hits, HITS[1:])
        search = self.search('{"query":"q","allowed_domains":["c.example"]}')
        self.assertEqual((search.hits, search.error), ((), ""))

    def test_bad_input(self) -> None:
        """Nobody is asked."""
        search = self.search("{}")
        self.assertEqual((search.error, self.asked), ("invalid_tool_input", []))

    def test_max_uses(self) -> None:
        """What fails counts, what was never asked does not."""
        self.searches = self.make(ServerTool(kind="web_search", max_uses=2))
        self.results.append(fail(Throttled("x")))
        errors = [self.search(text).error for text in ('{"query":"q"}', "{}", '{"query":"r"}')]
        self.assertEqual(errors, ["too_many_requests", "invalid_tool_input", ""])
        self.assertEqual(self.search().error, "max_uses_exceeded")
        self.assertEqual((len(self.asked), self.searches.succeeded), (2, 1))

    def test_no_limit(self) -> None:
        """There is one all the same."""
        errors = [self.search().error for _ in range(MAX_USES + 1)]
        self.assertEqual(errors, [""] * MAX_USES + ["max_uses_exceeded"])

    def test_too_much(self) -> None:
        """Results do not fill the conversation without end."""
        self.results.append(succeed((SearchHit("u", snippet="x" * MAX_RESULTS),)))
        self.assertEqual([self.search().error for _ in range(2)], ["", "max_uses_exceeded"])

    def test_timeout(self) -> None:
        """A search that takes too long is given up and tells so."""
        cancelled: list[bool] = []
        self.results.append(Deferred(lambda _: cancelled.append(True)))
        search = self.search()
        self.clock.advance(SEARCH_SECONDS - 0.1)
        self.assertFalse(search.settled)
        self.clock.advance(0.1)
        self.assertEqual((search.error, self.told, cancelled), ("unavailable", 1, [True]))

    def test_cancel(self) -> None:
        """All are given up."""
        self.results += [Deferred(), Deferred()]
        searches = [self.search(), self.search()]
        self.searches.cancel()
        self.assertEqual([search.error for search in searches], ["unavailable"] * 2)

    def test_deaf(self) -> None:
        """A result that comes although it was given up changes nothing."""
        deaf: Deferred[tuple[SearchHit, ...]] = Deferred(lambda d: d.callback(HITS))
        self.results.append(deaf)
        search = self.search()
        self.searches.cancel()
        self.assertEqual((search.error, self.searches.succeeded), ("unavailable", 0))

    def test_bug(self) -> None:
        """What nobody foresaw is logged, and the search is settled nevertheless."""
        self.results.append(fail(ZeroDivisionError()))
        self.assertEqual(self.search().error, "unavailable")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
