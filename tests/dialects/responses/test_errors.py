# -*- test-case-name: tests.dialects.responses.test_errors -*-
"""Tests of failures within a stream."""

import json

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.responses.errors import failure_json
from kiro2api.errors import Kind, KiroError, Throttled


class FailureTests(SynchronousTestCase):
    """Codes and words."""

    def test_every_kind(self) -> None:
        """Each has a code; the message is ours."""
        for kind in Kind:
            shown = json.loads(failure_json(KiroError("why", kind=kind)))
            self.assertEqual({"code", "message"}, set(shown))
            self.assertEqual("why", shown["message"])

    def test_when_to_try_again(self) -> None:
        """In words, since there is no header within a stream."""
        shown = json.loads(failure_json(Throttled("Too fast.", retry_after=1.25)))
        self.assertEqual("Too fast. Please try again in 1.250s.", shown["message"])
