"""Calls that the model wrote into its text, and calls that were cut, as clients see them."""

from typing import Any

import msgspec

from kiro2api.wire.sse import SSEDecoder
from tests.fakes.upstream import event, metered, said
from tests.web.case import HELLO
from tests.web.test_enforced import CHAT, FUNCTION, MESSAGES, TOOL, EnforcedCase, called

LEAKED = (
    said("I look.\n\n<inv")
    + said('oke name="look">\n<parameter name="at">7</parameter>\n')
    + said("</invoke>")
    + metered()
)
RESPONSES = "/v1/responses"
SPEC = {"type": "function", "name": "look", "parameters": {"type": "object"}}


class TextCallTests(EnforcedCase):
    """Calls in the text become calls, in every dialect, streamed and whole."""

    def test_messages(self) -> None:
        """The text before it stays, what is left is the call."""
        message = self.anthropic({"tools": [TOOL]}, LEAKED)
        text, use = message["content"]
        self.assertEqual(text, {"type": "text", "text": "I look.\n\n"})
        self.assertEqual((use["name"], use["input"]), ("look", {"at": "7"}))
        self.assertEqual(message["stop_reason"], "tool_use")

    def test_chat(self) -> None:
        """So it does here."""
        choice = self.chat({"tools": [FUNCTION]}, LEAKED)
        self.assertEqual((choice["content"], choice["reason"]), ("I look.\n\n", "tool_calls"))
        (call,) = choice["tool_calls"]
        self.assertEqual(call["function"], {"name": "look", "arguments": '{"at":"7"}'})

    def test_responses(self) -> None:
        """And here."""
        body = {"input": "hi", "tools": [SPEC]}
        whole = self.reply(RESPONSES, body, LEAKED).json["output"]
        streamed = self.reply(RESPONSES, {**body, "stream": True}, LEAKED)
        *_, (_, last) = SSEDecoder().feed(streamed.body)
        for output in (whole, msgspec.json.decode(last)["response"]["output"]):
            said_, call = output
            self.assertEqual(said_["content"][0]["text"], "I look.\n\n")
            self.assertEqual((call["name"], call["arguments"]), ("look", '{"at":"7"}'))

    def test_not_declared(self) -> None:
        """Without the tool it is text, to the last character."""
        message = self.anthropic({}, LEAKED)
        (text,) = message["content"]
        self.assertTrue(text["text"].endswith("</parameter>\n</invoke>"))
        self.assertEqual(message["stop_reason"], "end_turn")

    def test_quoted(self) -> None:
        """Within a code fence it is an example."""
        message = self.anthropic({"tools": [TOOL]}, said("So:\n```xml\n") + LEAKED)
        self.assertEqual([block["type"] for block in message["content"]], ["text"])

    def test_made_as_well(self) -> None:
        """A proper call of the same tool stands alone."""
        message = self.anthropic({"tools": [TOOL]}, called("a", "{}") + LEAKED)
        uses = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        self.assertEqual(len(uses), 1)


class CutCallTests(EnforcedCase):
    """A call that was cut, and what the model hears in the next turn."""

    cut = (
        said("I write.")
        + event("toolUseEvent", toolUseId="t", name="look", input='{"at":')
        + event("toolUseEvent", toolUseId="t", name="look", stop=True)
        + metered()
    )

    def told(self) -> str:
        """The last question to the upstream."""
        state = self.frames.sent(-1)["conversationState"]
        return str(state["currentMessage"]["userInputMessage"])

    def turns(self, *more: dict[str, Any]) -> list[dict[str, Any]]:
        """The conversation, continued."""
        return [*HELLO["messages"], *more]

    def test_dropped_by_the_client(self) -> None:
        """A note, once; of a streamed as of a whole answer."""
        for stream in (False, True):
            self.reply(MESSAGES, {"tools": [TOOL], "stream": stream}, self.cut)
            turns = self.turns(
                {"role": "assistant", "content": "I write."}, {"role": "user", "content": "on"}
            )
            for times in (1, 0):
                self.reply(MESSAGES, {"tools": [TOOL], "messages": turns}, said("x") + metered())
                self.assertEqual(self.told().count("was cut off"), times)

    def test_kept_by_the_client(self) -> None:
        """The result of the call, which the client has none for."""
        reply = self.reply(CHAT, {"tools": [FUNCTION]}, self.cut)
        self.assertEqual(reply.json["choices"][0]["finish_reason"], "length")
        call = {"id": "t", "type": "function", "function": {"name": "look", "arguments": '{"at":'}}
        turns = self.turns(
            {"role": "assistant", "content": "I write.", "tool_calls": [call]},
            {"role": "user", "content": "on"},
        )
        self.reply(CHAT, {"tools": [FUNCTION], "messages": turns}, said("x") + metered())
        state = self.frames.sent(-1)["conversationState"]
        context = state["currentMessage"]["userInputMessage"]["userInputMessageContext"]
        (result,) = context["toolResults"]
        self.assertEqual((result["toolUseId"], result["status"]), ("t", "error"))
        self.assertIn("was cut off", result["content"][0]["text"])
