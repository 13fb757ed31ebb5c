# -*- test-case-name: tests.bench.test_smoke -*-
"""What the fake upstream is asked to answer, written into the question itself.

The words pass through kiro2api as the user's text, so that no proxy needs to be told anything and
the upstream proves that the question arrived. Pure.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

_WRITTEN: Final = re.compile(rb"plan\((\w+),(\d+),(\d+),(\d+)\)")

MARKED: Final = "marked"
NASTY: Final = "nasty"
MODEL: Final = "claude-sonnet-4-5-20250929"


@dataclass(frozen=True)
class Plan:
    """One answer.

    ``kind``: ``marked``, or ``nasty`` for content that breaks naive readers, or, to prove that the
    checks can fail, ``lossy``, ``doubled``, ``swapped``, ``cut`` and ``refused``. ``count``: how
    many events. ``gap``: microseconds between two of them; 0 sends all at once. ``seed``: of nasty
    content.
    """

    kind: str = MARKED
    count: int = 0
    gap: int = 0
    seed: int = 0

    def __str__(self) -> str:
        return f"plan({self.kind},{self.count},{self.gap},{self.seed})"


def read(question: bytes) -> Plan | None:
    """The plan within a question, None if there is none."""
    found = _WRITTEN.search(question)
    if found is None:
        return None
    kind, count, gap, seed = found.groups()
    return Plan(kind.decode(), int(count), int(gap), int(seed))


def question(plan: Plan, path: str, key: str) -> bytes:
    """The HTTP request of a client that asks for this answer; fits both dialects' shapes."""
    body = json.dumps(
        {
            "model": MODEL,
            "max_tokens": 32000,
            "stream": True,
            "messages": [{"role": "user", "content": f"Answer by {plan}."}],
        }
    ).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"x-api-key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
