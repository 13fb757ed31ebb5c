# -*- test-case-name: tests.dialects.responses.test_ask -*-
"""Tests of requests becoming questions."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.held import Finished, Recollection
from kiro2api.conversation.question import (
    Conversation,
    OutputFormat,
    Reasoning,
    Sampling,
    ServerTool,
    Text,
    ToolUse,
    Turn,
)
from kiro2api.dialects.dialect import Asked
from kiro2api.dialects.responses.ask import parse
from kiro2api.dialects.responses.echo import Echo
from kiro2api.dialects.responses.history import KINDS
from kiro2api.errors import RequestRejected


def asked(recollection: Recollection = Recollection(), **body: Any) -> Asked:  # noqa: B008
    """A request, understood."""
    return parse(msgspec.json.encode({"model": "m", **body}), recollection)


def conversation(**body: Any) -> Conversation:
    """What is asked."""
    return asked(**body).conversation


def echo(**body: Any) -> Echo:
    """What the answer needs of it."""
    found = asked(**body).echo
    assert isinstance(found, Echo)
    return found


class InputTests(SynchronousTestCase):
    """What is said."""

    def test_string(self) -> None:
        """A message of the user."""
        self.assertEqual((Turn("user", (Text("Hi"),)),), conversation(input="Hi").turns)

    def test_instructions(self) -> None:
        """A text or items, in front of everything."""
        for sent in ("Be brief.", [{"role": "system", "content": "Be brief."}]):
            found = conversation(
                instructions=sent,
                input=[{"role": "developer", "content": "Now."}, {"role": "user", "content": "Hi"}],
            )
            self.assertEqual(("Be brief.", "Now."), found.system)
        for none in ("", None):
            self.assertEqual((), conversation(instructions=none, input="Hi").system)

    def test_only_instructions(self) -> None:
        """They are the question then."""
        self.assertEqual((Turn("system", (Text("Go."),)),), conversation(instructions="Go.").turns)

    def test_strange_items(self) -> None:
        """They do not spoil the rest."""
        items = [{"type": "hologram", "role": 5}, {"type": "web_search_call", "action": 1}, "Hi"]
        self.assertEqual((Turn("user", (Text("Hi"),)),), conversation(input=items).turns)

    def test_refused(self) -> None:
        """Bodies that cannot be served, with the field at fault."""
        for body, param in (
            ({}, "input"),
            ({"input": ""}, "input"),
            ({"input": []}, "input"),
            ({"input": 5}, "input"),
            ({"input": [5]}, "input[0]"),
            ({"input": [{"type": "message", "role": 5}]}, "input[0].role"),
            ({"input": "a", "model": ""}, "model"),
            ({"input": "a", "conversation": "conv_1"}, "conversation"),
            ({"input": "a", "conversation": {"id": "conv_1"}}, "conversation"),
            ({"input": "a", "prompt": {"id": "p"}}, "prompt"),
            ({"input": "a", "instructions": 5}, "instructions"),
            ({"input": "a", "text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
            ({"input": "a", "text": "x"}, "text"),
        ):
            error = self.assertRaises(RequestRejected, asked, **body)
            self.assertEqual(param, error.param)

    def test_not_json(self) -> None:
        """No JSON, no object."""
        for body in (b"", b"{", b"[]", b'{"model":"\xff"}'):
            self.assertRaises(RequestRejected, parse, body)


class OptionTests(SynchronousTestCase):
    """What is wished."""

    def test_sampling(self) -> None:
        """Limits that are none set none."""
        self.assertEqual(
            Sampling(100, 0.5, 0.9),
            conversation(input="a", max_output_tokens=100, temperature=0.5, top_p=0.9).sampling,
        )
        for limit in (None, 0, -1, 0.5):
            found = conversation(input="a", max_output_tokens=limit).sampling
            self.assertIs(None, found.max_tokens)

    def test_web_search(self) -> None:
        """The server's tool beside the client's, within the limit of calls that it runs."""
        tools = [{"type": "web_search"}, {"type": "function", "name": "f"}]
        for limit, uses in ((None, None), (3, 3), (-1, 0)):
            found = conversation(input="a", tools=tools, max_tool_calls=limit)
            self.assertEqual((ServerTool("web_search", max_uses=uses),), found.server_tools)
            self.assertEqual(["f"], [spec.name for spec in found.tools])
        self.assertEqual((), conversation(input="a", max_tool_calls="x").server_tools)
        error = self.assertRaises(
            RequestRejected, asked, input="a", tools=tools, max_tool_calls="x"
        )
        self.assertEqual("max_tool_calls", error.param)

    def test_reasoning(self) -> None:
        """Effort decides; a mere wish for a summary does not switch it on."""
        for sent, expected in (
            (None, Reasoning()),
            ({"summary": "auto"}, Reasoning()),
            ({"effort": "none"}, Reasoning("disabled")),
            ({"effort": "high", "summary": "auto"}, Reasoning("adaptive", effort="high")),
        ):
            self.assertEqual(expected, conversation(input="a", reasoning=sent).reasoning)

    def test_summary(self) -> None:
        """Reasoning is put in words for those who ask for it, by either name."""
        for sent, wanted in (
            (None, False),
            ({}, False),
            ({"summary": "none"}, False),
            ({"summary": "auto"}, True),
            ({"generate_summary": "concise"}, True),
        ):
            self.assertIs(wanted, echo(input="a", reasoning=sent).summary)

    def test_sealed(self) -> None:
        """Reasoning comes in a form to send back if it is asked for, or not kept here."""
        self.assertFalse(echo(input="a").sealed)
        self.assertTrue(echo(input="a", include=["reasoning.encrypted_content"]).sealed)
        self.assertTrue(echo(input="a", store=False).sealed)

    def test_format(self) -> None:
        """JSON with or without a schema."""
        schema = {"type": "object"}
        for sent, expected in (
            (None, None),
            ({"verbosity": "low"}, None),
            ({"format": {"type": "text"}}, None),
            ({"format": {"type": "json_object"}}, OutputFormat("json_object")),
            (
                {"format": {"type": "json_schema", "name": "n", "schema": schema}},
                OutputFormat("json_schema", b'{"type":"object"}', "n"),
            ),
        ):
            self.assertEqual(expected, conversation(input="a", text=sent).output_format)

    def test_session(self) -> None:
        """The client's key of its conversation."""
        self.assertEqual("k", conversation(input="a", prompt_cache_key="k").session)

    def test_tools_in_input(self) -> None:
        """They count like those beside it."""
        space = {"type": "namespace", "name": "s", "tools": [{"type": "custom", "name": "exec"}]}
        items = [
            {"type": "additional_tools", "role": "developer", "tools": [space]},
            {"type": "tool_search_output", "tools": [{"type": "function", "name": "found"}]},
            {"role": "user", "content": "Hi"},
        ]
        found = conversation(input=items, tools=[{"type": "function", "name": "ls"}])
        self.assertEqual(["ls", "exec", "found"], [tool.name for tool in found.tools])

    def test_tolerated(self) -> None:
        """Wishes that change nothing here."""
        asked(
            input="a",
            client_metadata={"a": "b"},
            service_tier="flex",
            truncation="auto",
            background=True,
            stream_options={"include_obfuscation": False},
            top_logprobs=3,
            max_tool_calls=4,
            safety_identifier="x",
            include=["message.output_text.logprobs"],
        )


