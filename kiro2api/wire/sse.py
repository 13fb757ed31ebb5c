# -*- test-case-name: tests.wire.test_sse -*-
"""Server-Sent Events: bytes of an event or a comment, and a decoder for what clients would see.

Must not know what an event is about, nor who sends it where.
"""

from typing import Final

_BOM: Final = b"\xef\xbb\xbf"


def encode(event: str | None, data: bytes) -> bytes:
    """One event; ``event`` None leaves its name out. JSON needs one ``data`` line, text as many
    as it has lines.

    :raises ValueError: a line break in the event's name.
    """
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        data = b"\ndata: ".join(lines)
    if event is None:
        return b"data: " + data + b"\n\n"
    if "\n" in event or "\r" in event:
        raise ValueError("an event's name must be a single line")
    return b"event: %b\ndata: %b\n\n" % (event.encode("utf-8"), data)


def comment(text: str) -> bytes:
    """A line (or several) that clients ignore; keeps a connection alive."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(f": {line}\n" for line in lines).encode("utf-8") + b"\n"


class SSEDecoder:
    """Reads a stream of events, cut anywhere, as a browser would.

    ``comments`` holds the comments seen, ``last_id`` the latest ``id`` field.
    """

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.last_id = ""
        self._rest = b""
        self._begun = False
        self._event: str | None = None
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[tuple[str | None, bytes]]:
        """The events completed by ``data`` as (name or None, data), without those that have no
        data line."""
        self._rest += data
        if not self._begun:
            if len(self._rest) < len(_BOM) and _BOM.startswith(self._rest):
                return []
            self._begun = True
            self._rest = self._rest.removeprefix(_BOM)
        # A carriage return at the very end may be half of a line break.
        held = b"\r" if self._rest.endswith(b"\r") else b""
        text = self._rest[: len(self._rest) - len(held)]
        lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        events: list[tuple[str | None, bytes]] = []
        for line in lines:
            if line:
                self._line(line)
                continue
            if self._data:
                events.append((self._event, b"\n".join(self._data)))
            self._event = None
            self._data = []
        return events

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not name:
            self.comments.append(value.decode("utf-8"))
        elif name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8") or None
        elif name == b"id":
            self.last_id = value.decode("utf-8")
