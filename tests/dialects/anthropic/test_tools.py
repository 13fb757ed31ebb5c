"""Tests of tools and the choice among them."""

import json

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import ServerTool, ToolChoice, ToolSpec
from kiro2api.dialects.anthropic.tools import (
    Choice,
    Tool,
    read_choice,
    read_server_tools,
    read_tools,
    unserved,
)
from kiro2api.errors import RequestRejected

TOOLS = msgspec.json.Decoder(list[Tool])


def read(*tools: object) -> tuple[ToolSpec, ...]:
    return read_tools(TOOLS.decode(json.dumps(tools)))


def search(*tools: object) -> tuple[ServerTool, ...]:
    return read_server_tools(TOOLS.decode(json.dumps(tools)))


class ToolTests(SynchronousTestCase):
    """Which tools are left, and what of them."""

    def test_none(self) -> None:
        """Absent and empty are the same."""
        self.assertEqual(read_tools(None), ())
        self.assertEqual(read_tools([]), ())

    def test_ordinary(self) -> None:
        """Named custom or not, deferred or not; the schema stays JSON text."""
        schema = {"type": "object", "$schema": "x", "properties": {"a": {"maximum": 2**63}}}
        self.assertEqual(
            read(
                {"name": "a", "description": "d", "input_schema": schema, "defer_loading": True},
                {"type": "custom", "name": "b", "description": None, "strict": True},
            ),
            (ToolSpec("a", "d", json.dumps(schema).encode()), ToolSpec("b")),
        )

    def test_placeholder(self) -> None:
        """The stand-in for tools that come later is no tool."""
        tool = {"name": "DeferredToolPlaceholder", "defer_loading": True, "input_schema": {}}
        self.assertEqual(read(tool), ())

    def test_run_by_the_server(self) -> None:
        """Tools we would have to run are left out, unless they say what they take."""
        self.assertEqual(
            read(
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
                {"type": "web_fetch_20250910", "name": "web_fetch"},
                {"type": "mcp_toolset", "mcp_server_name": "x"},
                {"type": "new_kind", "name": "n", "input_schema": {"type": "object"}},
                {"type": "web_searching", "name": "s"},
            ),
            (ToolSpec("n", "", b'{"type": "object"}'),),
        )

    def test_unserved(self) -> None:
        """The kinds that the model is told of: neither those that are served in some way nor
        searches among tools, which are all there."""
        tools = [
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "web_fetch_20250910", "name": "web_fetch"},
            {"type": "mcp_toolset", "mcp_server_name": "x"},
            {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "new_kind", "name": "n", "input_schema": {"type": "object"}},
            {"type": "server_thing", "name": "DeferredToolPlaceholder"},
            {"name": "a"},
        ]
        found = unserved(TOOLS.decode(json.dumps(tools)))
        self.assertEqual(found, ("web_fetch_20250910", "mcp_toolset"))
        self.assertEqual(unserved(None), ())

    def test_screen(self) -> None:
        """Its size is told where it is known."""
        tool = {"type": "computer_20251124", "name": "computer", "enable_zoom": True}
        (plain,) = read(tool)
        (sized,) = read(tool | {"display_width_px": 1024, "display_height_px": 768})
        (strange,) = read(tool | {"display_width_px": 1024, "display_height_px": "tall"})
        self.assertIn("1024 pixels wide and 768 high", sized.description)
        self.assertEqual(plain, strange)
        self.assertIn("left_click", json.loads(plain.schema)["properties"]["action"]["enum"])

    def test_code(self) -> None:
        """Who declares it may be able to run it."""
        (spec,) = read({"type": "code_execution_20250825", "name": "code_execution"})
        self.assertEqual(json.loads(spec.schema)["required"], ["code"])

    def test_web_search(self) -> None:
        """Of any date and any name; what has a schema is the client's own."""
        for kind in ("web_search_20250305", "web_search_20991231", "web_search"):
            self.assertEqual(search({"type": kind}), (ServerTool(kind="web_search"),))
        self.assertEqual(
            search(
                {"name": "a", "input_schema": {}, "max_uses": "whatever"},
                {
                    "type": "web_search_20250305",
                    "name": "look",
                    "max_uses": 3,
                    "allowed_domains": ["a.example", " "],
                    "blocked_domains": None,
                    "user_location": {"type": "approximate", "city": "Graz"},
                },
            ),
            (
                ServerTool(
                    kind="web_search",
                    name="look",
                    max_uses=3,
                    allowed_domains=("a.example",),
                    user_location=b'{"type": "approximate", "city": "Graz"}',
                ),
            ),
        )
        for tool in (
            {"name": "web_search"},
            {"type": "custom", "name": "web_search"},
            {"type": "web_search_20250305", "name": "web_search", "input_schema": {}},
            {"type": "web_searching", "name": "web_search"},
        ):
            self.assertEqual(search(tool), ())
        self.assertEqual(read_server_tools(None), ())
        self.assertEqual(
            search({"type": "web_search", "user_location": "Graz"})[0].user_location, b""
        )

    def test_web_search_with_bad_limits(self) -> None:
        """Limits that cannot be read are not passed over."""
        for key, value in (("max_uses", "3"), ("allowed_domains", "a"), ("blocked_domains", [1])):
            tool = {"type": "web_search_20250305", key: value}
            refusal = self.assertRaises(RequestRejected, search, {"name": "a"}, tool)
            self.assertTrue((refusal.param or "").startswith(f"tools[1].{key}"))

    def test_run_by_the_client(self) -> None:
        """Tools that the client runs get the schema that the client leaves out."""
        found = read(
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250124", "name": "str_replace_editor"},
            {"type": "text_editor_20250728"},
            {"type": "memory_20250818", "name": "memory"},
        )
        self.assertEqual(
            [spec.name for spec in found],
            ["bash", "str_replace_editor", "str_replace_based_edit_tool", "memory"],
        )
        for spec in found:
            schema = json.loads(spec.schema)
            self.assertEqual(schema["type"], "object")
            self.assertIn("command", schema["properties"])
            self.assertLessEqual(set(schema.get("required", ())), set(schema["properties"]))
            self.assertTrue(spec.description)

    def test_no_name(self) -> None:
        """A tool without a name cannot be called."""
        refusal = self.assertRaises(RequestRejected, read, {"name": "a"}, {"input_schema": {}})
        self.assertEqual(refusal.param, "tools[1].name")
        refusal = self.assertRaises(RequestRejected, read, {"name": ""})
        self.assertEqual(refusal.param, "tools[0].name")


