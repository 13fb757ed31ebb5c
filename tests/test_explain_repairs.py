# -*- test-case-name: tests.test_explain_repairs -*-
"""Repairs found by comparing a question with its translation."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Image,
    OutputFormat,
    Reasoning,
    Reference,
    Sampling,
    ServerTool,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.explain_repairs import repairs
from kiro2api.kiro.request import prepare

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
SOUND = b'{"type":"object","properties":{}}'
LOOK = ToolSpec("look", "Looks.", SOUND)


def said(role: Any, *parts: Any) -> Turn:
    """A turn."""
    return Turn(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def found(*turns: Turn, points: int = 0, **more: Any) -> dict[str, dict[str, Any]]:
    """The repairs of such a conversation by their names."""
    conversation = Conversation(turns, **more)
    prepared = prepare(
        conversation, conversation_id="c", continuation_id="d" * 36, tool_description_limit=40
    )
    sent = msgspec.json.decode(prepared.body("m", "", b"", points))
    return {each["what"]: each for each in repairs(conversation, sent, prepared.names)}


class RepairsTests(SynchronousTestCase):
    """Each kind by itself."""

    def only(self, told: dict[str, dict[str, Any]], what: str, **facts: Any) -> None:
        """That is the one thing that was told, with these facts."""
        self.assertEqual(told, {what: {"what": what, **facts}})

    def test_not_enforced(self) -> None:
        """Where the operator lets answers grow, no one is told that they are cut."""
        conversation = Conversation(
            (said("user", "hi"),), sampling=Sampling(max_tokens=9, stop=("x",))
        )
        prepared = prepare(
            conversation, conversation_id="c", continuation_id="d" * 36, tool_description_limit=40
        )
        sent = msgspec.json.decode(prepared.body("m", "", b"", 0))
        for enforced, expected in (
            (True, [("enforced here, on the answer", ["max_tokens", "stop"])]),
            (
                False,
                [
                    ("not enforced, as the settings say", ["max_tokens"]),
                    ("enforced here, on the answer", ["stop"]),
                ],
            ),
        ):
            told = repairs(conversation, sent, prepared.names, enforce_max_tokens=enforced)
            self.assertEqual([(each["what"], each["names"]) for each in told], expected)

    def test_nothing(self) -> None:
        """What is sent as it came needs no words."""
        call = ToolUse("t", "look", b"{}")
        result = ToolResult("t", (Text("seen"),))
        turns = (said("user", "a"), said("assistant", "b", call), said("user", result))
        self.assertEqual(found(*turns, tools=(LOOK,)), {})

    def test_silence(self) -> None:
        """What must not be empty gets a space."""
        call = ToolUse("t", "look", b"{}")
        turns = (said("user", "a"), said("assistant", call), said("user", ToolResult("t")))
        self.only(found(*turns, tools=(LOOK,)), "placeholders put in", texts={" ": 2})

    def test_names(self) -> None:
        """Names that the upstream does not take."""
        told = found(said("user", "a"), tools=(msgspec.structs.replace(LOOK, name="mcp.look"),))
        (names,) = (told.pop("tools renamed")["names"],)
        self.assertEqual((list(names), told), (["mcp.look"], {}))

    def test_tools_left_out(self) -> None:
        """Those that must not be called."""
        told = found(said("user", "a"), tools=(LOOK,), tool_choice=ToolChoice("none"))
        self.only(told, "tools left out", names=["look"])

    def test_stand_ins(self) -> None:
        """Tools of the history that are gone; one of the client's own is none."""
        turns = (
            said("user", "a"),
            said("assistant", "b", ToolUse("t", "gone")),
            said("user", ToolResult("t", (Text("x"),))),
        )
        told = found(*turns, tools=(ToolSpec("look", "Was", SOUND),))
        what = "stand-ins listed for tools that were called earlier"
        self.only(told, what, names=["gone"])

    def test_descriptions_and_schemas(self) -> None:
        """Long, missing, and what is no schema."""
        tools = (
            ToolSpec("long", "x" * 50, SOUND),
            ToolSpec("blank", " ", SOUND),
            ToolSpec("odd", "Odd.", b'{"type":"array"}'),
            ToolSpec("broken", "Broken.", b"{"),
        )
        told = found(said("user", "a"), tools=tools)
        self.assertEqual(
            {what: each["names"] for what, each in told.items() if "names" in each},
            {
                "long tool descriptions moved to the system text": ["long"],
                "missing tool descriptions filled": ["blank"],
                "tool schemas changed": ["odd", "broken"],
            },
        )

    def test_turns(self) -> None:
        """Merged ones, roles that do not exist, a prefilled answer."""
        turns = (said("user", "a"), said("system", "b"), said("assistant", "c"))
        told = found(*turns, system=("s",))
        self.assertEqual(told.pop("placeholders put in")["texts"], {"Please continue.": 1})
        self.assertEqual(
            set(told),
            {
                "system text sent as the first pair of messages",
                "system turns amid the messages sent as the user's",
                "prefilled answer sent as an earlier turn",
            },
        )
        told = found(said("user", "a"), said("user", "b"))
        self.only(told, "turns merged, split or added", given=2, sent=1)

    def test_own_words(self) -> None:
        """What the client itself says is no placeholder."""
        self.assertEqual(found(said("user", "Please continue.")), {})

    def test_calls(self) -> None:
        """Ids, orphans and calls without a result."""
        turns = (
            said("user", "a"),
            said("assistant", "b", ToolUse("bad id", "look"), ToolUse("t", "look")),
            said("user", "c", ToolResult("other", (Text("x"),))),
        )
        told = found(*turns, tools=(LOOK,))
        self.assertEqual(
            told["ids of tool calls changed, or calls told as text"]["ids"], ["bad id"]
        )
        self.assertEqual(
            told["tool results told as text, for want of their call"]["ids"], ["other"]
        )
        self.assertEqual(told["results added for calls that have none"]["ids"], ["t"])

    def test_attachments(self) -> None:
        """Images that are none, reasoning, and what was given by its address."""
        pictures = (Image("image/png", PIXEL), Image("image/png", "bm8="))
        turns = (
            said("user", "a", *pictures, Reference("image", "https://x.example/")),
            said("assistant", Thinking("hm"), "b"),
            said("user", "c"),
        )
        told = found(*turns)
        self.assertEqual(
            [(what, each.get("given"), each.get("sent")) for what, each in told.items()],
            [
                ("images left out", 2, 1),
                ("earlier reasoning left out", 1, 0),
                ("documents and addresses replaced by a note or read", None, None),
            ],
        )

    def test_cache(self) -> None:
        """More marks than the model takes."""
        turns = (Turn("user", (Text("a"),), True),)
        more = {"system": ("s",), "cache_system": True}
        told = found(*turns, points=1, **more)
        self.assertEqual(told["cache points left out"]["given"], 2)
        self.assertNotIn("cache points left out", found(*turns, points=2, **more))

    def test_elsewhere(self) -> None:
        """What is not in the body at all."""
        told = found(
            said("user", "a"),
            tools=(LOOK,),
            tool_choice=ToolChoice("any", parallel=False),
            sampling=Sampling(max_tokens=5, temperature=0.0, stop=("x",)),
            reasoning=Reasoning("enabled", 1024),
            output_format=OutputFormat("json_object"),
            server_tools=(ServerTool("web_search"),),
        )
        self.assertEqual(
            [each.get("names") for each in told.values()],
            [
                ["temperature"],
                ["max_tokens", "stop", "parallel tool calls"],
                ["tool_choice", "output format"],
                None,
                ["web_search"],
            ],
        )
