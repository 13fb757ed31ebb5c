# -*- test-case-name: tests.test_lines -*-
"""The lines that another process prints, one by one, and marked as its own.

Pure. Must not know where they come from or go to.
"""

import re
from typing import Final

LONGEST: Final = 128 * 1024

# TIME LEVEL NAMESPACE: MESSAGE, as our own log writes it.
_HEAD: Final = re.compile(r"\d{4}-\S+Z [A-Z]+ +")


class Lines:
    """Cuts what arrives in pieces into lines; one that does not end is cut at ``LONGEST``."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that ``data`` completes, without their ends."""
        *whole, rest = (self._rest + data).split(b"\n")
        while len(rest) > LONGEST:
            whole.append(rest[:LONGEST])
            rest = rest[LONGEST:]
        self._rest = rest
        return [_text(line) for line in whole]

    def rest(self) -> list[str]:
        """What was left without an end."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def marked(line: str, worker: int) -> str:
    """The line with the number of its worker in it, in the place where it disturbs least."""
    if line.startswith('{"'):
        return f'{{"worker":{worker},{line[1:]}'
    head = _HEAD.match(line)
    end = head.end() if head else 0
    return f"{line[:end]}[{worker}] {line[end:]}"


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