class ChoiceTests(SynchronousTestCase):
    """Choices that can be met, and those that cannot."""

    tools = (ToolSpec("a"),)

    def test_forms(self) -> None:
        """Each form has its mode."""
        for choice, expected in (
            (None, ToolChoice()),
            (Choice(), ToolChoice()),
            (Choice("auto", disable_parallel_tool_use=True), ToolChoice(parallel=False)),
            (Choice("none"), ToolChoice("none")),
            (Choice("any"), ToolChoice("any")),
            (Choice("any", disable_parallel_tool_use=True), ToolChoice("any", parallel=False)),
            (Choice("tool", "a"), ToolChoice("named", "a")),
            (Choice("tool", "a", True), ToolChoice("named", "a", parallel=False)),
        ):
            self.assertEqual(read_choice(choice, self.tools), expected)

    def test_cannot_be_met(self) -> None:
        """No call can be demanded of a tool that is not there."""
        self.assertEqual(read_choice(Choice("any"), ()), ToolChoice())
        self.assertEqual(read_choice(Choice("tool", "web_search"), self.tools), ToolChoice())
        self.assertEqual(read_choice(Choice("tool"), self.tools), ToolChoice())
        self.assertEqual(read_choice(Choice("sometimes"), self.tools), ToolChoice())
