# -*- test-case-name: tests.kiro.test_schema -*-
"""Tests of the repair of tool schemas."""

from typing import Any

import msgspec
from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.rules import check
from kiro2api.kiro.schema import MAX_DEPTH, MAX_INLINED, MAX_OPTIONS, repaired
from tests.kiro.strategies import json_values

STRING = {"type": "string"}


def body(schema: Any) -> Any:
    spec = {"name": "t", "description": "d", "inputSchema": {"json": schema}}
    context = {"tools": [{"toolSpecification": spec}]}
    message = {"content": "x", "origin": "AI_EDITOR", "userInputMessageContext": context}
    return {
        "conversationState": {
            "chatTriggerType": "MANUAL",
            "currentMessage": {"userInputMessage": message},
        }
    }


def inner(schema: Any, **more: Any) -> Any:
    """What becomes of a schema of a property."""
    return repaired({"properties": {"p": schema}, **more})["properties"]["p"]


class TopTests(SynchronousTestCase):
    """The top of a schema."""

    def test_no_object(self) -> None:
        """Whatever is no object schema becomes one that allows any object."""
        nothing: list[Any] = [{}, None, True, False, [], "x", 3, STRING, {"type": None}]
        for schema in nothing:
            self.assertEqual(repaired(schema), {"type": "object", "properties": {}}, schema)

    def test_good_schema(self) -> None:
        """A good schema stays what it is."""
        schema = {
            "type": "object",
            "description": "d",
            "properties": {
                "p": {"type": ["string", "null"], "enum": ["a", None], "default": "a"},
                "q": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}},
                "$schema": {"type": "string"},
                "required": {"type": "boolean"},
            },
            "required": ["p"],
            "nullable": False,
        }
        self.assertEqual(repaired(schema), schema)

    def test_stripped(self) -> None:
        """What was seen refused, or says nothing to a model, goes."""
        schema: dict[str, Any] = {
            "$schema": "x",
            "$id": "x",
            "type": "OBJECT",
            "properties": None,
            "required": None,
            "additionalProperties": False,
            "not": {},
            "enum": [1],
        }
        self.assertEqual(repaired(schema), {"type": "object", "properties": {}})

    def test_required(self) -> None:
        """A list of distinct strings, or nothing."""
        for value, wanted in (
            (["a", "b", "a"], ["a", "b"]),
            (["a", 1, None], ["a"]),
            ([], None),
            ("a", None),
            (True, None),
        ):
            self.assertEqual(repaired({"required": value}).get("required"), wanted)

    def test_all_of(self) -> None:
        """All parts hold: properties and requirements are united."""
        schema = {
            "properties": {"a": STRING},
            "required": ["a"],
            "allOf": [
                {"properties": {"b": STRING}, "required": ["b"]},
                {"allOf": [{"properties": {"c": STRING}, "required": ["a", "c"]}]},
            ],
        }
        self.assertEqual(
            repaired(schema),
            {
                "type": "object",
                "properties": {"a": STRING, "b": STRING, "c": STRING},
                "required": ["a", "b", "c"],
            },
        )

    def test_any_of(self) -> None:
        """Any variant may hold: only what all object variants require is required."""
        variants = [
            {"type": "null"},
            {"type": "object", "properties": {"k": {"const": 1}, "x": STRING}, "required": ["k"]},
            {"properties": {"k": {"const": 2}}, "required": ["y", "k"]},
            {"type": ["object", "null"], "required": ["k", "x"]},
        ]
        wanted = {
            "type": "object",
            "properties": {"k": {"anyOf": [{"const": 1}, {"const": 2}]}, "x": STRING},
            "required": ["k"],
        }
        for key in ("anyOf", "oneOf"):
            self.assertEqual(repaired({key: variants}), wanted)

    def test_any_of_alike(self) -> None:
        """What one variant alone requires is optional; equal properties are not doubled."""
        variants = [
            {"properties": {"a": STRING, "b": STRING}, "required": ["b", "a"]},
            {"properties": {"a": STRING}, "required": ["a"]},
        ]
        self.assertEqual(
            repaired({"anyOf": variants}),
            {"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["a"]},
        )

    def test_very_many_variants(self) -> None:
        """A property that differs in very many variants may be anything."""
        variants = [{"properties": {"k": {"const": i}}} for i in range(MAX_OPTIONS * 2)]
        self.assertEqual(repaired({"oneOf": variants})["properties"], {"k": {}})
        few = repaired({"oneOf": variants[:MAX_OPTIONS]})["properties"]["k"]["anyOf"]
        self.assertEqual(len(few), MAX_OPTIONS)

    def test_any_of_scalars(self) -> None:
        """Variants that are no objects leave nothing behind."""
        schema = {"anyOf": [STRING, {"type": ["null", "string"]}], "oneOf": 3}
        self.assertEqual(repaired(schema), {"type": "object", "properties": {}})


class NodeTests(SynchronousTestCase):
    """Below the top."""

    def test_keywords(self) -> None:
        """Each keyword keeps its shape or goes."""
        table: list[tuple[Any, Any]] = [
            (True, {}),
            (False, {}),
            (None, {}),
            ("string", {}),
            ({"type": "STRING"}, STRING),
            ({"type": ["String", "NULL", "String", 3]}, {"type": ["string", "null"]}),
            ({"type": ["STRING"]}, STRING),
            ({"type": []}, {}),
            ({"type": "any"}, {}),
            ({"type": 3}, {}),
            ({"properties": None, "required": []}, {}),
            ({"properties": {"a": True}}, {"properties": {"a": {}}}),
            ({"description": None, "title": 3, "format": "date"}, {"format": "date"}),
            ({"enum": []}, {}),
            ({"enum": "a"}, {}),
            ({"enum": ["a"], "const": None}, {"enum": ["a"], "const": None}),
            ({"items": None}, {}),
            ({"items": True}, {}),
            ({"items": {"type": "STRING"}}, {"items": STRING}),
            ({"items": [STRING, None]}, {"items": {"anyOf": [STRING, {}]}}),
            ({"items": []}, {}),
            ({"anyOf": [{"type": "STRING"}, None]}, {"anyOf": [STRING, {}]}),
            ({"oneOf": [], "allOf": None}, {}),
            ({"not": {"type": "STRING"}, "if": None}, {"not": STRING}),
            ({"additionalProperties": STRING, "dependencies": {}}, {}),
            (
                {"default": {"$ref": "#/x", "type": None}},
                {"default": {"$ref": "#/x", "type": None}},
            ),
        ]
        for schema, wanted in table:
            self.assertEqual(inner(schema), wanted, schema)

    def test_numbers(self) -> None:
        """Bounds that are no numbers or need more than 32 bits go; exclusive ones loosen."""
        for schema, wanted in (
            (
                {"minimum": -(2**31) + 1, "maximum": 2**31 - 1},
                {"minimum": -(2**31) + 1, "maximum": 2**31 - 1},
            ),
            ({"minimum": -9007199254740991, "maximum": 2**31}, {}),
            ({"minimum": 10**30, "maximum": 1e300}, {}),
            ({"minimum": "1", "maximum": True}, {}),
            ({"exclusiveMinimum": 0}, {"minimum": 0}),
            ({"exclusiveMinimum": 0, "minimum": 5}, {"minimum": 5}),
            ({"exclusiveMaximum": True, "maximum": 2.5}, {"maximum": 2.5}),
            ({"multipleOf": 0.5}, {"multipleOf": 0.5}),
            ({"multipleOf": 0}, {}),
            ({"multipleOf": None}, {}),
            ({"minLength": 1.0, "maxLength": -1, "maxItems": 1.5}, {"minLength": 1}),
            ({"minItems": 2**40, "minProperties": None}, {}),
        ):
            self.assertEqual(inner(schema), wanted, schema)

    def test_depth(self) -> None:
        """Nesting ends somewhere."""
        schema: dict[str, Any] = {"type": "string"}
        for _ in range(MAX_DEPTH * 2):
            schema = {"type": "array", "items": schema}
        self.assertLess(str(repaired({"properties": {"p": schema}})).count("array"), MAX_DEPTH + 1)


class ReferenceTests(SynchronousTestCase):
    """Local references."""

    def test_inlined(self) -> None:
        """A reference is replaced by what it points to; what stands beside it wins."""
        for ref, place in (
            ("#/$defs/a", {"$defs": {"a": {"type": "STRING", "title": "t"}}}),
            ("#/definitions/x~1y~0", {"definitions": {"x/y~": {"type": "string", "title": "t"}}}),
        ):
            self.assertEqual(
                inner({"$ref": ref, "title": "own"}, **place), {"type": "string", "title": "own"}
            )

    def test_chain(self) -> None:
        """A reference to a reference is followed."""
        defs = {"a": {"$ref": "#/$defs/b"}, "b": STRING}
        self.assertEqual(inner({"$ref": "#/$defs/a"}, **{"$defs": defs}), STRING)

    def test_on_top(self) -> None:
        """The top may be a reference itself."""
        schema = {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"p": STRING}}}}
        self.assertEqual(repaired(schema), {"type": "object", "properties": {"p": STRING}})

    def test_recursive(self) -> None:
        """Recursion stops at its second round."""
        defs = {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}
        self.assertEqual(
            inner({"$ref": "#/$defs/n"}, **{"$defs": defs}),
            {"type": "object", "properties": {"next": {}}},
        )
        self.assertEqual(inner({"$ref": "#"}), {})

    def test_nowhere(self) -> None:
        """What cannot be found allows anything."""
        for ref in ("#/x/y", "https://example.org/s", 3, "#x", "#/properties/p/title/z"):
            self.assertEqual(inner({"$ref": ref, "title": "t"}), {"title": "t"}, ref)

    def test_bomb(self) -> None:
        """References that multiply are not followed for ever."""
        defs: dict[str, Any] = {"d0": STRING}
        for i in range(1, 40):
            both = {"$ref": f"#/$defs/d{i - 1}"}
            defs[f"d{i}"] = {"type": "object", "properties": {"a": both, "b": both}}
        result = repaired({"properties": {"p": {"$ref": "#/$defs/d39"}}, "$defs": defs})
        self.assertLess(len(msgspec.json.encode(result)), MAX_INLINED)

    def test_large_target(self) -> None:
        """Many references to one large place stop at a size; the first ones are inlined."""
        big = {"enum": ["x" * 1000] * 100}
        place = {f"p{i}": {"$ref": "#/$defs/big"} for i in range(100)}
        properties = repaired({"properties": place, "$defs": {"big": big}})["properties"]
        self.assertEqual(properties["p0"], big)
        self.assertEqual(properties["p99"], {})
        self.assertLess(len(msgspec.json.encode(properties)), MAX_INLINED + 10_000)


class AnySchemaTests(SynchronousTestCase):
    """Whatever the client sends."""

    @settings(max_examples=100, deadline=None)
    @given(json_values)
    def test_accepted(self, schema: Any) -> None:
        """The rules accept the result, a second repair changes nothing, the input is untouched."""
        before = msgspec.json.encode(schema)
        result = repaired(schema)
        self.assertEqual(check(body(result)), [])
        self.assertEqual(msgspec.json.encode(repaired(result)), msgspec.json.encode(result))
        self.assertEqual(msgspec.json.encode(schema), before)
