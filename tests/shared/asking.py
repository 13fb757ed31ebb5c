"""Requests in every dialect, and a client that sends them one after the other."""

from random import Random
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from tests.live.client import MODEL, Answer, Caller, connect
from tests.live.reactor import reactor

SECONDS = 20.0

PATHS = ("/v1/messages", "/v1/chat/completions", "/v1/responses")

_ENDS = {
    "/v1/messages": b"message_stop",
    "/v1/chat/completions": b"data: [DONE]",
    "/v1/responses": b"response.completed",
}


class Question(msgspec.Struct, frozen=True):
    """What is asked, and how; ``pause``: seconds to wait before.

    Another ``text`` makes another conversation, which may get another account.
    """

    path: str
    group: str = ""
    stream: bool = False
    text: str = "Hello."
    pause: float = 0.0

    @property
    def url(self) -> str:
        """Where it is sent."""
        return f"/{self.group}{self.path}" if self.group else self.path

    def body(self) -> dict[str, Any]:
        """What is sent."""
        common = {"model": MODEL, "stream": self.stream}
        if self.path == "/v1/responses":
            return common | {"input": self.text}
        said = {"messages": [{"role": "user", "content": self.text}]}
        return common | said | ({"max_tokens": 100} if self.path == "/v1/messages" else {})

    def wrong(self, answer: Answer) -> str:
        """What is wrong with an answer; empty if it is as it should be."""
        if answer.status != 200:
            return f"{self.url}: {answer.status} {answer.body[:300]!r}"
        if self.stream and _ENDS[self.path] not in answer.body:
            return f"{self.url}: no end: {answer.body[-300:]!r}"
        return ""


def questions(count: int, groups: tuple[str, ...], *, pause: float, seed: int) -> list[Question]:
    """So many, mixed, always the same for a seed.

    :param pause: seconds between two of a client's, on average.
    """
    chance = Random(seed)
    return [
        Question(
            chance.choice(PATHS),
            chance.choice(groups),
            stream=chance.random() < 0.5,
            text=f"Question {number}.",
            pause=2 * pause * chance.random(),
        )
        for number in range(count)
    ]


def _ended(answer: Answer) -> bool:
    """A 204 has no body, and does not say so."""
    return answer.whole or answer.status == 204


class Client:
    """One connection, kept as long as the service keeps it."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self._caller: Caller | None = None

    async def ask(self, question: Question) -> Answer:
        """The whole answer."""
        return await self.send("POST", question.url, question.body())

    async def send(self, method: str, path: str, body: object = None) -> Answer:
        """One HTTP exchange; a body is sent as JSON."""
        caller = self._caller
        if caller is None or caller.closed:
            caller = self._caller = await connect(reactor, self.port)
        caller.data.clear()
        raw = b"" if body is None else msgspec.json.encode(body)
        lines = [
            f"{method} {path} HTTP/1.1",
            "host: localhost",
            f"authorization: Bearer {self.key}",
            "content-type: application/json",
            f"content-length: {len(raw)}",
        ]
        caller.send("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
        there = caller.until(lambda: any(_ended(answer) for answer in caller.answers()))
        await there.addTimeout(SECONDS, reactor)
        return caller.answer()

    def leave(self) -> Deferred[None] | None:
        """Close the connection."""
        if self._caller is None or self._caller.closed:
            return None
        self._caller.vanish()
        return self._caller.end()
