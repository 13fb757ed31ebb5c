"""Asking other processes, and answering them."""

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.peers import Peers, Replies

NUMBERS = msgspec.json.Decoder(list[int])


class PeersTests(SynchronousTestCase):
    """Two processes, one of them invented."""

    def setUp(self) -> None:
        self.peers = Peers()
        self.asked: list[tuple[str, str]] = []

    def told(self, *replies: bytes, partial: bool = False) -> tuple[list[list[int]], bool]:
        """What is made of these replies."""

        async def ask(about: str, subject: str) -> Replies:
            self.asked.append((about, subject))
            return Replies(tuple(map(msgspec.Raw, replies)), partial)

        self.peers.ask = ask
        return self.found()

    def found(self) -> tuple[list[list[int]], bool]:
        """The answers to a question."""
        asking = Deferred.fromCoroutine(self.peers.asked("numbers", "even", NUMBERS))
        return self.successResultOf(asking)

    def test_alone(self) -> None:
        """Nobody answers, and nothing is missing."""
        self.assertEqual(self.found(), ([], False))

    def test_answers(self) -> None:
        """All of those who have one; it is known where some are missing."""
        self.assertEqual(self.told(b"[2]", b"null", b"[4,6]"), ([[2], [4, 6]], False))
        self.assertEqual(self.told(b"[2]", partial=True), ([[2]], True))
        self.assertEqual(self.asked, [("numbers", "even")] * 2)

    def test_another_version(self) -> None:
        """What is not understood is missing; what it asks is answered with nothing."""
        self.assertEqual(self.told(b'{"n":2}', b"[4]"), ([[4]], True))
        self.assertEqual(bytes(self.peers.answer("colours", "")), b"null")

    def test_answering(self) -> None:
        """As JSON, by topic."""
        self.peers.answers["numbers"] = lambda subject: [1, subject]
        self.assertEqual(bytes(self.peers.answer("numbers", "x")), b'[1,"x"]')
