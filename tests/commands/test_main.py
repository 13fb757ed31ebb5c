"""Tests of the console script: where the service is, which key, and how it ends."""

import os
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.commands.calling import CommandFailed
from kiro2api.commands.line import Line
from kiro2api.commands.main import (
    Interrupted,
    bounded,
    carry_out,
    checked,
    key,
    parser,
    place,
    understood,
    verdict,
)
from kiro2api.settings import Settings, load

HERE = "http://127.0.0.1:8080"


def settings(**environment: str) -> Settings:
    """Those of an environment."""
    return load({}, environment)


def all_parsers(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """It, and all below."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for each in action.choices.values():
                yield from all_parsers(each)


class PlaceTests(SynchronousTestCase):
    """Where the service is."""

    def at(self, url: str = "", environment: str = "", **variables: str) -> str:
        """The address."""
        named = {"KIRO2API_URL": environment} if environment else {}
        return place(Namespace(url=url), settings(**variables), named)

    def test_said(self) -> None:
        """The command line wins over the environment, that over the settings."""
        self.assertEqual(self.at("https://a.test:1/x/", "http://b.test"), "https://a.test:1/x")
        self.assertEqual(self.at("", "b.test:81"), "http://b.test:81")

    def test_settings(self) -> None:
        """Where it listens, always by way of this machine."""
        self.assertEqual(self.at(), "http://127.0.0.1:8080")
        self.assertEqual(self.at(PORT="81"), "http://127.0.0.1:81")
        self.assertEqual(self.at(KIRO_LISTEN="tcp:82"), "http://127.0.0.1:82")
        self.assertEqual(self.at(KIRO_LISTEN="tcp6:83:interface=\\:\\:1"), "http://[::1]:83")
        self.assertEqual(
            self.at(KIRO_LISTEN="ssl:84:privateKey=a.pem:certKey=b.pem"), "https://127.0.0.1:84"
        )

    def test_unix(self) -> None:
        """A place where commands cannot go."""
        with self.assertRaisesRegex(CommandFailed, "say --url"):
            self.at(KIRO_LISTEN="unix:/run/x.sock")

    def test_wrong(self) -> None:
        """What is no address."""
        for url in (
            "ftp://a", "http://", "http://a:b", "http://a:99999", "http://a b", "http://ä",
            "http://a?x=1", "http://a#x", "http://[::1", "http://a\n",
        ):  # fmt: skip
            with self.assertRaisesRegex(CommandFailed, "^--url must be an address"):
                checked(url, "--url")

    def test_password(self) -> None:
        """A secret in an address would be shown."""
        with self.assertRaises(CommandFailed) as refused:
            checked("http://user:hush@a", "--url")
        self.assertNotIn("hush", refused.exception.message)


class KeyTests(SynchronousTestCase):
    """With which key."""

    def test_order(self) -> None:
        """The one of the command, else the administrator's, else the first client's."""
        both = settings(KIRO_ADMIN_TOKEN="admin-1", KIRO_CLIENT_TOKEN="client-1,client-2")
        client = settings(KIRO_CLIENT_TOKEN="client-1,client-2")
        for found, text, origin in (
            (key(both, {"KIRO2API_KEY": "own"}, HERE), "own", "KIRO2API_KEY"),
            (key(both, {}, HERE), "admin-1", "KIRO_ADMIN_TOKEN"),
            (key(client, {"KIRO2API_KEY": " "}, HERE), "client-1", "KIRO_CLIENT_TOKEN"),
            (key(settings(), {}, HERE), "", ""),
        ):
            self.assertEqual((found.secret.reveal(), found.origin), (text, origin))

    def test_other_machine(self) -> None:
        """The keys of this service stay here; one that is given for the purpose does not."""
        given = settings(KIRO_ADMIN_TOKEN="admin-1", KIRO_CLIENT_TOKEN="client-1")
        self.assertFalse(key(given, {}, "https://a.test").secret)
        found = key(given, {"KIRO2API_KEY": "own"}, "https://a.test")
        self.assertEqual(found.secret.reveal(), "own")
        for here in ("http://localhost:1", "http://[::1]:1"):
            self.assertEqual(key(given, {}, here).secret.reveal(), "admin-1")

    def test_impossible(self) -> None:
        """What no header can hold."""
        with self.assertRaises(CommandFailed) as refused:
            key(settings(), {"KIRO2API_KEY": "schlüssel"}, HERE)
        self.assertIn("KIRO2API_KEY", refused.exception.message)
        self.assertNotIn("schl", refused.exception.message)


class EndsTests(SynchronousTestCase):
    """How a command ends."""

    def setUp(self) -> None:
        """A reactor that can be told to stop."""
        self.reactor = MemoryReactorClock()
        self.reactor.running = True

    def stop(self) -> object:
        """What the reactor does when a signal arrives; a Deferred if it has to wait."""
        function, args, kwargs = self.reactor.triggers["before"]["shutdown"][0]
        return function(*args, **kwargs)

    def test_done(self) -> None:
        """The reactor has nothing to wait for."""

        async def work() -> None:
            return

        self.successResultOf(Deferred.fromCoroutine(bounded(self.reactor, work())))
        self.assertIsNone(self.stop())

    def test_fails(self) -> None:
        """As it failed."""

        async def work() -> None:
            raise CommandFailed("no")

        running = Deferred.fromCoroutine(bounded(self.reactor, work()))
        self.failureResultOf(running, CommandFailed)

    def test_interrupted(self) -> None:
        """The work may clean up; only then the reactor stops."""
        cleaning: Deferred[None] = Deferred()

        async def work() -> None:
            try:
                await Deferred()
            finally:
                await cleaning

        running = Deferred.fromCoroutine(bounded(self.reactor, work()))
        stopped = self.stop()
        assert isinstance(stopped, Deferred)
        self.assertNoResult(stopped)
        cleaning.callback(None)
        self.successResultOf(stopped)
        self.failureResultOf(running, Interrupted)

    def test_cancelled_by_itself(self) -> None:
        """That was no signal."""

        async def work() -> None:
            raise CancelledError

        self.failureResultOf(Deferred.fromCoroutine(bounded(self.reactor, work())), CancelledError)

    def test_misunderstood(self) -> None:
        """An answer of another shape is told in one line."""

        async def work() -> None:
            answer: dict[str, object] = {}
            answer["items"]

        error = self.failureResultOf(
            Deferred.fromCoroutine(understood(work(), "http://a")), CommandFailed
        ).value
        self.assertIn("an answer of http://a is not understood (KeyError: 'items')", str(error))

    def test_verdicts(self) -> None:
        """One line for each failure, with the field that it does not name itself."""
        for error, line in (
            (CommandFailed("no"), "no"),
            (CommandFailed("too long", param="name"), "too long (name)"),
            (CommandFailed("name is too long", param="name"), "name is too long"),
            (ValueError("x"), "this should not have happened: ValueError: x"),
        ):
            self.assertEqual(verdict(error), line)
        for end in (KeyboardInterrupt(), Interrupted(), BrokenPipeError()):
            self.assertRaises(type(end), verdict, end)

    def test_contradiction(self) -> None:
        """Nobody works on a database at an address."""
        arguments = parser().parse_args(["--offline", "--url", "http://a", "keys", "list"])
        line = Line(lambda _: None, lambda _: None, json=False)
        going = Deferred.fromCoroutine(carry_out(self.reactor, arguments, settings(), line))
        self.failureResultOf(going, CommandFailed)


class HelpTests(SynchronousTestCase):
    """What is said of the commands."""

    def setUp(self) -> None:
        """A terminal of the usual width."""
        before = os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = "80"
        self.addCleanup(
            lambda: os.environ.pop("COLUMNS") and before and os.environ.update(COLUMNS=before)
        )

    def test_help_everywhere(self) -> None:
        """Every command says what it does and takes the common options; nothing is too wide."""
        count = 0
        for each in all_parsers(parser()):
            text = each.format_help()
            self.assertTrue(each.description, each.prog)
            for line in text.split("\n"):
                self.assertLessEqual(len(line), 80, f"{each.prog}: {line}")
            if each.get_default("run"):
                count += 1
                self.assertIn("--json", text, each.prog)
                self.assertIn("--offline", text, each.prog)
        self.assertGreater(count, 25)

    def test_every_argument_is_explained(self) -> None:
        """No option without a word."""
        for each in all_parsers(parser()):
            for action in each._actions:
                if not isinstance(action, _SubParsersAction):
                    self.assertTrue(action.help, f"{each.prog} {action.dest}")

    def test_no_secret_on_the_line(self) -> None:
        """Everybody on a machine can read its command lines."""
        forbidden = ("token", "secret", "password", "passphrase", "--key")
        for each in all_parsers(parser()):
            for action in each._actions:
                for option in action.option_strings:
                    self.assertFalse(any(word in option for word in forbidden), option)

    def test_version(self) -> None:
        """On standard output, status 0."""
        said = StringIO()
        with redirect_stdout(said), self.assertRaises(SystemExit) as ended:
            parser().parse_args(["--version"])
        self.assertEqual(ended.exception.code, 0)
        self.assertTrue(said.getvalue().startswith("kiro2api "))
