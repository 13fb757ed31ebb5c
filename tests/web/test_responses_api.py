# -*- test-case-name: tests.web.test_responses_api -*-
"""OpenAI Responses from the first byte to the last, and what is held afterwards."""

from typing import Any

import msgspec

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    TextDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.errors import Kind, QuotaExhausted, StreamTruncated, Throttled, UpstreamRefused
from kiro2api.redaction import Secret
from kiro2api.web.responses_api import ResponsesApi
from tests.dialects.responses.checker import read
from tests.fakes.answers import END, USAGE, FakeStream
from tests.web.case import Reply, WebCase

MODEL = "claude-sonnet-4-5-20250929"


class ResponsesCase(WebCase):
    """Asks for responses."""

    def setUp(self) -> None:
        super().setUp()
        self.gate.configure([Secret("key"), Secret("other")], Secret("root"))

    def create(self, *events: Any, path: str = "/v1/responses", **body: Any) -> Reply:
        """One answer of these events, to its end."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        key = body.pop("key", "key")
        _, wire = self.start(path, {"model": MODEL, "input": "Hi", **body}, key=key)
        stream.push(*events, USAGE, END)
        stream.end()
        return Reply(wire.value())

    def sent(self) -> str:
        """The newest request to the upstream."""
        return self.client.calls[-1][1].decode()


class CreateTests(ResponsesCase):
    """Answers."""

    def test_routes(self) -> None:
        """Klein would silently serve the last one for two of the same name."""
        rules = list(ResponsesApi.app.url_map.iter_rules())
        self.assertEqual(len(rules), len(ResponsesApi.app.endpoints))

    def test_whole(self) -> None:
        """One JSON object, with the header that OpenAI's clients show, and a record."""
        reply = self.create(TextDelta(" world"))
        self.assertEqual(200, reply.status)
        self.assertEqual("Hel world", reply.json["output"][0]["content"][0]["text"])
        self.assertEqual("application/json", reply.headers["content-type"])
        self.assertIn("x-request-id", reply.headers)
        (record,) = self.meter.recent
        self.assertEqual(("responses", "served"), (record.dialect, record.outcome))

    def test_stream(self) -> None:
        """The whole grammar, below groups' and doubled paths as well."""
        for path in ("/v1/responses", "/v1/v1/responses/", "/responses", "/default/v1/responses"):
            reply = self.create(TextDelta("!"), path=path, stream=True)
            self.assertIn("text/event-stream", reply.headers["content-type"])
            self.assertEqual("completed", read(reply.body).status)

    def test_tool_call(self) -> None:
        """A call in either form of answer."""
        tools = [{"type": "custom", "name": "patch"}]
        call = (
            ToolBegun("tooluse_1", "patch"),
            ToolInputDelta("tooluse_1", '{"input":"raw"}'),
            ToolEnded("tooluse_1"),
        )
        whole = self.create(*call, tools=tools).json
        streamed = read(self.create(*call, tools=tools, stream=True).body).response
        assert streamed is not None
        for response in (whole, streamed):
            item = response["output"][1]
            self.assertEqual(("custom_tool_call", "raw"), (item["type"], item["input"]))
        self.assertIn('"patch"', self.sent())

    def test_refused(self) -> None:
        """A bad body names its field; keys are needed here too."""
        reply = self.ask("/v1/responses", {"model": MODEL, "input": [5]})
        self.assertEqual((400, "input[0]"), (reply.status, reply.json["error"]["param"]))
        self.assertEqual(401, self.ask("/v1/responses", {"model": MODEL}, key="wrong").status)
        reply = self.ask("/v1/responses", method="PUT")
        self.assertEqual(405, reply.status)

    def test_keep_alive(self) -> None:
        """Comments while the upstream thinks, after the stream has begun."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/responses", {"model": MODEL, "input": "Hi", "stream": True})
        before = len(wire.value())
        self.clock.pump([5, 5, 5])
        self.assertIn(b": keep-alive\n\n", wire.value()[before:])
        stream.push(TextDelta("a"), USAGE, END)
        stream.end()
        self.assertEqual("completed", read(Reply(wire.value()).body).status)


class FaultTests(ResponsesCase):
    """What goes wrong upstream."""

    def test_before_content(self) -> None:
        """A status, with a time to try again on every 429."""
        for fault, status, code, wait in (
            (Throttled("slow"), 429, "rate_limit_exceeded", "7"),
            (QuotaExhausted("spent"), 429, "insufficient_quota", "7"),
            (
                UpstreamRefused("too long", kind=Kind.CONTEXT_OVERFLOW),
                400,
                "context_length_exceeded",
                None,
            ),
        ):
            self.client.results += [fault, fault]
            body = {"model": MODEL, "input": "Hi", "stream": True}
            reply = self.ask("/v1/responses", body)
            self.client.results.clear()
            self.assertEqual(status, reply.status)
            self.assertIn(reply.json["error"]["code"], (code, "rate_limit_exceeded"))
            self.assertEqual(wait, reply.headers.get("retry-after"))

    def test_always_told_when(self) -> None:
        """Some clients never come back when they are not told when."""
        self.pool.accounts = self.pool.accounts[:1]
        fault = Throttled("slow")
        for path in ("/v1/responses", "/v1/chat/completions", "/v1/messages"):
            self.pool.waiting = None
            self.client.results[:] = [fault]
            body = {"model": MODEL, "input": "Hi", "max_tokens": 5}
            body["messages"] = [{"role": "user", "content": "Hi"}]
            reply = self.ask(path, body)
            self.assertEqual(429, reply.status)
            self.assertGreaterEqual(int(reply.headers["retry-after"]), 1)

    def streamed(self, *events: Any) -> tuple[FakeStream, Any]:
        """A stream that has begun."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start(
            "/v1/responses",
            {
                "model": MODEL,
                "input": "Hi",
                "stream": True,
                "tools": [{"type": "function", "name": "ls"}],
            },
        )
        stream.push(*events)
        return stream, wire

    def test_cut_after_content(self) -> None:
        """The stream fails, and cannot be mistaken for a whole answer."""
        stream, wire = self.streamed(TextDelta("a"), ToolBegun("1", "ls"))
        stream.end(StreamTruncated("cut"))
        got = read(Reply(wire.value()).body)
        assert got.response is not None
        self.assertEqual("failed", got.status)
        self.assertEqual("server_error", got.response["error"]["code"])
        self.assertEqual(["message"], [item["type"] for item in got.done.values()])
        found = self.ask(f"/v1/responses/{got.response['id']}")
        self.assertEqual(404, found.status)

    def test_throttled_after_content(self) -> None:
        """With the words in which clients look for the time."""
        stream, wire = self.streamed(TextDelta("a"))
        stream.end(Throttled("slow", retry_after=2.0))
        got = read(Reply(wire.value()).body)
        assert got.response is not None
        self.assertEqual("rate_limit_exceeded", got.response["error"]["code"])
        self.assertIn("try again in 2.000s", got.response["error"]["message"])

    def test_overflow_after_content(self) -> None:
        """So that the client shortens the conversation."""
        stream, wire = self.streamed(TextDelta("a"))
        stream.end(UpstreamRefused("long", kind=Kind.CONTEXT_OVERFLOW))
        got = read(Reply(wire.value()).body)
        assert got.response is not None
        self.assertEqual("context_length_exceeded", got.response["error"]["code"])

    def test_truncated_call(self) -> None:
        """Incomplete; the call is never told as done."""
        stream, wire = self.streamed(ToolBegun("1", "ls"), ToolInputDelta("1", '{"a'))
        stream.push(USAGE, Ended(StopReason.MAX_TOKENS))
        stream.end()
        got = read(Reply(wire.value()).body)
        self.assertEqual("incomplete", got.status)
        self.assertNotIn("function_call", [item["type"] for item in got.done.values()])


