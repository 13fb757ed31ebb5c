# -*- test-case-name: tests.bench.test_smoke -*-
"""The fake upstream: answers by the plan that it finds in a question. A program of its own.

As light as Python allows, since it shares the machine with what is measured: one epoll loop, no
request parsing beyond what it needs. Its control plane: the login, the list of models, and
``GET /streams``, which tells how many answers are open.
"""

import heapq
import json
import re
import select
import signal
import socket
import time
from functools import lru_cache
from itertools import count
from types import FrameType
from typing import Final

from tests.bench import wire
from tests.bench.plan import NASTY, Plan, read

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
    b"x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_NASTY_GAP: Final = 100
_GOLDEN: Final = 0.618034
_LOGIN: Final = {
    "accessToken": "bench-access",
    "refreshToken": "bench-refresh",
    "expiresIn": 36000,
    "profileArn": "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEFGHIJKL",
}
_MODELS: Final = {"models": [{"modelId": "claude-sonnet-4.5"}]}


@lru_cache(32)
def at_once(plan: Plan) -> bytes:
    """A whole answer without gaps."""
    if plan.kind == "refused":
        return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    numbers = list(range(plan.count))
    if plan.kind == "lossy":
        del numbers[plan.count // 2]
    elif plan.kind == "doubled":
        numbers.insert(1, 0)
    elif plan.kind == "swapped":
        numbers[0], numbers[1] = numbers[1], numbers[0]
    elif plan.kind == "cut":
        return (_HEAD + wire.burst(plan.count))[:-60]
    else:
        return _HEAD + wire.burst(plan.count)
    pieces = [wire.chunk(wire.marked(number)) for number in numbers]
    return b"".join((_HEAD, *pieces, wire.chunk(wire.tail()), wire.LAST_CHUNK))


@lru_cache(32)
def in_pieces(seed: int) -> tuple[bytes, ...]:
    """A nasty answer: cut into HTTP chunks anywhere, and these into TCP segments anywhere."""
    body = b"".join(wire.nasty_frames(seed))
    chunks = [wire.chunk(piece) for piece in wire.cut(body, seed, 120)]
    return _HEAD, *wire.cut(b"".join((*chunks, wire.LAST_CHUNK)), seed + 1, 120)


class Line:
    """One connection and the answer that is under way on it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.inbound = bytearray()
        self.outbound: memoryview | None = None
        self.plan: Plan | None = None
        self.pieces: tuple[bytes, ...] = ()
        self.step = 0
        self.due = 0
        # All of the answer is in ``outbound``, or sent.
        self.complete = True
        self.waiting = False
        self.closed = False


class Upstream:
    """The loop. ``open`` are the lines with an answer under way."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.open: set[Line] = set()
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._lines: dict[int, Line] = {}
        self._due: list[tuple[int, int, Line]] = []
        self._order = count()

    def run(self) -> None:
        """For ever."""
        while True:
            if self._due:
                # epoll counts in milliseconds, select in microseconds.
                wait = max(0, self._due[0][0] - time.monotonic_ns()) / 1e9
                select.select([self._poll.fileno()], [], [], wait)
                ready = self._poll.poll(0)
            else:
                ready = self._poll.poll()
            for number, event in ready:
                self._turn(number, event)
            now = time.monotonic_ns()
            while self._due and self._due[0][0] <= now:
                line = heapq.heappop(self._due)[2]
                if not line.closed:
                    self._step(line)

    def _turn(self, number: int, event: int) -> None:
        line = self._lines.get(number)
        if line is None:
            self._accept()
            return
        if event & select.EPOLLOUT:
            self._flush(line)
        if event & ~select.EPOLLOUT and not line.closed:
            self._read(line)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._lines[connection.fileno()] = Line(connection)
            self._poll.register(connection, select.EPOLLIN)

    def _read(self, line: Line) -> None:
        try:
            data = line.connection.recv(262_144)
        except OSError:
            data = b""
        if not data:
            self._close(line)
            return
        line.inbound += data
        end = line.inbound.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _LENGTH.search(line.inbound, 0, end)
        whole = end + 4 + (int(found[1]) if found else 0)
        if len(line.inbound) >= whole:
            asked = bytes(line.inbound[:whole])
            del line.inbound[:whole]
            self._answer(line, asked)

    def _answer(self, line: Line, asked: bytes) -> None:
        plan = read(asked)
        if plan is None:
            self._tell(line, asked.split(b"\r\n", 1)[0])
            return
        self.open.add(line)
        line.plan, line.step = plan, 0
        line.complete = not plan.gap and plan.kind != NASTY
        if line.complete:
            self._send(line, at_once(plan))
            if plan.kind == "cut":
                self._close(line)
            return
        # The first event comes at once, the second at a moment of this stream's own.
        line.due = time.monotonic_ns() - int(next(self._order) * _GOLDEN % 1 * plan.gap * 1000)
        if plan.kind == NASTY:
            line.pieces = in_pieces(plan.seed)
        else:
            self._send(line, _HEAD)
        self._step(line)

    def _tell(self, line: Line, first: bytes) -> None:
        known: object = {}
        if b"/streams" in first:
            known = {"open": len(self.open)}
        elif b"/refreshToken" in first:
            known = _LOGIN
        elif b"/ListAvailableModels" in first:
            known = _MODELS
        body = json.dumps(known).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
        self._send(line, head.format(len(body)).encode() + body)

    def _step(self, line: Line) -> None:
        """The next event of a paced answer, or piece of a nasty one."""
        plan = line.plan
        assert plan is not None
        if plan.kind == NASTY:
            data = line.pieces[line.step]
            gap, line.complete = _NASTY_GAP, line.step == len(line.pieces) - 1
        else:
            data = wire.chunk(wire.marked(line.step, time.monotonic_ns()))
            gap, line.complete = plan.gap, line.step == plan.count - 1
            if line.complete:
                data += wire.chunk(wire.tail()) + wire.LAST_CHUNK
        line.step += 1
        if not line.complete:
            line.due += gap * 1000
            heapq.heappush(self._due, (line.due, next(self._order), line))
        self._send(line, data)

    def _send(self, line: Line, data: bytes) -> None:
        if line.outbound is None:
            line.outbound = memoryview(data)
            self._flush(line)
        else:
            line.outbound = memoryview(bytes(line.outbound) + data)

    def _flush(self, line: Line) -> None:
        if line.outbound is None:
            return
        try:
            sent = line.connection.send(line.outbound)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(line)
            return
        rest = line.outbound[sent:]
        line.outbound = rest or None
        if bool(rest) is not line.waiting:
            line.waiting = bool(rest)
            self._poll.modify(
                line.connection, select.EPOLLIN | (select.EPOLLOUT if line.waiting else 0)
            )
        if not rest and line.complete:
            self.open.discard(line)

    def _close(self, line: Line) -> None:
        if line.closed:
            return
        line.closed = True
        self.open.discard(line)
        del self._lines[line.connection.fileno()]
        line.connection.close()


def main() -> None:
    """Print the port and serve until told to stop."""

    def stop(number: int, at: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    upstream = Upstream()
    print(upstream.port, flush=True)
    upstream.run()


if __name__ == "__main__":
    main()
