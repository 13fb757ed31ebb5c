"""What a test in the reactor leaves behind fails it, and it alone."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]

CASES = """
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from tests.live.reactor import ReactorCase, reactor

log = Logger()

class TestDirty(ReactorCase):
    timeout = 0.3

    def log_error(self):
        try:
            1 / 0
        except ZeroDivisionError:
            log.failure("logged")

    async def test_1_call(self):
        reactor.callLater(60, print)

    async def test_2_socket(self):
        reactor.listenTCP(0, Factory(), interface="127.0.0.1")

    async def test_3_error(self):
        self.log_error()

    async def test_4_cleanup(self):
        self.addCleanup(self.log_error)
        self.addCleanup(Deferred)

    async def test_5_late(self):
        self.addCleanup(self.log_error)
        await Deferred()

    async def test_6_wrong(self):
        await deferLater(reactor, 0)
        self.assertEqual(1, 2)

class TestClean(ReactorCase):
    async def test_call(self):
        reactor.callLater(0, print)
        call = reactor.callLater(60, print)
        self.addCleanup(call.cancel)

    async def test_socket(self):
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)

    async def test_error(self):
        try:
            1 / 0
        except ZeroDivisionError:
            log.failure("logged")
        self.assertEqual(self.flushLoggedErrors(KeyError), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_order(self):
        done = []
        self.addCleanup(lambda: self.assertEqual(done, ["late", "early"]))
        self.addCleanup(done.append, "early")
        self.addCleanup(lambda: deferLater(reactor, 0.01, done.append, "late"))
"""

VERDICTS = {
    "TestDirty::test_1_call": [
        ("PASSED", ""),
        ("ERROR", "AssertionError: left in the reactor"),
    ],
    "TestDirty::test_2_socket": [
        ("PASSED", ""),
        ("ERROR", "AssertionError: left open"),
    ],
    "TestDirty::test_3_error": [("PASSED", ""), ("ERROR", "ZeroDivisionError")],
    "TestDirty::test_4_cleanup": [
        ("PASSED", ""),
        ("ERROR", "ExceptionGroup: after the test (2 sub-exceptions)"),
    ],
    "TestDirty::test_5_late": [
        ("FAILED", "twisted.internet.defer.TimeoutError"),
        ("ERROR", "ZeroDivisionError"),
    ],
    "TestDirty::test_6_wrong": [("FAILED", "twisted.trial.unittest.FailTest: 1 != 2")],
    "TestClean::test_call": [("PASSED", "")],
    "TestClean::test_socket": [("PASSED", "")],
    "TestClean::test_error": [("PASSED", "")],
    "TestClean::test_order": [("PASSED", "")],
}
"""What is said of each test, and the beginning of the reason."""


class GuardTests(SynchronousTestCase):
    """Tests that are run by a pytest of their own."""

    def test_verdicts(self) -> None:
        """Each kind of thing that is left is noticed, and does no harm to the tests after it."""
        with tempfile.TemporaryDirectory(prefix="kiro2api-guard-") as folder:
            Path(folder, "test_cases.py").write_text(CASES, "utf-8")
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-rA", "--color=no", "-p", "no:cacheprovider"],
                cwd=folder,
                env={"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        said = re.findall(
            r"^(PASSED|FAILED|ERROR) test_cases.py::(\S+)(?: - (.*))?$", done.stdout, re.M
        )
        self.assertEqual({name for _, name, _ in said}, set(VERDICTS), done.stdout)
        for name, expected in VERDICTS.items():
            verdicts = [(verdict, reason) for verdict, test, reason in said if test == name]
            self.assertEqual(sorted(v for v, _ in verdicts), sorted(v for v, _ in expected), name)
            for verdict, reason in expected:
                self.assertTrue(dict(verdicts)[verdict].startswith(reason), verdicts)
