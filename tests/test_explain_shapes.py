"""A table: the shape of a request, and what is done to it so that the upstream takes it."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.explain import Explainer
from kiro2api.kiro.models import Catalogue
from kiro2api.kiro.rules import check
from tests.fakes.lending import FakeOffers, account

ASK: dict[str, Any] = {"role": "user", "content": "look at the list"}
TOOL: dict[str, Any] = {
    "name": "look",
    "description": "Looks.",
    "input_schema": {"type": "object", "properties": {}},
}
CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
CALLED = {"role": "assistant", "content": [CALL]}


def explainer() -> Explainer:
    """With one account of which nothing is known."""
    return Explainer(
        Catalogue(),
        lambda group: (account("a"),),
        FakeOffers(),
        default_group="default",
        tool_description_limit=10_000,
        new_id=lambda: "00000000-0000-4000-8000-000000000000",
    )


def said(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    """One message."""
    return {"role": role, "content": list(blocks)}


def result(*blocks: dict[str, Any], id: str = "t1") -> dict[str, Any]:
    """What a tool gave back."""
    return {"type": "tool_result", "tool_use_id": id, "content": list(blocks)}


def text(words: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words}


Shape = tuple[str, str, dict[str, Any], list[str], list[str]]

# Name, dialect, the body without its model, what is done to it, what the model is to read of it.
SHAPES: list[Shape] = [
    ("plain", "anthropic", {"messages": [ASK]}, [], ["look at the list"]),
    (
        "compaction: calls in the history and no tools",
        "anthropic",
        {"messages": [ASK, CALLED, said("user", result(text("two")), text("sum it up"))]},
        ["stand-ins listed for tools that were called earlier", "placeholders put in"],
        ["two", "sum it up"],
    ),
    (
        "system turn amid the messages",
        "anthropic",
        {"messages": [ASK, {"role": "system", "content": "a reminder"}, ASK]},
        ["turns merged, split or added", "system turns amid the messages sent as the user's"],
        ["a reminder"],
    ),
    (
        "prefilled answer",
        "anthropic",
        {"messages": [ASK, {"role": "assistant", "content": "1. "}]},
        [
            "turns merged, split or added",
            "prefilled answer sent as an earlier turn",
            "placeholders put in",
        ],
        ["1. "],
    ),
    (
        "call that was interrupted",
        "anthropic",
        {"messages": [ASK, CALLED, ASK], "tools": [TOOL]},
        ["placeholders put in", "results added for calls that have none"],
        ["no result: the call was interrupted"],
    ),
    (
        "result without its call",
        "anthropic",
        {"messages": [said("user", result(text("two"), id="t9"))]},
        ["tool results told as text, for want of their call"],
        ["two"],
    ),
    (
        "reasoning without a signature",
        "anthropic",
        {
            "messages": [
                ASK,
                said(
                    "assistant", {"type": "thinking", "thinking": "hm", "signature": ""}, text("ok")
                ),
                ASK,
            ]
        },
        ["earlier reasoning left out"],
        ["ok"],
    ),
    (
        "names that are too long, missing descriptions",
        "anthropic",
        {"messages": [ASK], "tools": [{**TOOL, "name": "x" * 70, "description": ""}]},
        ["tools renamed", "missing tool descriptions filled"],
        [],
    ),
    (
        "schema with a keyword that is not for the upstream",
        "anthropic",
        {
            "messages": [ASK],
            "tools": [{**TOOL, "input_schema": {"$schema": "s", "type": "object"}}],
        },
        ["tool schemas changed"],
        [],
    ),
    (
        "image that is none",
        "anthropic",
        {
            "messages": [
                said(
                    "user",
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                    },
                )
            ]
        },
        ["images left out"],
        ["it is not a PNG, JPEG, GIF or WebP image"],
    ),
    (
        "cache points where none are known to be taken",
        "anthropic",
        {"messages": [said("user", {**text("a"), "cache_control": {"type": "ephemeral"}})]},
        ["cache points left out"],
        ["a"],
    ),
    (
        "limits and sampling",
        "chat",
        {"messages": [ASK], "temperature": 0.1, "stop": ["END"], "max_tokens": 5},
        ["no effect: the upstream has no field", "enforced here, on the answer"],
        [],
    ),
    (
        "demanded JSON",
        "chat",
        {"messages": [ASK], "response_format": {"type": "json_object"}},
        ["told to the model and checked"],
        ["Answer with one JSON object"],
    ),
    (
        "developer message and a call with half an input",
        "responses",
        {
            "input": [
                {"type": "message", "role": "developer", "content": "be brief"},
                {"type": "message", "role": "user", "content": "hi"},
                {"type": "function_call", "call_id": "c|1", "name": "look", "arguments": "{"},
                {"type": "function_call_output", "call_id": "c|1", "output": "two"},
            ]
        },
        [
            "stand-ins listed for tools that were called earlier",
            "system text sent as the first pair of messages",
            "placeholders put in",
            "ids of tool calls changed, or calls told as text",
        ],
        ["be brief", "two"],
    ),
    (
        "web search",
        "responses",
        {"input": "hi", "tools": [{"type": "web_search"}]},
        ["run here"],
        [],
    ),
    # Hosted tools and what they leave in the history: never refused, and told as far as it goes.
    (
        "search results of an earlier answer",
        "anthropic",
        {
            "messages": [
                ASK,
                said(
                    "assistant",
                    {
                        "type": "server_tool_use",
                        "id": "s1",
                        "name": "web_search",
                        "input": {"query": "lists"},
                    },
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "s1",
                        "content": [
                            {
                                "type": "web_search_result",
                                "url": "https://a.example/",
                                "title": "Lists",
                                "encrypted_content": "x",
                            }
                        ],
                    },
                    text("found"),
                ),
                ASK,
            ]
        },
        [],
        ["lists", "https://a.example/", "found"],
    ),
    (
        "tool references and deferred tools",
        "anthropic",
        {
            "messages": [
                ASK,
                CALLED,
                said("user", result({"type": "tool_reference", "tool_name": "other"})),
            ],
            "tools": [{**TOOL, "defer_loading": True}],
        },
        ["placeholders put in"],
        ["The tool other is available now."],
    ),
    (
        "calls of an MCP server that ran elsewhere",
        "anthropic",
        {
            "messages": [
                ASK,
                said(
                    "assistant",
                    {
                        "type": "mcp_tool_use",
                        "id": "m1",
                        "name": "find",
                        "server_name": "shelf",
                        "input": {},
                    },
                    {
                        "type": "mcp_tool_result",
                        "tool_use_id": "m1",
                        "is_error": False,
                        "content": [text("on the shelf")],
                    },
                ),
                ASK,
            ]
        },
        [],
        ["find", "on the shelf"],
    ),
    (
        "container blocks",
        "anthropic",
        {
            "container": "c_1",
            "messages": [
                ASK,
                said(
                    "assistant",
                    {
                        "type": "server_tool_use",
                        "id": "s1",
                        "name": "code_execution",
                        "input": {"code": "6*7"},
                    },
                    {
                        "type": "code_execution_tool_result",
                        "tool_use_id": "s1",
                        "content": {
                            "type": "code_execution_result",
                            "stdout": "42",
                            "stderr": "",
                            "return_code": 0,
                            "content": [],
                        },
                    },
                    {"type": "container_upload", "file_id": "file_7"},
                ),
                ASK,
            ],
        },
        [],
        ["6*7", "42", "file_7"],
    ),
    (
        "a block nobody knows",
        "anthropic",
        {"messages": [said("user", {"type": "novelty", "words": "new"})]},
        [],
        ["new"],
    ),
]

# Tools that have a type of their own: what the model is offered in their place, or is told.
HOSTED: list[tuple[str, dict[str, Any], str, str]] = [
    ("anthropic", {"type": "bash_20250124", "name": "bash"}, "bash", ""),
    (
        "anthropic",
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
        "str_replace_based_edit_tool",
        "",
    ),
    (
        "anthropic",
        {
            "type": "computer_20250124",
            "name": "computer",
            "display_width_px": 10,
            "display_height_px": 10,
        },
        "computer",
        "",
    ),
    (
        "anthropic",
        {"type": "code_execution_20250825", "name": "code_execution"},
        "code_execution",
        "",
    ),
    ("anthropic", {"type": "memory_20250818", "name": "memory"}, "memory", ""),
    ("anthropic", {"type": "web_fetch_20250910", "name": "web_fetch"}, "", "web_fetch_20250910"),
    ("anthropic", {"type": "mcp_toolset", "mcp_server_name": "x"}, "", "mcp_toolset"),
    ("responses", {"type": "image_generation"}, "", "image_generation"),
    ("responses", {"type": "custom", "name": "raw"}, "raw", ""),
    (
        "responses",
        {"type": "mcp", "server_label": "shelf", "server_url": "https://a.example"},
        "",
        "shelf",
    ),
]


class ShapesTests(SynchronousTestCase):
    """The tables hold."""

    def told(self, dialect: str, body: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """The explanation and the upstream's body, which breaks no rule."""
        limit = {"max_tokens": 99} if dialect == "anthropic" else {}
        request = {"model": "claude-opus-4-7", **limit, **body}
        told = explainer().explain(dialect, msgspec.json.encode(request))
        self.assertIsNone(told["error"])
        payload = bytes(told["payload"])
        self.assertEqual(check(msgspec.json.decode(payload)), [])
        return told, payload.decode()

    def test_shapes(self) -> None:
        """Each shape leads to its repairs and no others, and loses none of its words."""
        for name, dialect, body, repairs, words in SHAPES:
            told, payload = self.told(dialect, body)
            found = [repair["what"] for repair in told["repairs"]]
            if dialect == "anthropic":
                # Every request there has a limit.
                self.assertEqual(found.pop(), "enforced here, on the answer")
            self.assertEqual(found, repairs, name)
            for word in words:
                self.assertIn(word, payload, name)

    def test_hosted(self) -> None:
        """What a client can run is offered as a tool of its own; of the rest the model is told."""
        for dialect, tool, offered, named in HOSTED:
            key = "input" if dialect == "responses" else "messages"
            asked = "hi" if dialect == "responses" else [ASK]
            _, payload = self.told(dialect, {key: asked, "tools": [tool]})
            state = msgspec.json.decode(payload)["conversationState"]
            current = state["currentMessage"]["userInputMessage"]
            listed = (current.get("userInputMessageContext") or {}).get("tools") or ()
            names = [spec["toolSpecification"]["name"] for spec in listed]
            self.assertEqual(names, [offered] if offered else [], tool["type"])
            self.assertIn(named, str(state["history"]), tool["type"])

    def test_refused(self) -> None:
        """What its vendor alone can run is refused by its name."""
        for kind in ("file_search", "code_interpreter"):
            body = {"model": "m", "input": "hi", "tools": [{"type": kind}]}
            error = explainer().explain("responses", msgspec.json.encode(body))["error"]
            self.assertEqual(error["status"], 400)
            self.assertIn(kind, error["message"])
