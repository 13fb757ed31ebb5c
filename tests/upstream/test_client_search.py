"""Tests for kiro2api.upstream.client: the web search."""

import msgspec
from twisted.internet.defer import CancelledError, Deferred

from kiro2api.conversation.search import SearchHit
from kiro2api.errors import AccessRefused, Throttled, UpstreamUnavailable
from tests.fakes.upstream import ARN, FakeResponse, an_account, its_credentials
from tests.upstream.test_client import ClientTestCase
from tests.upstream.test_client_control import reply

FOUND = {"content": [{"type": "text", "text": '{"results":[{"url":"https://a","title":"A"}]}'}]}


class SearchTests(ClientTestCase):
    """InvokeMCP."""

    def search(self) -> Deferred[tuple[SearchHit, ...]]:
        return self.client.search(self.account, self.credentials, "who?")

    def test_search(self) -> None:
        """The request, its headers and what was found."""
        searching = self.search()
        asked = self.agent.last
        self.assertEqual(asked.method, b"POST")
        self.assertEqual(asked.uri, b"https://q.eu-central-1.amazonaws.com/mcp")
        self.assertEqual(
            msgspec.json.decode(asked.body),
            {
                "id": "web_search_uuid-0",
                "jsonrpc": "2.0",
                "method": "tools/call",
                "params": {"name": "web_search", "arguments": {"query": "who?"}},
            },
        )
        self.assertEqual(asked.header("authorization"), "Bearer token-one")
        self.assertEqual(asked.header("content-type"), "application/json")
        self.assertEqual(asked.header("x-amzn-kiro-profile-arn"), ARN)
        self.assertIsNone(asked.header("tokentype"))
        reply(asked, result=FOUND)
        self.assertEqual(self.successResultOf(searching), (SearchHit("https://a", "A"),))

    def test_without_profile(self) -> None:
        """An API key says what it is and names no profile, nor does anybody who has none."""
        self.account = an_account("api_key")
        self.search()
        self.assertIsNone(self.agent.last.header("x-amzn-kiro-profile-arn"))
        self.assertEqual(self.agent.last.header("tokentype"), "API_KEY")
        reply(self.agent.last, result=FOUND)
        self.account, self.credentials = an_account(), its_credentials(profile_arn="")
        self.search()
        self.assertIsNone(self.agent.last.header("x-amzn-kiro-profile-arn"))
        reply(self.agent.last, result=FOUND)

    def test_refused(self) -> None:
        """Refusals are classified as elsewhere; the credentials stay out of them."""
        for code, kind in ((403, AccessRefused), (429, Throttled)):
            searching = self.search()
            reply(self.agent.last, code, message="no", reason="FEATURE_NOT_SUPPORTED")
            self.failureResultOf(searching, kind)

    def test_mute(self) -> None:
        """A search that gets no head is given up in time."""
        searching = self.search()
        self.clock.advance(29.9)
        self.assertNoResult(searching)
        self.clock.advance(0.1)
        self.failureResultOf(searching, UpstreamUnavailable)

    def test_cancelled(self) -> None:
        """Cancelling closes the connection, before the head as well as in the body."""
        searching = self.search()
        asked = self.agent.last
        searching.cancel()
        self.failureResultOf(searching, CancelledError)
        self.assertTrue(asked.cancelled)
        searching = self.search()
        response = FakeResponse(200, {"content-type": "application/json"})
        self.agent.last.respond(response)
        response.give(b"{")
        searching.cancel()
        self.failureResultOf(searching, CancelledError)
        self.assertTrue(response.transport.stopped)
