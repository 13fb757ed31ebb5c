"""A relay in front of the service that remembers which requests passed through it.

For routes that leave no line in the service's log.
"""

import contextlib
import re
import socket
import socketserver
import threading
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"^(GET|HEAD|POST) (\S+) HTTP/1\.1\r$", re.M)
_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.M)


class _Relay(socketserver.BaseRequestHandler):
    """One connection."""

    server: "Tap"

    def handle(self) -> None:
        """Both directions, until either side closes."""
        with socket.create_connection(self.server.target, 10) as onward:
            onward.settimeout(60)
            self.request.settimeout(60)
            back = threading.Thread(target=self._copy, args=(onward, self.request, "received"))
            back.start()
            self._copy(self.request, onward, "sent")
            back.join()

    def _copy(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        passed = bytearray()
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        getattr(self.server, direction).append(bytes(passed))


class Tap(socketserver.ThreadingTCPServer):
    """Listens on a free port and relays to ``url``; a context manager."""

    # Leaving the context waits for what is under way: the last answers count as well.
    daemon_threads = False
    # Twenty-five connections at once must not be refused.
    request_queue_size = 64

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 0)
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Relay)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def __enter__(self) -> "Tap":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def requests(self) -> list[str]:
        """Method and path of every request on connections that have ended."""
        found = [_REQUEST.findall(passed) for passed in self.sent]
        return [f"{method.decode()} {path.decode()}" for each in found for method, path in each]

    def statuses(self) -> list[int]:
        """The status of every answer on connections that have ended."""
        return [int(status) for passed in self.received for status in _STATUS.findall(passed)]
