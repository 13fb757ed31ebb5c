"""Tests of what the model is told of a search."""

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.search import SearchError, SearchHit, failed_text, found_text


class TextTests(SynchronousTestCase):
    """The result of the tool."""

    def test_pages(self) -> None:
        """Numbered, with whatever is known of each."""
        self.assertEqual(
            found_text(
                [
                    SearchHit("https://a", "A", "About a.", "May 1, 2026"),
                    SearchHit("https://b"),
                ]
            ),
            "[1] A\nhttps://a\nMay 1, 2026\nAbout a.\n\n[2] https://b\nhttps://b",
        )

    def test_none(self) -> None:
        """Nothing found is not a failure."""
        self.assertIn("No pages", found_text(()))

    def test_failures(self) -> None:
        """Each code has its own text, an unknown one that of the most general."""
        texts = {failed_text(code) for code in get_args(SearchError)}
        self.assertEqual(len(texts), len(get_args(SearchError)))
        self.assertEqual(failed_text("new"), failed_text("unavailable"))
