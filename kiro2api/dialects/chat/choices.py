# -*- test-case-name: tests.dialects.chat.test_choices -*-
"""Several answers to one question in one chat completion: streamed side by side, or whole.

Each choice is written like an answer of its own; the end comes once, after all of them. Must not
know where the answers come from.
"""

from collections.abc import Sequence

from kiro2api.conversation.answer import Ended, StreamEvent, Usage
from kiro2api.dialects.chat.answer import KEEP_ALIVE, ChunkWriter, failure
from kiro2api.dialects.chat.collect import CompletionCollector, whole
from kiro2api.dialects.dialect import OfChoice, Opening
from kiro2api.errors import KiroError


class ChoicesWriter:
    """Writes several streamed answers, which come in any order."""

    def __init__(self, opening: Opening) -> None:
        count = opening.choices
        self._writers = [ChunkWriter(opening, index, alone=False) for index in range(count)]
        self._usage: Usage | None = None
        self._closed = False

    def begin(self) -> bytes:
        """The chunks that name the roles."""
        return b"" if self._closed else b"".join(writer.begin() for writer in self._writers)

    def write(self, events: Sequence[StreamEvent | OfChoice]) -> bytes:
        """The chunks of these events; those of no choice are the usage and the end of all."""
        out: list[bytes] = []
        for event in () if self._closed else events:
            if isinstance(event, OfChoice):
                out.append(self._writers[event.index].write(event.events))
            elif isinstance(event, Usage):
                self._usage = event
            elif isinstance(event, Ended):
                self._closed = True
                self._writers[0].end(self._usage, out)
                break
        return b"".join(out)

    def ping(self) -> bytes:
        """A comment, as long as any choice goes on; nothing may follow the end of all."""
        return b"" if self._closed else KEEP_ALIVE

    def fail(self, error: KiroError) -> bytes:
        """The error, and nothing that could be taken for an end: told once for all."""
        if self._closed:
            return b""
        self._closed = True
        return failure(error)


class ChoicesCollector:
    """Collects several answers."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._collectors = [CompletionCollector(opening) for _ in range(opening.choices)]
        self._usage: Usage | None = None

    def add(self, events: Sequence[StreamEvent | OfChoice]) -> None:
        """Take more events."""
        for event in events:
            if isinstance(event, OfChoice):
                self._collectors[event.index].add(event.events)
            elif isinstance(event, Usage):
                self._usage = event

    def reply(self) -> bytes:
        """The JSON body, with the choices in order."""
        choices = tuple(each.choice(index) for index, each in enumerate(self._collectors))
        return whole(self._opening, choices, self._usage)
