"""The web search as clients of OpenAI Responses see it, streamed and whole."""

from typing import Any

from kiro2api.errors import AccessRefused
from tests.dialects.responses.checker import read
from tests.fakes.upstream import metered, said
from tests.web.case import Reply
from tests.web.test_enforced import EnforcedCase, called
from tests.web.test_websearch import searched

RESPONSES = "/v1/responses"
SEARCH = {"type": "web_search", "search_context_size": "low"}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
URL = "https://a.example/"


class SearchTests(EnforcedCase):
    """Over real frames."""

    def ask(self, body: dict[str, Any], *answers: bytes) -> Reply:  # type: ignore[override]
        """One answer."""
        body = {"input": "Hi", "tools": [SEARCH], **body}
        return self.reply(RESPONSES, body, *answers)

    def both(self, body: dict[str, Any], *answers: bytes) -> Any:
        """The response, whose output is the same streamed and whole."""
        whole = self.ask(body, *answers)
        self.assertEqual(200, whole.status, whole.body)
        streamed = read(self.ask({**body, "stream": True}, *answers).body).response
        assert streamed is not None
        collected = whole.json
        for response in (collected, streamed):
            for item in response["output"]:
                item["id"] = item["id"][:3]
        self.assertEqual(collected["output"], streamed["output"])
        self.assertEqual(collected["usage"], streamed["usage"])
        return collected

    def test_search(self) -> None:
        """Two rounds become one response, with the search between the texts."""
        response = self.both(
            {},
            said("I look. ") + searched("tooluse_1") + metered(),
            said(f"See {URL}.") + metered(),
        )
        self.assertEqual("completed", response["status"])
        before, search, after = response["output"]
        self.assertEqual([], before["content"][0]["annotations"])
        self.assertEqual(("web_search_call", "completed"), (search["type"], search["status"]))
        self.assertEqual({"type": "search", "query": "news"}, search["action"])
        (named,) = after["content"][0]["annotations"]
        self.assertEqual((URL, "A", 4), (named["url"], named["title"], named["start_index"]))
        self.assertEqual([("a", "news")] * 2, self.frames.searches)

    def test_failed(self) -> None:
        """An account that cannot search; the answer goes on."""
        self.frames.found = AccessRefused("no")
        response = self.both({}, searched("tooluse_1") + metered(), said("I cannot.") + metered())
        self.assertEqual("failed", response["output"][0]["status"])
        self.assertEqual("completed", response["status"])

    def test_choices(self) -> None:
        """A search that is wanted is offered, one that is forbidden is not."""
        for choice, offered in (({"type": "web_search"}, True), ("none", False)):
            body = self.ask({"tool_choice": choice}, said("x") + metered())
            self.assertEqual(200, body.status)
            self.assertEqual(offered, b'"web_search"' in self.frames.calls[-1][1])

    def test_demanded(self) -> None:
        """Any call will do, and the search is the only one."""
        response = self.both(
            {"tool_choice": "required"},
            said("No need.") + metered(),
            searched("tooluse_1") + metered(),
            said("Found.") + metered(),
        )
        kinds = [item["type"] for item in response["output"]]
        self.assertEqual(["web_search_call", "message"], kinds)

    def test_domains(self) -> None:
        """Pages that the client does not want are neither told nor named."""
        tool = {**SEARCH, "filters": {"allowed_domains": ["b.example"]}}
        response = self.both(
            {"tools": [tool], "include": ["web_search_call.action.sources"]},
            searched("tooluse_1") + metered(),
            said(f"See {URL}.") + metered(),
        )
        search, text = response["output"]
        self.assertEqual([], search["action"]["sources"])
        self.assertEqual([], text["content"][0]["annotations"])

    def test_mixed(self) -> None:
        """With a call for the client in it the answer ends; all comes back in its order."""
        tools = [SEARCH, LOOK]
        first = self.ask(
            {"tools": tools}, called("tooluse_1", "{}") + searched("tooluse_2") + metered()
        ).json
        self.assertEqual(
            ["function_call", "web_search_call"], [item["type"] for item in first["output"]]
        )
        call = first["output"][0]["call_id"]
        result = {"type": "function_call_output", "call_id": call, "output": "seen"}
        items = [{"role": "user", "content": "Hi"}, *first["output"], result]
        reply = self.ask({"tools": tools, "input": items}, said("x") + metered())
        self.assertEqual(200, reply.status)
        state = self.frames.sent(1)["conversationState"]
        uses = [
            use["name"]
            for turn in state["history"]
            for use in turn.get("assistantResponseMessage", {}).get("toolUses", ())
        ]
        self.assertEqual(["web_search", "look"], uses)
        current = state["currentMessage"]["userInputMessage"]["userInputMessageContext"]
        (found,) = current["toolResults"]
        self.assertEqual(("success", "seen"), (found["status"], found["content"][0]["text"]))

    def test_next_turn(self) -> None:
        """By its id the whole search is known again; from items only that it was made."""
        first = self.ask({}, searched("tooluse_1") + metered(), said("Well.") + metered()).json
        self.ask({"previous_response_id": first["id"], "input": "And now?"}, said("y"))
        items = [{"role": "user", "content": "Hi"}, *first["output"], {"content": "And now?"}]
        self.ask({"input": items}, said("y"))
        for number, text in ((2, "About news."), (3, "not kept")):
            history = self.frames.sent(number)["conversationState"]["history"]
            (use,) = history[1]["assistantResponseMessage"]["toolUses"]
            self.assertEqual({"query": "news"}, use["input"])
            (result,) = history[2]["userInputMessage"]["userInputMessageContext"]["toolResults"]
            self.assertEqual(use["toolUseId"], result["toolUseId"])
            self.assertIn(text, result["content"][0]["text"])
            self.assertEqual("Well.", history[3]["assistantResponseMessage"]["content"])