class EarlierTests(SynchronousTestCase):
    """What was said in earlier responses."""

    CALL = b'{"type":"function_call","id":"fc_1","call_id":"c","name":"ls","arguments":"{}"}'

    def test_previous(self) -> None:
        """Comes after the instructions, before the input."""
        before = (b'{"role":"user","content":"one"}', self.CALL)
        found = asked(Recollection(before), instructions="Go.", input="two").conversation
        self.assertEqual(("Go.",), found.system)
        self.assertEqual(
            [(Text("one"),), (ToolUse("c", "ls", b"{}"),), (Text("two"),)],
            [turn.parts for turn in found.turns],
        )

    def test_references(self) -> None:
        """Held items stand in for references to them; the others are skipped."""
        items = [
            {"type": "item_reference", "id": "fc_1"},
            {"type": "item_reference", "id": "fc_2"},
            {"role": "user", "content": "Hi"},
        ]
        found = asked(Recollection(items={"fc_1": self.CALL}), input=items)
        self.assertEqual(["assistant", "user"], [turn.role for turn in found.conversation.turns])
        assert isinstance(found.echo, Echo)
        self.assertEqual((self.CALL, msgspec.json.encode(items[2])), found.echo.given)

    def test_kept(self) -> None:
        """Unless the client forbids it."""
        kept: list[Finished] = []
        for store, wanted in ((None, True), (True, True), (False, False)):
            body = {"model": "m", "input": "Hi", "store": store, "previous_response_id": "r"}
            found = parse(msgspec.json.encode(body), keep=kept.append).echo
            assert isinstance(found, Echo)
            self.assertEqual((wanted, wanted), (found.keep is not None, bool(found.given)))
            self.assertEqual("r", found.previous)


KEYS = (
    *("type", "role", "content", "name", "tools", "id", "output", "call_id", "text"),
    *("arguments", "input", "action", "format", "schema", "namespace", "image_url"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from([*sorted(filter(None, KINDS)), "new", None])},
        optional={
            "role": st.sampled_from(["user", "assistant", "system", "x"]),
            "content": st.text(max_size=3) | JSON,
            "call_id": st.text(max_size=3),
            "name": st.text(max_size=3),
            "arguments": JSON,
            "input": JSON,
            "output": JSON,
            "action": JSON,
            "operation": JSON,
            "tools": JSON,
            "encrypted_content": st.text(max_size=9),
        },
    ),
    max_size=4,
)
BODIES = st.fixed_dictionaries(
    {"model": st.text(max_size=3), "input": st.text(max_size=3) | ITEMS | JSON},
    optional={
        "instructions": JSON,
        "tools": JSON,
        "tool_choice": JSON,
        "text": JSON,
        "reasoning": JSON,
        "include": JSON,
        "metadata": JSON,
        "previous_response_id": JSON,
        "store": JSON,
        "max_output_tokens": JSON,
    },
)


class GeneratedTests(SynchronousTestCase):
    """Any body at all."""

    @given(BODIES)
    def test_any_body(self, body: Any) -> None:
        """Is understood or refused, nothing else."""
        try:
            found = parse(msgspec.json.encode(body))
        except RequestRejected as refused:
            self.assertTrue(refused.message)
        else:
            self.assertIsInstance(found, Asked)
            self.assertTrue(found.conversation.turns or body.get("input"))

    @given(st.binary(max_size=40))
    def test_any_bytes(self, body: bytes) -> None:
        """Also what is no JSON."""
        self.assertRaises(RequestRejected, parse, body)
