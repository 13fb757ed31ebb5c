"""Tests of whole requests."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    OutputFormat,
    Reasoning,
    Sampling,
    ServerTool,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.dialects.anthropic.ask import parse, parse_count
from kiro2api.dialects.dialect import Asked
from kiro2api.errors import Kind, RequestRejected

HELLO = [{"role": "user", "content": "hello"}]


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 10, "messages": HELLO} | fields).encode()


def question(**fields: Any) -> Conversation:
    return parse(body(**fields)).conversation


class ParseTests(SynchronousTestCase):
    """Good requests."""

    def test_smallest(self) -> None:
        """Everything but model and messages may be absent."""
        self.assertEqual(
            parse(b'{"model":"m","messages":[{"role":"user","content":"hello"}]}'),
            Asked(conversation=Conversation(turns=(Turn("user", (Text("hello"),)),)), model="m"),
        )

    def test_nulls(self) -> None:
        """Null is as good as absent."""
        self.assertEqual(
            parse(body(**dict.fromkeys(_TOP[2:]))),
            parse(b'{"model":"m","messages":[{"role":"user","content":"hello"}]}'),
        )

    def test_agent_session(self) -> None:
        """A coding agent's second turn, with what it adds of its own."""
        asked = parse(
            body(
                stream=True,
                max_tokens=128000,
                system=[
                    {"type": "text", "text": "x-anthropic-billing-header: v=1;"},
                    {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
                ],
                messages=[
                    {"role": "user", "content": [{"type": "text", "text": "list"}]},
                    {"role": "system", "content": "context", "output_config": {"effort": "low"}},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "tool_use", "id": "t", "name": "Bash", "input": {"c": "ls"}}
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {
                                "tool_use_id": "t",
                                "type": "tool_result",
                                "content": "a b",
                                "is_error": False,
                                "cache_control": {"type": "ephemeral"},
                            }
                        ],
                    },
                ],
                tools=[
                    {"name": "Bash", "description": "runs", "input_schema": {}},
                    {"name": "DeferredToolPlaceholder", "input_schema": {}},
                ],
                thinking={"type": "adaptive", "display": "updates"},
                output_config={"effort": "medium"},
                context_management={"edits": [{"type": "new"}]},
                metadata={"user_id": '{"device_id":"d","account_uuid":"","session_id":"s-1"}'},
                safeguards=[{"path": "/home/x"}],
            )
        )
        self.assertEqual(
            asked,
            Asked(
                conversation=Conversation(
                    turns=(
                        Turn("user", (Text("list"),)),
                        Turn("system", (Text("context"),)),
                        Turn("assistant", (ToolUse("t", "Bash", b'{"c": "ls"}'),)),
                        Turn("user", (ToolResult("t", (Text("a b"),)),), cache=True),
                    ),
                    system=("Be brief.",),
                    tools=(ToolSpec("Bash", "runs", b"{}"),),
                    sampling=Sampling(max_tokens=128000),
                    reasoning=Reasoning(mode="adaptive", effort="medium", display="updates"),
                    session="s-1",
                    cache_system=True,
                ),
                model="m",
                stream=True,
            ),
        )

    def test_roles(self) -> None:
        """Unknown roles speak for the user; order and repetition are kept."""
        roles = ["assistant", "developer", "tool", "user", "user", "system"]
        turns = question(messages=[{"role": role} for role in roles]).turns
        self.assertEqual(
            [turn.role for turn in turns],
            ["assistant", "system", "user", "user", "user", "system"],
        )
        self.assertEqual(turns[0].parts, ())

    def test_system(self) -> None:
        """Absent, a string, or blocks, of which only text counts."""
        self.assertEqual(question().system, ())
        self.assertEqual(question(system="").system, ())
        self.assertEqual(question(system="a").system, ("a",))
        self.assertEqual(question(system="x-anthropic-billing-header: v").system, ())
        image = {"type": "image", "source": {"type": "file", "file_id": "f"}}
        self.assertEqual(question(system=[{"type": "text", "text": "a"}, image]).system, ("a",))

    def test_sampling(self) -> None:
        """Numbers pass as they are, whole ones too where fractions are allowed."""
        self.assertEqual(
            question(
                max_tokens=-1, temperature=1, top_p=0.5, top_k=3, stop_sequences=["a", ""]
            ).sampling,
            Sampling(max_tokens=-1, temperature=1.0, top_p=0.5, top_k=3, stop=("a", "")),
        )

    def test_tool_choice(self) -> None:
        """The choice is weighed against the tools that are left."""
        tool = {"name": "t", "input_schema": {}}
        search = {"type": "web_search_20250305", "name": "web_search"}
        self.assertEqual(
            question(tools=[tool], tool_choice={"type": "tool", "name": "t"}).tool_choice,
            ToolChoice("named", "t"),
        )
        self.assertEqual(
            question(
                tools=[search], tool_choice={"type": "tool", "name": "web_search"}
            ).tool_choice,
            ToolChoice("named", "web_search"),
        )
        self.assertEqual(
            question(tools=[search], tool_choice={"type": "tool", "name": "t"}).tool_choice,
            ToolChoice(),
        )

    def test_unserved_choice(self) -> None:
        """A call that only a server could make is refused; any other choice is not."""
        tools = [
            {"type": "web_fetch_20250910", "name": "web_fetch"},
            {"name": "t", "input_schema": {}},
        ]
        demanded = {"type": "tool", "name": "web_fetch"}
        for offered in (tools, tools[:1]):
            with self.assertRaises(RequestRejected) as caught:
                question(tools=offered, tool_choice=demanded)
            self.assertEqual(caught.exception.param, "tool_choice.name")
            self.assertIn("web_fetch", caught.exception.message)
            self.assertEqual(question(tools=offered).tool_choice, ToolChoice())
        own = [*tools, {"name": "web_fetch", "input_schema": {}}]
        self.assertEqual(
            question(tools=own, tool_choice=demanded).tool_choice, ToolChoice("named", "web_fetch")
        )

    def test_web_search(self) -> None:
        """The tool is taken by its type, and what came of it earlier is put between turns."""
        search = {"type": "web_search_20260209", "name": "look", "max_uses": 2}
        said = [
            {"type": "text", "text": "I look."},
            {"type": "server_tool_use", "id": "i", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "i", "content": []},
            {"type": "text", "text": "Nothing."},
        ]
        messages = [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": said},
            {"role": "user", "content": "Oh."},
        ]
        asked = question(messages=messages, tools=[search])
        self.assertEqual(asked.tools, ())
        self.assertEqual(
            asked.server_tools, (ServerTool(kind="web_search", name="look", max_uses=2),)
        )
        self.assertEqual(
            asked.turns,
            (
                Turn("user", (Text("?"),)),
                Turn(
                    "assistant",
                    (Text("I look."), ToolUse("i", "web_search", b'{"query": "q"}')),
                ),
                Turn("user", (ToolResult("i", (Text("No pages were found."),)),)),
                Turn("assistant", (Text("Nothing."),)),
                Turn("user", (Text("Oh."),)),
            ),
        )
        self.assertEqual(len(question(messages=messages).turns), 3)

    def test_thinking(self) -> None:
        """All modes; an unknown one is as good as none."""
        for thinking, expected in (
            (
                {"type": "enabled", "budget_tokens": 1024},
                Reasoning(mode="enabled", budget_tokens=1024),
            ),
            ({"type": "disabled"}, Reasoning(mode="disabled")),
            ({"type": "adaptive"}, Reasoning(mode="adaptive")),
            ({"type": "sometimes"}, Reasoning()),
        ):
            self.assertEqual(question(thinking=thinking).reasoning, expected)

    def test_output_format(self) -> None:
        """In its new and its old place; whatever is not understood is ignored."""
        schema = {"type": "object"}
        wanted = {"type": "json_schema", "schema": schema, "name": "n"}
        expected = OutputFormat("json_schema", b'{"type": "object"}', "n")
        self.assertEqual(question(output_config={"format": wanted}).output_format, expected)
        self.assertEqual(question(output_format=wanted).output_format, expected)
        self.assertEqual(
            question(output_format={"type": "json_schema"}).output_format,
            OutputFormat("json_object"),
        )
        self.assertEqual(
            question(output_format={"type": "json_object", "schema": {}}).output_format,
            OutputFormat("json_object"),
        )
        for odd in ({"type": "grammar"}, "json", {"type": 5}):
            self.assertIsNone(question(output_format=odd).output_format)
        self.assertIsNone(question(output_config={"effort": 3}).reasoning.effort)

    def test_session(self) -> None:
        """From both forms of a user id; any other id is a person, not a session."""
        for user_id, session in (
            ('{"session_id":"s"}', "s"),
            ('{"device_id":"d"}', ""),
            ('{"session_id":5}', ""),
            ("{broken", ""),
            ("user_0a_account_0b_session_0c", "0c"),
            ("user_0a_account__session_0c", "0c"),
            ("user_0a", ""),
            ("somebody", ""),
            (None, ""),
            (7, ""),
        ):
            self.assertEqual(question(metadata={"user_id": user_id}).session, session, user_id)

    def test_stream(self) -> None:
        """Only true streams."""
        self.assertTrue(parse(body(stream=True)).stream)
        self.assertFalse(parse(body(stream=False)).stream)

    def test_half_a_surrogate_pair(self) -> None:
        """A text that was cut inside an emoji is no reason to refuse."""
        text = json.dumps({"model": "m", "messages": [{"role": "user", "content": "cut \ud83d"}]})
        self.assertEqual(parse(text.encode()).conversation.turns[0].parts, (Text("cut \ufffd"),))


