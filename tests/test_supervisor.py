"""The supervisor, with processes that only the test knows of."""

import dataclasses
import os
import shutil
import signal
import struct
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.control import (
    VARIABLE,
    Ask,
    Hello,
    Leave,
    Message,
    Place,
    Serving,
)
from kiro2api.settings import ConfigError, Settings, load
from kiro2api.sharing import INHERITED, check_shareable
from kiro2api.starting import StartFailed
from kiro2api.supervisor import Configuration, Line, Supervisor, environment_for_workers
from tests.accounts.records import LogRecorder


class FakePort:
    """A port that is only counted."""

    port = 8080

    def __init__(self) -> None:
        self.stopped = 0

    def getHost(self) -> "FakePort":
        """The address."""
        return self

    def stopListening(self) -> None:
        """Remember."""
        self.stopped += 1


class FakeProcess:
    """One started process."""

    def __init__(self, protocol: Any, words: list[str], env: dict[str, str], fds: Any) -> None:
        self.protocol, self.words, self.env, self.fds = protocol, words, env, fds
        self.place = msgspec.json.decode(env[VARIABLE], type=Place)
        self.pid = 1000 + self.place.serial
        self.signals: list[str] = []
        self.gone = False
        protocol.makeConnection(self)

    def signalProcess(self, name: str) -> None:
        """Remember."""
        if self.gone:
            raise ProcessExitedAlready
        self.signals.append(name)

    def end(self, status: int = 0, by: int | None = None) -> None:
        """It ends."""
        self.gone = True
        reason: Exception = (
            ProcessDone(0) if not status and by is None else ProcessTerminated(status, by)
        )
        self.protocol.processEnded(Failure(reason))


