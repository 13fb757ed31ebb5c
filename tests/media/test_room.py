"""Whole conversations made ready."""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    Part,
    Reference,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)
from kiro2api.errors import Kind, KiroError, RequestRejected
from kiro2api.kiro.media import DOCUMENT_BYTES
from kiro2api.media.fetch import Fetched
from kiro2api.media.limits import Halt, Halted, Limits, Unreadable
from kiro2api.media.room import FAILED_SECONDS, FETCHED_SECONDS, FETCHES, READ_SECONDS, Media
from tests.media.files import b64, noise, pdf, picture, unwanted

PDF = Document("application/pdf", b64(pdf("hello")), "a.pdf")
READ = Text("[document a.pdf: 1 page]\n[page 1]\nhello\n[end of the document]")
KEPT = msgspec.structs.replace(PDF, text=READ.text)
BROKEN = Document("application/pdf", b64(b"%PDF-broken"), "b.pdf")
LOCKED = Document("application/pdf", b64(pdf("x", password="s")), "c.pdf")
SMALL = Image("image/png", b64(picture(20, 20)))
LARGE = Image("image/png", b64(picture(300, 20)))
SHRUNK = Image("image/png", b64(picture(100, 7)))
THERE = Reference("image", "https://a.example/x.png?signature=secret")
PAPER = Reference("document", "https://a.example/paper")


class AtOnce:
    """Threads that work at once, in the caller's; or not at all, until they are told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.held: list[tuple[Callable[[Halted], Any], Deferred[Any]]] | None = None
        self.cancelled = 0
        self.full = False
        self.stopped = False

    def call(self, function: Callable[[Halted], Any]) -> Deferred[Any]:
        """Work."""
        if self.full:
            raise KiroError("full", kind=Kind.OVERLOADED)
        self.calls += 1
        if self.held is not None:
            done: Deferred[Any] = Deferred(self._cancel)
            self.held.append((function, done))
            return done
        try:
            return succeed(function(lambda: False))
        except Exception as error:  # noqa: BLE001 - handed on
            return fail(error)

    def _cancel(self, done: Deferred[Any]) -> None:
        self.cancelled += 1

    def stop(self) -> Deferred[None]:
        """Stopped."""
        self.stopped = True
        return succeed(None)


class FakeFetcher:
    """Gives what the test says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.found: dict[str, Any] = {}

    async def fetch(self, url: str) -> Fetched:
        """The table's entry."""
        self.asked.append(url)
        found = self.found.get(url, Unreadable("it is not there"))
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Deferred):
            return await found  # type: ignore[no-any-return]
        return Fetched("", found)


def asked(*parts: Part) -> Conversation:
    """One question."""
    return Conversation((Turn("user", parts),), session="s")


