# -*- test-case-name: tests.dialects.responses.test_sealed -*-
"""Tests of the wrapper around reasoning."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import RedactedThinking, Thinking
from kiro2api.dialects.responses.sealed import seal, unseal


class SealedTests(SynchronousTestCase):
    """There and back."""

    @given(st.text(), st.text(min_size=1))
    def test_signed(self, text: str, signature: str) -> None:
        """Text and signature come back exactly."""
        thinking = Thinking(text, signature)
        sealed = seal(thinking)
        self.assertTrue(sealed.isascii())
        self.assertEqual(thinking, unseal(sealed))

    @given(st.text(min_size=1))
    def test_redacted(self, data: str) -> None:
        """So does what the provider encrypted."""
        self.assertEqual(RedactedThinking(data), unseal(seal(RedactedThinking(data))))

    @given(st.text())
    def test_foreign(self, content: str) -> None:
        """What another server gave out is not ours."""
        self.assertIs(None, unseal(content))

    @given(st.text(alphabet="AZaz09+/=-_. é", max_size=20))
    def test_damaged(self, rest: str) -> None:
        """Neither is what only begins like ours."""
        self.assertIs(None, unseal("k2a1." + rest))

    def test_empty(self) -> None:
        """Nothing signed and nothing encrypted is nothing."""
        self.assertIs(None, unseal(seal(Thinking("a", ""))))
