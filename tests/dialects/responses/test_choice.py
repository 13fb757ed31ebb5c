# -*- test-case-name: tests.dialects.responses.test_choice -*-
"""Tests of the choice among tools."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import ToolChoice
from kiro2api.dialects.responses.choice import choice_of
from kiro2api.dialects.responses.shapes import Body
from kiro2api.dialects.responses.tools import toolbox_of
from kiro2api.errors import RequestRejected
from tests.dialects.responses.examples import BUILT_IN, TOOLS


def chosen(choice: Any, tools: Any = TOOLS, parallel: bool | None = None) -> Any:
    """Names of the tools that may be called, and the choice."""
    raw = msgspec.Raw(msgspec.json.encode(tools))
    body = Body(
        "m",
        tool_choice=msgspec.Raw(msgspec.json.encode(choice)),
        parallel_tool_calls=parallel,
    )
    found = choice_of(body, toolbox_of([(raw, "tools")]))
    names = [spec.name for spec in found.specs]
    return [*names, *(f"<{tool.name}>" for tool in found.server_tools)], found.choice


ALL = ["tool0", "tool1", *BUILT_IN, "tool2"]


class ChoiceTests(SynchronousTestCase):
    """Every form of it."""

    def test_words(self) -> None:
        """Words, known or not."""
        for word, mode in (
            (None, "auto"),
            ("auto", "auto"),
            ("none", "none"),
            ("required", "any"),
            ("any", "any"),
            ("whatever", "auto"),
        ):
            self.assertEqual((ALL, ToolChoice(mode)), chosen(word))  # type: ignore[arg-type]

    def test_parallel(self) -> None:
        """One call at a time."""
        self.assertEqual((ALL, ToolChoice("any", parallel=False)), chosen("required", TOOLS, False))

    def test_named(self) -> None:
        """A tool by its name, with or without type and namespace."""
        for choice, name in (
            ({"type": "function", "name": "tool0"}, "tool0"),
            ({"name": "tool0"}, "tool0"),
            ({"type": "custom", "name": "tool1"}, "tool1"),
            *(({"type": kind}, kind) for kind in BUILT_IN),
            ({"type": "computer_use_preview"}, "computer"),
            ({"type": "function", "name": "tool2"}, "tool2"),
            ({"type": "function", "name": "tool2", "namespace": "space"}, "tool2"),
        ):
            self.assertEqual((ALL, ToolChoice("named", name)), chosen(choice))

    def test_allowed(self) -> None:
        """A part of the tools, and a choice among these."""
        tools = [{"type": "function", "name": "tool0"}, {"type": "local_shell"}]
        self.assertEqual(
            (["tool0", "local_shell"], ToolChoice("any")),
            chosen({"type": "allowed_tools", "mode": "required", "tools": tools}),
        )
        self.assertEqual(([], ToolChoice()), chosen({"type": "allowed_tools"}))

    def test_search(self) -> None:
        """The search of whatever date is offered, not demanded; one among all if it is alone."""
        tools = [*TOOLS, {"type": "web_search"}]
        for kind in ("web_search", "web_search_preview", "web_search_2025_08_26"):
            self.assertEqual(
                ([*ALL, "<web_search>"], ToolChoice(parallel=False)),
                chosen({"type": kind}, tools, False),
            )
        alone = [{"type": "web_search"}]
        for word, mode in (("auto", "auto"), ("required", "any"), ("none", "none")):
            self.assertEqual((["<web_search>"], ToolChoice(mode)), chosen(word, alone))  # type: ignore[arg-type]

    def test_allowed_search(self) -> None:
        """It is one of the tools that may be listed, or not."""
        tools = [*TOOLS, {"type": "web_search"}]
        named = {"type": "function", "name": "tool0"}
        allowed = {"type": "allowed_tools", "mode": "auto", "tools": [named]}
        self.assertEqual((["tool0"], ToolChoice()), chosen(allowed, tools))
        allowed["tools"] = [{"type": "web_search_preview"}]
        self.assertEqual((["<web_search>"], ToolChoice()), chosen(allowed, tools))

    def test_without_tools(self) -> None:
        """There is nothing to choose."""
        for word in ("auto", "none", "required"):
            self.assertEqual(([], ToolChoice()), chosen(word, []))

    def test_refused(self) -> None:
        """Demands that cannot be met."""
        for choice, tools in (
            ({"type": "web_search"}, TOOLS),
            ({"type": "mcp", "server_label": "x"}, TOOLS),
            ({"type": "function", "name": "nope"}, TOOLS),
            ({"type": "function", "name": "tool2", "namespace": "other"}, TOOLS),
            ({"type": "function"}, TOOLS),
            ("required", [{"type": "image_generation"}]),
            ("required", [{"type": "mcp", "server_label": "x"}]),
            ({"type": "file_search"}, TOOLS),
            (5, TOOLS),
        ):
            error = self.assertRaises(RequestRejected, chosen, choice, tools)
            self.assertEqual("tool_choice", error.param)
