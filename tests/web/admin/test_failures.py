"""Failures of the operator's API."""

from typing import Any

import msgspec
from klein import Klein
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import Conflict, KiroError, NoAccountAvailable, NotFound, RequestRejected
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.reply import rendered, send_value
from kiro2api.web.site import ApiRequest, ApiSite
from tests.web.case import Reply, Wire


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a body."""

    count: int


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    """A body."""

    inner: list[Inner] = []
    name: str = ""


class FailingApi:
    """Fails as it is told to."""

    app = Klein()
    install_operator_errors(app)
    error: Exception = KiroError("x")

    @app.route("/api/fail", methods=["GET", "HEAD"])
    def fail(self, request: ApiRequest) -> bytes:
        """Fail."""
        raise self.error

    @app.route("/api/late", methods=["GET"])
    def late(self, request: ApiRequest) -> bytes:
        """Fail in the middle of an answer."""
        request.write(b"some")
        raise self.error

    @app.route("/api/read", methods=["POST"])
    def read(self, request: ApiRequest) -> bytes:
        """Read a body."""
        return send_value(request, body_of(request, msgspec.json.Decoder(Outer)))


class FailureTests(SynchronousTestCase):
    """What the client is told."""

    def setUp(self) -> None:
        self.api = FailingApi()
        self.site = ApiSite(
            self.api.app.resource(),
            clock=Clock(),
            max_body_bytes=10_000,
            refusal=rendered,
            new_id=lambda: "77",
        )

    def wire(self, method: str, path: str, body: bytes = b"") -> Wire:
        """A request."""
        channel, wire = self.site.buildProtocol(None), Wire()
        channel.makeConnection(wire)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        channel.dataReceived(head.encode() + body)
        return wire

    def failing(self, error: Exception, method: str = "GET") -> Reply:
        """The answer when it fails so."""
        self.api.error = error
        return Reply(self.wire(method, "/api/fail").value())

    def test_body(self) -> None:
        """Type, message, field, code and the request's id."""
        reply = self.failing(RequestRejected("must be odd", param="a[0].b", code="even"))
        self.assertEqual(reply.status, 400)
        self.assertEqual(
            reply.json,
            {
                "type": "error",
                "error": {
                    "type": "invalid_request",
                    "message": "must be odd",
                    "param": "a[0].b",
                    "code": "even",
                },
                "request_id": "req_77",
            },
        )
        self.assertEqual(reply.headers["request-id"], "req_77")

    def test_conflict(self) -> None:
        """409, with what there is; details never hide the error."""
        details: dict[str, Any] = {"existing": {"id": 1}, "error": "x"}
        reply = self.failing(Conflict("there is one", details=details))
        self.assertEqual((reply.status, reply.json["error"]["type"]), (409, "conflict"))
        self.assertEqual(reply.json["existing"], {"id": 1})

    def test_others(self) -> None:
        """Statuses are those of the other routes, and so are headers."""
        self.assertEqual(self.failing(NotFound("no")).status, 404)
        reply = self.failing(NoAccountAvailable("full", retry_after=7.0))
        self.assertEqual((reply.status, reply.headers["retry-after"]), (429, "7"))
        self.assertEqual(Reply(self.wire("GET", "/api/none").value()).status, 404)
        self.assertEqual(Reply(self.wire("PUT", "/api/fail").value()).status, 405)
        head = self.failing(NotFound("no"), "HEAD")
        self.assertEqual((head.status, head.raw), (404, b""))
        self.assertGreater(int(head.headers["content-length"]), 0)

    def test_bug(self) -> None:
        """Tells nothing, and is logged."""
        reply = self.failing(RuntimeError("secret"))
        self.assertEqual(reply.status, 500)
        self.assertNotIn(b"secret", reply.raw)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_late(self) -> None:
        """In the middle of an answer the connection is cut."""
        self.assertTrue(self.wire("GET", "/api/late").aborted)

    def test_bodies(self) -> None:
        """Nothing is an object without fields; every mistake names its place."""
        self.assertEqual(Reply(self.wire("POST", "/api/read").value()).status, 200)
        for body, param, words in (
            (b'{"name": 5}', "name", "Expected `str`"),
            (b'{"nmae": "x"}', "nmae", "no such field"),
            (b'{"inner": [{}]}', "inner[0].count", "required"),
            (b'{"inner": [{"count": 1}, {"count": 1, "x": 2}]}', "inner[1].x", "no such field"),
            (b"[]", None, "Expected `object`"),
            (b"{", None, "not JSON"),
            (b'{"name": "\xff"}', None, "not JSON"),
        ):
            reply = Reply(self.wire("POST", "/api/read", body).value())
            self.assertEqual(reply.status, 400, body)
            self.assertEqual(reply.json["error"].get("param"), param, body)
            self.assertIn(words, reply.json["error"]["message"])
