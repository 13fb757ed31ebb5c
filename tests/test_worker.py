"""A worker's line to its supervisor."""

import os
import struct
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.notices import Renewed, Turned
from kiro2api.accounts.sources import Configured
from kiro2api.control import (
    Answer,
    Ask,
    Enquiry,
    Expect,
    Hello,
    Leave,
    LoginTurned,
    Message,
    Place,
    Reply,
    Report,
    Serving,
    Told,
    place_of,
    remove_socket,
)
from kiro2api.errors import NoAccountAvailable
from kiro2api.metering import Totals
from kiro2api.redaction import Secret
from kiro2api.settings import load
from kiro2api.web.gate import Caller
from kiro2api.web.overview import Overview
from kiro2api.web.peers import Replies
from kiro2api.worker import Line, Reporter, Worker, make_worker
from tests.accounts.records import LogRecorder
from tests.test_census import status
from tests.test_supervisor_news import LOGIN

ONE = Account(fingerprint="1" * 32, name="one", method="social")
PLACE = Place(
    serial=5,
    number=2,
    workers=2,
    control="/nowhere/kiro2api-x/control",
    listen="tcp:8080",
    port=8080,
    inherited=False,
)


class ReporterTests(SynchronousTestCase):
    """Only changes are told."""

    def overview(self, *statuses: Any, active: int = 0) -> Overview:
        return Overview(list(statuses), active, 0.0)

    def test_changes(self) -> None:
        """First everything, then what differs, then nothing."""
        reporter = Reporter()
        one, two = status(), status("two", order=1)
        totals = {("one", "m"): Totals(1)}
        self.assertEqual(
            reporter.report(self.overview(one, two), totals),
            Report([one, two], [("one", "m", Totals(1))], 0),
        )
        self.assertIsNone(reporter.report(self.overview(one, two), totals))
        busy = status(in_flight=1)
        self.assertEqual(
            reporter.report(self.overview(busy, two, active=1), totals), Report([busy], [], 1)
        )
        totals["one", "m"].requests += 1
        report = reporter.report(self.overview(busy, two, active=1), totals)
        self.assertEqual(report, Report([], [("one", "m", Totals(2))], 1))
        self.assertEqual(reporter.report(self.overview(busy, two), totals), Report([], [], 0))


class Reactor(MemoryReactorClock):
    """Counts who stops it."""

    stops = 0

    def stop(self) -> None:
        """Remember."""
        self.stops += 1


class WorkerCase(SynchronousTestCase):
    """A worker whose store is never opened."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.log = LogRecorder(self)
        configured = Configured(
            accounts=(ONE,),
            credentials={ONE.fingerprint: Credentials(Secret("a"), Secret("r"), 1e9)},
        )
        self.worker = Worker(load({}, {}), self.reactor, configured, PLACE)
        self.pool = self.worker.parts.pool
        self.pool.admit(ONE, configured.credentials[ONE.fingerprint])
        self.line = Line(self.worker)
        self.transport = StringTransport()
        self.line.makeConnection(self.transport)
        self.worker._connected(self.line)

    def said(self) -> list[Message]:
        """What the supervisor was told."""
        data, found = self.transport.value(), []
        self.transport.clear()
        while data:
            (length,) = struct.unpack("!I", data[:4])
            found.append(msgspec.json.decode(data[4 : 4 + length], type=Message))
            data = data[4 + length :]
        return found

    def say(self, message: Message) -> None:
        """The supervisor says this."""
        data = msgspec.json.encode(message)
        self.line.dataReceived(struct.pack("!I", len(data)) + data)

    def state(self) -> str:
        """How the account stands."""
        (one,) = self.pool.snapshot(self.reactor.seconds())
        return one.state

    def ask(self) -> Deferred[Overview]:
        """What the operator's routes do."""
        return Deferred.fromCoroutine(self.worker._ask())


class TellingTests(WorkerCase):
    """What a worker says by itself."""

    def test_introduction(self) -> None:
        """Who it is, how its accounts stand, and that it serves."""
        hello, report, serving = self.said()
        self.assertEqual((hello, serving), (Hello(5), Serving()))
        assert isinstance(report, Report)
        self.assertEqual([s.name for s in report.statuses], ["one"])

    def test_reports(self) -> None:
        """Once a second, if there is something to tell."""
        self.said()
        self.reactor.advance(1)
        self.assertEqual(self.said(), [])
        self.pool._ledger.lent(ONE.fingerprint, 1.0)
        self.assertEqual(self.said(), [])
        self.reactor.advance(1)
        (report,) = self.said()
        assert isinstance(report, Report)
        self.assertEqual(report.statuses[0].in_flight, 1)

    def test_news_at_once(self) -> None:
        """New standings and credentials do not wait for the next report."""
        self.said()
        self.pool._renewal.on_renewed(ONE.fingerprint)
        self.assertEqual(self.said(), [Told(Renewed(ONE.fingerprint))])

    def test_logins(self) -> None:
        """Nor do the steps of a login."""
        self.said()
        self.worker.parts.accounts.logins.on_turn(LOGIN)
        self.assertEqual(self.said(), [LoginTurned(LOGIN)])

    def test_broken_report(self) -> None:
        """A bug in a report is logged; the next report comes all the same."""
        self.said()
        self.patch(self.pool, "recent", lambda now, most: 1 / 0)
        self.reactor.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.worker._reports.running)