class RoomTests(SynchronousTestCase):
    """What needs work and what becomes of it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = AtOnce()
        self.fetcher = FakeFetcher()
        self.media = self.made(None)

    def made(self, fetcher: Any) -> Media:
        """A room."""
        return Media(
            self.clock,
            limits=Limits(side=100),
            fetcher=fetcher,
            threads=self.threads,  # type: ignore[arg-type]
        )

    def start(self, conversation: Conversation, media: Media | None = None) -> Deferred[Any]:
        """Begin."""
        media = media or self.media
        self.assertTrue(media.needs_work(conversation))
        return Deferred.fromCoroutine(media.prepared(conversation))

    def ready(self, conversation: Conversation, media: Media | None = None) -> Conversation:
        """The result, which comes at once."""
        result: Conversation = self.successResultOf(self.start(conversation, media))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return result

    def parts(self, *parts: Part) -> tuple[Part, ...]:
        """What becomes of the parts of one question."""
        return self.ready(asked(*parts)).turns[0].parts

    def test_nothing_to_do(self) -> None:
        """Texts, calls, images within the limits, addresses that are not fetched."""
        conversation = asked(
            Text("a"), Thinking("b"), ToolUse("c", "d"), SMALL, THERE, Reference("image", "file_1"),
            Image("image/png", "no image"), ToolResult("c", (Text("e"), SMALL, THERE)),
        )  # fmt: skip
        self.assertFalse(self.media.needs_work(conversation))
        self.assertEqual(self.threads.calls, 0)

    def test_needs_work(self) -> None:
        """Documents, large images and images of other kinds, wherever they are."""
        many_bytes = Image("image/png", b64(noise(90, 90)))
        tight = Media(self.clock, limits=Limits(side=100, image_bytes=5_000))
        self.assertTrue(tight.needs_work(asked(many_bytes)))
        self.assertFalse(self.media.needs_work(asked(many_bytes)))
        for part in (PDF, LARGE, Image("image/bmp", b64(picture(9, 9, "BMP"))),
                     Image("image/jpeg", b64(b"\xff\xd8\xff\xe0no size")),
                     ToolResult("a", (Text("b"), PDF)), ToolResult("a", (LARGE,))):  # fmt: skip
            self.assertTrue(self.media.needs_work(asked(Text("a"), part)), part)

    def test_replaced_in_place(self) -> None:
        """Order, other parts and other turns stay; so does all else of the conversation."""
        result = ToolResult("t", (Text("1"), PDF, LARGE, Text("2")), is_error=True)
        conversation = Conversation(
            (
                Turn("user", (Text("a"), PDF)),
                Turn("assistant", (ToolUse("t", "read"),)),
                Turn("user", (result, LARGE, SMALL, Text("b"))),
            ),
            system=("s",),
            session="k",
        )
        ready = self.ready(conversation)
        self.assertEqual(ready.turns[0].parts, (Text("a"), KEPT))
        self.assertIs(ready.turns[1], conversation.turns[1])
        expected = ToolResult("t", (Text("1"), READ, SHRUNK, Text("2")), is_error=True)
        self.assertEqual(ready.turns[2].parts, (expected, SHRUNK, SMALL, Text("b")))
        self.assertEqual((ready.system, ready.session), (("s",), "k"))

    def test_kept(self) -> None:
        """The next turn finds what became of it; another name is another text."""
        self.parts(PDF, LARGE)
        known = len(self.media._results._entries)
        self.assertEqual(self.parts(PDF, LARGE), (KEPT, SHRUNK))
        self.assertEqual(len(self.media._results._entries), known)
        renamed = self.parts(Document(PDF.media_type, PDF.data, "z.pdf"))[0]
        assert isinstance(renamed, Document)
        self.assertIn("z.pdf", renamed.text)

    def test_too_large_to_be_sent(self) -> None:
        """A document that no model would take goes on as its text alone."""
        large = Document("text/plain", b64(b"a" * (DOCUMENT_BYTES + 3)), "a.txt")
        (part,) = self.parts(large)
        self.assertIsInstance(part, Text)

    def test_unknown_kind(self) -> None:
        """What nobody reads stays for the note that takes its place later."""
        other = Document("application/x-thing", b64(b"\x7fELF\x02\x01"), "n")
        self.assertEqual(self.parts(other), (other,))

    def test_refused(self) -> None:
        """What was sent just now and cannot be read is named."""
        for part, message in (
            (BROKEN, "the document 'b.pdf' cannot be used: it is not a valid PDF file"),
            (LOCKED, "the document 'c.pdf' cannot be used: it is protected by a password"),
            (Document("application/pdf", "?!"),
             "a document (application/pdf) cannot be used: its data is not valid base64"),
        ):  # fmt: skip
            for _ in range(2):  # a refusal is remembered, too
                error = self.failureResultOf(self.start(asked(part)), RequestRejected).value
                self.assertEqual((error.message, error.code), (message, "unreadable_attachment"))

    def test_not_refused_for_ever(self) -> None:
        """In earlier turns, in results of tools and for images a note has to do."""
        conversation = Conversation(
            (
                Turn("user", (BROKEN,)),
                Turn("assistant", (Text("I cannot read it."),)),
                Turn("user", (ToolResult("t", (LOCKED,)), Text("go on"))),
            )
        )
        ready = self.ready(conversation)
        self.assertEqual(
            ready.turns[0].parts,
            (Text("[the document 'b.pdf' left out: it is not a valid PDF file]"),),
        )
        result = ready.turns[2].parts[0]
        assert isinstance(result, ToolResult)
        self.assertEqual(
            result.parts, (Text("[the document 'c.pdf' left out: it is protected by a password]"),)
        )
        damaged = Image("image/png", b64(picture(300, 20)[:-40]))
        self.assertEqual(
            self.parts(damaged), (Text("[image (image/png) left out: its data is damaged]"),)
        )

    def test_several_turns_just_now(self) -> None:
        """All turns after the model's last one were sent just now."""
        conversation = Conversation((Turn("user", (BROKEN,)), Turn("user", (Text("see above"),))))
        self.failureResultOf(self.start(conversation), RequestRejected)

    def test_slow(self) -> None:
        """Reading has a time; the work is told to stop."""
        self.threads.held = []
        done = self.start(asked(PDF))
        self.clock.advance(READ_SECONDS)
        error = self.failureResultOf(done, RequestRejected).value
        self.assertIn("longer than 60 seconds", error.message)
        self.assertEqual(self.threads.cancelled, 1)

    def test_cancel(self) -> None:
        """A client that leaves takes its work along."""
        self.threads.held = []
        done = self.start(asked(PDF, LARGE))
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual((self.threads.cancelled, len(self.threads.held)), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_halted_work_is_not_kept(self) -> None:
        """Work that was told to stop leaves no result behind."""
        self.threads.held = []
        done = self.start(asked(PDF))
        work, _ = self.threads.held[0]
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertRaises(Halt, work, unwanted)
        self.assertEqual(len(self.media._results._entries), 0)

    def test_too_much_to_do(self) -> None:
        """It is said, and is no fault of the document."""
        self.threads.full = True
        error = self.failureResultOf(self.start(asked(PDF)), KiroError).value
        self.assertIs(error.kind, Kind.OVERLOADED)

    def test_stop(self) -> None:
        """The threads are stopped."""
        self.successResultOf(self.media.stop())
        self.assertTrue(self.threads.stopped)

    # ── addresses ────────────────────────────────────────────────────────────

    def test_fetched(self) -> None:
        """An image becomes an image, within the limits; a document its text."""
        media = self.made(self.fetcher)
        self.fetcher.found = {THERE.target: picture(300, 20), PAPER.target: pdf("hello")}
        parts = self.ready(asked(Text("a"), THERE, PAPER), media).turns[0].parts
        title = PAPER.target
        self.assertEqual(parts, (Text("a"), SHRUNK, Text(READ.text.replace("a.pdf", title))))
        # The newest first.
        self.assertEqual(self.fetcher.asked, [PAPER.target, THERE.target])

    def test_fetched_once(self) -> None:
        """The next turn finds it, for a while."""
        media = self.made(self.fetcher)
        self.fetcher.found = {THERE.target: picture(20, 20)}
        for _ in range(3):
            self.ready(asked(THERE), media)
        self.assertEqual(len(self.fetcher.asked), 1)
        self.clock.advance(FETCHED_SECONDS)
        self.ready(asked(THERE), media)
        self.assertEqual(len(self.fetcher.asked), 2)

    def test_not_fetched(self) -> None:
        """Refused where it was sent just now; the secret part of an address is not repeated."""
        media = self.made(self.fetcher)
        for found, reason in (
            (Unreadable("its host is not known"), "its host is not known"),
            (b"no image", "it is not an image"),
            (b"\x7fELF\x02\x01", "it is of a kind that is not read here"),
        ):
            self.fetcher.found = {THERE.target: found}
            error = self.failureResultOf(self.start(asked(THERE), media), RequestRejected).value
            self.assertEqual(error.message, f"the image at a.example cannot be used: {reason}")
            # What failed is not tried again with every turn.
            count = len(self.fetcher.asked)
            self.failureResultOf(self.start(asked(THERE), media), RequestRejected)
            self.assertEqual(len(self.fetcher.asked), count)
            self.clock.advance(FAILED_SECONDS)

    def test_not_fetched_earlier(self) -> None:
        """In an earlier turn a note has to do."""
        media = self.made(self.fetcher)
        conversation = Conversation(
            (Turn("user", (THERE,)), Turn("assistant", (Text("a"),)), Turn("user", (Text("b"),)))
        )
        self.assertEqual(
            self.ready(conversation, media).turns[0].parts,
            (Text("[the image at a.example left out: it is not there]"),),
        )

    def test_many_addresses(self) -> None:
        """The newest are fetched, the others stay as they are."""
        media = self.made(self.fetcher)
        references = [Reference("image", f"https://a.example/{n}") for n in range(FETCHES + 2)]
        self.fetcher.found = {each.target: picture(9, 9) for each in references}
        parts = self.ready(asked(*references), media).turns[0].parts
        self.assertEqual(list(parts[:2]), references[:2])
        self.assertTrue(all(isinstance(part, Image) for part in parts[2:]))

    def test_other_targets(self) -> None:
        """File ids are nobody's address; plain http is refused where it is used."""
        media = self.made(self.fetcher)
        self.assertFalse(media.needs_work(asked(Reference("document", "file_123"))))
        self.assertTrue(media.needs_work(asked(Reference("image", "HTTP://a.example/"))))

    def test_cancel_while_fetching(self) -> None:
        """A client that leaves ends the fetching, and nothing is remembered of it."""
        media = self.made(self.fetcher)
        waiting: Deferred[Any] = Deferred()
        self.fetcher.found = {THERE.target: waiting}
        done = self.start(asked(THERE), media)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(len(media._results._entries), 0)
