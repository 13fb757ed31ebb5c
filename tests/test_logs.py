"""Lines that tell what happened, one each, and never a secret."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.application.service import Application, IService, MultiService, Service
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase
from txaio.tx import get_global_log_level, make_logger, set_global_log_level
from zope.interface.verify import verifyObject

from kiro2api import logs
from kiro2api.accounts.account import Credentials
from kiro2api.logs import KEPT_FILES, LONGEST, Threshold, install, line_observer, open_log_file
from kiro2api.redaction import Secret

CANARY = "canary-4711"

# A plugin in a folder of its own, to see what twistd and twist really print.
PLUGIN = """
from twisted.application.service import ServiceMaker
probe = ServiceMaker("probe", "probe_tap", "A probe.", "probe")
"""
TAP = """
import os, signal
from twisted.application.service import Service
from twisted.logger import Logger
from twisted.python import usage
from kiro2api import logs
from kiro2api.logs import install

class Options(usage.Options):
    optParameters = [["format", None, "text", "text or json"]]
    optFlags = [["rotate", None, "send SIGUSR1"]]

class Probe(Service):
    def startService(self):
        from twisted.internet import reactor
        log = Logger(namespace="kiro2api.probe.Probe")
        log.info("one\\ntwo {name}", name="main", headers={"authorization": "canary-4711"})
        log.debug("not shown")
        if self.rotate:
            reactor.callLater(0, os.kill, os.getpid(), signal.SIGUSR1)
        reactor.callLater(0.2, log.info, "last")
        reactor.callLater(0.3, reactor.stop)

def makeService(options):
    from twisted.internet import reactor
    probe = Probe()
    probe.rotate = options["rotate"]
    return install(
        probe, options.parent, level="info", format=options["format"], reactor=reactor
    )
