# -*- test-case-name: tests.kiro.test_naming -*-
"""Tests of the labels for names and ids."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.naming import Labels, Names, acceptable, shortened
from tests.kiro.strategies import names


class ShortenedTests(SynchronousTestCase):
    """One text to one label."""

    def test_acceptable(self) -> None:
        """Alphabet and length of the upstream."""
        for text in ("a", "A_b-9", "x" * 64):
            self.assertTrue(acceptable(text), text)
        for text in ("", "x" * 65, "a b", "a|b", "ü", "a\n", "٣"):
            self.assertFalse(acceptable(text), text)

    def test_known_value(self) -> None:
        """Prefix, underscore, 8 hex digits of SHA-256: stable from release to release."""
        self.assertEqual(shortened(""), "unnamed_e3b0c442")
        self.assertEqual(shortened("abc"), "abc_ba7816bf")
        self.assertNotEqual(shortened("abc", 1), shortened("abc"))

    def test_length(self) -> None:
        """A long text keeps its beginning and stays within the limit."""
        label = shortened("n" * 500)
        self.assertEqual(len(label), 64)
        self.assertTrue(label.startswith("n" * 55 + "_"))

    @settings(max_examples=50)
    @given(st.text(alphabet=st.characters(), max_size=80))
    def test_any_text(self, text: str) -> None:
        """Half surrogates included, every text gives an acceptable label."""
        self.assertTrue(acceptable(shortened(text)))


class LabelsTests(SynchronousTestCase):
    """Labels that never repeat."""

    def test_first_use_unchanged(self) -> None:
        """A good id stays itself once, then it is renamed, each time differently."""
        labels = Labels()
        given_ = [labels.give("call_1") for _ in range(4)]
        self.assertEqual(given_[0], "call_1")
        self.assertEqual(len(set(given_)), 4)
        self.assertTrue(all(one.startswith("call_1_") for one in given_[1:]))

    def test_collision(self) -> None:
        """A client's own id that looks like a label of ours does not collide with it."""
        labels = Labels()
        taken = labels.give(shortened("a|b"))
        self.assertNotEqual(labels.give("a|b"), taken)

    @settings(max_examples=50)
    @given(st.lists(names, max_size=30))
    def test_unique_and_stable(self, texts: list[str]) -> None:
        """All labels are acceptable and distinct; more texts later change none of them."""
        labels, shorter = Labels(), Labels()
        given_ = [labels.give(text) for text in texts]
        self.assertEqual(len(set(given_)), len(texts))
        self.assertTrue(all(map(acceptable, given_)))
        half = len(texts) // 2
        self.assertEqual([shorter.give(text) for text in texts[:half]], given_[:half])

    def test_many_repetitions(self) -> None:
        """One id used thousands of times costs no quadratic search."""
        labels = Labels()
        self.assertEqual(len({labels.give("x") for _ in range(5000)}), 5000)


class NamesTests(SynchronousTestCase):
    """The two-way map."""

    def test_both_ways(self) -> None:
        """Good names stay, bad ones are shortened, all lead back."""
        names = Names(["b|c", "read", "read"])
        self.assertEqual(names.upstream("read"), "read")
        self.assertEqual(names.clients[names.upstream("b|c")], "b|c")
        self.assertIn("b|c", names)
        self.assertNotIn("other", names)

    def test_good_names_win(self) -> None:
        """A shortened name never takes the place of a client's own one that comes later."""
        own = shortened("b|c")
        names = Names(["b|c", own])
        self.assertEqual(names.upstream(own), own)
        self.assertNotEqual(names.upstream("b|c"), own)

    def test_another(self) -> None:
        """A second tool of the same name leads back to it too."""
        names = Names(["read"])
        second = names.another("read")
        self.assertNotEqual(second, "read")
        self.assertEqual(names.clients, {"read": "read", second: "read"})
