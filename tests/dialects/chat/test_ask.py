# -*- test-case-name: tests.dialects.chat.test_ask -*-
"""Tests of the understanding of a chat completions request."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Image,
    OutputFormat,
    Reasoning,
    Reference,
    Sampling,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.dialects.chat.ask import parse
from kiro2api.dialects.dialect import Asked
from kiro2api.errors import KiroError, RequestRejected

USER = {"role": "user", "content": "q"}
ASKED = Turn("user", (Text("q"),))


def ask(*messages: object, **keys: object) -> Asked:
    return parse(msgspec.json.encode({"model": "m", "messages": list(messages), **keys}))


def conversation(*messages: object, **keys: object) -> Conversation:
    return ask(*messages, **keys).conversation


def call(identity: object, name: str, arguments: object) -> dict[str, object]:
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


class RequestTests(SynchronousTestCase):
    """The request around the messages."""

    def test_least(self) -> None:
        """The smallest request."""
        self.assertEqual(Asked(Conversation((ASKED,)), "m"), ask(USER))

    def test_everything(self) -> None:
        """All that is read, and much that is not."""
        asked = ask(
            {"role": "developer", "content": "s"},
            USER,
            stream=True,
            stream_options={"include_usage": True, "include_obfuscation": False},
            tools=[{"type": "function", "function": {"name": "f"}}],
            tool_choice="required",
            parallel_tool_calls=False,
            max_completion_tokens=100,
            temperature=1,
            top_p=0.5,
            top_k=40,
            stop=["a", "b"],
            reasoning_effort="high",
            response_format={"type": "json_object"},
            prompt_cache_key="thread-1",
            user="u",
            n=2,
            logprobs=True,
            seed=1,
            store=False,
            metadata={"a": "b"},
            verbosity="low",
            service_tier="auto",
            logit_bias={},
        )
        self.assertEqual(
            Asked(
                Conversation(
                    (ASKED,),
                    ("s",),
                    (ToolSpec("f"),),
                    ToolChoice("any", parallel=False),
                    Sampling(100, 1.0, 0.5, 40, ("a", "b")),
                    Reasoning("adaptive", effort="high"),
                    OutputFormat("json_object"),
                    "thread-1",
                ),
                "m",
                True,
                True,
                choices=2,
            ),
            asked,
        )

    def test_unserved_tools(self) -> None:
        """The model is told of tools that nobody can run, and of no others."""
        tools: list[object] = [
            {"type": "function", "function": {"name": "f"}},
            {"type": "custom", "custom": {"name": "c"}},
            {"name": "flat", "parameters": {"type": "object"}},
            {"type": "web_search"},
        ]
        self.assertEqual((), conversation(USER, tools=tools).system)
        found = conversation(USER, tools=[*tools, {"type": "code_interpreter"}])
        self.assertIn("code_interpreter", found.system[-1])
        self.assertEqual(3, len(found.tools))

    def test_choices(self) -> None:
        """One, unless it is said; no more than can be paid without a fright."""
        for wanted, choices in ((None, 1), (1, 1), (8, 8)):
            self.assertEqual(choices, ask(USER, n=wanted).choices)
        for unwanted in (0, 9, -1, "2"):
            error = self.assertRaises(RequestRejected, ask, USER, n=unwanted)
            self.assertEqual("n", error.param)

    def test_user_is_no_session(self) -> None:
        """A user may hold many conversations."""
        self.assertEqual("", conversation(USER, user="u").session)

    def test_no_usage_wanted(self) -> None:
        """Usage in the stream is asked for explicitly."""
        for options in (None, {}, {"include_usage": False}, {"include_usage": None}):
            self.assertFalse(ask(USER, stream_options=options).include_usage)

    def test_empty(self) -> None:
        """An empty model and an empty list of messages are refused by name."""
        for octets, param in [
            (b'{"model":"","messages":[{}]}', "model"),
            (b'{"model":"m","messages":[]}', "messages"),
        ]:
            error = self.assertRaises(RequestRejected, parse, octets)
            self.assertEqual(param, error.param)
            self.assertTrue(error.message.startswith(f"{param}: "))

    def test_too_deep(self) -> None:
        """Results within results without end are refused, not a crash."""
        for depth in (100, 300, 450, 10_000):
            opening = b'{"model":"m","messages":[' + b'{"type":"tool_result","content":[' * depth
            try:
                parse(opening + b"]}" * depth + b"]}")
            except RequestRejected as error:
                self.assertIn("nested too deeply", error.message)
            else:
                self.assertEqual(100, depth)

    def test_huge_number(self) -> None:
        """A number beyond all bounds is refused, not a crash."""
        octets = b'{"model":"m","messages":[{}],"max_tokens":1%b}' % (b"0" * 10_000)
        self.assertRaises(RequestRejected, parse, octets)

    def test_max_tokens(self) -> None:
        """The newer name wins; what is no limit is none."""
        cases: list[tuple[dict[str, object], int | None]] = [
            ({"max_tokens": 5}, 5),
            ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
            ({"max_tokens": 5, "max_completion_tokens": None}, 5),
            ({"max_tokens": 5.0}, 5),
            ({"max_tokens": 0}, None),
            ({"max_tokens": -1}, None),
            ({}, None),
        ]
        for keys, limit in cases:
            self.assertEqual(limit, conversation(USER, **keys).sampling.max_tokens)

    def test_stop(self) -> None:
        """A string, a list, or nothing; an empty text would stop everything."""
        for stop, expected in [
            ("a", ("a",)),
            (["a", ""], ("a",)),
            ("", ()),
            ([], ()),
            (None, ()),
        ]:
            self.assertEqual(expected, conversation(USER, stop=stop).sampling.stop)

    def test_reasoning_effort(self) -> None:
        """An effort asks for reasoning, except the one that forbids it."""
        for effort, expected in [
            ("low", Reasoning("adaptive", effort="low")),
            ("none", Reasoning("disabled")),
            ("", Reasoning()),
            (None, Reasoning()),
        ]:
            self.assertEqual(expected, conversation(USER, reasoning_effort=effort).reasoning)

    def test_response_format(self) -> None:
        """A schema is passed on byte for byte; plain text is no format."""
        raw = msgspec.Raw(b'{ "type":"object" }')
        for wanted, expected in [
            (None, None),
            ({"type": "text"}, None),
            ({"type": "json_object"}, OutputFormat("json_object")),
            (
                {"type": "json_schema", "json_schema": {"name": "P", "schema": raw}},
                OutputFormat("json_schema", b'{ "type":"object" }', "P"),
            ),
            (
                {"type": "json_schema", "json_schema": {"schema": {}}},
                OutputFormat("json_schema", b"{}"),
            ),
        ]:
            self.assertEqual(expected, conversation(USER, response_format=wanted).output_format)

    def test_response_format_without_schema(self) -> None:
        """A schema that is none is refused by name."""
        described: object
        for described in (None, {}, {"schema": None}, {"schema": []}):
            wanted: object = {"type": "json_schema", "json_schema": described}
            error = self.assertRaises(RequestRejected, ask, USER, response_format=wanted)
            self.assertEqual("response_format.json_schema.schema", error.param)


class SystemTests(SynchronousTestCase):
    """Where system texts go."""

    def test_leading(self) -> None:
        """The leading ones, of either role and any form, are the conversation's."""
        given = conversation(
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}, "c"]},
            {"role": "system", "content": ""},
            USER,
        )
        self.assertEqual(("a", "b", "c"), given.system)
        self.assertEqual((ASKED,), given.turns)

    def test_later(self) -> None:
        """Later ones keep their place, also the last."""
        given = conversation(USER, {"role": "system", "content": "z"})
        self.assertEqual((), given.system)
        self.assertEqual((ASKED, Turn("system", (Text("z"),))), given.turns)

    def test_with_an_image(self) -> None:
        """What is not only text stays a turn, and nothing overtakes it."""
        image = {"type": "image_url", "image_url": {"url": "https://example.org/a"}}
        given = conversation(
            {"role": "system", "content": [image]}, {"role": "system", "content": "b"}, USER
        )
        self.assertEqual((), given.system)
        self.assertEqual(
            (
                Turn("system", (Reference("image", "https://example.org/a"),)),
                Turn("system", (Text("b"),)),
                ASKED,
            ),
            given.turns,
        )

    def test_nothing_else(self) -> None:
        """Where there is nothing else, the last text is the question."""
        given = conversation({"role": "system", "content": "a"}, {"role": "system", "content": "b"})
        self.assertEqual((("a",), (Turn("system", (Text("b"),)),)), (given.system, given.turns))
        given = conversation({"role": "system"})
        self.assertEqual(((), (Turn("system", ()),)), (given.system, given.turns))