class CountTests(SynchronousTestCase):
    """The body of count_tokens."""

    def test_no_model(self) -> None:
        """It may lack the model and the limit."""
        self.assertEqual(
            parse_count(b'{"messages":[{"role":"user","content":"hello"}],"system":"s"}'),
            ("", Conversation(turns=(Turn("user", (Text("hello"),)),), system=("s",))),
        )

    def test_refused(self) -> None:
        """It is judged like any other."""
        self.assertRaises(RequestRejected, parse_count, b'{"model":"m"}')


class RefusalTests(SynchronousTestCase):
    """Bad requests, and where they are bad."""

    def refused(self, data: bytes) -> RequestRejected:
        refusal: RequestRejected = self.assertRaises(RequestRejected, parse, data)
        return refusal

    def test_fields(self) -> None:
        """The path of the bad field."""
        for fields, param in (
            ({"model": None}, "model"),
            ({"model": ""}, "model"),
            ({"model": 5}, "model"),
            ({"messages": None}, "messages"),
            ({"messages": []}, "messages"),
            ({"messages": {}}, "messages"),
            ({"messages": [*HELLO, {"content": "x"}]}, "messages[1].role"),
            ({"messages": [{"role": 1}]}, "messages[0].role"),
            ({"messages": [*HELLO, {"role": "user", "content": 5}]}, "messages[1].content"),
            (
                {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
                "messages[0].content[0].text",
            ),
            ({"messages": [{"role": "user", "content": [7]}]}, "messages[0].content[0]"),
            ({"system": 5}, "system"),
            ({"system": [{"type": "text", "text": []}]}, "system[0].text"),
            ({"tools": {}}, "tools"),
            ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
            ({"tools": [{"name": 5}]}, "tools[0].name"),
            ({"max_tokens": "many"}, "max_tokens"),
            ({"stop_sequences": ["a", 1]}, "stop_sequences[1]"),
            ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
            ({"tool_choice": "auto"}, "tool_choice"),
            ({"stream": "yes"}, "stream"),
        ):
            refusal = self.refused(body(**fields))
            self.assertEqual(refusal.param, param)
            self.assertTrue(refusal.message.startswith(f"{param}: "), refusal.message)
            self.assertIs(refusal.kind, Kind.INVALID_REQUEST)

    def test_not_utf8(self) -> None:
        """Wherever the bytes are that are no text."""
        for data in (
            b'{"model":"\xff","messages":[{"role":"user"}]}',
            b'{"model":"m","messages":[{"role":"user","content":["\xff"]}]}',
            b'{"model":"m","messages":[{"role":"user"}],"tools":[{"name":"a",'
            b'"input_schema":{"x":"\xff"}}]}',
            b'{"model":"m","messages":[{"role":"user","content":[{"type":"new","x":"\xff"}]}]}',
        ):
            self.assertIn("UTF-8", self.refused(data).message)

    def test_nested_too_deeply(self) -> None:
        """Depth is an attack, not a question."""
        deep = b"[" * 100_000
        self.assertIn("deeply", self.refused(b'{"model":"m","x":' + deep).message)

    def test_thread(self) -> None:
        """A conversation kept by the server is refused in the words its clients look for."""
        for parser in (parse, parse_count):
            refusal = self.assertRaises(
                RequestRejected, parser, body(thread={"type": "create"}, messages=[])
            )
            self.assertIs(refusal.kind, Kind.THREAD_UNSUPPORTED)
            self.assertEqual(
                refusal.details,
                {"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
            )


# Values that often are of the wrong type for the key they end up under.
_WORDS = [
    *("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"),
    *("tool_reference", "search_result", "server_tool_use", "web_search_tool_result"),
    *("base64", "url", "file", "content", "user", "assistant", "system", "any", "tool"),
    *("enabled", "json_schema", "bash_1", "custom", "new"),
]
_KEYS = [
    *("type", "text", "source", "data", "media_type", "url", "file_id", "content", "id", "name"),
    *("input", "tool_use_id", "is_error", "thinking", "signature", "tool_name", "title"),
    *("context", "role", "input_schema", "description", "budget_tokens", "display"),
    *("disable_parallel_tool_use", "user_id", "effort", "format", "schema", "session_id"),
]
_TOP = [
    *("model", "messages", "system", "tools", "tool_choice", "thinking", "max_tokens"),
    *("temperature", "top_p", "top_k", "stop_sequences", "stream", "metadata"),
    *("output_config", "output_format", "thread"),
]
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(_WORDS),
    st.text(max_size=5),
    st.just("\ud83d"),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    ),
    max_leaves=12,
)
_blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(_WORDS)},
    optional={key: _values for key in _KEYS if key != "type"},
)
_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(_WORDS)},
        optional={"content": st.one_of(st.text(max_size=5), st.lists(_blocks, max_size=2))},
    ),
    max_size=3,
)