class HearingTests(WorkerCase):
    """What a worker is told."""

    def test_standings(self) -> None:
        """Another worker's finding holds here, too, and is not told again."""
        self.said()
        self.say(Told(Turned(ONE.fingerprint, "cooling", "throttled", 60.0, False)))
        self.assertEqual(self.state(), "cooling")
        self.say(Told(Turned(ONE.fingerprint, "ready", "", 0.0, True)))
        self.assertEqual(self.state(), "ready")
        self.assertEqual(self.said(), [])

    def test_logins(self) -> None:
        """A login that was begun elsewhere is known, and not told again."""
        self.said()
        self.say(LoginTurned(LOGIN))
        self.assertEqual(self.worker.parts.accounts.logins.get(LOGIN.id), LOGIN)
        self.assertEqual(self.said(), [])

    def test_questions_of_others(self) -> None:
        """Answered to who asks; a bug in the answer is logged and tells nothing."""
        self.said()
        self.say(Enquiry(4, "running", "", asker=7))
        self.say(Enquiry(5, "cancel", "req_x", asker=7))
        none = msgspec.Raw(b'{"items":[],"total":0,"partial":false}')
        self.assertEqual(self.said(), [Reply(7, 4, none), Reply(7, 5, msgspec.Raw(b"false"))])
        self.worker.parts.admin.peers.answers["cancel"] = lambda request_id: 1 / 0
        self.say(Enquiry(6, "cancel", "req_x", asker=7))
        self.assertEqual(self.said(), [Reply(7, 6, msgspec.Raw(b"null"))])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_leave(self) -> None:
        """It ends, once."""
        self.say(Leave())
        self.say(Leave())
        self.assertEqual(self.reactor.stops, 1)

    def test_alone(self) -> None:
        """Without a supervisor it ends."""
        self.line.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.stops, 1)
        self.assertIn("the supervisor is gone; this worker ends", self.log.lines())
        self.worker._tell(Renewed("x"))
        self.worker._report(self.worker.parts.operator.news)


class AskingTests(WorkerCase):
    """The view of all."""

    def test_answer(self) -> None:
        """Its own latest numbers go first."""
        self.said()
        self.pool._ledger.lent(ONE.fingerprint, 1.0)
        asked = self.ask()
        report, ask = self.said()
        assert isinstance(report, Report)
        self.assertEqual(ask, Ask(1))
        overview = Overview([status()], 9, 5.0, workers=2)
        self.say(Answer(1, overview))
        self.assertEqual(self.successResultOf(asked), overview)
        self.say(Answer(1, overview))
        self.say(Answer(77, overview))

    def test_too_late(self) -> None:
        """After a second its own view is shown, as such."""
        asked = self.ask()
        self.reactor.advance(1)
        own = self.successResultOf(asked)
        self.assertEqual((own.partial, own.workers, len(own.statuses)), (True, 2, 1))
        self.say(Answer(1, own))

    def test_others(self) -> None:
        """What each of the others says goes to whoever asked."""
        self.said()
        asked = self.ask_others()
        self.assertEqual(self.said(), [Enquiry(1, "running", "")])
        self.say(Expect(1, 1))
        self.say(Reply(5, 1, msgspec.Raw(b"true")))
        self.assertEqual(self.successResultOf(asked), Replies((msgspec.Raw(b"true"),)))
        asked = self.ask_others()
        self.line.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(self.successResultOf(asked).partial)

    def ask_others(self) -> Deferred[Replies]:
        """What the route of running requests does."""
        return Deferred.fromCoroutine(self.worker.enquiries.ask("running", ""))

    def test_supervisor_dies(self) -> None:
        """Nobody waits for an answer that cannot come."""
        asked = self.ask()
        self.line.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(self.successResultOf(asked).partial)
        self.assertTrue(self.successResultOf(self.ask()).partial)


class PlaceTests(SynchronousTestCase):
    """Where a process belongs."""

    def test_of_environment(self) -> None:
        """None for a service of its own."""
        text = msgspec.json.encode(PLACE).decode()
        self.assertEqual(place_of({"KIRO2API_WORKER": text}), PLACE)
        self.assertIsNone(place_of({}))

    def test_settings(self) -> None:
        """The port is the supervisor's, the limit is shared, and the first one has the notes."""
        settings = load(
            {"max-concurrent": "5", "listen": "tcp:1", "port": "2"}, {"KIRO_AUTH_TOKEN": ""}
        )
        worker = make_worker(settings, MemoryReactorClock(), PLACE)
        self.assertEqual(worker.settings.listen, "tcp:8080")
        gate, caller = worker.parts.gate, Caller("any", "client")
        for _ in range(3):
            gate.enter(caller)
        self.assertRaises(NoAccountAvailable, gate.enter, caller)
        self.assertEqual(worker.settings.notes, ())
        first = msgspec.structs.replace(PLACE, number=1)
        self.assertEqual(
            make_worker(settings, MemoryReactorClock(), first).settings.notes, settings.notes
        )

    def test_remove_socket(self) -> None:
        """What is gone already is no matter."""
        folder = self.mktemp()
        os.mkdir(folder)
        path = os.path.join(folder, "control")
        with open(path, "w"):
            pass
        remove_socket(path)
        self.assertFalse(os.path.exists(folder))
        remove_socket(path)
