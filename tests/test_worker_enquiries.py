"""What one worker asks all others."""

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.control import Enquiry, Expect, Message, Reply
from kiro2api.web.peers import Replies
from kiro2api.worker_enquiries import Enquiries

ONE, TWO = msgspec.Raw(b"1"), msgspec.Raw(b"2")


class EnquiriesTests(SynchronousTestCase):
    """Questions of one worker, and a supervisor that the test plays."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[Message] = []
        self.connected = True
        self.enquiries = Enquiries(self.clock, self.say)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.enquiries._open, {})

    def say(self, message: Message) -> bool:
        """Remember."""
        self.said.append(message)
        return self.connected

    def ask(self) -> Deferred[Replies]:
        """One question."""
        return Deferred.fromCoroutine(self.enquiries.ask("running", "x"))

    def hear(self, *messages: Expect | Reply) -> None:
        """The supervisor says this."""
        for message in messages:
            self.enquiries.heard(message)

    def test_all(self) -> None:
        """Complete once as many have replied as were asked; late ones disturb nobody."""
        asking = self.ask()
        self.assertEqual(self.said, [Enquiry(1, "running", "x")])
        self.hear(Expect(1, 2), Reply(7, 1, ONE))
        self.assertNoResult(asking)
        self.hear(Reply(7, 1, TWO))
        self.assertEqual(self.successResultOf(asking), Replies((ONE, TWO)))
        self.hear(Reply(7, 1, ONE), Expect(99, 0))

    def test_nobody_else(self) -> None:
        """Nothing is missing where nobody is asked."""
        asking = self.ask()
        self.hear(Expect(1, 0))
        self.assertEqual(self.successResultOf(asking), Replies())

    def test_too_late(self) -> None:
        """After a second what is there is taken, and known not to be all."""
        silent, slow = self.ask(), self.ask()
        self.hear(Expect(2, 2), Reply(7, 2, TWO))
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(silent), Replies(partial=True))
        self.assertEqual(self.successResultOf(slow), Replies((TWO,), partial=True))

    def test_alone(self) -> None:
        """Nobody waits for replies that cannot come."""
        asking = self.ask()
        self.enquiries.give_up()
        self.assertEqual(self.successResultOf(asking), Replies(partial=True))
        self.connected = False
        self.assertEqual(self.successResultOf(self.ask()), Replies(partial=True))

    def test_given_up(self) -> None:
        """Who asked may leave before the answer."""
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.hear(Expect(1, 0))
