"""Tests of mending texts and JSON."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.anthropic.encoding import clean, encode, is_json, mended_json


class CleanTests(SynchronousTestCase):
    """Texts that UTF-8 can carry."""

    @given(st.text())
    def test_good_text(self, text: str) -> None:
        """Text is left as it is."""
        self.assertEqual(clean(text), text)

    @given(st.text(st.characters(codec=None, categories=["Cs", "Ll", "So"])))
    def test_any_text(self, text: str) -> None:
        """What comes out can be encoded and is as long as what went in, pairs joined."""
        encode(clean(text))
        self.assertEqual(
            len(clean(text).encode("utf-16")), len(text.encode("utf-16", "surrogatepass"))
        )


class JsonTests(SynchronousTestCase):
    """One JSON value, in pieces."""

    def test_good(self) -> None:
        """Pieces join, whatever they are alone."""
        for pieces in (["{}"], ["", "{", '"a":1', "}"], ['"\\ud8', '3d"'], [" 1 "]):
            self.assertTrue(is_json(pieces), pieces)

    def test_bad(self) -> None:
        """Nothing, half a value, two values, no value."""
        for pieces in ([], [""], ["{"], ["{}", "{}"], ["{'a':1}"], ["[" * 100_000]):
            self.assertFalse(is_json(pieces), pieces)

    def test_mended(self) -> None:
        """Whole pairs stay."""
        self.assertEqual(mended_json(rb'"\ud83d\ude00 \ud83d"'), rb'"\ud83d\ude00 \ufffd"')
