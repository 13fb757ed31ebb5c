"""Tests of halves of surrogate pairs."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.halves import LOST, Halves, has_halves

SMILE = "\ud83d\ude00"


def whole(pieces: list[str]) -> str:
    """What becomes of a text that comes in these pieces."""
    halves = Halves()
    return "".join(halves.joined("k", piece) for piece in pieces) + halves.lost("k")


class HalvesTests(SynchronousTestCase):
    """Joined where possible, lost where not."""

    def test_every_split(self) -> None:
        """A text is the same however it is cut, also in the middle of a character."""
        text = f"a{SMILE}b{SMILE}{SMILE}\ud83dx\ude00"
        expected = f"a\U0001f600b\U0001f600\U0001f600{LOST}x{LOST}"
        for at in range(len(text) + 1):
            self.assertEqual(whole([text[:at], text[at:]]), expected, at)

    @settings(max_examples=80, deadline=None)
    @given(
        st.text(st.sampled_from("ab\ud83d\ude00\U0001f600é"), max_size=12),
        st.lists(st.integers(0, 12), max_size=6),
    )
    def test_any_cuts(self, text: str, cuts: list[int]) -> None:
        """So it is for any number of cuts, and no half is left."""
        marks = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
        joined = whole([text[a:b] for a, b in pairwise(marks)])
        self.assertEqual(joined, whole([text]))
        self.assertFalse(has_halves(joined))

    def test_keys(self) -> None:
        """Texts of different kinds are not joined; an empty piece changes nothing."""
        halves = Halves()
        self.assertEqual(halves.joined("a", "\ud83d"), "")
        self.assertEqual(halves.joined("b", "\ude00"), LOST)
        self.assertEqual(halves.joined("a", ""), "")
        self.assertEqual(halves.joined("c", ""), "")
        self.assertEqual(halves.joined("a", "\ude00"), "\U0001f600")
        self.assertEqual((halves.lost("a"), halves.lost("b")), ("", ""))

    def test_has_halves(self) -> None:
        """A whole pair is one character."""
        self.assertTrue(has_halves("a\ude00"))
        self.assertFalse(has_halves("a\U0001f600"))
