# -*- test-case-name: tests.kiro.test_request -*-
"""Tests of the request body: shape, acceptance, nothing lost."""

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    OutputFormat,
    Reference,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.errors import Kind, RequestRejected
from kiro2api.kiro.request import Prepared, conversation_key, prepare
from kiro2api.kiro.rules import check
from kiro2api.kiro.tools import SchemaCache
from kiro2api.kiro.wording import ANY_JSON, ANY_TOOL, CONTINUE, TOOL_UNAVAILABLE
from tests.kiro import strategies

CONVERSATION = "4b2f6a1e-0000-4000-8000-000000000001"
CONTINUATION = "4b2f6a1e-0000-4000-8000-000000000002"
ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEFGHIJKL"


def prepared(conversation: Conversation, limit: int = 10_000, **more: Any) -> Prepared:
    return prepare(
        conversation,
        conversation_id=CONVERSATION,
        continuation_id=CONTINUATION,
        tool_description_limit=limit,
        **more,
    )


def decoded(conversation: Conversation, limit: int = 10_000, **more: Any) -> Any:
    return msgspec.json.decode(prepared(conversation, limit, **more).body("claude-x", ARN))


def state(conversation: Conversation, **more: Any) -> Any:
    return decoded(conversation, **more)["conversationState"]


def current(conversation: Conversation, **more: Any) -> Any:
    return state(conversation, **more)["currentMessage"]["userInputMessage"]


