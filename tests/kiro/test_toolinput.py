# -*- test-case-name: tests.kiro.test_toolinput -*-
"""Tests of tool inputs as JSON objects."""

import msgspec
from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.toolinput import MAX_DEPTH, as_object
from tests.kiro.strategies import json_texts


class AsObjectTests(SynchronousTestCase):
    """Everything becomes an object that holds it."""

    def test_table(self) -> None:
        """Objects pass as they are; the rest is wrapped."""
        for data, wanted in (
            (b'{ "a" : 1 }', b'{ "a" : 1 }'),
            (b"[1, 2]", b'{"value":[1, 2]}'),
            (b"null", b'{"value":null}'),
            (b'"x"', b'{"value":"x"}'),
            (b"", b"{}"),
            (b" \n", b"{}"),
            (b'{"a":', b'{"text":"{\\"a\\":"}'),
            (b"no", b'{"text":"no"}'),
            (b'{"a":"\xff"}', '{"text":"{\\"a\\":\\"\ufffd\\"}"}'.encode()),
            (b'{"a":"\\ud800"}', b'{"text":"{\\"a\\":\\"\\\\ud800\\"}"}'),
        ):
            self.assertEqual(bytes(as_object(data)), wanted, data)

    def test_depth(self) -> None:
        """Up to the limit nesting passes, beyond it the input travels as text."""

        def nested(depth: int) -> bytes:
            return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)

        self.assertEqual(bytes(as_object(nested(MAX_DEPTH))), nested(MAX_DEPTH))
        self.assertTrue(bytes(as_object(nested(MAX_DEPTH + 1))).startswith(b'{"text":'))
        self.assertTrue(bytes(as_object(nested(100_000))).startswith(b'{"text":'))

    def test_wide_is_not_deep(self) -> None:
        """Many containers side by side are no nesting."""
        data = b'{"a":[' + b",".join([b"[{}]"] * 500) + b"]}"
        self.assertEqual(bytes(as_object(data)), data)

    @settings(max_examples=50)
    @given(json_texts)
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes give a JSON object."""
        self.assertIsInstance(msgspec.json.decode(as_object(data)), dict)
