# -*- test-case-name: tests.media.test_room -*-
"""A conversation with everything attached made ready for the model.

Most conversations need nothing, which is found out without waiting. Must not know dialects, HTTP
requests or the upstream's body.

What the client sent just now and cannot be used is refused, because then there is somebody to be
told. In earlier turns and in what tools returned a note stands in its place: a refusal there would
come again with every request and end the session.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final, TypeAlias

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as OutOfTime

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    Part,
    Reference,
    Text,
    ToolResult,
    Turn,
)
from kiro2api.errors import RequestRejected
from kiro2api.kiro.media import DOCUMENT_CHARACTERS
from kiro2api.media.fetch import Fetched, Fetcher
from kiro2api.media.limits import Halted, Limits, Unreadable
from kiro2api.media.probe import decoded_size, probe
from kiro2api.media.results import Result, Results
from kiro2api.media.threads import Threads
from kiro2api.media.wording import address_name, document_name, left_out, refused

READ_SECONDS: Final = 60.0
FETCHED_SECONDS: Final = 3600.0
FAILED_SECONDS: Final = 300.0
FETCHES: Final = 10
"""Addresses that are fetched for one request, the newest first."""

_SCHEMES: Final = ("https://", "http://")

_Attached: TypeAlias = Image | Document | Reference


class Media:
    """Reads and fetches what clients attach.

    :param reactor: ``IReactorTime`` and ``IReactorFromThreads``.
    :param fetcher: None: addresses are not fetched.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        fetcher: Fetcher | None = None,
        threads: Threads | None = None,
        results: Results | None = None,
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._fetcher = fetcher
        self._threads = threads or Threads(reactor, "kiro2api-media")
        self._results = results or Results(reactor.seconds)

    def needs_work(self, conversation: Conversation) -> bool:
        """Whether anything in it has to be read, fetched or made smaller."""
        return any(self._any(turn.parts) for turn in conversation.turns)

    async def prepared(self, conversation: Conversation) -> Conversation:
        """The conversation with texts and images in place of what was attached; documents that a
        model might take as such stay, with their text.

        Cancelling gives up what is under way.

        :raises RequestRejected: what was sent just now cannot be used.
        :raises KiroError: there is too much to do at the moment, or the service is stopping.
        """
        turns = list(conversation.turns)
        request = _Request(self, _answered(turns))
        # The newest first: what is bounded in number is to be spent on them.
        for index in range(len(turns) - 1, -1, -1):
            turn = turns[index]
            if self._any(turn.parts):
                parts = await request.parts(turn.parts, strict=index > request.answered, top=True)
                turns[index] = replace(turn, parts=tuple(parts))
        return replace(conversation, turns=tuple(turns))

    def stop(self) -> Deferred[None]:
        """End the threads; what is under way fails."""
        return self._threads.stop()

    # ── what is to be done ───────────────────────────────────────────────────

    def _any(self, parts: Sequence[Part]) -> bool:
        for part in parts:
            if type(part) is Text:  # nearly all of them
                continue
            if isinstance(part, ToolResult):
                if self._any(part.parts):
                    return True
            elif isinstance(part, _Attached) and self.concerns(part):
                return True
        return False

    def concerns(self, part: _Attached) -> bool:
        """Whether this part cannot stay as it is, by its looks."""
        if isinstance(part, Image):
            seen = probe(part.data)
            if seen is None:
                return False  # no image at all: that is told where images are counted
            if seen.kind not in ("png", "jpeg", "gif", "webp"):
                return True
            large = seen.side == 0 or seen.side > self._limits.side
            return large or decoded_size(part.data) > self._limits.image_bytes
        if isinstance(part, Reference):
            return self._fetcher is not None and part.target.lower().startswith(_SCHEMES)
        return True

    # ── one thing ────────────────────────────────────────────────────────────

    async def read(self, part: Image | Document) -> Result:
        """What becomes of something by value."""
        limits, results = self._limits, self._results

        def work(halted: Halted) -> Result:
            # The parsers cost a start nothing.
            from kiro2api.media.reading import read_document, read_image

            # Even finding a result takes a while, because all of the data has to be hashed.
            if isinstance(part, Image):
                key = _key("image", part.data)
            else:
                key = _key("document", part.media_type, part.name, part.data)
            found = results.find(key)
            if found is not None:
                return found[0]
            result: Result
            try:
                if isinstance(part, Image):
                    result = read_image(part, limits, halted)
                else:
                    result = read_document(part, limits, halted)
            except Unreadable as reason:
                result = Unreadable(reason.reason)
            results.keep(key, result)
            return result

        return await self._slowly(work)

    async def fetch(self, part: Reference) -> Result:
        """What becomes of something by address."""
        assert self._fetcher is not None
        key = address_key(part)
        result: Result
        try:
            result = await self._fetched(part, await self._fetcher.fetch(part.target))
        except Unreadable as reason:
            result = Unreadable(reason.reason)
        failed = isinstance(result, Unreadable)
        self._results.keep(key, result, FAILED_SECONDS if failed else FETCHED_SECONDS)
        return result

    def known(self, part: Reference) -> tuple[Result] | None:
        """What became of this address lately."""
        return self._results.find(address_key(part))

    async def _fetched(self, part: Reference, fetched: Fetched) -> Result:
        limits = self._limits

        def work(halted: Halted) -> Result:
            from kiro2api.media.reading import read_bytes

            name = "" if part.what == "image" else part.target
            found = read_bytes(fetched.data, fetched.content_type, name, limits, halted)
            if found is None:
                raise Unreadable("it is of a kind that is not read here")
            if part.what == "image" and not isinstance(found, Image):
                raise Unreadable("it is not an image")
            return found

        return await self._slowly(work)

    async def _slowly(self, work: Callable[[Halted], Result]) -> Result:
        try:
            return await self._threads.call(work).addTimeout(READ_SECONDS, self._reactor)
        except OutOfTime:
            return Unreadable(f"reading it takes longer than {READ_SECONDS:g} seconds")