def user(*parts: Any) -> Turn:
    return Turn("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def assistant(*parts: Any) -> Turn:
    return Turn("assistant", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def inputs(value: Any) -> Iterator[Any]:
    for message in value["conversationState"]["history"]:
        for use in message.get("assistantResponseMessage", {}).get("toolUses", ()):
            yield use["input"]


def said(conversation: Conversation) -> Iterator[str]:
    """Every text that must survive."""
    yield from conversation.system
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, Text):
                yield part.text
            elif isinstance(part, Reference):
                yield part.target
            elif isinstance(part, Document):
                yield part.name
                yield part.media_type
            elif isinstance(part, ToolResult):
                for inner in part.parts:
                    if isinstance(inner, Text):
                        yield inner.text
                    elif isinstance(inner, Reference):
                        yield inner.target
            elif isinstance(part, ToolUse) and turn.role != "assistant":
                yield part.input.decode("utf-8", "replace")
    if conversation.tool_choice.mode != "none":
        for tool in conversation.tools:
            if tool.name.strip():
                yield tool.description


def offered(conversation: Conversation, **more: Any) -> list[str]:
    context = current(conversation, **more).get("userInputMessageContext", {})
    return [tool["toolSpecification"]["name"] for tool in context.get("tools", ())]


class BodyTests(SynchronousTestCase):
    """The body around the messages."""

    def test_minimal(self) -> None:
        """A single question gives exactly the members the upstream wants."""
        body = decoded(Conversation(turns=(user("hi"),)))
        self.assertEqual(
            body,
            {
                "profileArn": ARN,
                "conversationState": {
                    "conversationId": CONVERSATION,
                    "agentContinuationId": CONTINUATION,
                    "agentTaskType": "vibe",
                    "chatTriggerType": "MANUAL",
                    "history": [],
                    "currentMessage": {
                        "userInputMessage": {
                            "content": "hi",
                            "origin": "AI_EDITOR",
                            "modelId": "claude-x",
                        }
                    },
                },
            },
        )

    def test_no_profile(self) -> None:
        """Without an ARN the member is absent, and the model id is escaped like any text."""
        value = msgspec.json.decode(prepared(Conversation(turns=(user("hi"),))).body('m"x', ""))
        self.assertEqual(list(value), ["conversationState"])
        message = value["conversationState"]["currentMessage"]["userInputMessage"]
        self.assertEqual(message["modelId"], 'm"x')

    def test_one_preparation_many_accounts(self) -> None:
        """The same preparation serves accounts that differ in model id and ARN."""
        one = prepared(Conversation(turns=(user("hi"),)))
        self.assertEqual(one.body("a", ""), one.body("b", "").replace(b'"b"', b'"a"'))
        self.assertNotIn("hi", repr(one))

    def test_system_pair(self) -> None:
        """System texts come first, joined, as a pair; the billing line is left out."""
        history = state(
            Conversation(
                turns=(user("hi"),),
                system=("x-anthropic-billing-header: v=1;", "one", " ", "two"),
            )
        )["history"]
        self.assertEqual(len(history), 2)
        self.assertEqual(history[0]["userInputMessage"]["content"], "one\n\ntwo")
        self.assertNotIn("modelId", history[0]["userInputMessage"])
        self.assertTrue(history[1]["assistantResponseMessage"]["content"].strip())

    def test_billing_line_only(self) -> None:
        """A billing block alone makes no pair; what follows its line is kept."""
        header = "x-anthropic-billing-header: v=1;"
        self.assertEqual(state(Conversation(turns=(user("hi"),), system=(header,)))["history"], [])
        history = state(Conversation(turns=(user("hi"),), system=(header + "\nrest",)))["history"]
        self.assertEqual(history[0]["userInputMessage"]["content"], "rest")

    def test_tools_on_current_message(self) -> None:
        """Tools stand beside the results of the current message, with finished schemas."""
        message = current(
            Conversation(
                turns=(
                    user("go"),
                    assistant(ToolUse("t1", "ls", b'{"path": "."}')),
                    user(ToolResult("t1", (Text("a.txt"),)), "and?"),
                ),
                tools=(ToolSpec("ls", "List", b'{"type":"OBJECT","properties":null}'),),
            )
        )
        self.assertEqual(message["content"], "and?")
        self.assertEqual(
            message["userInputMessageContext"],
            {
                "toolResults": [
                    {"toolUseId": "t1", "content": [{"text": "a.txt"}], "status": "success"}
                ],
                "tools": [
                    {
                        "toolSpecification": {
                            "name": "ls",
                            "description": "List",
                            "inputSchema": {"json": {"type": "object", "properties": {}}},
                        }
                    }
                ],
            },
        )

    def test_input_bytes_pass(self) -> None:
        """The input of a call travels byte for byte."""
        turns = (user("go"), assistant(ToolUse("t", "ls", b'{"path":  1.50}')), user("x"))
        self.assertIn(b'{"path":  1.50}', prepared(Conversation(turns=turns)).body("m", ""))

    def test_placeholder_tools(self) -> None:
        """A tool that only the history knows gets a stand-in."""
        conversation = Conversation(
            turns=(user("go"), assistant(ToolUse("t1", "gone")), user("next")),
            tools=(ToolSpec("here", "x"),),
        )
        self.assertEqual(offered(conversation), ["here", "gone"])
        spec = current(conversation)["userInputMessageContext"]["tools"][1]["toolSpecification"]
        self.assertEqual(spec["description"], TOOL_UNAVAILABLE)

    def test_choice_none(self) -> None:
        """No tools are offered then, but for those that the history refers to."""
        none = ToolChoice(mode="none")
        tools = (ToolSpec("ls", "List"),)
        plain = Conversation(turns=(user("go"),), tools=tools, tool_choice=none)
        self.assertEqual(offered(plain), [])
        used = Conversation(
            turns=(user("go"), assistant(ToolUse("t1", "ls")), user("next")),
            tools=tools,
            tool_choice=none,
        )
        self.assertEqual(offered(used), ["ls"])

    def test_choice_any(self) -> None:
        """A forced call is asked for in words, behind the user's text."""
        conversation = Conversation(
            turns=(user("go"),), tools=(ToolSpec("ls"),), tool_choice=ToolChoice(mode="any")
        )
        self.assertEqual(current(conversation)["content"], f"go\n\n{ANY_TOOL}")

    def test_output_format(self) -> None:
        """A wanted format is asked for in words, also beside results only."""
        conversation = Conversation(
            turns=(user("go"), assistant(ToolUse("t", "ls")), user(ToolResult("t"))),
            output_format=OutputFormat("json_object"),
        )
        self.assertEqual(current(conversation)["content"], ANY_JSON)

    def test_long_description(self) -> None:
        """What a description loses to the limit stands in the system text."""
        conversation = Conversation(
            turns=(user("go"),), tools=(ToolSpec("ls", "é" * 30),), system=("rules",)
        )
        history = state(conversation, limit=20)["history"]
        text = history[0]["userInputMessage"]["content"]
        self.assertTrue(text.startswith("rules\n\n"))
        self.assertIn("## ls\n\n" + "é" * 30, text)

    def test_names_lead_back(self) -> None:
        """The names of the preparation lead from the upstream's to the client's."""
        long = "mcp__server__" + "x" * 60
        one = prepared(
            Conversation(
                turns=(user("go"), assistant(ToolUse("t", long)), user("x")),
                tools=(ToolSpec(long, "d"), ToolSpec("ls", "d")),
            )
        )
        message = msgspec.json.decode(one.body("m", ""))["conversationState"]
        specs = message["currentMessage"]["userInputMessage"]["userInputMessageContext"]["tools"]
        name = specs[0]["toolSpecification"]["name"]
        use = message["history"][1]["assistantResponseMessage"]["toolUses"][0]
        self.assertEqual(use["name"], name)
        self.assertEqual(len(specs), 2)
        self.assertEqual(dict(one.names), {name: long, "ls": "ls"})

    def test_half_surrogates(self) -> None:
        """A text cut in the middle of an emoji becomes valid UTF-8, and nothing else changes."""
        png = Image("image/png", strategies.PNG)
        turns = (
            user("a\ud83d", png),
            assistant(ToolUse("t\ud83d", "n\ud83d", b'{"k":1}')),
            user("b\ud83d\ude00"),
        )
        value = decoded(Conversation(turns=turns))
        texts = list(strings(value))
        self.assertIn("a\ufffd", texts)
        self.assertIn("b\U0001f600", texts)
        self.assertEqual(check(value), [])

    def test_schema_cache_is_used(self) -> None:
        """The caller's cache keeps the repaired schemas."""
        cache = SchemaCache()
        conversation = Conversation(turns=(user("go"),), tools=(ToolSpec("ls", "", b"{}"),))
        prepared(conversation, schemas=cache)
        self.assertEqual(len(cache), 1)

    def test_replay_thinking(self) -> None:
        """Signed reasoning goes back only where that was asked for."""
        turns = (user("a"), assistant(Thinking("deep", "sig"), "b"), user("c"))
        conversation = Conversation(turns=turns)
        self.assertNotIn("deep", list(strings(decoded(conversation))))
        message = state(conversation, replay_thinking=True)["history"][1]
        self.assertEqual(
            message["assistantResponseMessage"]["reasoningContent"],
            {"reasoningText": {"text": "deep", "signature": "sig"}},
        )

    def test_fields(self) -> None:
        """Additional fields stand at the root, as they are, with or without a profile."""
        ready = prepared(Conversation((user("hi"),)))
        fields = b'{"thinking":{"type":"adaptive"}}'
        for arn in ("", ARN):
            value = msgspec.json.decode(ready.body("claude-x", arn, fields))
            self.assertEqual(
                value["additionalModelRequestFields"], {"thinking": {"type": "adaptive"}}
            )
            self.assertEqual(value.get("profileArn", ""), arn)
            self.assertEqual(check(value), [])
        self.assertNotIn(b"additional", ready.body("claude-x", ARN))

    def test_preface(self) -> None:
        """Goes before the system text, or is one."""
        for system, expected in ((("be brief",), "<x>\nbe brief"), ((), "<x>")):
            history = state(Conversation((user("hi"),), system), preface="<x>")["history"]
            self.assertEqual(history[0]["userInputMessage"]["content"], expected)


class RefusalTests(SynchronousTestCase):
    """What cannot be repaired is refused in the client's terms."""

    def refused(self, conversation: Conversation, **more: Any) -> RequestRejected:
        with self.assertRaises(RequestRejected) as caught:
            prepared(conversation, **more)
        error: RequestRejected = caught.exception
        return error

    def test_text_too_long(self) -> None:
        """One text over the upstream's limit: the largest parts are named."""
        error = self.refused(
            Conversation(turns=(user("small"), assistant("x"), user("y" * 10_000_001)))
        )
        self.assertEqual(error.kind, Kind.TOO_LARGE)
        self.assertEqual(error.code, "CONTENT_LENGTH_EXCEEDS_THRESHOLD")
        self.assertIn("the last message", error.message)
        self.assertIn("messages[2] 10.0 MB", error.message)

    def test_earlier_result_too_long(self) -> None:
        """The place is named for results and earlier messages too."""
        turns = (
            user("small"),
            assistant(ToolUse("t", "ls")),
            user(ToolResult("t", (Text("y" * 10_000_001),))),
        )
        self.assertIn(
            "a tool result in the last message", self.refused(Conversation(turns)).message
        )
        more = (*turns, assistant("ok"), user("go"))
        self.assertIn(
            "a tool result in an earlier message", self.refused(Conversation(more)).message
        )

    def test_body_too_large(self) -> None:
        """Many texts that together exceed what the upstream takes."""
        turns = tuple(t for _ in range(11) for t in (user("x" * 1_000_000), assistant("y")))
        error = self.refused(Conversation(turns=turns))
        self.assertEqual(error.kind, Kind.TOO_LARGE)
        self.assertIn("messages[0] 1.0 MB", error.message)

    def test_images_do_not_count_as_text(self) -> None:
        """Images have limits of their own."""
        big = Image("image/png", strategies.PNG[:-4] + "A" * 5_000_000)
        self.assertEqual(len(current(Conversation(turns=(user(big, big, big),)))["images"]), 3)

    def test_bad_conversation_id(self) -> None:
        """An id that the upstream refuses never leaves."""
        error = self.assertRaises(
            RequestRejected,
            prepare,
            Conversation(turns=(user("hi"),)),
            conversation_id="x" * 129,
            continuation_id=CONTINUATION,
            tool_description_limit=100,
        )
        self.assertEqual(error.kind, Kind.INVALID_REQUEST)
        self.assertIn("conversationId", error.message)
        self.assertEqual(error.details["rule"], "length")

    def test_bad_tool_in_client_terms(self) -> None:
        """A limit that leaves no description is named as a fault of a tool definition."""
        conversation = Conversation(turns=(user("go"), assistant(ToolUse("t", "ls")), user("x")))
        error = self.refused(conversation, limit=0)
        self.assertIn("a tool definition", error.message)


class ConversationKeyTests(SynchronousTestCase):
    """The stable id of a conversation."""

    def test_grows_with_the_conversation(self) -> None:
        """Later turns do not change it; nor does the billing line."""
        first = Conversation(turns=(user("hi"),), system=("x-anthropic-billing-header: 1", "s"))
        later = Conversation(
            turns=(user("hi"), assistant("yo"), user("more")),
            system=("x-anthropic-billing-header: 2", "s"),
        )
        self.assertEqual(conversation_key(first), conversation_key(later))

    def test_shape(self) -> None:
        """It has the shape of a UUID of version 8."""
        self.assertRegex(
            conversation_key(Conversation(turns=())),
            "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        )

    def test_distinguishes(self) -> None:
        """System, first user turn (texts, images, results) and session each matter."""
        some = [
            Conversation(turns=()),
            Conversation(turns=(user("a"),)),
            Conversation(turns=(user("b"),)),
            Conversation(turns=(user("a", "b"),)),
            Conversation(turns=(user("ab"),)),
            Conversation(turns=(), system=("a",)),
            Conversation(turns=(user("a"),), system=("a",)),
            Conversation(turns=(user(Image("image/png", "AAAA")),)),
            Conversation(turns=(user(ToolResult("t1")),)),
            Conversation(turns=(user(Thinking("t1"), "\ud800"),)),
            Conversation(turns=(), session="a"),
            Conversation(turns=(), session="b"),
        ]
        self.assertEqual(len({conversation_key(one) for one in some}), len(some))

    def test_session_wins(self) -> None:
        """With a session key nothing else counts."""
        one = Conversation(turns=(user("a"),), session="s")
        other = Conversation(turns=(user("b"),), system=("x",), session="s")
        self.assertEqual(conversation_key(one), conversation_key(other))


class AnyQuestionTests(SynchronousTestCase):
    """Whatever the client sends."""

    @settings(max_examples=100, deadline=None)
    @given(strategies.conversations)
    def test_accepted_and_complete(self, conversation: Conversation) -> None:
        """The upstream's rules accept the body, and no text of the question is lost."""
        value = decoded(conversation, 30, replay_thinking=True)
        self.assertEqual(check(value), [])
        texts = list(strings(value))
        for text in said(conversation):
            if text.strip():
                self.assertTrue(any(text in one for one in texts), repr(text))

    @settings(max_examples=50, deadline=None)
    @given(strategies.conversations)
    def test_calls_complete(self, conversation: Conversation) -> None:
        """Every call of the assistant is there, in order, with its input and a unique id."""
        one = prepared(conversation)
        value = msgspec.json.decode(one.body("m", ""))
        calls = [
            use
            for message in value["conversationState"]["history"]
            for use in message.get("assistantResponseMessage", {}).get("toolUses", ())
        ]
        asked = [
            part
            for turn in conversation.turns
            for part in turn.parts
            if turn.role == "assistant" and isinstance(part, ToolUse)
        ]
        self.assertEqual([one.names[call["name"]] for call in calls], [use.name for use in asked])
        self.assertEqual(len({call["toolUseId"] for call in calls}), len(calls))
        for call, use in zip(calls, asked, strict=True):
            self.assertIsInstance(call["input"], dict)
            if not use.input.strip():
                self.assertEqual(call["input"], {})
                continue
            try:
                wanted = msgspec.json.decode(use.input)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                wanted = None
            text = {"text": use.input.decode("utf-8", "replace")}
            self.assertIn(call["input"], (wanted, {"value": wanted}, text))

    @settings(max_examples=50, deadline=None)
    @given(strategies.conversations)
    def test_deterministic(self, conversation: Conversation) -> None:
        """The same question gives the same bytes, with a warm cache too."""
        cache = SchemaCache()
        first = prepared(conversation, schemas=cache).body("m", ARN)
        self.assertEqual(prepared(conversation, schemas=cache).body("m", ARN), first)
        self.assertEqual(prepared(conversation).body("m", ARN), first)

    def test_nothing_at_all(self) -> None:
        """An empty question still is one."""
        self.assertEqual(current(Conversation(turns=()))["content"], CONTINUE)
