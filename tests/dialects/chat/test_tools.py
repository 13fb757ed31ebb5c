# -*- test-case-name: tests.dialects.chat.test_tools -*-
"""Tests of tools and tool choices."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import ToolChoice, ToolSpec
from kiro2api.dialects.chat.shapes import Body, decode
from kiro2api.dialects.chat.tools import FREEFORM_SCHEMA, choice_of, input_text, tools_of
from kiro2api.errors import RequestRejected

FREEFORM_HINT = "Put the whole input of this tool, as plain text, into `input`."


def body(**keys: object) -> Body:
    return decode(msgspec.json.encode({"model": "m", "messages": [], **keys}))


def function(name: str, **more: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, **more}}


class ToolsOfTests(SynchronousTestCase):
    """``tools_of`` reads every form of a tool."""

    def check(self, tool: object, *expected: ToolSpec) -> None:
        self.assertEqual(expected, tools_of(body(tools=[tool])))

    def test_none(self) -> None:
        """No tools, in three ways."""
        self.assertEqual((), tools_of(body()))
        self.assertEqual((), tools_of(body(tools=None)))
        self.assertEqual((), tools_of(body(tools=[])))

    def test_function(self) -> None:
        """The schema is passed on byte for byte."""
        schema = b'{ "type":"object", "x":1.50 }'
        self.check(
            function("f", description="d", parameters=msgspec.Raw(schema), strict=True),
            ToolSpec("f", "d", schema),
        )

    def test_function_without_parameters(self) -> None:
        """Parameters may be absent or null."""
        self.check(function("f"), ToolSpec("f"))
        self.check(function("f", parameters=None, description=None), ToolSpec("f"))

    def test_untyped(self) -> None:
        """The type may be missing."""
        self.check({"function": {"name": "f"}}, ToolSpec("f"))

    def test_flat(self) -> None:
        """The flat form, with either name of the schema, also under the type ``custom``."""
        for tool in (
            {"name": "f", "description": "d", "parameters": {"a": 1}},
            {"name": "f", "description": "d", "input_schema": {"a": 1}},
            {"name": "f", "description": "d", "parameters": None, "input_schema": {"a": 1}},
            {"type": "custom", "name": "f", "description": "d", "input_schema": {"a": 1}},
            {"type": "function", "name": "f", "description": "d", "parameters": {"a": 1}},
        ):
            self.check(tool, ToolSpec("f", "d", b'{"a":1}'))
        self.check({"name": "f"}, ToolSpec("f"))

    def test_custom(self) -> None:
        """A freeform tool takes its text under one key."""
        self.check(
            {"type": "custom", "custom": {"name": "f", "description": "d"}},
            ToolSpec("f", f"d\n{FREEFORM_HINT}", FREEFORM_SCHEMA, True),
        )
        self.check(
            {"type": "custom", "name": "f"}, ToolSpec("f", FREEFORM_HINT, FREEFORM_SCHEMA, True)
        )

    def test_grammar(self) -> None:
        """A grammar is told to the model, since nothing here enforces it."""
        for syntax, kind in (("lark", "lark grammar"), (None, "grammar")):
            grammar = {"syntax": syntax, "definition": 'start: "a"'}
            self.check(
                {
                    "type": "custom",
                    "custom": {"name": "f", "format": {"type": "grammar", "grammar": grammar}},
                },
                ToolSpec(
                    "f",
                    f'{FREEFORM_HINT}\nThe text must follow this {kind}:\nstart: "a"',
                    FREEFORM_SCHEMA,
                    True,
                ),
            )
        for form in ({"type": "text"}, {"type": "grammar", "grammar": {"syntax": "regex"}}):
            self.check(
                {"type": "custom", "custom": {"name": "f", "format": form}},
                ToolSpec("f", FREEFORM_HINT, FREEFORM_SCHEMA, True),
            )

    def test_legacy(self) -> None:
        """Legacy functions come after the tools."""
        given = body(tools=[function("a")], functions=[{"name": "b", "parameters": {}}])
        self.assertEqual((ToolSpec("a"), ToolSpec("b")), tools_of(given))

    def test_vendors_own(self) -> None:
        """Tools that only their vendor can serve are dropped."""
        self.check({"type": "web_search_20250305", "name": "web_search", "max_uses": 8})
        self.check({"type": "file_search"})

    def test_rejected(self) -> None:
        """A tool without a name or with a schema of another shape is named by its place."""
        cases: list[tuple[dict[str, object], str]] = [
            ({"tools": [function("a"), function("")]}, "tools[1].function.name"),
            ({"tools": [{"type": "function"}]}, "tools[0].name"),
            ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].custom.name"),
            ({"tools": [function("a", parameters=[])]}, "tools[0].function.parameters"),
            ({"tools": [{"name": "a", "parameters": "x"}]}, "tools[0].parameters"),
            ({"functions": [{"name": "a", "parameters": 1}]}, "functions[0].parameters"),
            ({"functions": [{}]}, "functions[0].name"),
        ]
        for keys, param in cases:
            error = self.assertRaises(RequestRejected, tools_of, body(**keys))
            self.assertEqual(param, error.param)
            self.assertTrue(error.message.startswith(f"{param}: "))


class ChoiceOfTests(SynchronousTestCase):
    """``choice_of`` reads every form of a choice."""

    def choice(self, **keys: object) -> ToolChoice:
        given = body(tools=[function("a"), function("b")], **keys)
        return choice_of(given, tools_of(given))

    def test_words(self) -> None:
        """The words, also as objects and those of the other dialect; unknown ones mean auto."""
        for word, mode in [
            ("none", "none"),
            ("auto", "auto"),
            ("required", "any"),
            ("any", "any"),
            ("whatever", "auto"),
        ]:
            self.assertEqual(mode, self.choice(tool_choice=word).mode)
            self.assertEqual(mode, self.choice(tool_choice={"type": word}).mode)
            self.assertEqual(mode, self.choice(function_call=word).mode)
        self.assertEqual(ToolChoice(), self.choice())
        self.assertEqual(ToolChoice(), self.choice(tool_choice={}))

    def test_named(self) -> None:
        """A named tool, in every form."""
        for keys in (
            {"tool_choice": {"type": "function", "function": {"name": "b"}}},
            {"tool_choice": {"type": "custom", "custom": {"name": "b"}}},
            {"tool_choice": {"type": "tool", "name": "b"}},
            {"function_call": {"name": "b"}},
            {"tool_choice": {"type": "function", "name": "b"}, "function_call": "none"},
        ):
            self.assertEqual(ToolChoice("named", "b"), self.choice(**keys))

    def test_named_unknown(self) -> None:
        """A demand for a tool that is not offered cannot be met."""
        for key in ("tool_choice", "function_call"):
            error = self.assertRaises(RequestRejected, self.choice, **{key: {"name": "c"}})
            self.assertEqual(key, error.param)

    def test_unserved(self) -> None:
        """A demand for what only its vendor can run is refused, whatever else is offered."""
        vendors = [
            {"type": "code_interpreter"},
            {"type": "web_fetch_20250910", "name": "web_fetch"},
        ]
        for tools in (vendors, [function("a"), *vendors]):
            for demanded, name in (
                ({"type": "code_interpreter"}, "code_interpreter"),
                ({"type": "tool", "name": "web_fetch"}, "web_fetch"),
                ({"type": "function", "function": {"name": "web_fetch"}}, "web_fetch"),
            ):
                given = body(tools=tools, tool_choice=demanded)
                error = self.assertRaises(RequestRejected, choice_of, given, tools_of(given))
                self.assertEqual("tool_choice", error.param)
                self.assertIn(f" {name} ", error.message)

    def test_served_of_that_name(self) -> None:
        """A client's own tool is meant before a vendor's, and a search is served."""
        given = body(
            tools=[function("fetch"), {"type": "web_fetch", "name": "fetch"}],
            tool_choice={"type": "function", "function": {"name": "fetch"}},
        )
        self.assertEqual(ToolChoice("named", "fetch"), choice_of(given, tools_of(given)))
        given = body(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"})
        self.assertEqual(ToolChoice(), choice_of(given, tools_of(given)))

    def test_parallel(self) -> None:
        """Parallel calls can be forbidden with every mode."""
        for keys in (
            {},
            {"tool_choice": "none"},
            {"tool_choice": "required"},
            {"tool_choice": "auto"},
            {"tool_choice": {"function": {"name": "a"}}},
        ):
            self.assertFalse(self.choice(parallel_tool_calls=False, **keys).parallel)
            self.assertTrue(self.choice(parallel_tool_calls=True, **keys).parallel)
            self.assertTrue(self.choice(**keys).parallel)

    def test_allowed(self) -> None:
        """Only the allowed tools are offered, and the mode is theirs."""
        for mode, expected in (("required", "any"), ("auto", "auto"), (None, "auto")):
            given = body(
                tools=[function("a"), function("b"), {"type": "custom", "custom": {"name": "c"}}],
                tool_choice={
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": mode,
                        "tools": [function("b"), {"type": "custom", "custom": {"name": "c"}}, {}],
                    },
                },
            )
            tools = tools_of(given)
            self.assertEqual(["b", "c"], [tool.name for tool in tools])
            self.assertEqual((expected, ""), self.mode_and_name(choice_of(given, tools)))

    def mode_and_name(self, choice: ToolChoice) -> tuple[str, str]:
        return choice.mode, choice.name

    def test_none_allowed(self) -> None:
        """An empty list of allowed tools allows none."""
        given = body(tools=[function("a")], tool_choice={"allowed_tools": {"mode": "required"}})
        self.assertEqual((), tools_of(given))
        self.assertEqual(ToolChoice(), choice_of(given, ()))

    def test_without_tools(self) -> None:
        """Without tools a demand to call one says nothing."""
        given = body(tool_choice="required", parallel_tool_calls=False)
        self.assertEqual(ToolChoice(), choice_of(given, ()))


class InputTextTests(SynchronousTestCase):
    """``input_text`` fits the freeform schema."""

    def test_text(self) -> None:
        """The text becomes the one property."""
        self.assertEqual(b'{"input":"a\\n\\"b\\""}', input_text('a\n"b"'))
