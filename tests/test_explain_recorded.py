"""Requests that real clients were seen to send: what is done to each, by client.

The recordings are not part of this repository: without them there is nothing to test.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from kiro2api.kiro.rules import check
from tests.test_explain_shapes import explainer

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "clients" / "requests"

DIALECTS = {"messages": "anthropic", "completions": "chat", "responses": "responses"}

_LIMIT = "enforced here, on the answer"
_SYSTEM = "system text sent as the first pair of messages"
_TURNS = "turns merged, split or added"
_FILLED = "placeholders put in"
_READ = "documents and addresses replaced by a note or read"
_SCHEMAS = "tool schemas changed"
_TAGS = "reasoning has no field for this model: asked for by tags, if at all"
_TOLD = "told to the model and checked"
_POINTS = "cache points left out"
_IDLE = "no effect: the upstream has no field"
_PREFILL = "prefilled answer sent as an earlier turn"

REPAIRS: dict[str, set[str]] = {
    "anthropic-py": {
        _LIMIT, _SYSTEM, _TURNS, _FILLED, _READ, _TAGS, _TOLD, _POINTS, _IDLE, _PREFILL
    },
    "claude-code": {
        _LIMIT,
        _SYSTEM,
        _TURNS,
        _FILLED,
        _READ,
        _SCHEMAS,
        _TAGS,
        _TOLD,
        _POINTS,
        "earlier reasoning left out",
        "run here",
        "system turns amid the messages sent as the user's",
    },
    "codex": {_LIMIT, _SYSTEM, _TURNS, _FILLED, _SCHEMAS, _TAGS, "run here"},
    "openai-py": {_LIMIT, _SYSTEM, _TURNS, _READ, _SCHEMAS, _TAGS, _TOLD, _IDLE},
}  # fmt: skip
"""What a client's requests need, none of them more than this."""

REFUSED = ("thread: ", "messages: ")
"""Fields for which a request is refused: a conversation that only the provider holds, and none."""


def recorded() -> Iterator[tuple[str, str, str, bytes]]:
    """Client, name, dialect and body of each request for an answer."""
    for path in sorted(RECORDED.glob("*/*.json")):
        request: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        dialect = DIALECTS.get(request["path"].partition("?")[0].rpartition("/")[2])
        if request["method"] == "POST" and dialect is not None:
            body = msgspec.json.encode(request["body"])
            yield path.parent.name, f"{path.parent.name}/{path.name}", dialect, body


class RecordedTests(SynchronousTestCase):
    """All of them."""

    def test_all(self) -> None:
        """Each is translated into what the rules accept, or refused for a field that it names; and
        needs only what the table says."""
        subject = explainer()
        needed: dict[str, set[str]] = {}
        for client, name, dialect, body in recorded():
            told = subject.explain(dialect, body)
            error = told["error"]
            if error is not None:
                self.assertTrue(error["message"].startswith(REFUSED), f"{name}: {error}")
                continue
            self.assertEqual(check(msgspec.json.decode(bytes(told["payload"]))), [], name)
            needed.setdefault(client, set()).update(each["what"] for each in told["repairs"])
        if not needed:
            raise SkipTest("there are no recordings here")
        for client, repairs in needed.items():
            self.assertEqual(repairs - REPAIRS[client], set(), client)
