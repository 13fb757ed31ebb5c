# -*- test-case-name: tests.emulator.test_app -*-
"""The calls that the emulator received, for those who want to look at them afterwards.

Holds names of headers, never their values, and hides the tokens in bodies: even invented tokens
stay out of anything that is shown, and somebody may send real ones by mistake.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

_SECRET = frozenset({"refreshToken", "clientSecret", "accessToken", "deviceCode"})


class Call(msgspec.Struct):
    """One call. ``body`` is the decoded JSON, None where it is none.

    ``outcome``: open while the answer is under way; completed; refused by the emulator; cut by
    order of a script; aborted by the caller.
    """

    number: int
    method: str
    path: str
    query: dict[str, str]
    headers: tuple[str, ...]
    body: Any = None
    account: str = ""
    status: int = 0
    outcome: Literal["open", "completed", "cut", "aborted"] = "open"


class Streams(msgspec.Struct):
    """How the answers fare that are streams."""

    open: int = 0
    started: int = 0
    completed: int = 0
    cut: int = 0
    aborted: int = 0


class CallLog:
    """The latest calls, at most ``keep`` of them."""

    def __init__(self, keep: int) -> None:
        self.streams = Streams()
        self._calls: deque[Call] = deque(maxlen=keep)
        self._count = 0

    def __iter__(self) -> Any:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: int) -> Call:
        return self._calls[index]

    def received(
        self, method: str, path: str, query: dict[str, str], headers: tuple[str, ...]
    ) -> Call:
        """Note a call."""
        self._count += 1
        call = Call(self._count, method, path, query, headers)
        self._calls.append(call)
        return call

    def clear(self) -> None:
        """Forget what was noted; numbers go on."""
        self._calls.clear()

    def begun(self) -> None:
        """A stream has started."""
        self.streams.started += 1
        self.streams.open += 1

    def ended(self, call: Call) -> None:
        """A stream has ended with the outcome of its call."""
        self.streams.open -= 1
        if call.outcome == "completed":
            self.streams.completed += 1
        elif call.outcome == "cut":
            self.streams.cut += 1
        else:
            self.streams.aborted += 1


def without_secrets(body: Any) -> Any:
    """The body with its tokens hidden; only the top level of a login body holds any."""
    if isinstance(body, Mapping) and not _SECRET.isdisjoint(body):
        return {key: "<hidden>" if key in _SECRET else value for key, value in body.items()}
    return body
