# -*- test-case-name: tests.dialects.test_citations -*-
"""Tests of finding pages in a text."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.citations import citations


class CitationTests(SynchronousTestCase):
    """Which pages a text names."""

    def named(self, text: str, *urls: str) -> list[str]:
        found = citations(text, [SearchHit(url, "T") for url in urls])
        for each in found:
            self.assertEqual(text[each.start_index : each.end_index], each.url)
        return [each.url for each in found]

    def test_places(self) -> None:
        """Each once, in the order of the text, however it is written there."""
        one, other = "https://a.example/x", "https://b.example"
        self.assertEqual(
            self.named(f"[T]({other}), then <{one}>. {one}", one, other, one), [other, one]
        )
        self.assertEqual(self.named(f"{one}.", one), [one])
        self.assertEqual(self.named(f"{one}: yes", one), [one])
        self.assertEqual(self.named("nothing", one), [])
        (untitled,) = citations(one, [SearchHit(one)])
        self.assertEqual(untitled.title, one)

    def test_part_of_another(self) -> None:
        """The beginning of another address is not named."""
        for text in ("https://a.example/x/y", "https://a.example/x-y", "https://a.example/x.html"):
            self.assertEqual(self.named(text, "https://a.example/x"), [])
        self.assertEqual(
            self.named("https://a.example/xy https://a.example/x", "https://a.example/x"),
            ["https://a.example/x"],
        )

    @settings(max_examples=100)
    @given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=5), max_size=3))
    def test_any_text(self, text: str, urls: list[str]) -> None:
        """Whatever a search gives, the places are right."""
        self.named(text, *urls)