class HeldTests(ResponsesCase):
    """Later requests about earlier answers."""

    def test_retrieve_and_delete(self) -> None:
        """The same object, streamed or not, until it is deleted."""
        whole = self.create()
        streamed = read(self.create(stream=True).body).response
        assert streamed is not None
        for response in (whole.json, streamed):
            path = f"/v1/responses/{response['id']}"
            found = self.ask(path)
            self.assertEqual((200, response), (found.status, found.json))
            self.assertIn("x-request-id", found.headers)
            self.assertEqual(response, self.ask(f"{path}/cancel", b"{}").json)
            self.assertEqual(response, self.ask("/default/v1" + path).json)
            deleted = self.ask(path, method="DELETE")
            self.assertEqual(
                {"id": response["id"], "object": "response", "deleted": True}, deleted.json
            )
            for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/cancel")):
                reply = self.ask(path + tail, method=method)
                self.assertEqual((404, "not_found"), (reply.status, reply.json["error"]["code"]))

    def test_not_streamed_again(self) -> None:
        """A clear refusal instead of JSON that a client would take for a stream."""
        name = self.create().json["id"]
        reply = self.ask(f"/v1/responses/{name}?stream=true")
        self.assertEqual((400, "stream"), (reply.status, reply.json["error"]["param"]))

    def test_owner(self) -> None:
        """Another key finds nothing, and cannot go on with it."""
        name = self.create().json["id"]
        for method in ("GET", "DELETE"):
            self.assertEqual(
                404, self.ask(f"/v1/responses/{name}", method=method, key="other").status
            )
            self.assertEqual(401, self.ask(f"/v1/responses/{name}", method=method, key="").status)
        body = {"model": MODEL, "input": "more", "previous_response_id": name}
        reply = self.ask("/v1/responses", body, key="other")
        self.assertEqual(
            (400, "previous_response_not_found"), (reply.status, reply.json["error"]["code"])
        )
        self.assertEqual(200, self.ask(f"/v1/responses/{name}").status)

    def test_previous(self) -> None:
        """The conversation goes on where it was, over several steps."""
        first = self.create(TextDelta(" one"), input="Alpha").json["id"]
        second = self.create(TextDelta(" two"), input="Beta", previous_response_id=first)
        self.assertEqual(first, second.json["previous_response_id"])
        self.create(input="Gamma", previous_response_id=second.json["id"], instructions="Brief.")
        sent = self.sent()
        order = [sent.index(word) for word in ("Alpha", "Hel one", "Beta", "Hel two", "Gamma")]
        self.assertEqual(sorted(order), order)
        self.assertIn("Brief.", sent)

    def test_reference(self) -> None:
        """An item of an earlier answer by its id; unknown ones are skipped."""
        item = self.create(TextDelta(" referred")).json["output"][0]["id"]
        reply = self.create(
            input=[
                {"role": "user", "content": "Alpha"},
                {"type": "item_reference", "id": item},
                {"type": "item_reference", "id": "msg_unknown"},
                {"role": "user", "content": "Beta"},
            ]
        )
        self.assertEqual(200, reply.status)
        self.assertIn("Hel referred", self.sent())

    def test_input_items(self) -> None:
        """What was asked, with what was said before, in pages."""
        first = self.create(TextDelta(" one"), input="Alpha").json["id"]
        second = self.create(input="Beta", previous_response_id=first).json["id"]
        path = f"/v1/responses/{second}/input_items"
        found = self.ask(path)
        self.assertEqual(200, found.status)
        self.assertIn("x-request-id", found.headers)
        texts = [item["content"][0]["text"] for item in found.json["data"]]
        self.assertEqual(["Beta", "Hel one", "Alpha"], texts)
        rest = self.ask(f"{path}?order=asc&limit=1&after={found.json['last_id']}").json
        self.assertEqual("Hel one", rest["data"][0]["content"][0]["text"])
        self.assertTrue(rest["has_more"])
        reply = self.ask(f"{path}?limit=0")
        self.assertEqual((400, "limit"), (reply.status, reply.json["error"]["param"]))
        self.assertEqual(404, self.ask(path, key="other").status)
        self.assertEqual(401, self.ask(path, key="").status)

    def test_not_stored(self) -> None:
        """``store: false`` leaves nothing behind."""
        name = self.create(store=False).json["id"]
        self.assertEqual(404, self.ask(f"/v1/responses/{name}").status)


