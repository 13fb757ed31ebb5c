# -*- test-case-name: tests.dialects.responses.test_echo -*-
"""Tests of the fields that are shown back."""

import json
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.responses.echo import LONGEST_SHOWN, shown
from kiro2api.dialects.responses.shapes import decode


def fields(indent: int = 0, **body: Any) -> Any:
    """The fields that repeat a body."""
    octets = json.dumps({"model": "m", **body}, indent=indent).encode()
    found = shown(decode(octets))
    assert b"\n" not in found
    return msgspec.json.decode(b"{" + found + b"}")


class ShownTests(SynchronousTestCase):
    """What a client sees of its own request."""

    def test_defaults(self) -> None:
        """What a client must find although nobody sent it."""
        found = fields()
        self.assertEqual(([], "auto", True), (found["tools"], found["tool_choice"], found["store"]))
        self.assertEqual({"format": {"type": "text"}}, found["text"])
        self.assertEqual({"effort": None, "summary": None}, found["reasoning"])
        self.assertEqual(({}, True), (found["metadata"], found["parallel_tool_calls"]))

    def test_repeated(self) -> None:
        """As it was sent, but in one line."""
        sent = {
            "instructions": "Be\nbrief.",
            "metadata": {"a": "b"},
            "tools": [{"type": "function", "name": "x"}],
            "tool_choice": {"type": "function", "name": "x"},
            "parallel_tool_calls": False,
            "max_output_tokens": 5,
            "temperature": 0.5,
            "top_p": 1.0,
            "reasoning": {"effort": "low", "summary": "auto"},
            "previous_response_id": "resp_1",
            "prompt_cache_key": "k",
            "store": False,
            "truncation": "auto",
            "user": "u",
        }
        found = fields(2, **sent)
        self.assertEqual(sent, {key: found[key] for key in sent})

    def test_too_much(self) -> None:
        """Long fields are left out."""
        text = "x" * LONGEST_SHOWN
        found = fields(instructions=text, tools=[{"description": text}], metadata={"a": "b"})
        self.assertEqual(
            (None, [], {"a": "b"}), (found["instructions"], found["tools"], found["metadata"])
        )