class FakeReactor(Clock):
    """Starts nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.control = FakePort()
        self.sockets: list[tuple[str, int]] = []

    def spawnProcess(self, protocol: Any, program: str, args: Any, **more: Any) -> FakeProcess:
        """Remember."""
        process = FakeProcess(protocol, args, more["env"], more["childFDs"])
        self.processes.append(process)
        return process

    def listenUNIX(self, path: str, factory: Any, mode: int) -> FakePort:
        """Remember."""
        self.sockets.append((path, mode))
        self.factory = factory
        return self.control

    def callWhenRunning(self, function: Any, *args: Any) -> None:
        """It runs."""
        function(*args)

    def callFromThread(self, function: Any, *args: Any) -> None:
        """Soon."""
        self.callLater(0, function, *args)


class Case(SynchronousTestCase):
    """A supervisor of two workers."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.log = LogRecorder(self)
        self.settings = load({"workers": "2", "drain-seconds": "10"}, {})
        self.read: list[Settings | ConfigError] = []
        self.supervisor = Supervisor(
            self.settings, self.reactor, Configuration({"KIRO_X": "y"}, self.settings_now)
        )
        self.port = FakePort()
        self.supervisor._port = self.port
        self.before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(lambda: signal.signal(signal.SIGHUP, self.before))
        self.supervisor.startService()
        (self.folder,) = [Path(path).parent for path, _ in self.reactor.sockets]
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.lines: dict[int, Line] = {}

    def settings_now(self) -> Settings:
        found = self.read.pop(0)
        if isinstance(found, ConfigError):
            raise found
        return found

    def processes(self) -> list[FakeProcess]:
        """Those that run."""
        return [process for process in self.reactor.processes if not process.gone]

    def connect(self, serial: int, *messages: Message) -> StringTransport:
        """A worker's line; what the supervisor writes is in the transport."""
        line: Any = self.reactor.factory.buildProtocol(None)
        transport = StringTransport()
        line.makeConnection(transport)
        self.lines[serial] = line
        self.say(serial, Hello(serial), *messages)
        return transport

    def say(self, serial: int, *messages: Message) -> None:
        """The worker says this."""
        for message in messages:
            data = msgspec.json.encode(message)
            self.lines[serial].dataReceived(struct.pack("!I", len(data)) + data)

    def said(self, transport: StringTransport) -> list[Message]:
        """What a worker was told."""
        data, found = transport.value(), []
        transport.clear()
        while data:
            (length,) = struct.unpack("!I", data[:4])
            found.append(msgspec.json.decode(data[4 : 4 + length], type=Message))
            data = data[4 + length :]
        return found

    def both(self) -> tuple[StringTransport, StringTransport]:
        """Both serve."""
        return self.connect(1, Serving()), self.connect(2, Serving())

    def finish(self) -> None:
        """Stop, and let everybody end."""
        stopping: Deferred[None] = self.supervisor.stopService()
        for process in self.processes():
            process.end()
        self.successResultOf(stopping)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class StartTests(Case):
    """How processes are started."""

    def test_two(self) -> None:
        """Each knows its place from its environment; nothing of it is on the command line."""
        self.assertEqual([p.place.number for p in self.processes()], [1, 2])
        first = self.processes()[0]
        self.assertEqual(first.env["KIRO_X"], "y")
        self.assertEqual(first.place.control, self.reactor.sockets[0][0])
        self.assertEqual((first.place.port, first.place.inherited), (8080, False))
        self.assertEqual(first.place.listen, self.settings.listen)
        self.assertNotIn("y", " ".join(first.words).split())
        self.assertEqual(set(first.fds), {0, 1, 2})
        self.finish()

    def test_private_folder(self) -> None:
        """Nobody else may talk to us; the folder goes away at the end."""
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.reactor.sockets[0][1], 0o600)
        self.finish()
        self.assertFalse(self.folder.exists())
        self.assertEqual((self.reactor.control.stopped, self.port.stopped), (1, 1))

    def test_inherited_socket(self) -> None:
        """Where the socket is inherited, it has its number in the worker."""
        self.supervisor._taking.inheritable = 77
        self.both()
        self.processes()[0].end(1)
        self.reactor.advance(1)
        self.assertEqual(self.processes()[-1].fds[INHERITED], 77)
        self.assertTrue(self.processes()[-1].place.inherited)
        self.finish()

    def test_restart(self) -> None:
        """A dead worker is replaced after a rest, and the operator is told."""
        self.both()
        self.processes()[0].end(by=9)
        self.assertEqual(len(self.processes()), 1)
        self.reactor.advance(1)
        self.assertEqual([p.place.number for p in self.processes()], [2, 1])
        told = "\n".join(self.log.lines())
        self.assertIn("worker 1 (process 1001) has ended: signal 9", told)
        self.assertIn("another is started in 1.0 s", told)
        self.finish()

    def test_never_ready(self) -> None:
        """A worker that hangs in its start is killed."""
        self.connect(2, Serving())
        self.reactor.advance(90)
        self.assertEqual(self.processes()[0].signals, ["KILL"])
        self.processes()[0].end(by=9)
        self.finish()


class StopTests(Case):
    """The end."""

    def test_waits(self) -> None:
        """Workers are told on their lines, or by a signal if they have none yet."""
        first = self.connect(1, Serving())
        stopping = self.supervisor.stopService()
        self.assertEqual(self.said(first), [Leave()])
        one, two = self.processes()
        self.assertEqual((one.signals, two.signals), ([], ["TERM"]))
        one.end()
        self.assertNoResult(stopping)
        two.end()
        self.successResultOf(stopping)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertIs(signal.getsignal(signal.SIGHUP), self.before)

    def test_who_does_not_end(self) -> None:
        """Is killed."""
        self.both()
        stopping = self.supervisor.stopService()
        one, two = self.processes()
        one.end()
        self.reactor.advance(40)
        self.assertEqual(two.signals, ["KILL"])
        two.end(by=9)
        self.successResultOf(stopping)

    def test_a_signal_too_late(self) -> None:
        """A process that has just ended cannot be told any more."""
        self.processes()[0].gone = True
        stopping = self.supervisor.stopService()
        for process in list(self.reactor.processes):
            process.end()
        self.successResultOf(stopping)


