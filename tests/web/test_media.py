"""Requests with documents and images, through the whole of the web room."""

from typing import Any

import msgspec

from kiro2api.media.limits import Limits
from kiro2api.media.room import Media
from kiro2api.wire.sse import SSEDecoder
from tests.fakes.answers import END, USAGE, FakeStream
from tests.media.files import b64, pdf, picture
from tests.media.test_room import AtOnce
from tests.web.case import HELLO, Reply, WebCase

PDF = b64(pdf("The answer is 42"))
SMALL = b64(picture(9, 9))
LARGE = b64(picture(300, 20))


class MediaCase(WebCase):
    """With a room that works at once."""

    def make_media(self) -> Media:
        """Images of up to a hundred pixels."""
        self.threads = AtOnce()
        self.room = Media(self.clock, limits=Limits(side=100), threads=self.threads)  # type: ignore[arg-type]
        return self.room

    def send(self, path: str, messages: list[Any], **more: Any) -> Reply:
        """Ask, and let the upstream answer."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start(path, {**HELLO, **more, "messages": messages})
        if stream.sink is not None:
            stream.push(USAGE, END)
            stream.end()
        return Reply(wire.value())

    def sent(self) -> dict[str, Any]:
        """The current message as the upstream got it."""
        body = msgspec.json.decode(self.client.calls[-1][1])
        message: dict[str, Any] = body["conversationState"]["currentMessage"]["userInputMessage"]
        return message


class AnthropicMediaTests(MediaCase):
    """Blocks of Messages."""

    CALL = {"type": "tool_use", "id": "t1", "name": "read", "input": {}}

    def block(self, kind: str, media_type: str, data: str) -> dict[str, Any]:
        """A block by value."""
        return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}

    def test_document_and_image(self) -> None:
        """The document's text and the smaller image reach the upstream; the rest stays."""
        content = [
            {**self.block("document", "application/pdf", PDF), "title": "a.pdf"},
            self.block("image", "image/png", LARGE),
            {"type": "text", "text": "What is it?"},
        ]
        reply = self.send("/v1/messages", [{"role": "user", "content": content}])
        self.assertEqual(reply.status, 200)
        sent = self.sent()
        self.assertEqual(
            sent["content"],
            "[document a.pdf: 1 page]\n[page 1]\nThe answer is 42\n[end of the document]\n"
            "What is it?",
        )
        self.assertEqual(len(sent["images"]), 1)
        self.assertEqual(sent["images"][0]["source"]["bytes"], b64(picture(100, 7)))

    def test_in_a_tool_result(self) -> None:
        """The document's text stays in the result, the image goes beside it."""
        result = {
            "type": "tool_result",
            "tool_use_id": "t1",
            "content": [
                self.block("document", "application/pdf", PDF),
                self.block("image", "image/png", LARGE),
            ],
        }
        messages = [
            {"role": "user", "content": "read it"},
            {"role": "assistant", "content": [self.CALL]},
            {"role": "user", "content": [result]},
        ]
        self.assertEqual(self.send("/v1/messages", messages).status, 200)
        (sent,) = self.sent()["userInputMessageContext"]["toolResults"]
        self.assertIn("The answer is 42", str(sent["content"]))
        self.assertEqual(self.sent()["images"][0]["source"]["bytes"], b64(picture(100, 7)))

    def test_refused(self) -> None:
        """A broken document is told by name, and no account is asked."""
        block = {**self.block("document", "application/pdf", b64(b"%PDF-x")), "title": "b.pdf"}
        reply = self.send("/v1/messages", [{"role": "user", "content": [block]}])
        self.assertEqual(reply.status, 400)
        self.assertEqual(reply.json["error"]["type"], "invalid_request_error")
        self.assertIn(
            "'b.pdf' cannot be used: it is not a valid PDF", reply.json["error"]["message"]
        )
        self.assertEqual((self.pool.leases, self.client.calls), ([], []))

    def test_nothing_attached(self) -> None:
        """Nothing is read where nothing has to be."""
        content = [self.block("image", "image/png", SMALL), {"type": "text", "text": "x"}]
        self.send("/v1/messages", [{"role": "user", "content": content}])
        self.assertEqual(self.threads.calls, 0)
        self.assertEqual(self.sent()["images"][0]["source"]["bytes"], SMALL)

    def test_signs_of_life(self) -> None:
        """A stream is kept alive while something is read; a refusal then comes in-band."""
        self.threads.held = []
        block = self.block("document", "application/pdf", PDF)
        body = {**HELLO, "stream": True, "messages": [{"role": "user", "content": [block]}]}
        _, wire = self.start("/v1/messages", body)
        self.assertEqual(wire.value(), b"")
        self.clock.pump([5, 5])
        self.assertIn(b"event: ping", wire.value())
        self.clock.pump([50])
        events = [event for event, _ in SSEDecoder().feed(Reply(wire.value()).body)]
        self.assertEqual(events[-1], "error")
        self.assertEqual(self.timers(), [])

    def test_client_leaves(self) -> None:
        """Reading ends with its client."""
        self.threads.held = []
        block = self.block("document", "application/pdf", PDF)
        body = {**HELLO, "messages": [{"role": "user", "content": [block]}]}
        channel, _ = self.start("/v1/messages", body)
        self.hang_up(channel)
        self.assertEqual(self.threads.cancelled, 1)
        self.assertEqual((self.timers(), self.gate.inside), ([], 0))
        self.assertEqual(self.meter.recent[0].outcome, "abandoned")

    def test_too_much_to_do(self) -> None:
        """The client is told to come again."""
        self.threads.full = True
        block = self.block("document", "application/pdf", PDF)
        reply = self.send("/v1/messages", [{"role": "user", "content": [block]}])
        self.assertEqual(reply.status, 529)


class ChatMediaTests(MediaCase):
    """Parts of Chat Completions."""

    FILE = {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
    }
    IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{LARGE}"}}

    def test_file_and_image(self) -> None:
        """As with the other dialect."""
        messages = [{"role": "user", "content": [self.FILE, self.IMAGE]}]
        self.assertEqual(self.send("/v1/chat/completions", messages).status, 200)
        self.assertIn("[document a.pdf: 1 page]\n[page 1]\nThe answer", self.sent()["content"])
        self.assertEqual(self.sent()["images"][0]["source"]["bytes"], b64(picture(100, 7)))

    def test_in_a_tool_result(self) -> None:
        """As with the other dialect."""
        call = {"id": "t1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
        messages = [
            {"role": "user", "content": "read it"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "t1", "content": [self.FILE, self.IMAGE]},
        ]
        self.assertEqual(self.send("/v1/chat/completions", messages).status, 200)
        (sent,) = self.sent()["userInputMessageContext"]["toolResults"]
        self.assertIn("The answer is 42", str(sent["content"]))
        self.assertEqual(self.sent()["images"][0]["source"]["bytes"], b64(picture(100, 7)))

    def test_refused(self) -> None:
        """A broken file is told by name, in the dialect's own shape."""
        data = f"data:application/pdf;base64,{b64(b'%PDF-x')}"
        part = {"type": "file", "file": {"filename": "b.pdf", "file_data": data}}
        reply = self.send("/v1/chat/completions", [{"role": "user", "content": [part]}])
        self.assertEqual(reply.status, 400)
        self.assertIn("'b.pdf' cannot be used", reply.json["error"]["message"])

    def test_address(self) -> None:
        """Addresses are not fetched unless that is allowed."""
        part = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
        self.send("/v1/chat/completions", [{"role": "user", "content": [part]}])
        self.assertEqual(self.sent()["content"], "[image at https://a.example/x.png: not fetched]")
