"""Tests of ``kiro2api check``."""

from typing import Any

from twisted.internet.error import ConnectionRefusedError

from tests.commands.answers import (
    CHUNKS,
    COMPLETION,
    COUNT,
    MESSAGE,
    MESSAGE_EVENTS,
    RESPONSE,
    RESPONSE_EVENTS,
    chunks,
    events,
)
from tests.commands.case import Asked, CommandCase, account, refused, tokens

HEALTH = {"status": "healthy", "version": "0.3.0", "uptime": 12, "database": "connected"}
GOOD: dict[str, tuple[Any, Any]] = {
    "/v1/messages": (MESSAGE, events(MESSAGE_EVENTS)),
    "/v1/messages/count_tokens": (COUNT, None),
    "/v1/chat/completions": (COMPLETION, chunks(CHUNKS)),
    "/v1/responses": (RESPONSE, events(RESPONSE_EVENTS)),
}


def error(path: str, status: int, kind: str) -> tuple[int, dict[str, object]]:
    """As the API's clients expect it."""
    if path.startswith("/v1/messages"):
        return status, {"type": "error", "error": {"type": kind, "message": "no"}}
    return status, {"error": {"message": "no", "type": kind, "param": None, "code": None}}


def served(asked: Asked) -> Any:
    """The answer of a service that does everything right."""
    if "authorization" not in asked.headers:
        return error(asked.path, 401, "authentication_error")
    if not isinstance(asked.body, dict) or not {"messages", "input"} & set(asked.body):
        return error(asked.path, 400, "invalid_request_error")
    if "model" not in asked.body and "count" not in asked.path:
        return error(asked.path, 400, "invalid_request_error")
    whole, stream = GOOD[asked.path]
    return stream if asked.body.get("stream") else whole


