"""Tests of web searches as blocks."""

import json
from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import SearchEnded
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.anthropic.encoding import encode
from kiro2api.dialects.anthropic.searches import (
    WebPage,
    client_search_id,
    content_of,
    hits_of,
    seal,
    unseal,
)
from tests.dialects.anthropic.strategies import texts


class SealedTests(SynchronousTestCase):
    """What only we read again."""

    @settings(max_examples=100, deadline=None)
    @given(texts)
    def test_round_trip(self, text: str) -> None:
        """What was sealed comes back."""
        self.assertEqual(unseal(seal(text)), text)

    def test_not_ours(self) -> None:
        """Of another server, of another version of ours, or damaged: nothing."""
        other = json.dumps({"kiro2api": 2, "snippet": "S"}).encode()
        for content in (
            "",
            "Ero=",
            "no base64",
            "é",
            seal("S")[:-5],
            b64encode(b"[1]").decode(),
            b64encode(b'{"kiro2api":1,"snippet":"\xff"}').decode(),
            b64encode(other).decode(),
        ):
            self.assertEqual(unseal(content), "", content)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.builds(SearchHit, texts, texts, texts, texts), max_size=4).map(tuple))
    def test_pages(self, hits: tuple[SearchHit, ...]) -> None:
        """A client that sends back what it was shown loses nothing of it."""
        shown = json.loads(encode(content_of(SearchEnded("i", hits))))
        for page in shown:
            del page["type"]
        self.assertEqual(hits_of([WebPage(**page) for page in shown]), hits)

    def test_ids(self) -> None:
        """One id for one call, in the alphabet that clients expect."""
        self.assertEqual(client_search_id("tooluse_a"), "srvtoolu_a")
        self.assertEqual(client_search_id("srvtoolu_a"), "srvtoolu_a")
        self.assertEqual(client_search_id("b"), "srvtoolu_b")
