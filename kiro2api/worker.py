# -*- test-case-name: tests.test_worker -*-
"""One of several processes: the service, and its line to the supervisor.

Must not know how processes are started or replaced. Whoever loses the supervisor has nobody to
replace or to stop it any more, and ends.
"""

import dataclasses
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from kiro2api.accounts.logins import Login
from kiro2api.accounts.notices import Notice
from kiro2api.accounts.sources import Configured
from kiro2api.accounts.status import AccountStatus
from kiro2api.census import key_of
from kiro2api.control import (
    Answer,
    Ask,
    Conversation,
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
    remove_socket,
)
from kiro2api.metering import Totals
from kiro2api.service import Gateway, configured_accounts
from kiro2api.settings import Settings
from kiro2api.sharing import Joining
from kiro2api.web.overview import Overview
from kiro2api.worker_enquiries import Enquiries

REPORT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 1.0
LAST_CALL_SECONDS: Final = 0.1
"""How long connections that were accepted last may take to send their request."""


class Reporter:
    """Finds what has changed since the last report."""

    def __init__(self) -> None:
        self._statuses: dict[tuple[str, str], AccountStatus] = {}
        self._requests: dict[tuple[str, str], int] = {}
        self._active = -1

    def report(self, overview: Overview, totals: Mapping[tuple[str, str], Totals]) -> Report | None:
        """The changes; None if there are none."""
        statuses = [s for s in overview.statuses if self._statuses.get(key_of(s)) != s]
        sums = [
            (account, model, each)
            for (account, model), each in totals.items()
            if self._requests.get((account, model)) != each.requests
        ]
        if not statuses and not sums and overview.active_requests == self._active:
            return None
        self._statuses.update((key_of(status), status) for status in statuses)
        self._requests.update(((account, model), each.requests) for account, model, each in sums)
        self._active = overview.active_requests
        return Report(statuses, sums, overview.active_requests)