class ReloadTests(Case):
    """SIGHUP."""

    def hang_up(self) -> None:
        """The signal."""
        os.kill(os.getpid(), signal.SIGHUP)
        self.reactor.advance(0)

    def test_replaced(self) -> None:
        """New ones serve before old ones are told to end; the number may change."""
        first, second = self.both()
        self.read = [dataclasses.replace(self.settings, workers=1)]
        self.hang_up()
        self.assertEqual(self.said(first) + self.said(second), [])
        self.connect(3, Serving())
        self.assertEqual((self.said(first), self.said(second)), ([Leave()], [Leave()]))
        self.finish()

    def test_bad_settings(self) -> None:
        """A mistake is told, and nobody is replaced."""
        self.both()
        self.read = [ConfigError("KIRO_WORKERS: no")]
        self.hang_up()
        self.assertEqual(len(self.processes()), 2)
        self.assertIn("the settings are kept: KIRO_WORKERS: no", self.log.lines())
        self.finish()

    def test_another_port(self) -> None:
        """The port stays; that is told."""
        self.both()
        self.read = [dataclasses.replace(self.settings, listen="tcp:1")]
        self.hang_up()
        self.assertIn("KIRO_LISTEN changes only with a restart", self.log.lines())
        self.assertEqual(self.processes()[-1].place.listen, self.settings.listen)
        self.finish()

    def test_a_new_one_fails(self) -> None:
        """The old ones go on."""
        first, second = self.both()
        self.read = [self.settings]
        self.hang_up()
        self.processes()[-1].end(1)
        self.assertIn("could not start", self.log.lines()[-1])
        self.assertEqual(self.said(first) + self.said(second), [])
        self.finish()

    def test_while_stopping(self) -> None:
        """Too late."""
        stopping = self.supervisor.stopService()
        self.read = [self.settings]
        self.supervisor.reload()
        for process in self.processes():
            process.end()
        self.successResultOf(stopping)
        self.assertEqual(len(self.reactor.processes), 2)


class LineTests(Case):
    """Who may speak, and how."""

    def test_strangers_and_nonsense(self) -> None:
        """Neither an unknown worker nor an unknown message disturbs."""
        stranger = self.connect(99, Serving(), Ask(1))
        self.assertEqual(self.said(stranger), [])
        self.connect(1)
        data = b'{"type":"unheard-of"}'
        self.lines[1].dataReceived(struct.pack("!I", len(data)) + data)
        self.assertIn("not understood", self.log.lines()[-1])
        self.finish()


class OutputTests(Case):
    """What workers print."""

    def test_lines(self) -> None:
        """Both streams, line by line, with the worker's number."""
        one, two = self.processes()
        one.protocol.childDataReceived(1, b"half ")
        two.protocol.childDataReceived(2, b"other\n")
        one.protocol.childDataReceived(1, b"line\nrest")
        one.end(1)
        lines = [e for e in self.log.events if "worker_line" in e]
        self.assertEqual(
            [(e["worker"], e["worker_line"]) for e in lines],
            [(2, "other"), (1, "half line"), (1, "rest")],
        )
        self.finish()


class ConfigurationTests(SynchronousTestCase):
    """What workers are given."""

    def test_environment(self) -> None:
        """Options become variables, over which they had won; the rest is inherited."""
        found = environment_for_workers(
            {"ping-seconds": "7", "log-level": None, "demo": 0},
            {"KIRO_PING_SECONDS": "3", "KIRO_CLIENT_TOKEN": "k", "PATH": "/bin"},
        )
        self.assertEqual(found["KIRO_PING_SECONDS"], "7")
        self.assertEqual((found["KIRO_CLIENT_TOKEN"], found["PATH"]), ("k", "/bin"))
        self.assertNotIn("LOG_LEVEL", found)

    def test_endpoints(self) -> None:
        """One that only one process can open is refused."""
        for listen in ("tcp:1", "tcp6:1", "ssl:1:certKey=x", "unix:/x"):
            check_shareable(listen)
        self.assertRaises(StartFailed, check_shareable, "systemd:domain=INET:index=0")