class _Request:
    """The attachments of one request, one after the other, so that others get their turn."""

    def __init__(self, media: Media, answered: int) -> None:
        self._media = media
        self._fetches = 0
        self.answered = answered

    async def parts(self, parts: Sequence[Any], strict: bool, top: bool = False) -> list[Any]:
        """The parts, with those replaced that cannot stay.

        :param top: they are a turn's own, where a document may yet go to the model as such.
        """
        out: list[Any] = []
        for part in reversed(parts):
            if isinstance(part, ToolResult):
                inner = await self.parts(part.parts, strict=False)
                out.append(replace(part, parts=tuple(inner)))
            elif isinstance(part, _Attached) and self._media.concerns(part):
                out.append(await self._one(part, strict, top))
            else:
                out.append(part)
        return out[::-1]

    async def _one(self, part: _Attached, strict: bool, top: bool) -> Part:
        result = await self._result(part)
        if result is None:
            return part
        if not isinstance(result, Unreadable):
            kept = top and isinstance(part, Document) and len(part.data) <= DOCUMENT_CHARACTERS
            return replace(part, text=result.text) if kept and isinstance(result, Text) else result
        name = _name(part)
        # A client may go on without one of its images: only what it cannot do without is refused.
        if strict and not isinstance(part, Image):
            raise RequestRejected(refused(name, result.reason), code="unreadable_attachment")
        return Text(left_out(name, result.reason))

    async def _result(self, part: _Attached) -> Result:
        if not isinstance(part, Reference):
            return await self._media.read(part)
        known = self._media.known(part)
        if known is not None:
            return known[0]
        if self._fetches >= FETCHES:
            return None
        self._fetches += 1
        return await self._media.fetch(part)


def address_key(part: Reference) -> bytes:
    """The key of the result for an address."""
    return _key("address", part.what, part.target)


def _key(*texts: str) -> bytes:
    digest = sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d\n" % len(data))
        digest.update(data)
    return digest.digest()


def _answered(turns: Sequence[Turn]) -> int:
    """The last turn of the model, -1 where there is none: what follows was sent just now."""
    for index in range(len(turns) - 1, -1, -1):
        if turns[index].role == "assistant":
            return index
    return -1


def _name(part: _Attached) -> str:
    if isinstance(part, Image):
        return f"image ({part.media_type})"
    if isinstance(part, Document):
        return document_name(part.name, part.media_type)
    return address_name(part.what, part.target)