class Line(Conversation):
    """A worker's end of the connection to the supervisor."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def heard(self, message: Message) -> None:
        """Do as told."""
        if isinstance(message, Told):
            self._worker.heard(message.notice)
        elif isinstance(message, LoginTurned):
            self._worker.heard_of(message.login)
        elif isinstance(message, Enquiry):
            self._worker.enquired(message)
        elif isinstance(message, Expect | Reply):
            self._worker.enquiries.heard(message)
        elif isinstance(message, Answer):
            self._worker.answered(message)
        elif isinstance(message, Leave):
            self._worker.leave()

    def closed(self) -> None:
        """The supervisor is gone."""
        self._worker.alone()


class Worker(Gateway):
    """The service in one of several processes."""

    log = Logger()

    def __init__(
        self, settings: Settings, reactor: Any, configured: Configured, place: Place
    ) -> None:
        super().__init__(settings, reactor, configured, worker=place.number, workers=place.workers)
        self.listening_reactor = Joining(reactor, place.port, place.inherited)
        self._place = place
        self._line: Line | None = None
        self._reporter = Reporter()
        self._reports = LoopingCall(self._report, self.parts.operator.news)
        self._reports.clock = reactor
        self._questions: dict[int, Deferred[Overview]] = {}
        self._last_question = 0
        self.enquiries = Enquiries(reactor, self._say)
        self._leaving = False
        self._parent = os.getppid()
        self.parts.pool.announce_to(self._tell)
        self.parts.operator.ask_all(self._ask)
        self.parts.accounts.logins.on_turn = self._tell_login
        self.parts.admin.peers.ask = self.enquiries.ask

    # ── start and stop ───────────────────────────────────────────────────────

    def startService(self) -> None:
        """Begin to serve, and tell the supervisor so."""
        super().startService()
        # The supervisor's signal, when somebody sends it to all of us.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        endpoint = UNIXClientEndpoint(self._reactor, self._place.control)
        connecting: Deferred[Line] = connectProtocol(endpoint, Line(self))
        connecting.addCallbacks(self._connected, lambda _: self.alone())

    def stopService(self) -> Deferred[None]:
        """Take in who is at the door already, then stop like any gateway."""
        self._leaving = True
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        port: Any = self._port
        if port is not None:
            # Another process accepts from now on, but not those that were given to us.
            port.doRead()
            port.stopReading()
            self._port = None
            await maybeDeferred(port.stopListening)
            await deferLater(self._reactor, LAST_CALL_SECONDS)
        await super().stopService()
        if self._reports.running:
            self._reports.stop()
        self._report(self.parts.operator.news)
        line: Any = self._line
        self._line = None
        if line is not None:
            line.transport.loseConnection()
        if os.getppid() != self._parent:
            # Nobody else is left to tidy up.
            remove_socket(self._place.control)

    def leave(self) -> None:
        """End, unless that has begun."""
        if self._leaving:
            return
        self._leaving = True
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            pass  # a signal was faster

    def alone(self) -> None:
        """The supervisor is gone, or does not talk to us any more."""
        self._line = None
        for question in tuple(self._questions):
            self._settle(question, None)
        self.enquiries.give_up()
        if not self._leaving:
            self.log.warn("the supervisor is gone; this worker ends")
            self.leave()

    # ── what is said ─────────────────────────────────────────────────────────

    def heard(self, notice: Notice) -> None:
        """Another worker tells of an account."""
        self.parts.pool.heard(notice)

    def heard_of(self, login: Login) -> None:
        """Another worker tells how a login stands."""
        self.parts.accounts.logins.heard(login)

    def enquired(self, enquiry: Enquiry) -> None:
        """Another worker asks."""
        try:
            told = self.parts.admin.peers.answer(enquiry.about, enquiry.subject)
        except Exception:  # noqa: BLE001  (a bug in one answer must not cost the connection)
            self.log.failure("what another worker asks cannot be answered")
            told = msgspec.Raw(b"null")
        self._say(Reply(enquiry.asker, enquiry.question, told))

    def answered(self, answer: Answer) -> None:
        """The supervisor has answered."""
        self._settle(answer.question, answer.overview)

    def _connected(self, line: Line) -> None:
        self._line = line
        line.say(Hello(self._place.serial))
        self._report(self.parts.operator.own_overview)
        reporting = self._reports.start(REPORT_SECONDS, now=False)
        reporting.addErrback(lambda f: self.log.failure("no more reports", f))
        line.say(Serving())

    def _tell(self, notice: Notice) -> None:
        self._say(Told(notice))

    def _tell_login(self, login: Login) -> None:
        self._say(LoginTurned(login))

    def _say(self, message: Message) -> bool:
        if self._line is None:
            return False
        self._line.say(message)
        return True

    def _report(self, look: Callable[[], Overview]) -> None:
        if self._line is None:
            return
        # A LoopingCall whose function raises never runs again.
        try:
            report = self._reporter.report(look(), self.parts.meter.totals)
        except Exception:  # noqa: BLE001
            self.log.failure("a report cannot be made")
            return
        if report is not None:
            self._line.say(report)

    async def _ask(self, brief: bool = False) -> Overview:
        """What all workers know; what this one knows, marked as such, if that takes too long.

        :param brief: without accounts.
        """
        found: Overview | None = None
        if self._line is not None:
            self._report(self.parts.operator.news)
            self._last_question += 1
            number = self._last_question
            asked: Deferred[Overview] = Deferred(lambda _: None)
            self._questions[number] = asked
            self._line.say(Ask(number, brief))
            try:
                found = await asked.addTimeout(ANSWER_SECONDS, self._reactor)
            except DeferredTimeout:
                pass
            finally:
                self._questions.pop(number, None)
        if found is not None:
            return found
        own = self.parts.operator.own_overview()
        statuses = [] if brief else own.statuses
        return Overview(
            statuses, own.active_requests, own.started, self._place.workers, partial=True
        )

    def _settle(self, question: int, overview: Overview | None) -> None:
        asked: Any = self._questions.pop(question, None)
        if asked is not None and not asked.called:
            asked.callback(overview)


def make_worker(settings: Settings, reactor: Any, place: Place) -> Worker:
    """The service in its place among others; its port is taken when it is started."""
    path = os.path.abspath(os.path.expanduser(settings.db_path))
    configured = configured_accounts(settings)
    settings = dataclasses.replace(
        settings,
        db_path=path,
        listen=place.listen,
    )
    if place.number > 1:
        # The same for all of them, and told by the first.
        settings = dataclasses.replace(settings, notes=())
        configured = msgspec.structs.replace(configured, warnings=())
    return Worker(settings, reactor, configured, place)