class SocketTests(ResponsesCase):
    """WebSockets are not spoken."""

    def test_upgrade(self) -> None:
        """426 at once, with or without the wish to upgrade, so that clients turn to HTTP."""
        wish = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        for headers in (wish, {}):
            for path in ("/v1/responses", "/default/v1/responses"):
                reply = self.ask(path, headers=headers)
                self.assertEqual(426, reply.status)
                self.assertIn("upgrade", reply.headers)
                self.assertEqual("websocket_unsupported", reply.json["error"]["code"])

    def test_key(self) -> None:
        """A key is needed here too."""
        self.assertEqual(401, self.ask("/v1/responses", key="").status)


class BodyTests(ResponsesCase):
    """Bytes that arrive."""

    def test_other_similar_paths(self) -> None:
        """Only these paths are ours."""
        self.assertEqual(404, self.ask("/v1/responsesx").status)
        self.assertEqual(404, self.ask("/v1/responses/a/b").status)

    def test_not_json(self) -> None:
        """Told as such, also if the words that refer to others are in it."""
        for body in (b"{", b'{"previous_response_id":'):
            reply = self.ask("/v1/responses", body)
            self.assertEqual(400, reply.status)
            self.assertEqual("invalid_request_error", reply.json["error"]["type"])
        self.assertTrue(msgspec.json.encode(reply.json))
