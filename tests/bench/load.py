# -*- test-case-name: tests.bench.test_smoke -*-
"""The load generator: many connections in one epoll loop, every answer checked to the end.

Must not know what a measure means. An answer's bytes are only kept and counted while they come, and
taken apart once it is whole, so that the generator costs less than what it drives.
"""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.bench import wire
from tests.bench.gauge import cpu_seconds

_SERVED: Final = b"HTTP/1.1 200"
_END: Final = wire.LAST_CHUNK
_PATIENCE: Final = 30.0
_MOST_DEFECTS: Final = 20

Check = Callable[[bytes], str]
"""A whole body's content to what is wrong with it, "" if nothing is."""


@dataclass
class Tally:
    """What one run of load saw.

    ``whole`` counts all answers that passed their check, ``checked`` the events of all answers;
    the rest belongs to the window, which lasted ``seconds``. Times in nanoseconds.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    events: int = 0
    answers: int = 0
    whole: int = 0
    checked: int = 0
    latencies: list[int] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    def blame(self, defect: str) -> None:
        """Remember a defect, within reason."""
        if len(self.defects) < _MOST_DEFECTS:
            self.defects.append(defect)


class Caller:
    """One client connection."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), 10.0)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.setblocking(False)
        self.answer = bytearray()
        self.asked = 0
        self.first = 0

    def ask(self, question: bytes) -> None:
        """Send it; small enough to fit into the socket's buffer."""
        self.answer.clear()
        self.first = 0
        self.asked = time.monotonic_ns()
        if self.connection.send(question) != len(question):
            raise OSError("a question does not fit into a socket's buffer")


class Load:
    """Asks one question over and over, or once on each of many connections.

    :param port: whom to ask.
    :param pid: whose CPU time to take, None for nobody's.
    """

    def __init__(self, port: int, question: bytes, check: Check, pid: int | None = None) -> None:
        self._port = port
        self._question = question
        self._check = check
        self._pid = pid
        self._poll = select.epoll()
        self._callers: dict[int, Caller] = {}
        self._inside = False
        self._deadline = 0.0
        self._again = False
        self.tally = Tally()

    def run(self, connections: int, *, warm: float, window: float, again: bool) -> Tally:
        """Ask on so many connections, measure from ``warm`` seconds on for ``window`` seconds, and
        see every answer to its end. ``again``: ask anew after each answer until the window ends.
        """
        began = time.monotonic()
        opens = began + warm
        self._deadline = opens + window
        self._again = again
        self.open(connections)
        marks: list[tuple[float, float]] = []
        while self._callers or len(marks) < 2:
            now = time.monotonic()
            if not marks and now >= opens:
                marks.append((now, self._cpu()))
                self._inside = True
            elif len(marks) == 1 and now >= self._deadline:
                marks.append((now, self._cpu()))
                self._inside = False
            elif now > self._deadline + _PATIENCE:
                self.tally.blame(f"{len(self._callers)} answers did not end")
                self.leave()
                break
            self.turn((opens if not marks else self._deadline) - now if len(marks) < 2 else 1.0)
        (from_, spent), (until, spent_then) = marks
        self.tally.seconds = until - from_
        self.tally.cpu = spent_then - spent
        self._poll.close()
        return self.tally

    def open(self, connections: int) -> None:
        """Connect and ask."""
        for _ in range(connections):
            caller = Caller(self._port)
            self._callers[caller.connection.fileno()] = caller
            self._poll.register(caller.connection, select.EPOLLIN)
            caller.ask(self._question)

    def turn(self, seconds: float) -> None:
        """Take what has come, after waiting at most so long."""
        for number, _ in self._poll.poll(max(seconds, 0.0)):
            caller = self._callers[number]
            try:
                data = caller.connection.recv(262_144)
            except OSError:
                data = b""
            now = time.monotonic_ns()
            if data:
                self._take(caller, data, now)
            else:
                self._drop(caller, f"cut off after {len(caller.answer)} bytes")

    def leave(self) -> list[bytes]:
        """Go away in the middle of every answer; gives what had come of each."""
        parts = []
        for caller in tuple(self._callers.values()):
            parts.append(bytes(caller.answer))
            self._drop(caller, "")
        return parts

    def begun(self) -> int:
        """How many of the open answers have a first event."""
        return sum(1 for caller in self._callers.values() if caller.first)

    def _take(self, caller: Caller, data: bytes, now: int) -> None:
        tally = self.tally
        caller.answer += data
        if not caller.answer.startswith(_SERVED):
            self._drop(caller, f"refused: {bytes(caller.answer[:300])!r}")
            return
        if not caller.first and b"~" in data:
            caller.first = now
            if self._inside:
                tally.firsts.append(now - caller.asked)
        if self._inside:
            tally.events += data.count(b"~")
            # A mark that was cut in two is counted, but not timed.
            if data.find(b":0000000000000000") < 0:
                for mark in wire.MARK.finditer(data):
                    tally.latencies.append(now - int(mark[2], 16))
        if caller.answer.endswith(_END):
            self._whole(caller)

    def _whole(self, caller: Caller) -> None:
        """Judge the answer, if it really has ended."""
        try:
            content = wire.dechunked(caller.answer.partition(b"\r\n\r\n")[2])
        except ValueError as error:
            self._drop(caller, str(error))
            return
        if content is None:
            return
        wrong = self._check(content)
        if wrong:
            self.tally.blame(wrong)
        else:
            self.tally.whole += 1
        self.tally.checked += content.count(b"~")
        if self._inside:
            self.tally.answers += 1
        if self._again and time.monotonic() < self._deadline:
            caller.ask(self._question)
        else:
            self._drop(caller, "")

    def _drop(self, caller: Caller, defect: str) -> None:
        if defect:
            self.tally.blame(defect)
        del self._callers[caller.connection.fileno()]
        caller.connection.close()

    def _cpu(self) -> float:
        return 0.0 if self._pid is None else cpu_seconds(self._pid)
