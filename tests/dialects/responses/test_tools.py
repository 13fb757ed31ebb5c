# -*- test-case-name: tests.dialects.responses.test_tools -*-
"""Tests of the tools on offer."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import ServerTool
from kiro2api.dialects.responses.tools import Callee, Toolbox, toolbox_of
from kiro2api.errors import RequestRejected


def box(*lists: Any) -> Toolbox:
    """The toolbox of some lists of tools."""
    return toolbox_of((msgspec.Raw(msgspec.json.encode(each)), "tools") for each in lists)


def function(name: str, **more: Any) -> dict[str, Any]:
    """A function tool."""
    return {"type": "function", "name": name, "parameters": {"type": "object"}, **more}


def space(name: str, *tools: Any) -> dict[str, Any]:
    """A namespace."""
    return {"type": "namespace", "name": name, "description": "", "tools": list(tools)}


class OfferTests(SynchronousTestCase):
    """Kinds of tools."""

    def test_function(self) -> None:
        """Flat; without a type it is a function as well."""
        (spec,) = box([function("a", description="d", strict=True)]).specs
        self.assertEqual(
            ("a", "d", b'{"type":"object"}', False),
            (spec.name, spec.description, spec.schema, spec.freeform),
        )
        (spec,) = box([{"name": "b", "parameters": None}]).specs
        self.assertEqual(("b", b"{}"), (spec.name, spec.schema))

    def test_nothing(self) -> None:
        """No list and an empty one."""
        nothing: list[Any] = [None, []]
        for given in nothing:
            self.assertEqual((), box(given).specs)

    def test_custom(self) -> None:
        """Raw text, with the grammar in the description."""
        given = {
            "type": "custom",
            "name": "patch",
            "description": "Edits files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD"},
        }
        found = box([given])
        (spec,) = found.specs
        self.assertTrue(spec.freeform)
        for words in ("Edits files.", "lark", "start: WORD"):
            self.assertIn(words, spec.description)
        self.assertEqual(Callee("custom", "patch"), found.callee("patch"))

    def test_local_shell(self) -> None:
        """A kind without a name and a schema, which are ours."""
        found = box([{"type": "local_shell"}])
        self.assertIn(b'"command"', found.specs[0].schema)
        self.assertEqual("local_shell", found.callee(found.specs[0].name).kind)

    def test_not_served(self) -> None:
        """Kinds that only their vendor can serve are dropped, however they look."""
        found = box(
            [
                {"type": "image_generation", "output_format": "png"},
                {"type": "mcp", "server_label": "x", "name": 5, "tools": {"a": 1}},
                {"type": "mcp", "server_label": 5},
                {"type": "mcp", "server_label": "x"},
                {"type": "brand_new", "name": 5},
                {"type": "tool_search"},
                function("a"),
            ]
        )
        self.assertEqual(["a"], [spec.name for spec in found.specs])
        self.assertEqual({"image_generation", "brand_new"}, found.dropped)
        self.assertEqual(("x", "mcp"), found.servers)
        self.assertEqual({*found.dropped, "MCP server x", "MCP server mcp"}, set(found.unserved))

    def test_told_already(self) -> None:
        """A client is told once of each server."""
        raw = msgspec.Raw(b'[{"type":"mcp","server_label":"x"},{"type":"mcp","server_label":"y"}]')
        found = toolbox_of([(raw, "tools")], ["x", "z"])
        self.assertEqual((("x", "y"), ("y",)), (found.servers, found.untold))

    def test_kept_by_the_vendor(self) -> None:
        """What an answer cannot do without is refused by its name."""
        for kind in ("file_search", "code_interpreter"):
            error = self.assertRaises(RequestRejected, box, [function("a"), {"type": kind}])
            self.assertEqual("tools[1].type", error.param)
            self.assertIn(kind, error.message)

    def test_run_by_the_client(self) -> None:
        """Kinds that have a name of their own, each with the kind of call that comes of it."""
        for kind, name in (
            ("shell", "shell"),
            ("apply_patch", "apply_patch"),
            ("computer", "computer"),
            ("computer_use_preview", "computer"),
        ):
            found = box([{"type": kind}])
            self.assertEqual([name], [spec.name for spec in found.specs])
            self.assertEqual(name, found.name_of(name))
            self.assertEqual(frozenset(), found.dropped)

    def test_web_search(self) -> None:
        """Of all dates, once, with what the client says of pages and of itself."""
        for kind in (
            "web_search",
            "web_search_2025_08_26",
            "web_search_preview",
            "web_search_preview_2025_03_11",
        ):
            tool = {"type": kind, "search_context_size": "low", "external_web_access": False}
            found = box([tool, function("a")], [{"type": "web_search"}])
            self.assertEqual((ServerTool("web_search"),), found.server_tools)
            self.assertEqual(["a"], [spec.name for spec in found.specs])
            self.assertEqual(frozenset(), found.dropped)
        place = {"type": "approximate", "city": "Graz"}
        filters = {"allowed_domains": ["a.example", ""], "blocked_domains": ["b.example"]}
        (search,) = box(
            [{"type": "web_search", "filters": filters, "user_location": place}]
        ).server_tools
        self.assertEqual(
            (("a.example",), ("b.example",)), (search.allowed_domains, search.blocked_domains)
        )
        self.assertEqual(place, msgspec.json.decode(search.user_location))
        empty = {"type": "web_search", "filters": None, "user_location": None}
        self.assertEqual((ServerTool("web_search"),), box([empty]).server_tools)

    def test_own_web_search(self) -> None:
        """A function of that name is the client's."""
        found = box([function("web_search")])
        self.assertEqual(((), 1), (found.server_tools, len(found.specs)))

    def test_refused(self) -> None:
        """Nameless tools, and schemas that are none."""
        for given, param in (
            ([{"type": "function"}], "tools[0].name"),
            ([function("a"), {"type": "custom"}], "tools[1].name"),
            ([space("", function("a"))], "tools[0].name"),
            ([space("s", function(""))], "tools[0].tools[0].name"),
            ([{"name": "a", "parameters": "x"}], "tools[0].parameters"),
            ([{"name": 1}], "tools[0].name"),
            ([{"type": "web_search", "filters": 1}], "tools[0].filters"),
            ("x", "tools"),
        ):
            error = self.assertRaises(RequestRejected, box, given)
            self.assertEqual(param, error.param)