"""

TWISTD = "from twisted.scripts.twistd import run; run()"
OURS = [r"INFO  probe: one\x0atwo main", "INFO  probe: last"]


class ObserverCase(SynchronousTestCase):
    """An observer over a stream in memory."""

    def setUp(self) -> None:
        self.stream = io.StringIO()

    def publisher(self, level: str = "info", format: str = "text") -> LogPublisher:
        """Where to send events that shall be seen by the observer alone."""
        return LogPublisher(line_observer(self.stream, level, format))

    def logger(self, level: str = "info", format: str = "text", name: str = "") -> Logger:
        """A logger whose events only the observer sees."""
        return Logger(
            namespace=name or "kiro2api.web.site.ApiSite", observer=self.publisher(level, format)
        )

    def lines(self) -> list[str]:
        """What was written; every line is ended."""
        text = self.stream.getvalue()
        self.assertTrue(text == "" or text.endswith("\n"))
        return text.split("\n")[:-1]

    def objects(self) -> list[dict[str, Any]]:
        """What was written, as JSON."""
        return [json.loads(line) for line in self.lines()]


class TextTests(ObserverCase):
    """Lines for people."""

    def test_interface(self) -> None:
        """It is an observer as Twisted understands it."""
        verifyObject(ILogObserver, line_observer(self.stream, "info", "text"))

    def test_another_level(self) -> None:
        """The level may change while the service runs."""
        level = get_global_log_level()
        self.addCleanup(set_global_log_level, level)
        threshold = Threshold("warn")
        log = Logger(
            "kiro2api.test", observer=LogPublisher(line_observer(self.stream, threshold, "text"))
        )
        log.info("first")
        threshold.set("debug")
        log.debug("second")
        threshold.set("error")
        log.warn("third")
        self.assertEqual(self.stream.getvalue().split()[-1], "second")
        self.assertEqual(self.stream.getvalue().count("\n"), 1)

    def test_whole_line(self) -> None:
        """Time to the millisecond, level, short namespace, message."""
        for time in (1_700_000_000.0, 1_700_000_000.9999, 1_700_000_001.25):
            self.publisher()(
                {
                    "log_level": LogLevel.warn,
                    "log_namespace": "kiro2api.web.site.ApiSite",
                    "log_format": "account {name} rests",
                    "log_time": time,
                    "name": "main",
                }
            )
        self.assertEqual(
            self.lines(),
            [
                "2023-11-14T22:13:20.000Z WARN  web.site: account main rests",
                "2023-11-14T22:13:20.999Z WARN  web.site: account main rests",
                "2023-11-14T22:13:21.250Z WARN  web.site: account main rests",
            ],
        )

    def test_namespaces(self) -> None:
        """Ours lose the package and the class, others stay as they are."""
        for name, short in {
            "kiro2api.web.site.ApiSite": "web.site",
            "kiro2api.web.reply": "web.reply",
            "kiro2api.metering.Meter": "metering",
            "kiro2api.Strange": "Strange",
            "kiro2api": "kiro2api",
            "elsewhere.Thing": "elsewhere.Thing",
            "forged\nname": "forged\\x0aname",
        }.items():
            self.logger(name=name).error("x")
            self.assertTrue(self.lines()[-1].endswith(f" ERROR {short}: x"), self.lines()[-1])

    def test_very_many_namespaces(self) -> None:
        """Namespaces without end are still shortened, though not all remembered."""
        observer = line_observer(self.stream, "info", "text")
        for number in range(1100):
            observer({"log_level": LogLevel.warn, "log_namespace": f"kiro2api.a{number}.B"})
        self.assertTrue(self.lines()[-1].endswith(" a1099: "))

    def test_levels(self) -> None:
        """Each level shows itself and what is more important."""
        expected = {
            "trace": "DEBUG INFO WARN ERROR CRITICAL TRACE",
            "debug": "DEBUG INFO WARN ERROR CRITICAL",
            "info": "INFO WARN ERROR CRITICAL",
            "warn": "WARN ERROR CRITICAL",
            "error": "ERROR CRITICAL",
        }
        for level, shown in expected.items():
            self.stream = io.StringIO()
            logger = self.logger(level)
            for name in ("debug", "info", "warn", "error", "critical"):
                logger.emit(LogLevel.lookupByName(name), "x")
            logger.debug("x", txaio_trace=True)
            self.assertEqual([line.split()[1] for line in self.lines()], shown.split())

    def test_one_line_per_event(self) -> None:
        """Nothing in a message can begin another line or reach the terminal."""
        evil = "a\nb\rc\x1b[2Jd\x00e\x85f\u2028g\u202eh\ud800i\tj"
        self.logger().info("{text}", text=evil)
        (line,) = self.lines()
        self.assertTrue(
            line.endswith(r": a\x0ab\x0dc\x1b[2Jd\x00e\x85f\u2028g\u202eh\ud800i\x09j"), line
        )
        line.encode("utf-8")

    def test_other_writing_is_kept(self) -> None:
        """Text in any language is shown as it is, unusual blanks included."""
        self.logger().info("{text}", text="账户\u3000已暂停 é\u00a0ß 🙂")
        self.assertTrue(self.lines()[0].endswith(": 账户\u3000已暂停 é\u00a0ß 🙂"))

    @given(st.text(max_size=60))
    def test_any_text_is_one_printable_line(self, text: str) -> None:
        """Whatever a value holds, there is one line that UTF-8 can take."""
        stream = io.StringIO()
        observer = line_observer(stream, "info", "text")
        Logger(namespace="kiro2api.x", observer=LogPublisher(observer)).info("{text}", text=text)
        self.assertEqual(len(stream.getvalue().splitlines()), 1)
        stream.getvalue().encode("utf-8")

    def test_long_message(self) -> None:
        """A message without end is cut."""
        self.logger().info("{text}", text="x" * (LONGEST + 100))
        self.assertTrue(self.lines()[0].endswith("x..."))
        self.assertEqual(self.lines()[0].count("x"), LONGEST)

    def test_failures(self) -> None:
        """A traceback follows its line, indented, and cannot forge a line either."""
        logger = self.logger()
        logger.failure("while trying {what}", Failure(ValueError("bad\x1b\r")), what="hard")
        first, *rest = self.lines()
        self.assertTrue(first.endswith(" CRITICAL web.site: while trying hard"))
        self.assertEqual([row[:4] for row in rest], ["    "] * len(rest))
        self.assertTrue(rest[-1].endswith(r"ValueError: bad\x1b\x0d"), rest)

    def test_failures_without_a_message(self) -> None:
        """Unhandled errors of Deferreds and of the old log come with a traceback, once."""
        publisher = self.publisher()
        failure = Failure(KeyError("k"))
        publisher({"log_level": LogLevel.critical, "log_format": None, "log_failure": failure})
        old = legacy.LogPublisher(observerPublisher=publisher, publishPublisher=publisher)
        old.msg(failure=failure, why="because", isError=1)
        old.msg(failure=failure, why=None, isError=1)
        heads = [line.split(": ", 1)[1] for line in self.lines() if not line.startswith(" ")]
        self.assertEqual(heads, ["unexpected failure", "because", "unexpected failure"])
        self.assertEqual(sum("KeyError" in line for line in self.lines()), 3)

    def test_noise(self) -> None:
        """Twisted's talk with itself is shown from debug on; its warnings always."""

        def talk(level: str) -> list[str]:
            self.stream = io.StringIO()
            self.logger(level, name="twisted.internet.base").info("main loop")
            self.logger(level, name="twisted.internet.base").warn("trouble")
            self.logger(level).info("Starting factory {factory!r}", factory=1)
            self.logger(level).info("serving")
            self.logger(level, name="stdout").info("printed")
            return [line.split(": ")[1] for line in self.lines()]

        self.assertEqual(talk("info"), ["trouble", "serving", "printed"])
        self.assertEqual(talk("warn"), ["trouble"])
        self.assertEqual(
            talk("debug"), ["main loop", "trouble", "Starting factory 1", "serving", "printed"]
        )


