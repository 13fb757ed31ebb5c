# -*- test-case-name: tests.web.test_explain -*-
"""The route that tells what would be sent."""

from typing import Any

import msgspec

from kiro2api.conversation.answer import TextDelta
from kiro2api.kiro.rules import check
from kiro2api.upstream.interfaces import OfferedModel
from tests.fakes.answers import END, USAGE, FakeStream
from tests.web.case import HELLO, Reply, WebCase

PATH = "/api/explain"
OPUS = OfferedModel("claude-opus-4.7", "", 1000, 100, supports_caching=True, max_checkpoints=2)


class ExplainTests(WebCase):
    """What is told, and to whom."""

    def explained(self, dialect: str = "anthropic", /, **more: Any) -> Any:
        """The answer for this body."""
        body = {**HELLO, **more}
        reply = self.ask(PATH, {"dialect": dialect, "body": body}, key="root")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def test_key(self) -> None:
        """Only for the operator."""
        body = {"dialect": "anthropic", "body": HELLO}
        self.assertEqual(self.ask(PATH, body).status, 403)
        self.assertEqual(self.ask(PATH, body, key="").status, 401)
        self.assertEqual(self.ask(PATH, key="root").status, 405)

    def test_nothing_is_sent(self) -> None:
        """No account is lent and nobody is asked."""
        self.explained()
        self.assertEqual((self.pool.asked, self.client.calls), ([], []))
        self.assertEqual(list(self.meter.recent), [])

    def test_payload(self) -> None:
        """What a real request sends, but for what belongs to the account."""
        self.offers.offered = (OPUS,)
        marked = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
        more: dict[str, Any] = {
            "model": "claude-opus-4-7",
            "messages": [{"role": "user", "content": marked}],
            "thinking": {"type": "adaptive"},
            "system": "Be brief.",
        }
        told = self.explained(**more)
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        self.start("/v1/messages", {**HELLO, **more})
        sent = msgspec.json.decode(self.client.calls[0][1])
        self.assertIn("cachePoint", sent["conversationState"]["currentMessage"]["userInputMessage"])
        del sent["profileArn"]
        self.assertEqual(told["payload"], sent)
        self.assertEqual(check(told["payload"]), [])
        self.assertIsNone(told["error"])
        stream.push(TextDelta("x"), USAGE, END)
        stream.end()

    def test_model_and_accounts(self) -> None:
        """The name, the candidates, and what each account would be asked for."""
        self.offers.offered = (OPUS,)
        told = self.explained(model="claude-opus-4-7")
        self.assertEqual(told["model"]["asked"], "claude-opus-4-7")
        self.assertEqual(told["model"]["candidates"][0], "claude-opus-4.7")
        first, second = told["accounts"]
        self.assertEqual((first["name"], second["name"]), ("a", "b"))
        self.assertEqual(
            (first["offered"], first["window"], first["cache_points"]), (True, 1000, 2)
        )
        self.assertEqual(told["tokens"]["window"], 1000)
        self.assertIn("the payload is that for the first account", told["notes"])
        self.assertFalse(self.explained()["accounts"][0]["offered"])
        self.offers.offered = None
        self.assertIsNone(self.explained()["accounts"][0]["offered"])

    def test_nobody(self) -> None:
        """A group without accounts is explained by the table alone."""
        self.accounts.clear()
        told = self.explained()
        self.assertEqual((told["accounts"], told["error"]), ([], None))

    def test_sizes_and_headers(self) -> None:
        """Bytes by part; names of headers, and no value of any."""
        tools = [{"name": "look", "description": "Looks.", "input_schema": {"maximum": 10**30}}]
        told = self.explained(tools=tools)
        sizes = told["sizes"]
        self.assertGreater(sizes["tools"], 50)
        self.assertGreater(sizes["current_message"], sizes["tools"])
        self.assertGreater(sizes["total"], sizes["current_message"] + sizes["history"])
        self.assertEqual((sizes["images"], sizes["history"]), (0, 2))
        self.assertIn("authorization", told["headers"])
        self.assertNotIn("tokentype", told["headers"])
        self.assertNotIn("Bearer", msgspec.json.encode(told).decode())

    def test_repairs(self) -> None:
        """What the translation changed."""
        told = self.explained(messages=HELLO["messages"] * 2)
        self.assertIn("turns merged, split or added", [each["what"] for each in told["repairs"]])

    def test_not_understood(self) -> None:
        """A body that the dialect refuses."""
        told = self.explained(messages=[])
        error = told["error"]
        self.assertEqual((error["stage"], error["param"]), ("parse", "messages"))
        self.assertIsNone(told["payload"])

    def test_every_dialect(self) -> None:
        """The same question in three languages."""
        asked = {"model": HELLO["model"], "input": "hello", "previous_response_id": "resp_1"}
        reply = self.ask(PATH, {"dialect": "responses", "body": asked}, key="root")
        self.assertIsNone(reply.json["error"])
        self.assertIn("previous_response_id", reply.json["notes"][-1])
        for told in (reply.json, self.explained(), self.explained("chat")):
            current = told["payload"]["conversationState"]["currentMessage"]
            self.assertEqual(current["userInputMessage"]["content"], "hello")

    def test_bare_body(self) -> None:
        """A captured body needs no envelope."""
        reply = self.ask(f"{PATH}?dialect=chat&group=default", HELLO, key="root")
        self.assertEqual((reply.status, reply.json["dialect"]), (200, "chat"))

    def test_web_search(self) -> None:
        """Offered as a tool; that rounds follow is said."""
        told = self.explained(tools=[{"type": "web_search_20250305", "name": "web_search"}])
        self.assertGreater(told["sizes"]["tools"], 0)
        self.assertTrue(any("web search" in note for note in told["notes"]))

    def test_mistakes(self) -> None:
        """Wrong dialect, group, shape."""
        for reply, status, words in (
            (self.ask(f"{PATH}?dialect=x", HELLO, key="root"), 400, "anthropic, chat, responses"),
            (self.ask(f"{PATH}?dialect=chat&group=x", HELLO, key="root"), 404, "no group"),
            (self.ask(PATH, HELLO, key="root"), 400, "wrong shape"),
            (self.ask(PATH, b"\xff", key="root"), 400, "wrong shape"),
        ):
            assert isinstance(reply, Reply)
            self.assertEqual(reply.status, status)
            self.assertIn(words, reply.json["error"]["message"])
