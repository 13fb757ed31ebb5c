# -*- test-case-name: tests.kiro.test_tools -*-
"""Tests of the listing of tools and the cache of schemas."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import ToolSpec
from kiro2api.kiro.constraints import MAX_DESCRIPTION
from kiro2api.kiro.naming import Names
from kiro2api.kiro.tools import Listing, SchemaCache, is_nameless, repaired_json
from kiro2api.kiro.wording import TOOL_UNAVAILABLE

OBJECT = {"type": "object", "properties": {}}


def listing(*tools: ToolSpec, limit: int = 100) -> tuple[Listing, Names]:
    names = Names(tool.name for tool in tools)
    one = Listing(names, SchemaCache(), description_limit=limit)
    one.offer(tools)
    return one, names


def specs(one: Listing) -> list[dict[str, Any]]:
    one.fill_schemas()
    decoded = msgspec.json.decode(msgspec.json.encode(one.specs))
    return [tool["toolSpecification"] for tool in decoded]


class ListingTests(SynchronousTestCase):
    """The tools as the upstream wants them."""

    def test_order_and_shape(self) -> None:
        """Tools keep their order."""
        one, _ = listing(ToolSpec("b", "B", b'{"type":"object"}'), ToolSpec("a", "A"))
        self.assertEqual(
            specs(one),
            [
                {"name": "b", "description": "B", "inputSchema": {"json": OBJECT}},
                {"name": "a", "description": "A", "inputSchema": {"json": OBJECT}},
            ],
        )

    def test_stand_in_before_filling(self) -> None:
        """Before the schemas are filled in there is a sound stand-in."""
        one, _ = listing(ToolSpec("a"))
        place = one.specs[0]["toolSpecification"]["inputSchema"]
        self.assertEqual(place, {"json": {"type": "object"}})

    def test_descriptions(self) -> None:
        """Empty ones become the name, long ones are cut by characters and kept whole aside."""
        one, _ = listing(
            ToolSpec("a", ""), ToolSpec("b", " \n"), ToolSpec("c", "é" * 6), ToolSpec("d", "é" * 5),
            limit=5,
        )  # fmt: skip
        self.assertEqual([spec["description"] for spec in specs(one)], ["a", "b", "éééé…", "ééééé"])
        self.assertEqual(one.documents, ["## c\n\néééééé"])

    def test_upstream_limit(self) -> None:
        """A configured limit above the upstream's counts for nothing."""
        one, _ = listing(ToolSpec("a", "x" * (MAX_DESCRIPTION + 1)), limit=10**6)
        self.assertEqual(len(specs(one)[0]["description"]), MAX_DESCRIPTION)

    def test_duplicates(self) -> None:
        """Equal tools are listed once; different ones of one name are both listed."""
        first, other = ToolSpec("a", "1"), ToolSpec("a", "2")
        one, names = listing(first, other, first, other)
        listed = [spec["name"] for spec in specs(one)]
        self.assertEqual(len(listed), 2)
        self.assertEqual(listed[0], "a")
        self.assertEqual([names.clients[name] for name in listed], ["a", "a"])

    def test_nameless(self) -> None:
        """Tools without a name are skipped."""
        one, _ = listing(ToolSpec("", "x"), ToolSpec(" ", "x"))
        self.assertEqual(specs(one), [])
        self.assertFalse(is_nameless(ToolSpec("a")))

    def test_keep(self) -> None:
        """Called tools that are not on offer get a stand-in, once."""
        one, _ = listing(ToolSpec("a", "A"))
        one.keep(["a", "b"])
        self.assertEqual(
            specs(one)[1:],
            [{"name": "b", "description": TOOL_UNAVAILABLE, "inputSchema": {"json": OBJECT}}],
        )


class SchemaCacheTests(SynchronousTestCase):
    """The cache of repaired schemas."""

    def test_bad_json(self) -> None:
        """What is not JSON, or nests too deep, allows any object."""
        deep = b'{"default":' + b"[" * 300 + b"]" * 300 + b"}"
        for data in (b"", b"{", b'{"a":"\xff"}', b"[" * 100_000, deep, b"true"):
            self.assertEqual(msgspec.json.decode(repaired_json(data)), OBJECT, data[:20])

    def test_same_object(self) -> None:
        """A known schema is not repaired again."""
        cache = SchemaCache()
        schema = b'{"type":"object"}'
        self.assertIs(cache.repaired(schema), cache.repaired(bytes(bytearray(schema))))
        self.assertEqual(len(cache), 1)

    def test_bounded_by_entries(self) -> None:
        """What was not used for longest goes first."""
        cache = SchemaCache(entries=2)
        first = cache.repaired(b'{"title":"1"}')
        second = cache.repaired(b'{"title":"2"}')
        cache.repaired(b'{"title":"1"}')
        cache.repaired(b'{"title":"3"}')
        self.assertEqual(len(cache), 2)
        self.assertIs(cache.repaired(b'{"title":"1"}'), first)
        self.assertIsNot(cache.repaired(b'{"title":"2"}'), second)

    def test_bounded_by_bytes(self) -> None:
        """Large schemas do not pile up; one too large for the cache is still repaired."""
        cache = SchemaCache(octets=150)
        for title in "123":
            cache.repaired(b'{"title":"%s"}' % title.encode())
        self.assertEqual(len(cache), 2)
        big = cache.repaired(b'{"title":"%s"}' % (b"x" * 200))
        self.assertIn(b"xxx", bytes(big))
        self.assertEqual(len(cache), 0)
        cache.repaired(b"{}")
        self.assertEqual(len(cache), 1)