class TurnTests(SynchronousTestCase):
    """Messages become turns, one each."""

    def check(self, message: object, *parts: object, role: str = "user") -> None:
        turns = conversation(message, USER).turns
        self.assertEqual((role, parts), (turns[0].role, turns[0].parts))
        self.assertEqual((ASKED,), turns[1:])

    def test_unknown_role(self) -> None:
        """Whoever is not known is taken for the user."""
        for role in ("critic", "", None):
            self.check({"role": role, "content": "a"}, Text("a"))

    def test_empty(self) -> None:
        """A message without content keeps its place."""
        self.check({"role": "user", "content": None})
        self.check({"role": "assistant"}, role="assistant")

    def test_name(self) -> None:
        """A participant's name is shown to the model."""
        self.check({"role": "user", "name": "Ada", "content": "a"}, Text("Ada: a"))
        self.check(
            {
                "role": "user",
                "name": "Ada",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                    {"type": "text", "text": "b"},
                ],
            },
            Text("Ada:"),
            Image("image/png", "AA"),
            Text("b"),
        )
        self.check({"role": "user", "name": "Ada"}, Text("Ada:"))

    def test_assistant(self) -> None:
        """Text, refusal, then calls; unsigned reasoning is dropped."""
        self.check(
            {
                "role": "assistant",
                "content": "a",
                "refusal": "r",
                "reasoning_content": "hm",
                "provider_specific_fields": {},
                "tool_calls": [call("c1", "f", '{"x":1}'), call("c2", "g", "")],
            },
            Text("a"),
            Text("r"),
            ToolUse("c1", "f", b'{"x":1}'),
            ToolUse("c2", "g", b"{}"),
            role="assistant",
        )

    def test_arguments(self) -> None:
        """Whatever the arguments are, the input is one JSON value."""
        raw = msgspec.Raw
        for arguments, expected in [
            ("", b"{}"),
            (" \n", b"{}"),
            (None, b"{}"),
            ('{ "a": 1.50 }', b'{ "a": 1.50 }'),
            ("[1]", b"[1]"),
            ("7", b"7"),
            ({"a": 1}, b'{"a":1}'),
            (raw(b"123456789012345678901234567890"), b"123456789012345678901234567890"),
            ('{"a": "cu', b'"{\\"a\\": \\"cu"'),
            ('{"a":1}{}', b'"{\\"a\\":1}{}"'),
        ]:
            self.check(
                {"role": "assistant", "tool_calls": [call("c", "f", arguments)]},
                ToolUse("c", "f", expected),
                role="assistant",
            )

    def test_custom_call(self) -> None:
        """A freeform call's text is put where its schema has it; other kinds are dropped."""
        self.check(
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "c1", "type": "custom", "custom": {"name": "f", "input": 'a"'}},
                    {"id": "c2", "type": "custom", "custom": {}},
                    {"id": "c3", "type": "hosted"},
                ],
            },
            ToolUse("c1", "f", b'{"input":"a\\""}'),
            ToolUse("c2", "", b'{"input":""}'),
            role="assistant",
        )

    def test_call_without_id(self) -> None:
        """A call without an id gets one by its place, the same in every request."""
        self.check(
            {
                "role": "assistant",
                "tool_calls": [call(None, "f", ""), {"type": "custom", "custom": {"name": "g"}}],
            },
            ToolUse("call_0_0", "f"),
            ToolUse("call_0_1", "g", b'{"input":""}'),
            role="assistant",
        )

    def test_call_given_twice(self) -> None:
        """A call that is a block of the content as well counts once."""
        self.check(
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}],
                "tool_calls": [call("c1", "f", '{"a":1}'), call("c2", "f", "{}")],
            },
            ToolUse("c1", "f", b'{"a":1}'),
            ToolUse("c2", "f"),
            role="assistant",
        )

    def test_tool(self) -> None:
        """Results with content of any form, known or unknown to the calls."""
        for content, parts in [
            ("a", (Text("a"),)),
            (
                [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                (Text("a"), Text("b")),
            ),
            (None, ()),
        ]:
            self.check(
                {"role": "tool", "tool_call_id": "c9", "name": "f", "content": content},
                ToolResult("c9", parts),
            )
        self.check({"role": "tool", "content": "a"}, ToolResult("", (Text("a"),)))

    def test_results_each_their_turn(self) -> None:
        """Consecutive results stay apart and in order."""
        turns = conversation(
            USER,
            {"role": "assistant", "tool_calls": [call("a", "f", ""), call("b", "f", "")]},
            {"role": "tool", "tool_call_id": "b", "content": "2"},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ).turns
        self.assertEqual(
            (
                Turn("user", (ToolResult("b", (Text("2"),)),)),
                Turn("user", (ToolResult("a", (Text("1"),)),)),
            ),
            turns[2:],
        )

    def test_legacy_function(self) -> None:
        """Legacy results find the latest call of their function."""
        turns = conversation(
            USER,
            {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":1}'}},
            {"role": "function", "name": "f", "content": "1"},
            {"role": "assistant", "content": None, "function_call": {"name": "f"}},
            {"role": "function", "name": "f", "content": "2"},
            {"role": "function", "name": "g", "content": "3"},
            {"role": "function", "content": "4"},
        ).turns
        self.assertEqual(
            (
                Turn("assistant", (ToolUse("call_1", "f", b'{"a":1}'),)),
                Turn("user", (ToolResult("call_1", (Text("1"),)),)),
                Turn("assistant", (ToolUse("call_3", "f"),)),
                Turn("user", (ToolResult("call_3", (Text("2"),)),)),
                Turn("user", (ToolResult("call_g", (Text("3"),)),)),
                Turn("user", (ToolResult("call_", (Text("4"),)),)),
            ),
            turns[1:],
        )

    def test_foreign_blocks(self) -> None:
        """Calls and results as blocks inside messages are not lost."""
        turns = conversation(
            {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": {}}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look"},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {"p": "x"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "out"},
                    {"type": "text", "text": "go on"},
                ],
            },
        ).turns
        self.assertEqual(
            (
                ASKED,
                Turn("assistant", (Text("I look"), ToolUse("t1", "f", b'{"p":"x"}'))),
                Turn("user", (ToolResult("t1", (Text("out"),)), Text("go on"))),
            ),
            turns,
        )


