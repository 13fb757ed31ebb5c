# -*- test-case-name: tests.emulator.test_websearch -*-
"""Tests for the emulator's MCP endpoint."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.emulator.websearch import respond


def message(method: str, **params: Any) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


class RespondTests(SynchronousTestCase):
    """JSON-RPC in, JSON-RPC out."""

    def code(self, sent: dict[str, Any]) -> int:
        """The code of the error."""
        answer = respond(sent)
        self.assertNotIn("result", answer)
        code: int = answer["error"]["code"]
        return code

    def test_handshake(self) -> None:
        """A session can be opened."""
        self.assertIn("serverInfo", respond(message("initialize"))["result"])
        self.assertEqual(respond(message("notifications/initialized"))["result"], {})

    def test_tools(self) -> None:
        """One tool."""
        [tool] = respond(message("tools/list"))["result"]["tools"]
        self.assertEqual(tool["name"], "web_search")

    def test_search(self) -> None:
        """The same findings for the same query, others for another."""
        answers = []
        for query in ("a", "a", "b"):
            answer = respond(message("tools/call", name="web_search", arguments={"query": query}))
            self.assertEqual(answer["id"], 7)
            answers.append(msgspec.json.decode(answer["result"]["content"][0]["text"]))
        self.assertEqual(answers[0], answers[1])
        self.assertNotEqual(answers[0]["results"][0]["url"], answers[2]["results"][0]["url"])

    def test_errors(self) -> None:
        """Each kind of mistake has JSON-RPC's own code."""
        self.assertEqual(self.code({"id": 1, "method": "tools/list"}), -32600)
        self.assertEqual(self.code({"jsonrpc": "2.0", "method": "tools/list"}), -32600)
        self.assertEqual(self.code(message("resources/list")), -32601)
        self.assertEqual(self.code(message("tools/call", name="other")), -32602)
        for arguments in ({}, {"query": ""}, {"query": 1}, None):
            sent = message("tools/call", name="web_search", arguments=arguments)
            self.assertEqual(self.code(sent), -32602)
