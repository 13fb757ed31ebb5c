"""Tests of what a user hands over."""

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.commands.calling import CommandFailed
from kiro2api.commands.given import PASSPHRASE, document, interruptible, passphrase
from tests.commands.case import CommandCase


class DocumentTests(CommandCase):
    """JSON out of files."""

    def test_read(self) -> None:
        """With a mark at its beginning, too, as some editors put it there."""
        self.assertEqual(document(self.file(b"\xef\xbb\xbf[1]")), [1])

    def test_deep(self) -> None:
        """Hostile nesting ends in one line."""
        with self.assertRaisesRegex(CommandFailed, "too deep"):
            document(self.file("[" * 200_000))


class PassphraseTests(SynchronousTestCase):
    """Where it comes from."""

    def setUp(self) -> None:
        """None in the environment."""
        before = os.environ.pop(PASSPHRASE, None)
        if before is not None:
            self.addCleanup(os.environ.__setitem__, PASSPHRASE, before)

    def test_environment(self) -> None:
        """It is not asked for then."""
        os.environ[PASSPHRASE] = "given"
        self.addCleanup(os.environ.pop, PASSPHRASE)
        self.assertEqual(passphrase("?", ask=lambda _: self.fail("asked")), "given")

    def test_asked(self) -> None:
        """Once for reading, twice for writing."""
        asked: list[str] = []

        def ask(prompt: str) -> str:
            asked.append(prompt)
            return "typed"

        self.assertEqual(passphrase("Say: ", ask=ask), "typed")
        self.assertEqual(passphrase("Say: ", repeat=True, ask=ask), "typed")
        self.assertEqual(asked, ["Say: ", "Say: ", "Again: "])

    def test_different(self) -> None:
        """A mistyped one would lock everything up."""
        typed = iter(["one", "two"])
        with self.assertRaisesRegex(CommandFailed, "differ"):
            passphrase("?", repeat=True, ask=lambda _: next(typed))

    def test_nobody(self) -> None:
        """Without a terminal the variable is named."""

        def ask(prompt: str) -> str:
            raise EOFError

        with self.assertRaisesRegex(CommandFailed, PASSPHRASE):
            passphrase("?", ask=ask)


class InterruptibleTests(SynchronousTestCase):
    """Ctrl-C while somebody types."""

    def test_interrupted(self) -> None:
        """It ends at once, and afterwards it means what it meant before."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        with self.assertRaises(KeyboardInterrupt), interruptible():
            signal.raise_signal(signal.SIGINT)
        self.assertEqual(signal.getsignal(signal.SIGINT), signal.SIG_IGN)