class PropertyTests(SynchronousTestCase):
    """Never anything but a question or a refusal."""

    def check(self, data: bytes) -> None:
        for parser, kind in ((parse, Asked), (parse_count, tuple)):
            try:
                result = parser(data)
            except RequestRejected as refusal:
                self.assertIn(refusal.kind, (Kind.INVALID_REQUEST, Kind.THREAD_UNSUPPORTED))
                self.assertTrue(refusal.message)
            else:
                self.assertIsInstance(result, kind)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=60))
    def test_bytes(self, data: bytes) -> None:
        """Any bytes."""
        self.check(data)

    @settings(max_examples=100, deadline=None)
    @given(st.dictionaries(st.sampled_from(_TOP), _values))
    def test_values(self, fields: dict[str, Any]) -> None:
        """Any values under the known keys."""
        self.check(body(**fields))

    @settings(max_examples=100, deadline=None)
    @given(_messages)
    def test_messages(self, messages: list[Any]) -> None:
        """Any fields in blocks of known types."""
        self.check(body(messages=messages))

    @settings(max_examples=50, deadline=None)
    @given(_messages, st.integers(0), st.binary(max_size=3))
    def test_damaged(self, messages: list[Any], at: int, damage: bytes) -> None:
        """A good body with some bytes written over."""
        data = body(messages=messages)
        at %= len(data)
        self.check(data[:at] + damage + data[at + len(damage) :])


class UnservedTests(SynchronousTestCase):
    """Tools that nobody here can run."""

    def test_told(self) -> None:
        """The model is told after the client's own words, and only if there are any."""
        tools: list[Any] = [{"name": "a"}, {"type": "web_fetch_20250910", "name": "web_fetch"}]
        found = question(system="Be brief.", tools=tools).system
        self.assertEqual((2, "Be brief."), (len(found), found[0]))
        self.assertIn("web_fetch_20250910", found[1])
        self.assertEqual(("Be brief.",), question(system="Be brief.", tools=tools[:1]).system)
