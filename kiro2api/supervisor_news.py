# -*- test-case-name: tests.test_supervisor_news -*-
"""What workers tell each other: everything goes through the supervisor, who keeps the sums.

Must not know processes, nor what a question between workers is about.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from kiro2api.census import Census
from kiro2api.control import (
    Answer,
    Ask,
    Enquiry,
    Expect,
    Hello,
    LoginTurned,
    Message,
    Reply,
    Report,
    Told,
)


class Listener(Protocol):
    """One worker's line."""

    serial: int

    def say(self, message: Message) -> None:
        """Send it."""


class News:
    """Passes on what workers say to whom it concerns.

    :param now: the time in epoch seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._census = Census(now())
        self._lines: dict[int, Listener] = {}

    def line(self, serial: int) -> Listener | None:
        """The line of a worker that has one."""
        return self._lines.get(serial)

    def heard(self, line: Listener, message: Message) -> None:
        """A worker says something."""
        if isinstance(message, Hello):
            self._lines[line.serial] = line
            for turned in self._census.standings(self._now()):
                line.say(Told(turned))
        elif isinstance(message, Report):
            self._census.report(
                line.serial, message.statuses, message.totals, message.active_requests
            )
        elif isinstance(message, Told):
            self._census.notice(message.notice)
            self._tell_others(line, message)
        elif isinstance(message, LoginTurned):
            self._tell_others(line, message)
        elif isinstance(message, Ask):
            overview = self._census.overview(brief=message.brief)
            line.say(Answer(message.question, overview))
        elif isinstance(message, Enquiry):
            self._enquire(line, message)
        elif isinstance(message, Reply):
            asker = self._lines.get(message.asker)
            if asker is not None:
                asker.say(message)

    def hung_up(self, line: Listener) -> None:
        """A line is closed; its worker may have another already."""
        if self._lines.get(line.serial) is line:
            del self._lines[line.serial]
        self._census.gone(line.serial)

    def gone(self, serial: int) -> None:
        """A worker has ended."""
        self._lines.pop(serial, None)
        self._census.gone(serial)

    def _enquire(self, line: Listener, enquiry: Enquiry) -> None:
        others = list(self._others(line))
        line.say(Expect(enquiry.question, len(others)))
        asked = Enquiry(enquiry.question, enquiry.about, enquiry.subject, line.serial)
        for other in others:
            other.say(asked)

    def _tell_others(self, line: Listener, message: Message) -> None:
        for other in self._others(line):
            other.say(message)

    def _others(self, line: Listener) -> Iterator[Listener]:
        return (other for other in self._lines.values() if other is not line)
