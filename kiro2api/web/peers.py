# -*- test-case-name: tests.web.test_peers -*-
"""The other processes that serve together with this one: asking them, and answering them.

Must not know how questions travel, nor what they are about.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Replies(msgspec.Struct, frozen=True):
    """What the others have answered, as JSON. ``partial``: not all of them have."""

    items: tuple[msgspec.Raw, ...] = ()
    partial: bool = False


class Peers:
    """The others. There are none until somebody sets ``ask``.

    ``ask`` takes a topic and what of it is wanted. ``answers`` has, by topic, what this process
    answers: anything that JSON can carry, or None.
    """

    def __init__(self) -> None:
        self.ask: Callable[[str, str], Awaitable[Replies]] = _alone
        self.answers: dict[str, Callable[[str], object]] = {}

    def answer(self, about: str, subject: str) -> msgspec.Raw:
        """What this process answers; an unknown topic is that of another version of ours."""
        answer = self.answers.get(about)
        told = None if answer is None else answer(subject)
        return msgspec.Raw(msgspec.json.encode(told))

    async def asked(
        self, about: str, subject: str, shape: "msgspec.json.Decoder[T]"
    ) -> tuple[list[T], bool]:
        """The answers of all others who have one, and whether some could not be had."""
        replies = await self.ask(about, subject)
        found, partial = [], replies.partial
        for told in replies.items:
            if bytes(told) == b"null":
                continue
            try:
                found.append(shape.decode(told))
            except msgspec.DecodeError:
                partial = True
        return found, partial


async def _alone(about: str, subject: str) -> Replies:
    """There is no other process."""
    return Replies()
