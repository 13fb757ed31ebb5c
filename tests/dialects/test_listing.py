"""Tests of the lists of models."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.listing import (
    ListedModel,
    anthropic_model,
    anthropic_models,
    openai_model,
    openai_models,
)

MODELS = [
    ListedModel(id=f"claude-{n}", display_name=f"Claude {n}", created=86400 * n, owned_by="us")
    for n in range(5)
]


def page(*args: Any, **kwargs: Any) -> Any:
    return json.loads(anthropic_models(MODELS, *args, **kwargs))


def ids(found: Any) -> list[int]:
    return [int(entry["id"][-1]) for entry in found["data"]]


class AnthropicTests(SynchronousTestCase):
    """Pages of models."""

    def test_bytes(self) -> None:
        """The whole body, exactly."""
        self.assertEqual(
            anthropic_models(MODELS[:1]),
            b'{"data":[{"type":"model","id":"claude-0","display_name":"Claude 0",'
            b'"created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"claude-0",'
            b'"last_id":"claude-0"}',
        )

    def test_one(self) -> None:
        """One model is an entry of the list."""
        self.assertEqual(
            anthropic_model(MODELS[1]),
            b'{"type":"model","id":"claude-1","display_name":"Claude 1",'
            b'"created_at":"1970-01-02T00:00:00Z"}',
        )

    def test_empty(self) -> None:
        """No models, no ids."""
        self.assertEqual(
            anthropic_models([]),
            b'{"data":[],"has_more":false,"first_id":null,"last_id":null}',
        )

    def test_limit(self) -> None:
        """As many as wanted, at least one."""
        for limit, expected, more in (
            (None, [0, 1, 2, 3, 4], False),
            (1000, [0, 1, 2, 3, 4], False),
            (5, [0, 1, 2, 3, 4], False),
            (4, [0, 1, 2, 3], True),
            (0, [0], True),
            (-3, [0], True),
        ):
            found = page(limit)
            self.assertEqual((ids(found), found["has_more"]), (expected, more))

    def test_largest_page(self) -> None:
        """No page is larger than clients may ask for."""
        many = [ListedModel(str(n), "", 0, "") for n in range(1001)]
        for limit in (None, 5000):
            found = json.loads(anthropic_models(many, limit))
            self.assertEqual(len(found["data"]), 1000)
            self.assertTrue(found["has_more"])

    def test_after_and_before(self) -> None:
        """From an id on, or up to it; beside an unknown id there is nothing."""
        for limit, after, before, expected, more in (
            (2, "claude-1", None, [2, 3], True),
            (2, "claude-2", None, [3, 4], False),
            (2, "claude-4", None, [], False),
            (2, "nobody", None, [], False),
            (2, None, "claude-3", [1, 2], True),
            (2, None, "claude-2", [0, 1], False),
            (2, None, "claude-0", [], False),
            (2, None, "nobody", [], False),
            (None, None, "claude-4", [0, 1, 2, 3], False),
        ):
            found = page(limit, after, before)
            self.assertEqual((ids(found), found["has_more"]), (expected, more))

    @given(st.integers(1, 6))
    def test_paging(self, limit: int) -> None:
        """Whoever follows the pages sees every model once."""
        seen: list[int] = []
        after, more = None, True
        while more:
            found = page(limit, after)
            seen += ids(found)
            after, more = found["last_id"], found["has_more"]
        self.assertEqual(seen, [0, 1, 2, 3, 4])


class OpenAITests(SynchronousTestCase):
    """The list without pages."""

    def test_bytes(self) -> None:
        """The whole body, exactly; one model is an entry of it."""
        entry = b'{"id":"claude-1","object":"model","created":86400,"owned_by":"us"}'
        self.assertEqual(openai_models(MODELS[1:2]), b'{"object":"list","data":[' + entry + b"]}")
        self.assertEqual(openai_model(MODELS[1]), entry)
        self.assertEqual(openai_models([]), b'{"object":"list","data":[]}')
