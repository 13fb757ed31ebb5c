"""What workers tell each other through the supervisor."""

import msgspec
from twisted.internet.error import ProcessDone
from twisted.python.failure import Failure

from kiro2api.accounts.logins import Login
from kiro2api.accounts.notices import Renewed, Turned
from kiro2api.control import (
    Answer,
    Ask,
    Enquiry,
    Expect,
    LoginTurned,
    Reply,
    Report,
    Serving,
    Told,
)
from tests.test_census import status
from tests.test_supervisor import Case

LOGIN = Login(
    id="login-1",
    kind="builder_id",
    status="pending",
    user_code="ABCD-EFGH",
    verification_uri="https://login.example/",
    verification_uri_complete="https://login.example/?code=ABCD-EFGH",
    expires_at=600.0,
)


class NewsTests(Case):
    """What goes from worker to worker."""

    def test_to_the_others(self) -> None:
        """Not back to the one who told."""
        first, second = self.both()
        self.say(1, Told(Renewed("f1")))
        self.assertEqual((self.said(first), self.said(second)), ([], [Told(Renewed("f1"))]))
        self.finish()

    def test_to_new_ones(self) -> None:
        """A newcomer hears who rests."""
        self.connect(1, Serving())
        rests = Told(Turned("f1", "cooling", "throttled", 100.0, False))
        self.say(1, rests, Told(Renewed("f2")))
        self.assertEqual(self.said(self.connect(2)), [rests])
        self.finish()

    def test_questions(self) -> None:
        """The answer is that of all; what a dead worker has counted is in it."""
        first, second = self.both()
        self.say(1, Report([status(served=2, in_flight=1)], [], 1))
        self.say(2, Report([status(served=3)], [], 0), Ask(7))
        (answer,) = self.said(second)
        assert isinstance(answer, Answer)
        self.assertEqual((answer.question, answer.overview.workers), (7, 2))
        self.assertEqual(answer.overview.statuses[0].served, 5)
        self.say(2, Ask(8, brief=True))
        overview = msgspec.structs.replace(answer.overview, statuses=[])
        self.assertEqual(self.said(second), [Answer(8, overview)])
        self.lines[1].connectionLost(Failure(ProcessDone(0)))
        self.processes()[0].end(by=9)
        self.say(2, Ask(8))
        (answer,) = self.said(second)
        assert isinstance(answer, Answer)
        self.assertEqual(answer.overview.statuses[0].served, 5)
        self.assertEqual(answer.overview.active_requests, 0)
        self.assertEqual(self.said(first), [])
        self.finish()

    def test_logins(self) -> None:
        """Each step goes to the others; who comes later does not hear of it."""
        first, second = self.both()
        self.say(1, LoginTurned(LOGIN))
        self.assertEqual((self.said(first), self.said(second)), ([], [LoginTurned(LOGIN)]))
        self.processes()[0].end(by=9)
        self.reactor.advance(1)
        self.assertEqual(self.said(self.connect(3)), [])
        self.finish()


class EnquiryTests(Case):
    """What one worker asks all others."""

    def test_asked(self) -> None:
        """The others hear who asks, and the asker how many they are."""
        first, second = self.both()
        self.say(1, Enquiry(4, "running", "x"))
        self.assertEqual(self.said(first), [Expect(4, 1)])
        self.assertEqual(self.said(second), [Enquiry(4, "running", "x", asker=1)])
        self.finish()

    def test_replied(self) -> None:
        """To the asker, whatever it is; to nobody if the asker is gone."""
        first, second = self.both()
        reply = Reply(1, 4, msgspec.Raw(b'{"any":["JSON",1]}'))
        self.say(2, reply)
        self.assertEqual((self.said(first), self.said(second)), ([reply], []))
        self.lines[1].connectionLost(Failure(ProcessDone(0)))
        self.say(2, reply)
        self.assertEqual((self.said(first), self.said(second)), ([], []))
        self.finish()

    def test_who_is_there(self) -> None:
        """Neither those who have not spoken yet nor those who have hung up are asked."""
        first = self.connect(1, Serving())
        self.say(1, Enquiry(1, "running", ""))
        self.assertEqual(self.said(first), [Expect(1, 0)])
        second = self.connect(2, Serving())
        self.lines[2].connectionLost(Failure(ProcessDone(0)))
        self.say(1, Enquiry(2, "running", ""))
        self.assertEqual((self.said(first), self.said(second)), ([Expect(2, 0)], []))
        self.finish()

    def test_an_old_line(self) -> None:
        """A worker with a new line is reached on that one, whatever becomes of the old one."""
        self.both()
        old = self.lines[2]
        new = self.connect(2)
        old.connectionLost(Failure(ProcessDone(0)))
        self.say(1, Enquiry(1, "running", ""))
        self.assertEqual(self.said(new), [Enquiry(1, "running", "", asker=1)])
        self.finish()
