# -*- test-case-name: tests.test_worker_enquiries -*-
"""What one worker asks all others, and their replies as they come.

Must not know what is asked. A worker that does not reply in time is not waited for.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime

from kiro2api.control import Enquiry, Expect, Message, Reply
from kiro2api.web.peers import Replies

REPLY_SECONDS: Final = 1.0


class _Open:
    """One question until it is answered."""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred(lambda _: None)
        self.expected: int | None = None
        self.told: list[msgspec.Raw] = []

    @property
    def complete(self) -> bool:
        return self.expected == len(self.told)

    def settle(self) -> None:
        # Whoever asked may have given up.
        if not self.done.called:
            self.done.callback(None)


class Enquiries:
    """All questions of this worker that are not answered yet.

    :param say: tells the supervisor; whether there is one to be told.
    """

    def __init__(self, clock: IReactorTime, say: Callable[[Message], bool]) -> None:
        self._clock: Any = clock
        self._say = say
        self._open: dict[int, _Open] = {}
        self._last = 0

    async def ask(self, about: str, subject: str) -> Replies:
        """What all others reply; partial where not everybody has, or nobody can be asked."""
        self._last += 1
        number, question = self._last, _Open()
        self._open[number] = question
        try:
            if self._say(Enquiry(number, about, subject)):
                await question.done.addTimeout(REPLY_SECONDS, self._clock)
        except DeferredTimeout:
            pass
        finally:
            del self._open[number]
        return Replies(tuple(question.told), partial=not question.complete)

    def heard(self, message: Expect | Reply) -> None:
        """How many will reply, or one reply."""
        question = self._open.get(message.question)
        if question is None:
            return
        if isinstance(message, Expect):
            question.expected = message.replies
        else:
            question.told.append(message.told)
        if question.complete:
            question.settle()

    def give_up(self) -> None:
        """No reply comes any more."""
        for question in tuple(self._open.values()):
            question.settle()
