# -*- test-case-name: tests.web.test_usage -*-
"""What whole answers tell of their cost beside the body."""

from kiro2api.conversation.answer import Usage
from kiro2api.errors import UpstreamRefused
from tests.fakes.answers import END, USAGE, FakeStream
from tests.web.case import HELLO, Reply, WebCase

TOLD = ("x-kiro2api-usage", "x-kiro2api-credits")


class UsageHeaderTests(WebCase):
    """The two headers."""

    def answer(self, path: str, usage: Usage, **more: object) -> Reply:
        """An answer that cost this."""
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        body = {**HELLO, **more}
        if path.endswith("responses"):
            body["input"] = body.pop("messages")
        _, wire = self.start(path, body)
        stream.push(usage, END)
        stream.end()
        return Reply(wire.value())

    def test_every_dialect(self) -> None:
        """How sure the numbers are and the credits, in whatever language."""
        for path in ("/v1/messages", "/v1/chat/completions", "/v1/responses"):
            reply = self.answer(path, Usage(1, 2, credits=0.0371, provenance="exact"))
            self.assertEqual(reply.status, 200, path)
            self.assertEqual([reply.headers.get(name) for name in TOLD], ["exact", "0.0371"], path)

    def test_nothing_paid(self) -> None:
        """No credits are 0; an estimate is called one."""
        reply = self.answer("/v1/messages", Usage(1, 2))
        self.assertEqual([reply.headers.get(name) for name in TOLD], ["estimated", "0"])

    def test_plain_decimals(self) -> None:
        """Neither exponents nor endless digits."""
        for credits, text in ((1e-5, "0.00001"), (12.0, "12"), (1 / 3, "0.333333"), (100.0, "100")):
            reply = self.answer("/v1/messages", Usage(1, 2, credits=credits))
            self.assertEqual(reply.headers["x-kiro2api-credits"], text)

    def test_streamed(self) -> None:
        """A stream's head goes out before anything is known."""
        reply = self.answer("/v1/messages", USAGE, stream=True)
        self.assertEqual(reply.status, 200)
        for name in TOLD:
            self.assertNotIn(name, reply.headers)

    def test_failed(self) -> None:
        """An error costs nothing that is known."""
        self.client.results.append(UpstreamRefused("no"))
        reply = self.ask("/v1/messages", HELLO)
        self.assertEqual(reply.status, 400)
        for name in TOLD:
            self.assertNotIn(name, reply.headers)