class NamesTests(SynchronousTestCase):
    """Names for the model and back."""

    def test_namespace(self) -> None:
        """A name that occurs once stays as it is."""
        found = box([space("agents", function("spawn"), {"type": "custom", "name": "raw"})])
        self.assertEqual(["spawn", "raw"], [spec.name for spec in found.specs])
        self.assertEqual(Callee("function", "spawn", "agents"), found.callee("spawn"))
        self.assertEqual(Callee("custom", "raw", "agents"), found.callee("raw"))
        self.assertEqual("spawn", found.name_of("spawn", "agents"))

    def test_same_name_in_namespaces(self) -> None:
        """The namespace tells them apart."""
        found = box([function("wait"), space("a", function("wait")), space("b", function("wait"))])
        self.assertEqual(["wait", "a__wait", "b__wait"], [spec.name for spec in found.specs])
        for namespace in ("", "a", "b"):
            name = found.name_of("wait", namespace)
            self.assertEqual(Callee("function", "wait", namespace), found.callee(name))

    def test_taken(self) -> None:
        """A name made up here never hides a client's own."""
        found = box(
            [
                function("a__x"),
                function("x"),
                space("a", function("x")),
                space("a_", function("x")),
                function("a__x_"),
            ]
        )
        names = [spec.name for spec in found.specs]
        self.assertEqual(5, len(set(names)))
        self.assertEqual(
            [("", "a__x"), ("", "x"), ("a", "x"), ("a_", "x"), ("", "a__x_")],
            [(found.callee(name).namespace, found.callee(name).name) for name in names],
        )

    def test_said_twice(self) -> None:
        """The same tool in two lists is one."""
        self.assertEqual(1, len(box([function("a")], [function("a")]).specs))

    def test_nested_namespace(self) -> None:
        """There is only one level of them."""
        found = box([space("a", space("b", function("x")), function("y"))])
        self.assertEqual(["y"], [spec.name for spec in found.specs])

    def test_not_offered(self) -> None:
        """Tools of the past keep their names."""
        self.assertEqual("gone", Toolbox().name_of("gone", "space"))
        self.assertEqual(Callee("function", "gone"), Toolbox().callee("gone"))
