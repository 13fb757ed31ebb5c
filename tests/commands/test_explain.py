"""Tests of ``kiro2api explain``."""

from typing import Any

import msgspec

from kiro2api.commands.explain import guessed
from tests.commands.case import CommandCase, refused

TOLD: dict[str, Any] = {
    "dialect": "anthropic",
    "group": "default",
    "model": {"asked": "claude-x", "name": "claude-sonnet-4.5", "known": False},
    "tokens": {"estimate": 12, "window": 200_000},
    "accounts": [{"name": "mine", "upstream_model": "M1"}],
    "repairs": [{"what": "tools renamed", "names": {"a": "b"}}, {"what": "bare"}],
    "notes": ["that is all"],
    "sizes": {"total": 20},
    "payload": {"conversationState": {}},
    "error": None,
}
REFUSED = {
    "dialect": "chat",
    "group": "default",
    "payload": None,
    "error": {"status": 400, "message": "messages is missing", "rule": "R1"},
}


class ExplainTests(CommandCase):
    """What is sent to the service, and how its answer is told."""

    def test_words(self) -> None:
        """Decisions first, then the payload."""
        self.service.script("POST /api/explain", TOLD)
        body = {"model": "claude-x", "messages": []}
        words = self.run_command("explain", self.file(msgspec.json.encode(body))).words
        self.assertIn("claude-x -> claude-sonnet-4.5 (not in the catalogue)", words)
        self.assertIn('Repair:  tools renamed {"names":{"a":"b"}}\n', words)
        self.assertIn("Repair:  bare\n", words)
        self.assertTrue(words.endswith('{\n  "conversationState": {}\n}'), words)
        self.assertEqual(
            self.service.bodies("POST /api/explain"),
            [{"dialect": "anthropic", "group": "", "body": body}],
        )

    def test_json(self) -> None:
        """The answer as it came."""
        self.service.script("POST /api/explain", TOLD)
        self.assertEqual(self.run_command("explain", "--json", self.file("{}")).value, TOLD)

    def test_would_be_refused(self) -> None:
        """That is what the exit status says; why stands in the explanation."""
        self.service.script("POST /api/explain", REFUSED)
        outcome = self.run_command("explain", self.file("{}"), "--dialect", "chat", "--group", "g")
        self.assertIn("Refused: 400 messages is missing [R1]", outcome.words)
        self.assertEqual(outcome.message, "this request would be refused")
        self.assertEqual(self.service.asked[0].body["group"], "g")

    def test_unknown_group(self) -> None:
        """In the service's words."""
        self.service.script("POST /api/explain", (404, refused("there is no group 'g'")))
        self.assertEqual(
            self.run_command("explain", self.file("{}"), "--group", "g").message,
            "there is no group 'g'",
        )

    def test_wrong_files(self) -> None:
        """Nothing is asked."""
        for content in ("[1]", "nonsense", ""):
            self.assertIsNotNone(self.run_command("explain", self.file(content)).failed)
        self.assertIn("cannot be read", self.run_command("explain", self.missing_file()).message)
        self.assertEqual(self.service.asked, [])

    def test_guesses(self) -> None:
        """Whose request it is, also of a body that is none."""
        for body, dialect in (
            ({"input": "x"}, "responses"),
            ({"messages": [{"role": "system"}]}, "chat"),
            ({"messages": [{"role": "user"}], "tools": [{"type": "function"}]}, "chat"),
            ({"max_completion_tokens": 1}, "chat"),
            ({"messages": [{"role": "user"}], "tools": [{"name": "x"}]}, "anthropic"),
            ({"messages": 1, "tools": "x"}, "anthropic"),
            ({"messages": [1, {"role": []}]}, "anthropic"),
        ):
            self.assertEqual(guessed(body), dialect, body)