class StreamTests(ObserverCase):
    """Streams that do not behave."""

    def test_flushed(self) -> None:
        """Each line leaves at once, also through a pipe."""
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=False)
        line_observer(stream, "info", "text")({"log_level": LogLevel.error, "log_format": "x"})
        self.assertTrue(raw.getvalue().endswith(b": x\n"))

    def test_narrow_encoding(self) -> None:
        """A stream that cannot take a character gets it escaped."""
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="ascii")
        line_observer(stream, "info", "text")({"log_level": LogLevel.error, "log_format": "é"})
        self.assertTrue(raw.getvalue().endswith(b": \\xe9\n"))

    def test_broken(self) -> None:
        """A full disk or a closed file loses lines and nothing else."""

        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError(28, "no space")

        closed = io.StringIO()
        closed.close()
        for stream in (Full(), closed):
            line_observer(stream, "info", "text")({"log_level": LogLevel.error, "log_format": "x"})
        self.assertEqual(self.flushLoggedErrors(), [])


class JsonTests(ObserverCase):
    """Lines for machines."""

    def test_object(self) -> None:
        """Known scalar fields stand beside the message, nothing else does."""
        self.logger(format="json").info(
            "hello {name}",
            name="main",
            status=200,
            stream=True,
            total_seconds=1.5,
            first_event_seconds=None,
            unknown="not listed",
            reason=["no", "scalar"],
            model={"no": "scalar"},
        )
        found = self.objects()
        self.assertRegex(found[0].pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(
            found,
            [
                {
                    "level": "info",
                    "namespace": "web.site",
                    "message": "hello main",
                    "name": "main",
                    "status": 200,
                    "stream": True,
                    "total_seconds": 1.5,
                    "first_event_seconds": None,
                }
            ],
        )

    def test_strange_texts(self) -> None:
        """Line ends and lone surrogates stay inside the object."""
        self.logger(format="json").info("a\n\ud800{name}", name="b\n\udfff")
        (found,) = self.objects()
        self.assertEqual((found["message"], found["name"]), ("a\n\\ud800b\n\\udfff", "b\n\\udfff"))

    def test_traceback(self) -> None:
        """A failure's traceback is a field."""
        self.logger(format="json").failure("oh", Failure(ValueError("bad \ud800")))
        (found,) = self.objects()
        self.assertIn("ValueError: bad", found["traceback"])
        self.assertEqual((found["level"], found["message"]), ("critical", "oh"))


class RedactionTests(ObserverCase):
    """What must never appear."""

    def test_no_secret_gets_out(self) -> None:
        """Secrets in every place that a careless call could put them."""
        secret = Secret(CANARY)
        credentials = Credentials(access_token=secret, refresh_token=secret, client_secret=secret)
        headers = {"authorization": f"Bearer {CANARY}"}

        class Talkative(str):
            __slots__ = ()

        def fail(local: str) -> None:
            raise ValueError("no value here")

        for format in ("text", "json"):
            logger = self.logger("trace", format)
            logger.info("{token} {token!r} {token!s:>20}", token=secret, key=secret)
            logger.info("{credentials}", credentials=credentials, account=credentials)
            logger.info("known field, odd type", name=Talkative(CANARY), model=[CANARY])
            logger.info("unlisted fields", headers=headers, body=CANARY)
            logger.info("{missing}", headers=headers, body=CANARY)
            logger.info("{broken:q}", broken=1, headers=headers)
            try:
                fail(CANARY)
            except ValueError:
                logger.failure("trying", headers=headers)
        lines = self.lines()
        self.assertGreater(len(lines), 14)
        self.assertNotIn(CANARY, "".join(lines))
        self.assertIn("<secret>", lines[0])
        self.assertTrue(any("unformattable event '{missing}'" in line for line in lines))


class FileTests(SynchronousTestCase):
    """Files of log lines."""

    def test_private_and_appended(self) -> None:
        """Old lines stay, and only the owner can read."""
        path = Path(self.mktemp())
        path.write_text("old\n")
        path.chmod(0o644)
        file = open_log_file(str(path))
        assert isinstance(file, LogFile)
        self.addCleanup(file.close)
        line_observer(file, "info", "text")({"log_level": LogLevel.error, "log_format": "née"})
        first, second = path.read_text("utf-8").splitlines()
        self.assertEqual(first, "old")
        self.assertTrue(second.endswith(": née"))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_bounded(self) -> None:
        """Only so many old files are kept, all of them private."""
        path = Path(self.mktemp())
        file = open_log_file(str(path))
        assert isinstance(file, LogFile)
        self.addCleanup(file.close)
        self.assertTrue(file.rotateLength)
        for _ in range(KEPT_FILES + 3):
            file.write("x\n")
            file.rotate()
        found = sorted(one for one in path.parent.iterdir() if one.name.startswith(path.name))
        self.assertEqual(len(found), KEPT_FILES + 1)
        self.assertEqual({stat.S_IMODE(one.stat().st_mode) for one in found}, {0o600})

    def test_device(self) -> None:
        """What is no file is only opened."""
        before = os.stat(os.devnull).st_mode
        stream = open_log_file(os.devnull)
        self.addCleanup(stream.close)  # type: ignore[attr-defined]
        self.assertFalse(isinstance(stream, LogFile))
        self.assertEqual(os.stat(os.devnull).st_mode, before)


class InstallTests(SynchronousTestCase):
    """Becoming the observer of twistd and of twist."""

    def setUp(self) -> None:
        self.addCleanup(set_global_log_level, get_global_log_level())

        def opened(path: str) -> logs.Stream:
            file = open_log_file(path)
            self.addCleanup(file.close)  # type: ignore[attr-defined]
            return file

        self.patch(logs, "open_log_file", opened)

    def component(self, service: IService) -> object:
        """The observer that twistd finds once the service is part of its application."""
        application = Application("test")
        service.setServiceParent(application)
        return application.getComponent(ILogObserver, None)

    def test_twistd(self) -> None:
        """The application gets the observer and the service, however it logs."""
        inner = Service()
        path = self.mktemp()
        for options in (
            {"logfile": None, "nodaemon": 1},
            {"logfile": "-", "nodaemon": 1},
            {"logfile": path, "nodaemon": 1},
            {"logfile": path, "nodaemon": 0},
        ):
            inner = Service()
            outer = install(inner, options, level="info", format="text")
            self.assertIsInstance(outer, MultiService)
            self.assertEqual(list(outer), [inner])  # type: ignore[call-overload]
            verifyObject(ILogObserver, self.component(outer))

    def test_others_choice_is_kept(self) -> None:
        """Another observer chosen on the command line, or none possible, changes nothing."""
        for options in (
            {"logfile": None, "nodaemon": 1, "syslog": 1},
            {"logfile": None, "nodaemon": 1, "logger": print},
            {"logfile": "-", "nodaemon": 0},
            None,
        ):
            inner = Service()
            self.assertIs(install(inner, options, level="info", format="text"), inner)

    def test_twist(self) -> None:
        """twist is given a factory of our observer; filtering is left to it."""
        options: dict[str, Any] = {"fileLogObserverFactory": None, "logLevel": LogLevel.info}
        inner = Service()
        self.assertIs(install(inner, options, level="trace", format="json"), inner)
        stream = io.StringIO()
        observer = options["fileLogObserverFactory"](stream)
        observer({"log_level": LogLevel.debug, "log_format": "x", "txaio_trace": True})
        self.assertEqual(json.loads(stream.getvalue())["level"], "trace")
        self.assertIs(options["logLevel"], LogLevel.debug)

    def test_parent_that_is_no_application(self) -> None:
        """Inside another service it is a service like any other."""
        outer = install(Service(), {"nodaemon": 1}, level="info", format="text")
        parent = MultiService()
        outer.setServiceParent(parent)
        self.assertEqual(list(parent), [outer])

    def test_level_of_loggers(self) -> None:
        """Loggers of txaio below the level do nothing at all."""
        logger = make_logger()
        install(Service(), None, level="warn", format="text")
        self.assertEqual(logger.info.__name__, "_no_op")
        install(Service(), None, level="trace", format="text")
        self.assertNotEqual(getattr(logger.info, "__name__", ""), "_no_op")

    def test_signal(self) -> None:
        """SIGUSR1 begins a new file, in the reactor's turn; a taken signal is left alone."""
        calls: list[Any] = []

        class Reactor:
            def callFromThread(self, call: Any) -> None:
                calls.append(call)

        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        path = self.mktemp()
        options = {"logfile": path, "nodaemon": 1}
        install(Service(), options, level="info", format="text", reactor=Reactor())  # type: ignore[arg-type]
        mine = signal.getsignal(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertFalse(os.path.exists(path + ".1"))
        (call,) = calls
        call()
        self.assertTrue(os.path.exists(path + ".1"))
        install(Service(), options, level="info", format="text", reactor=Reactor())  # type: ignore[arg-type]
        self.assertIs(signal.getsignal(signal.SIGUSR1), mine)


class CommandTests(SynchronousTestCase):
    """What twistd and twist really print."""

    def run_probe(self, *words: str, status: int = 0) -> str:
        """What a command with our probe plugin prints."""
        folder = Path(self.mktemp()).absolute()
        folder.joinpath("twisted/plugins").mkdir(parents=True)
        folder.joinpath("twisted/plugins/probe_plugin.py").write_text(PLUGIN)
        folder.joinpath("probe_tap.py").write_text(TAP)
        root = Path(__file__).parent.parent
        self.folder = folder
        done = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{root}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn(CANARY, done.stdout + done.stderr)
        return done.stdout

    def messages(self, text: str) -> list[str]:
        """Text lines without their time."""
        return [line.split(" ", 1)[1] for line in text.splitlines()]

    def test_twistd_in_front(self) -> None:
        """twistd -n prints our lines, and only them, to its standard output."""
        for words in ((), ("--logfile=-",)):
            output = self.run_probe("-c", TWISTD, "-n", "--pidfile=", *words, "probe")
            self.assertEqual(self.messages(output), OURS)

    def test_twistd_log_file(self) -> None:
        """A daemon writes our lines to its private log file, and SIGUSR1 begins a new one."""
        self.run_probe(
            "-c",
            TWISTD,
            "-n",
            "--pidfile=",
            "--logfile=x.log",
            "probe",
            "--format=json",
            "--rotate",
        )
        found = [
            json.loads(self.folder.joinpath(name).read_text())["message"]
            for name in ("x.log.1", "x.log")
        ]
        self.assertEqual(found, ["one\ntwo main", "last"])
        self.assertEqual(stat.S_IMODE(self.folder.joinpath("x.log").stat().st_mode), 0o600)

    def test_twist(self) -> None:
        """twist prints the same lines."""
        self.assertEqual(self.messages(self.run_probe("-m", "twisted", "probe")), OURS)

    def test_others_are_kept(self) -> None:
        """twistd's own refusals stay its own."""
        self.run_probe("-c", TWISTD, "--pidfile=", "--logfile=-", "probe", status=1)


class WorkerLineTests(SynchronousTestCase):
    """Lines that another process of ours has written."""

    def written(self, line: str, format: str) -> str:
        stream = io.StringIO()
        observer = line_observer(stream, "error", format)
        Logger("x", observer=observer).error("[{worker}] {worker_line}", worker=2, worker_line=line)
        return stream.getvalue()

    def test_as_they_are(self) -> None:
        """Not chosen and stamped a second time, only marked."""
        line = "2026-11-23T05:51:10.258Z DEBUG relay: hello"
        self.assertEqual(
            self.written(line, "text"), "2026-11-23T05:51:10.258Z DEBUG [2] relay: hello\n"
        )
        self.assertEqual(self.written('{"time":"x"}', "json"), '{"worker":2,"time":"x"}\n')

    def test_stray_text(self) -> None:
        """What a worker prints beside its log is still JSON in a JSON log."""
        found = json.loads(self.written("Traceback", "json"))
        self.assertEqual((found["level"], found["message"]), ("error", "[2] Traceback"))
