"""Tests of the calls to a service: who answers, how, and what is said if it is not as hoped."""

from typing import Any

from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed, ResponseNeverReceived

from kiro2api.commands.calling import (
    ANSWER_SECONDS,
    Api,
    ApiRefused,
    CommandFailed,
    Key,
    Stranger,
    Unreachable,
    below,
)
from kiro2api.redaction import Secret
from tests.commands.case import BASE, SECRET, CommandCase, refused


class CallTests(CommandCase):
    """Of one exchange."""

    def get(self, *answers: Any, key: Key | None = None) -> Any:
        """The answer to a GET, or why there is none."""
        self.service.script("GET /api/thing", *answers)
        api = self.api if key is None else Api(self.service, BASE, key, self.clock)
        return self.successResultOf(
            Deferred.fromCoroutine(api.get("/api/thing")).addErrback(lambda failed: failed.value)
        )

    def test_value(self) -> None:
        """The decoded JSON, None for no content; the key goes along as a bearer."""
        self.assertEqual(self.get({"a": 1}), {"a": 1})
        self.assertIsNone(self.get((204, None)))
        self.assertEqual(self.service.asked[0].headers["authorization"], f"Bearer {SECRET}")

    def test_body(self) -> None:
        """A body is sent as JSON."""
        self.service.script("POST /api/thing", {})
        self.successResultOf(Deferred.fromCoroutine(self.api.post("/api/thing", {"a": 1})))
        self.assertEqual(self.service.asked[0].body, {"a": 1})
        self.assertEqual(self.service.asked[0].headers["content-type"], "application/json")

    def test_refused(self) -> None:
        """The service's words, its status, its field and what stands beside."""
        error = self.get((400, refused("it is too long", "name", more=1)))
        self.assertIsInstance(error, ApiRefused)
        self.assertEqual(
            (error.message, error.status, error.param), ("it is too long", 400, "name")
        )
        self.assertEqual(error.body["more"], 1)

    def test_older_errors(self) -> None:
        """An error may be a text."""
        self.assertEqual(self.get((500, {"error": "broken"})).message, "broken")
        self.assertEqual(self.get((500, {"what": 1})).message, "HTTP 500")

    def test_no_key(self) -> None:
        """Where keys come from is told to whoever has none; none is sent."""
        error = self.get((401, refused("no API key")), key=Key())
        self.assertIn("set KIRO2API_KEY", error.message)
        self.assertNotIn("authorization", self.service.asked[0].headers)

    def test_wrong_key(self) -> None:
        """Which setting held the key is told, the key never."""
        error = self.get((401, refused("unknown API key")))
        self.assertIn("the key of KIRO_ADMIN_TOKEN (unknown API key)", error.message)
        self.assertNotIn(SECRET, error.message)

    def test_clients_key(self) -> None:
        """A good key that may not do this."""
        error = self.get(
            (403, refused("this needs an admin key")), key=Key(Secret("k"), "KIRO2API_KEY")
        )
        self.assertEqual(error.message, "this needs an admin key (the key is that of KIRO2API_KEY)")

    def test_something_else(self) -> None:
        """What is no kiro2api is told as such, whatever it says."""
        strange: tuple[Any, ...] = (
            b"<html>",
            (404, b"<html>"),
            (404, {"detail": "Not Found"}),
            (302, None),
            (500, [1]),
            b"[" * 100_000,
            b'"\xff"',
        )
        for answer in strange:
            self.assertIsInstance(self.get(answer), Stranger, answer)

    def test_unreachable(self) -> None:
        """Why nobody answers, in few words."""
        for error, words in (
            (ConnectionRefusedError(), "connection refused"),
            (DNSLookupError("x"), "no such host"),
            (TimeoutError(), "no connection in time"),
            (ResponseNeverReceived([Failure(TlsError())]), "TLS failed"),
            (ResponseFailed([Failure(ConnectionRefusedError())]), "connection refused"),
        ):
            answer = self.get(error)
            self.assertIsInstance(answer, Unreachable)
            self.assertIn(f"no service answers at {BASE}", answer.message)
            self.assertIn(words, answer.message)

    def test_too_slow(self) -> None:
        """Nobody waits for ever; the request is given up."""
        self.service.script("GET /api/thing", ...)
        going = Deferred.fromCoroutine(self.api.get("/api/thing?secret=1"))
        self.clock.advance(ANSWER_SECONDS - 1)
        self.assertNoResult(going)
        self.clock.advance(1)
        error = self.failureResultOf(going, CommandFailed).value
        self.assertEqual(
            str(error), f"{BASE} did not answer GET /api/thing within {ANSWER_SECONDS:g} seconds"
        )
        self.assertEqual(self.service.given_up, ["GET /api/thing"])

    def test_quoting(self) -> None:
        """A name cannot lead to another path."""
        self.assertEqual(
            below("/api/groups", "a/../b?", "rename"), "/api/groups/a%2F..%2Fb%3F/rename"
        )
