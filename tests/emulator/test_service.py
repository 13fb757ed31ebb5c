# -*- test-case-name: tests.emulator.test_service -*-
"""Tests for the emulator as a service and for its command line."""

import ast
from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

import kiro2api.emulator.tap
from kiro2api.emulator.accounts import DEMO
from kiro2api.emulator.service import DEFAULT_LISTEN, EmulatorService, emulator_service
from kiro2api.emulator.tap import Options, makeService
from tests.emulator.caller import SOCIAL


class Busy(MemoryReactorClock):
    """A reactor whose ports are all taken."""

    def listenTCP(self, *args: object, **kwargs: object) -> object:
        raise CannotListenError("127.0.0.1", 1, OSError("taken"))


class ServiceTests(SynchronousTestCase):
    """Start, serve, stop."""

    def test_listens(self) -> None:
        """Only on the loopback interface unless told otherwise."""
        reactor = MemoryReactorClock()
        service = emulator_service(reactor)
        service.startService()
        [(port, _, _, interface)] = reactor.tcpServers
        self.assertEqual((port, interface), (8765, "127.0.0.1"))
        self.successResultOf(service.stopService())

    def test_busy_port(self) -> None:
        """A port that is taken ends the start."""
        service = emulator_service(Busy())
        self.assertRaises(CannotListenError, service.privilegedStartService)

    def test_serves_and_cuts(self) -> None:
        """It answers on its port, and stopping cuts off who is still being answered."""
        reactor = MemoryReactorClock()
        service = emulator_service(reactor, accounts=[SOCIAL], seed=3)
        service.startService()
        [(_, site, _, _)] = reactor.tcpServers
        protocol = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        assert protocol is not None
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"GET /emulator/calls HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b'{"calls":[]}', transport.value())
        protocol.dataReceived(
            b"POST /emulator/script HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\n"
            b'{"path": "/token",   "silent": true}'
            b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertFalse(transport.disconnected)
        self.successResultOf(service.stopService())
        self.assertTrue(transport.disconnected)

    def test_pace_and_seed(self) -> None:
        """The service hands its settings to the emulator."""
        service = emulator_service(MemoryReactorClock(), pace=0.5, seed=1)
        other = emulator_service(MemoryReactorClock(), seed=2)
        self.assertEqual(service.emulator.pace, 0.5)
        self.assertNotEqual(service.emulator.accounts.made("x"), other.emulator.accounts.made("x"))
        self.assertEqual(service.emulator.accounts.member("demo").account, DEMO)


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def parsed(self, *words: str) -> Options:
        options = Options()
        options.parseOptions([*words])
        return options

    def test_defaults(self) -> None:
        """The demo account, on the loopback interface."""
        options = self.parsed()
        self.assertEqual(options["listen"], DEFAULT_LISTEN)
        self.assertEqual((options["seed"], options["pace"]), (0, 0.0))
        self.assertEqual(options["accounts"], [])

    def test_accounts(self) -> None:
        """Accounts come from a file; mistakes in it are told in one line."""
        path = Path(self.mktemp())
        path.write_text('[{"name": "a", "refresh_token": "t"}]')
        [account] = self.parsed("--accounts", str(path))["accounts"]
        self.assertEqual(account.name, "a")
        path.write_text('[{"name": 1}]')
        self.assertRaises(UsageError, self.parsed, "--accounts", str(path))
        self.assertRaises(UsageError, self.parsed, "--accounts", str(path) + "-missing")

    def test_make_service(self) -> None:
        """The service is made from the options, and does nothing yet."""
        options = self.parsed("--listen", "tcp:0:interface=127.0.0.1", "--seed", "5")
        service = makeService(options)
        assert isinstance(service, EmulatorService)
        self.assertFalse(service.running)

    def test_imports_late(self) -> None:
        """The module imports neither the reactor nor what installs one, but inside makeService."""
        tree = ast.parse(Path(kiro2api.emulator.tap.__file__).read_text("utf-8"))
        names = {
            f"{node.module}.{alias.name}"
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        self.assertFalse({name for name in names if "reactor" in name or "emulator.app" in name})
        self.assertNotIn("kiro2api.emulator.service.emulator_service", names)
