# -*- test-case-name: tests.test_supervisor -*-
"""Several processes that serve together: performs what ``workers.Plan`` decides.

The supervisor serves nobody. It holds the port, starts and replaces workers, and writes their lines
into its own log; ``supervisor_news`` carries what they tell each other. Must not know accounts or
requests.
"""

import dataclasses
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api import __version__
from kiro2api.control import (
    VARIABLE,
    Conversation,
    Hello,
    Leave,
    Message,
    Place,
    Serving,
    remove_socket,
)
from kiro2api.lines import Lines
from kiro2api.service import configured_accounts, opened, rehearse
from kiro2api.settings import TABLE, ConfigError, Settings
from kiro2api.sharing import INHERITED, Taking, check_shareable
from kiro2api.supervisor_news import News
from kiro2api.workers import Abandon, Action, Drain, Kill, Plan, Rest, Start

PROGRAM: Final = (
    "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.append(root); "
    "from twisted.scripts.twistd import run; run()"
)
"""twistd, which finds our plugin also where the supervisor was run from a checkout."""


@dataclasses.dataclass(frozen=True)
class Configuration:
    """Where workers get their settings from.

    ``environment`` is theirs: it holds what the supervisor was given as options, too. ``read``
    gives the settings as they are now; raises ConfigError.
    """

    environment: Mapping[str, str]
    read: Callable[[], Settings]


def environment_for_workers(
    options: Mapping[str, object], environment: Mapping[str, str]
) -> dict[str, str]:
    """The environment with the options as variables, over which they had won."""
    given = {
        setting.env: str(options[option])
        for name, setting in TABLE.items()
        if options.get(option := name.replace("_", "-")) is not None
    }
    return {**environment, **given, "PYTHONUNBUFFERED": "1"}


class WorkerProcess(ProcessProtocol):
    """The supervisor's view of one process: what it prints, and its end."""

    transport: Any

    def __init__(self, supervisor: "Supervisor", serial: int, number: int) -> None:
        self.serial = serial
        self.number = number
        self.pid = 0
        self._supervisor = supervisor
        self._printed = {1: Lines(), 2: Lines()}

    def connectionMade(self) -> None:
        """The process runs."""
        self.pid = self.transport.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Some output."""
        self._supervisor.printed(self.number, self._printed[childFD].feed(data))

    def processEnded(self, reason: Failure) -> None:
        """The process is gone and all its output was read."""
        for lines in self._printed.values():
            self._supervisor.printed(self.number, lines.rest())
        self._supervisor.ended(self, reason)

    def signal(self, name: str) -> None:
        """Send a signal, if anybody is left."""
        try:
            self.transport.signalProcess(name)
        except ProcessExitedAlready:
            pass


class Line(Conversation):
    """The supervisor's end of one worker's connection."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self.serial = 0
        self._supervisor = supervisor

    def heard(self, message: Message) -> None:
        """Pass it on."""
        if isinstance(message, Hello):
            self.serial = message.serial
        self._supervisor.heard(self, message)

    def closed(self) -> None:
        """The worker has hung up, or is dead."""
        self._supervisor.hung_up(self)


class _Lines(Factory):
    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor
        self.noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Line:
        return Line(self._supervisor)


