"""Tests of values of schemas."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import OutputFormat
from kiro2api.emulator.instances import instance
from kiro2api.kiro.formats import formed

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 6},
        "age": {"type": ["integer", "null"], "minimum": 18},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        "kind": {"enum": ["a", "b"]},
        "fixed": {"const": 7},
        "some": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        "inner": {"properties": {"x": {"type": "number"}}, "required": ["x", "y"]},
    },
    "required": ["name", "more"],
    "$defs": {"tag": {"type": "string"}},
}


class InstanceTests(SynchronousTestCase):
    """Values that their schema allows."""

    def test_value(self) -> None:
        """All properties, in their order, and what else is required."""
        value = instance(PERSON)
        self.assertEqual(
            value,
            {
                "name": "text..",
                "age": 18,
                "tags": ["text", "text"],
                "kind": "a",
                "fixed": 7,
                "some": True,
                "inner": {"x": 0, "y": None},
                "more": None,
            },
        )
        wanted = OutputFormat("json_schema", msgspec.json.encode(PERSON))
        self.assertIsNone(formed(msgspec.json.encode(value).decode(), wanted)[1])

    def test_odd(self) -> None:
        """What makes no sense gives nothing, and nothing is endless."""
        odd: list[object] = [None, 5, True, {}, {"type": "null"}, {"type": []}, {"$ref": "#/a/x"}]
        for schema in odd:
            self.assertIsNone(instance(schema), schema)
        self.assertIsNone(instance({"$ref": "#"}))
        self.assertEqual(instance({"required": 5}), {})
        self.assertEqual(instance({"type": "array"}), [None])
        self.assertEqual(instance({"type": "integer", "minimum": "x"}), 0)
