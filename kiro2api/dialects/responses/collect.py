# -*- test-case-name: tests.dialects.responses.test_collect -*-
"""Events to one whole response. Must not know the transport or the clock."""

from collections.abc import Sequence

from kiro2api.conversation.answer import StreamEvent
from kiro2api.dialects.dialect import Opening
from kiro2api.dialects.responses.draft import AnyItem, Draft
from kiro2api.dialects.responses.envelope import Envelope, echo_of


class ResponseCollector:
    """Collects one answer: an onlooker that waits for the end."""

    def __init__(self, opening: Opening) -> None:
        self._envelope = Envelope(opening)
        self._draft = Draft(opening.id, echo_of(opening), self)

    def add(self, events: Sequence[StreamEvent]) -> None:
        """Take more events; those after the end are not looked at."""
        for event in events:
            if self._draft.ended is not None:
                return
            self._draft.take(event)

    def reply(self) -> bytes:
        """The JSON body; puts the response away if that is wanted."""
        return self._envelope.finished(self._draft)[1]

    def begun(self, item: AnyItem) -> None:
        """Nothing to tell yet."""

    def more(self, item: AnyItem, text: str) -> None:
        """Nothing to tell yet."""

    def done(self, item: AnyItem, json: bytes) -> None:
        """Nothing to tell yet."""