class Supervisor(Service):
    """The service of the process that was started.

    :param reactor: never imported here.
    """

    log = Logger()

    def __init__(self, settings: Settings, reactor: Any, configuration: Configuration) -> None:
        self.settings = settings
        self._reactor = reactor
        self._configuration = configuration
        self._taking = Taking(reactor)
        self._port: Any = None
        self._plan = Plan(settings.workers, settings.drain_seconds)
        self._news = News(self._now)
        self._processes: dict[int, WorkerProcess] = {}
        self._control = ""
        self._listening: Any = None
        self._timer: Any = None
        self._before: Any = None
        self._stopped: Deferred[None] | None = None

    # ── start ────────────────────────────────────────────────────────────────

    def take_port(self) -> None:
        """Keep the port for the workers. Raises StartFailed."""
        self._port = opened(self._taking, self.settings.listen, Factory())

    def startService(self) -> None:
        """Open the line for workers, and start them once the reactor runs."""
        super().startService()
        self._open_control()
        self.log.info(
            "kiro2api {version} serves {listen} with {count} workers",
            version=__version__,
            listen=self.settings.listen,
            count=self._plan.count,
        )
        self._before = signal.signal(
            signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload)
        )
        self._reactor.callWhenRunning(self._look)

    def _open_control(self) -> None:
        # A socket's path may have about a hundred characters, which a long TMPDIR exceeds.
        place = None if len(tempfile.gettempdir()) < 70 else "/tmp"
        folder = tempfile.mkdtemp(prefix="kiro2api-", dir=place)
        self._control = os.path.join(folder, "control")
        self._listening = self._reactor.listenUNIX(self._control, _Lines(self), mode=0o600)

    # ── stop and reload ──────────────────────────────────────────────────────

    def stopService(self) -> Deferred[None]:
        """Let every worker deliver what it has under way, and wait for them."""
        super().stopService()
        if self._before is not None:
            signal.signal(signal.SIGHUP, self._before)
            self._before = None
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        self._perform(self._plan.stop(self._now()))
        return stopped.addCallback(lambda _: Deferred.fromCoroutine(self._close()))

    async def _close(self) -> None:
        if self._listening is not None:
            await maybeDeferred(self._listening.stopListening)
            remove_socket(self._control)
            shutil.rmtree(os.path.dirname(self._control), ignore_errors=True)
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        self.log.info("kiro2api has stopped")

    def reload(self) -> None:
        """Read the settings anew and replace the workers, one after another."""
        try:
            settings = self._configuration.read()
        except ConfigError as error:
            self.log.error("the settings are kept: {why}", why=str(error))
            return
        if settings.listen != self.settings.listen:
            self.log.warn("KIRO_LISTEN changes only with a restart")
        if not self.running:
            return
        self.log.info("the workers are replaced: {count} of them", count=settings.workers)
        self._perform(self._plan.reload(settings.workers, settings.drain_seconds, self._now()))

    # ── what happens ─────────────────────────────────────────────────────────

    def heard(self, line: Line, message: Message) -> None:
        """A worker speaks."""
        if line.serial not in self._processes:
            return
        if isinstance(message, Serving):
            self._perform(self._plan.serves(line.serial, self._now()))
        else:
            self._news.heard(line, message)

    def hung_up(self, line: Line) -> None:
        """A worker's connection is gone; its process ends, or has ended."""
        self._news.hung_up(line)

    def ended(self, process: WorkerProcess, reason: Failure) -> None:
        """A worker's process is gone."""
        del self._processes[process.serial]
        self._news.gone(process.serial)
        status: Any = reason.value
        self.log.info(
            "worker {number} (process {pid}) has ended: {status}",
            number=process.number,
            pid=process.pid,
            status=_status(status),
        )
        self._perform(self._plan.ended(process.serial, self._now()))

    def printed(self, number: int, lines: Iterable[str]) -> None:
        """Lines of a worker's log."""
        for line in lines:
            self.log.info("[{worker}] {worker_line}", worker=number, worker_line=line)

    # ── what is done about it ────────────────────────────────────────────────

    def _look(self) -> None:
        self._timer = None
        self._perform(self._plan.look(self._now()))

    def _perform(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Start):
                self._start(action)
            elif isinstance(action, Drain):
                self._drain(action.serial)
            elif isinstance(action, Kill):
                self._kill(action.serial)
            else:
                self._say(action)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._plan.finished:
            stopped, self._stopped = self._stopped, None
            if stopped is not None:
                stopped.callback(None)
            return
        due = self._plan.due(self._now())
        if due is not None:
            self._timer = self._reactor.callLater(due, self._look)

    def _start(self, start: Start) -> None:
        place = Place(
            serial=start.serial,
            number=start.number,
            workers=self._plan.count,
            control=self._control,
            listen=self.settings.listen,
            port=getattr(self._port.getHost(), "port", 0),
            inherited=self._taking.inheritable is not None,
        )
        environment = {
            **self._configuration.environment,
            VARIABLE: msgspec.json.encode(place).decode(),
        }
        descriptors: dict[int, int | str] = {0: "w", 1: "r", 2: "r"}
        if self._taking.inheritable is not None:
            descriptors[INHERITED] = self._taking.inheritable
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        words = ["-n", "--pidfile=", "--logfile=-", "kiro2api"]
        process = WorkerProcess(self, start.serial, start.number)
        self._processes[start.serial] = process
        self._reactor.spawnProcess(
            process,
            sys.executable,
            [sys.executable, "-P", "-c", PROGRAM, root, *words],
            env=environment,
            path=None,
            childFDs=descriptors,
        )
        self.log.info(
            "worker {number} is started as process {pid}",
            number=start.number,
            pid=process.pid,
        )

    def _drain(self, serial: int) -> None:
        line = self._news.line(serial)
        if line is not None:
            line.say(Leave())
        else:
            self._processes[serial].signal("TERM")

    def _kill(self, serial: int) -> None:
        process = self._processes[serial]
        self.log.error("worker {number} does not end or start; it is killed", number=process.number)
        process.signal("KILL")

    def _say(self, action: Rest | Abandon) -> None:
        if isinstance(action, Rest):
            self.log.error(
                "worker {number} ended unasked; another is started in {wait} s",
                number=action.number,
                wait=action.seconds,
            )
        else:
            self.log.error(
                "the new worker {number} could not start; those that serve go on with the"
                " settings they have",
                number=action.number,
            )

    def _now(self) -> float:
        now: float = self._reactor.seconds()
        return now


def _status(ended: Any) -> str:
    if getattr(ended, "signal", None) is not None:
        return f"signal {ended.signal}"
    return f"status {getattr(ended, 'exitCode', None)}"


def make_supervisor(
    settings: Settings, reactor: Any, configuration: Configuration, say: Callable[[str], None]
) -> Supervisor:
    """The supervisor; its port is taken and the workers' settings are known to be good.

    :param say: prints a line for the person at the terminal.
    :raises StartFailed: one line on what is wrong.
    """
    check_shareable(settings.listen)
    path = os.path.abspath(os.path.expanduser(settings.db_path))
    settings = dataclasses.replace(settings, db_path=path)
    configured_accounts(settings)
    supervisor = Supervisor(settings, reactor, configuration)
    rehearse(supervisor, reactor, say)
    return supervisor