# ── whatever comes ───────────────────────────────────────────────────────────

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["text", "function", "custom", "{}", "{", "data:,a", "data:image/png;base64,A"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def perhaps(*known: object) -> st.SearchStrategy[object]:
    """Mostly what belongs there, sometimes anything."""
    return st.one_of(*(st.just(value) for value in known), JSON)


def record(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.fixed_dictionaries({}, optional=fields)


TEXTS = st.sampled_from(["", "a", "é", "{}", '{"a":1}', "{", "data:image/png;base64,AA"])
SOURCE = record(
    type=st.sampled_from(["base64", "text", "url", "content"]),
    data=TEXTS,
    url=TEXTS,
    media_type=TEXTS,
    content=TEXTS,
)
PART = record(
    type=st.sampled_from(
        [
            "text",
            "image_url",
            "image",
            "file",
            "document",
            "input_audio",
            "refusal",
            "tool_use",
            "tool_result",
            "thinking",
            "redacted_thinking",
            "odd",
        ]
    ),
    text=TEXTS,
    image_url=st.one_of(TEXTS, record(url=TEXTS)),
    file=record(file_data=TEXTS, filename=TEXTS, file_id=TEXTS),
    source=SOURCE,
    id=TEXTS,
    name=TEXTS,
    input=JSON,
    tool_use_id=TEXTS,
    content=st.one_of(TEXTS, st.lists(record(type=st.just("text"), text=TEXTS), max_size=2)),
    thinking=TEXTS,
    signature=TEXTS,
    data=TEXTS,
)
CALLED = record(name=TEXTS, arguments=st.one_of(TEXTS, JSON))
MESSAGE = record(
    role=perhaps("system", "developer", "user", "assistant", "tool", "function"),
    content=st.one_of(st.none(), TEXTS, st.lists(st.one_of(PART, TEXTS), max_size=3)),
    name=st.one_of(st.none(), TEXTS),
    tool_calls=st.one_of(
        st.none(),
        st.lists(record(id=TEXTS, function=CALLED, custom=record(name=TEXTS, input=TEXTS))),
    ),
    tool_call_id=st.one_of(st.none(), TEXTS),
    function_call=st.one_of(st.none(), CALLED),
)
REQUEST = st.fixed_dictionaries(
    {"model": perhaps("m"), "messages": st.lists(MESSAGE, max_size=4)},
    optional={
        "stream": perhaps(True),
        "tools": st.lists(
            record(
                type=perhaps("function", "custom"),
                name=TEXTS,
                function=record(name=TEXTS, parameters=JSON),
                parameters=JSON,
            ),
            max_size=2,
        ),
        "tool_choice": perhaps("auto", "required", {"function": {"name": "a"}}),
        "stop": perhaps("a", ["a"]),
        "max_tokens": perhaps(1),
        "response_format": perhaps({"type": "json_schema", "json_schema": {"schema": {}}}),
        "unknown": JSON,
    },
)


class AnyBodyTests(SynchronousTestCase):
    """Whatever comes in is understood or rejected."""

    def understood(self, octets: bytes) -> None:
        try:
            asked = parse(octets)
        except KiroError as error:
            self.assertIs(RequestRejected, type(error))
            return
        self.assertIs(Asked, type(asked))
        self.assertTrue(asked.conversation.turns)
        for turn in asked.conversation.turns:
            for part in turn.parts:
                if isinstance(part, ToolUse):
                    json.loads(part.input)
        for tool in asked.conversation.tools:
            self.assertIsInstance(json.loads(tool.schema), dict)

    @settings(max_examples=100)
    @given(REQUEST)
    def test_likely(self, request: object) -> None:
        """Bodies that look like requests."""
        self.understood(json.dumps(request).encode())

    @settings(max_examples=100)
    @given(JSON)
    def test_any_json(self, value: object) -> None:
        """Any JSON."""
        self.understood(json.dumps(value).encode())

    @settings(max_examples=100)
    @given(st.binary())
    def test_any_bytes(self, octets: bytes) -> None:
        """Any bytes."""
        self.understood(octets)

    @settings(max_examples=60)
    @given(REQUEST, st.data())
    def test_cut_and_garbled(self, request: object, data: st.DataObject) -> None:
        """Requests with a byte changed, and cut anywhere."""
        octets = bytearray(json.dumps(request, ensure_ascii=False).encode())
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
        self.understood(bytes(octets))
        self.understood(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
