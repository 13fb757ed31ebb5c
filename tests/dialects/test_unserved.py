# -*- test-case-name: tests.dialects.test_unserved -*-
"""Tests of what a model is told of tools that nobody can run."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.unserved import note


class NoteTests(SynchronousTestCase):
    """One text, or none."""

    def test_nothing(self) -> None:
        """Most requests ask for nothing that cannot be had."""
        self.assertEqual((), note([]))

    def test_named(self) -> None:
        """Every tool once, and the same text for the same tools: it is in front of the cache."""
        (text,) = note(["b", "a", "b"])
        self.assertIn("a, b.", text)
        self.assertEqual((text,), note(("a", "b")))
