"""Canonical paths."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.paths import RESERVED, Location, is_openai, locate


class LocateTests(SynchronousTestCase):
    """Whatever base URL a client was given, it arrives at the same place."""

    def check(self, path: str, expected: str, group: str = "") -> None:
        """One path."""
        self.assertEqual(locate(path), Location(expected, group), path)

    def test_plain(self) -> None:
        """The documented paths stay as they are."""
        for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions"):
            self.check(path, path)

    def test_doubled_version(self) -> None:
        """A base URL that ends in /v1 makes clients call /v1/v1."""
        self.check("/v1/v1/messages", "/v1/messages")
        self.check("/v1/v1/v1/models", "/v1/models")

    def test_missing_version(self) -> None:
        """Some clients leave the version out."""
        self.check("/messages", "/v1/messages")
        self.check("/chat/completions", "/v1/chat/completions")
        self.check("/models/claude-sonnet-4.5", "/v1/models/claude-sonnet-4.5")

    def test_groups(self) -> None:
        """A group comes first, with the version once or twice."""
        self.check("/pro/v1/messages", "/v1/messages", "pro")
        self.check("/pro/v1/v1/messages", "/v1/messages", "pro")
        self.check("/pro/v1/models/a/b", "/v1/models/a/b", "pro")

    def test_reserved_words_are_no_groups(self) -> None:
        """A reserved word in front is part of the path."""
        self.check("/api/v1/messages", "/api/v1/messages")
        self.check("/static/v1", "/static/v1")

    def test_trailing_and_double_slashes(self) -> None:
        """Slashes too many mean nothing."""
        self.check("/v1/messages/", "/v1/messages")
        self.check("//v1//messages", "/v1/messages")
        self.check("", "/")
        self.check("/", "/")

    def test_others_stay(self) -> None:
        """Paths of no API are left alone, so that their 404 names them."""
        self.check("/health", "/health")
        self.check("/api/tokens/", "/api/tokens")
        self.check("/v1/embeddings", "/v1/embeddings")
        self.check("/v1", "/v1")
        self.check("/pro", "/pro")
        self.check("/pro/messages", "/pro/messages")

    def test_bad_group_names(self) -> None:
        """What cannot name a group is not taken for one."""
        self.check("/a b/v1/messages", "/a b/v1/messages")

    @given(st.text(max_size=40))
    def test_idempotent(self, path: str) -> None:
        """A canonical path is its own canonical form."""
        located = locate(path)
        self.assertEqual(locate(located.path).path, located.path)
        self.assertNotIn(located.group, RESERVED - {""})

    def test_dialect(self) -> None:
        """Chat and responses are OpenAI's alone."""
        self.assertTrue(is_openai("/v1/chat/completions"))
        self.assertTrue(is_openai("/v1/responses"))
        self.assertFalse(is_openai("/v1/models"))
