# -*- test-case-name: tests.emulator.test_instances -*-
"""The smallest sensible value of a JSON Schema, for answers that must have a shape.

Must not know why it is wanted. Keywords that only restrict (patterns, formats) are passed over.
"""

from collections.abc import Mapping
from typing import Any, Final

_MAX_DEPTH: Final = 8
_TEXT: Final = "text"
_MAX_SIZE: Final = 1000


def instance(schema: object) -> Any:
    """A value; ``None`` where the schema leaves no idea."""
    return _value(schema, schema, 0)


def _value(schema: object, root: object, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    if "$ref" in schema:
        return _value(_referred(root, schema["$ref"]), root, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return _value(schema[key][0], root, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object" or (kind is None and ("properties" in schema or "required" in schema)):
        return _object(schema, root, depth)
    if kind == "array":
        count = min(_number(schema.get("minItems")), _MAX_SIZE)
        return [_value(schema.get("items"), root, depth + 1) for _ in range(max(1, count))]
    if kind in ("integer", "number"):
        return _number(schema.get("minimum"))
    if kind == "boolean":
        return True
    if kind == "string":
        return _TEXT.ljust(min(_number(schema.get("minLength")), _MAX_SIZE), ".")
    return None


def _object(schema: Mapping[str, Any], root: object, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    required = schema.get("required")
    names = [*known, *(required if isinstance(required, list) else ())]
    return {name: _value(known.get(name), root, depth + 1) for name in dict.fromkeys(names)}


def _referred(root: object, reference: object) -> object:
    """What a reference within the schema leads to."""
    found = root
    for name in str(reference).removeprefix("#").split("/")[1:]:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _number(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0
