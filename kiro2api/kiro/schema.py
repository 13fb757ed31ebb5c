# -*- test-case-name: tests.kiro.test_schema -*-
"""The shape of a tool's schema, so that the upstream takes it; what it means stays where it can.

Only ever loosens a schema: the client checks the arguments of its tools itself, and the
upstream never refuses a schema for what is not in it. Must not know tools.

Wire: an object schema on top, without combinators there; no null or upper-case types, no null
properties, ``required`` a list of strings. ``additionalProperties``, an empty ``required``,
numeric ``exclusiveMinimum``, bounds beyond 32 bits and ``$schema`` were each seen refused.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import msgspec

Schema: TypeAlias = dict[str, Any]

MAX_DEPTH: Final = 48
"""Nesting below which a schema allows anything."""
MAX_INLINED: Final = 256 * 1024
"""Bytes of JSON that references may add."""
MAX_OPTIONS: Final = 32
"""Different schemas of one property in the variants of the top; with more, anything goes."""
MAX_NUMBER: Final = 2**31 - 1

_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")
_DROPPED: Final = frozenset(
    {
        "$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "$ref", "$vocabulary",
        "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor",
        "additionalProperties", "additionalItems", "unevaluatedProperties", "unevaluatedItems",
        "dependencies", "contentSchema",
    }
)  # fmt: skip
_TOP_DROPPED: Final = frozenset({"not", "if", "then", "else", "enum", "const", "items"})
_TEXTS: Final = frozenset({"title", "description", "format", "pattern"})
_COUNTS: Final = frozenset(
    {
        "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
        "minContains", "maxContains",
    }
)  # fmt: skip
_BOUNDS: Final = frozenset({"minimum", "maximum", "multipleOf"})
_EXCLUSIVE: Final = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_SCHEMAS: Final = frozenset({"not", "if", "then", "else", "contains", "propertyNames"})
_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})

_encode = msgspec.json.Encoder().encode


def repaired(schema: object) -> Schema:
    """A decoded schema of any shape as an object schema that the upstream takes."""
    return _on_top(_Repair(schema).node(schema))


class _Repair:
    """One walk over one schema; ``root`` is where its references point into."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._inlined = 0
        self._sizes: dict[str, int] = {}

    def node(self, value: object, depth: int = 0, within: tuple[str, ...] = ("#",)) -> Schema:
        """A repaired copy. ``within``: the references being followed, to stop at recursion."""
        if not isinstance(value, dict) or depth > MAX_DEPTH:
            # True, false, null and what is no schema at all: anything goes.
            return {}
        node, within = self._followed(value, within)
        result: Schema = {}
        for key, inner in node.items():
            if key not in _DROPPED:
                self._keyword(result, key, inner, depth + 1, within)
        for exclusive, bound in _EXCLUSIVE.items():
            if (limit := _number(node.get(exclusive))) is not None:
                result.setdefault(bound, limit)
        return result

    def _keyword(
        self, result: Schema, key: str, value: Any, depth: int, within: tuple[str, ...]
    ) -> None:
        kept: Any = None
        if key == "type":
            kept = _types(value)
        elif key == "required":
            kept = _distinct_texts(value)
        elif key in _TEXTS:
            kept = value if isinstance(value, str) else None
        elif key in _BOUNDS:
            kept = _number(value)
            if key == "multipleOf" and kept is not None and kept <= 0:
                kept = None
        elif key in _COUNTS:
            kept = _count(value)
        elif key in _MAPS:
            if isinstance(value, dict):
                kept = {name: self.node(inner, depth, within) for name, inner in value.items()}
        elif key in _LISTS:
            kept = self._options(value, depth, within)
        elif key in _SCHEMAS:
            kept = self.node(value, depth, within) if isinstance(value, dict) else None
        elif key == "items":
            kept = self._items(value, depth, within)
        elif key == "enum":
            kept = value if isinstance(value, list) and value else None
        elif key not in _EXCLUSIVE:
            result[key] = value
        if kept is not None:
            result[key] = kept

    def _options(self, value: object, depth: int, within: tuple[str, ...]) -> list[Schema] | None:
        if not isinstance(value, list) or not value:
            return None
        return [self.node(inner, depth, within) for inner in value]

    def _items(self, value: object, depth: int, within: tuple[str, ...]) -> Schema | None:
        if isinstance(value, list):
            # One schema per position, as older drafts have it: each item is one of them.
            options = self._options(value, depth, within)
            return None if options is None else {"anyOf": options}
        return self.node(value, depth, within) if isinstance(value, dict) else None

    def _followed(self, node: Schema, within: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """The node with its local references replaced by what they point to."""
        while "$ref" in node:
            ref = node["$ref"]
            node = {key: value for key, value in node.items() if key != "$ref"}
            if not isinstance(ref, str) or ref in within:
                break
            target = self._target(ref)
            if target is None or not self._affordable(ref, target):
                break
            within = (*within, ref)
            node = {**target, **node}
        return node, within

    def _affordable(self, ref: str, target: Schema) -> bool:
        """Few references to a large place, or to places with references, can add up without end."""
        if ref not in self._sizes:
            self._sizes[ref] = len(_encode(target))
        if self._inlined + self._sizes[ref] > MAX_INLINED:
            return False
        self._inlined += self._sizes[ref]
        return True

    def _target(self, ref: str) -> Schema | None:
        if not ref.startswith("#/"):
            return None
        place: Any = self._root
        for step in ref[2:].split("/"):
            place = isinstance(place, dict) and place.get(
                step.replace("~1", "/").replace("~0", "~")
            )
        return place if isinstance(place, dict) else None


def _on_top(node: Schema) -> Schema:
    """A repaired node as an object schema without combinators: those are melted into it.

    A call that some variant allows stays allowed: their properties are united, and only what
    every variant requires is required.
    """
    properties: dict[str, list[Schema]] = {}
    _unite(properties, node)
    required: dict[str, None] = dict.fromkeys(node.get("required", ()))
    for option in node.get("allOf", ()):
        part = _on_top(option)
        _unite(properties, part)
        required.update(dict.fromkeys(part.get("required", ())))
    for key in ("anyOf", "oneOf"):
        variants = [_on_top(option) for option in node.get(key, ()) if _may_be_object(option)]
        for variant in variants:
            _unite(properties, variant)
        demands = [dict.fromkeys(variant.get("required", ())) for variant in variants]
        for name in demands[0] if demands else ():
            if all(name in demand for demand in demands):
                required[name] = None
    top: Schema = {"type": "object"}
    taken = {"type", "properties", "required", "anyOf", "oneOf", "allOf"}
    for key, value in node.items():
        if key not in taken and key not in _TOP_DROPPED:
            top[key] = value
    top["properties"] = {
        name: options[0] if len(options) == 1 else {"anyOf": options}
        for name, options in properties.items()
    }
    if required:
        top["required"] = list(required)
    return top


def _unite(properties: dict[str, list[Schema]], node: Schema) -> None:
    for name, schema in node.get("properties", {}).items():
        options = properties.setdefault(name, [])
        if len(options) == MAX_OPTIONS:
            options[:] = [{}]
        if schema not in options and {} not in options:
            options.append(schema)


def _may_be_object(node: Schema) -> bool:
    kind = node.get("type", "object")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _types(value: object) -> str | list[str] | None:
    if isinstance(value, list):
        lowered = _distinct(one.lower() for one in value if isinstance(one, str))
        known = [one for one in lowered if one in _TYPES]
        return known[0] if len(known) == 1 else known or None
    if isinstance(value, str) and value.lower() in _TYPES:
        return value.lower()
    return None


def _distinct_texts(value: object) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return _distinct(one for one in value if isinstance(one, str)) or None


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _number(value: object) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= MAX_NUMBER else None


def _count(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None