class CheckTests(CommandCase):
    """Looking at a service."""

    def setUp(self) -> None:
        """One where everything is as it should be."""
        super().setUp()
        self.service.script("GET /health", HEALTH)
        self.service.script(
            "GET /v1/models", {"data": [{"id": "claude-opus"}, {"id": "claude-haiku"}]}
        )
        self.service.script("GET /api/tokens", tokens(account(), account("b", status="cooling")))
        for path in GOOD:
            self.service.decide(f"POST {path}", served)

    def models_asked(self) -> set[str]:
        """In questions that cost something."""
        return {
            each.body["model"]
            for each in self.service.asked
            if isinstance(each.body, dict) and "model" in each.body and "count" not in each.path
        }

    def test_good(self) -> None:
        """Nothing is asked that costs anything, and that is said."""
        outcome = self.run_command("check")
        self.assertIsNone(outcome.failed)
        self.assertIn("kiro2api 0.3.0, up for 12 s", outcome.words)
        self.assertIn("2 are offered", outcome.words)
        self.assertIn("1 of 2 can serve", outcome.words)
        self.assertIn("--ask does that", outcome.words)
        self.assertIn("Nothing is wrong.", outcome.words)
        self.assertEqual(self.models_asked(), set())

    def test_ask(self) -> None:
        """Every API answers at once and streamed; the cheap model is asked."""
        outcome = self.run_command("check", "--ask")
        self.assertIsNone(outcome.failed)
        row = next(each for each in outcome.words.split("\n") if each.startswith("OpenAI Resp"))
        self.assertEqual(row.split()[2:], ["ok", "ok", "ok", "0.0", "s", "ok", "0.0", "s"])
        self.assertEqual(self.models_asked(), {"claude-haiku"})
        streams = [each.path for each in self.service.asked if "true" in str(each.body).lower()]
        self.assertEqual(len(streams), 3)

    def test_model(self) -> None:
        """Another one may be asked."""
        self.run_command("check", "--ask", "--model", "x")
        self.assertEqual(self.models_asked(), {"x"})

    def test_json(self) -> None:
        """Programs get every finding."""
        findings = self.run_command("check", "--json").value
        self.assertEqual({each["state"] for each in findings}, {"ok", "left out"})
        self.assertEqual(findings[0]["what"], "service")
        self.assertEqual(len(findings), 3 + 4 * 4 - 1)

    def test_sick_accounts(self) -> None:
        """What to do about each is said; nobody who can serve is a failure."""
        self.service.script(
            "GET /api/tokens",
            tokens(account("a", status="rejected"), account("b", status="suspended")),
        )
        outcome = self.run_command("check")
        self.assertIn(
            "a is rejected: log it in again: kiro2api login --replace a-id", outcome.words
        )
        self.assertIn("kiro2api accounts unpark b-id", outcome.words)
        self.assertIn("none of 2 can serve", outcome.words)
        self.assertEqual(outcome.message, "1 of 18 checks failed")

    def test_many_sick_accounts(self) -> None:
        """Not all of them are listed."""
        sick = [account(f"a{n}", status="exhausted") for n in range(30)]
        self.service.script("GET /api/tokens", tokens(account(), *sick))
        outcome = self.run_command("check")
        self.assertIn("and 20 more", outcome.words)
        self.assertIsNone(outcome.failed)

    def test_no_accounts(self) -> None:
        """Where one comes from is said; questions would all fail for the same reason."""
        self.service.script("GET /api/tokens", tokens())
        outcome = self.run_command("check", "--ask")
        self.assertIn("add one: kiro2api login", outcome.words)
        self.assertEqual(outcome.message, "1 of 18 checks failed")
        self.assertEqual(self.models_asked(), set())

    def test_clients_key(self) -> None:
        """What needs an admin is left out and said to be."""
        self.service.script("GET /api/tokens", (403, refused("this needs an admin key")))
        outcome = self.run_command("check", "--ask")
        self.assertIn("this needs an admin's key", outcome.words)
        self.assertIsNone(outcome.failed)

    def test_something_else(self) -> None:
        """Another service with these APIs is looked at all the same."""
        self.service.script("GET /health", (404, b"<html>"))
        self.service.script("GET /api/tokens", (404, {"detail": "Not Found"}))
        outcome = self.run_command("check", "--ask")
        self.assertIn("this is something else", outcome.words)
        self.assertIn("there is no operator's API", outcome.words)
        self.assertIsNone(outcome.failed)
        self.service.script("GET /health", {"ok": True})
        self.assertIn("this is something else", self.run_command("check").words)

    def test_wrong_key(self) -> None:
        """Which setting it came from; the questions are left out rather than all failing."""
        wrong = (401, refused("unknown API key"))
        for what in ("GET /v1/models", "GET /api/tokens"):
            self.service.script(what, wrong)
        for path in GOOD:
            self.service.script(f"POST {path}", error(path, 401, "authentication_error"))
        outcome = self.run_command("check")
        self.assertEqual(outcome.words.count("the key of KIRO_ADMIN_TOKEN"), 1)
        self.assertEqual(outcome.message, "1 of 18 checks failed")

    def test_nobody_there(self) -> None:
        """One line, not one for each check."""
        self.service.script("GET /health", ConnectionRefusedError())
        outcome = self.run_command("check")
        self.assertEqual(outcome.out, [])
        self.assertIn("no service answers", outcome.message)

    def test_sick_service(self) -> None:
        """A lost database is the service's failure."""
        self.service.script("GET /health", (503, {**HEALTH, "database": "disconnected"}))
        self.assertIn("FAIL      service", self.run_command("check").words)
        self.service.script("GET /health", {**HEALTH, "database": "disconnected"})
        self.assertIn("its database is disconnected", self.run_command("check").words)

    def test_no_models(self) -> None:
        """Then there is none to ask, unless it is named."""
        self.service.script("GET /v1/models", {"data": []})
        outcome = self.run_command("check", "--ask")
        self.assertIn("no model is offered", outcome.words)
        self.assertEqual(self.models_asked(), set())
        self.service.script("GET /v1/models", {"what": 1})
        self.assertIn("has no data", self.run_command("check").words)

    def test_wrong_api(self) -> None:
        """In the table, and in words below it."""
        self.service.script("POST /v1/responses", RESPONSE)
        outcome = self.run_command("check")
        row = next(each for each in outcome.words.split("\n") if each.startswith("OpenAI Resp"))
        self.assertEqual(row.split()[2:], ["FAIL", "FAIL", "-", "-"])
        self.assertIn("FAIL  OpenAI Responses, no key: HTTP 200 instead of 401", outcome.words)
        self.assertIn("mistakes: a body that is not JSON: HTTP 200 instead of 400", outcome.words)
        self.assertEqual(outcome.message, "2 of 18 checks failed")
