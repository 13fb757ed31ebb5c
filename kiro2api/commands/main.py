# -*- test-case-name: tests.commands.test_main -*-
"""The console script: reads the command line, finds the service, runs one command.

Every mistake ends in one line on standard error: status 2 for what cannot be understood, 1 for
what cannot be done, 130 for Ctrl-C.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from kiro2api import __version__
from kiro2api.commands import accounts, backup, check, explain, groups, keys, login
from kiro2api.commands.calling import CommandFailed, Key, over_http
from kiro2api.commands.line import Line, Parser, common, sentence
from kiro2api.commands.printing import one_line
from kiro2api.errors import KiroError
from kiro2api.redaction import Secret
from kiro2api.settings import Settings

URL: Final = "KIRO2API_URL"
KEY: Final = "KIRO2API_KEY"
INTERRUPTED: Final = 130
CLEANUP_SECONDS: Final = 10.0
DESCRIPTION: Final = """\
Look after the accounts and keys of a kiro2api service.
The service itself is started with: twistd kiro2api"""
EPILOG: Final = f"""\
The service is where the settings of twistd kiro2api say (environment, .env and
kiro2api.toml of this folder); --url or {URL} say otherwise. The key is
{KEY}, else KIRO_ADMIN_TOKEN, else the first of KIRO_CLIENT_TOKEN;
to another machine only {KEY} is sent.
kiro2api COMMAND --help says more of a command."""

_COMMANDS: Final = (
    ("accounts", accounts.declare, "list, add, renew, test and remove accounts"),
    ("groups", groups.declare, "make groups of accounts, each with its own rules"),
    ("keys", keys.declare, "make, change and remove API keys"),
    ("login", login.declare, "add an account by confirming a code in a browser"),
    ("import", backup.declare_import, "take in accounts, or everything that was exported"),
    ("export", backup.declare_export, "write everything to an encrypted file"),
    ("explain", explain.declare, "show what would be sent to Kiro for a client's request"),
    ("check", check.declare, "look whether everything works, and say what to do if not"),
)
_BRANCHES: Final = frozenset({"accounts", "groups", "keys"})


class Interrupted(Exception):
    """Somebody wants no more of it."""


def parser() -> Parser:
    """The command line."""
    top = Parser(prog="kiro2api", description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"kiro2api {__version__}")
    common(top, first=True)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, declare, help in _COMMANDS:
        command = commands.add_parser(name, help=help, description=sentence(help))
        if name not in _BRANCHES:
            common(command, first=False)
        declare(command)
    return top


def place(arguments: Namespace, settings: Settings, environment: Mapping[str, str]) -> str:
    """The service's address; raises CommandFailed."""
    if found := arguments.url or environment.get(URL, "").strip():
        return checked(found, "--url" if arguments.url else URL)
    kind, _, rest = settings.listen.partition(":")
    if kind not in ("tcp", "tcp6", "ssl"):
        raise CommandFailed(f"the service listens on {kind}:, where commands do not go; say --url")
    port = rest.split(":")[0]
    scheme = "https" if kind == "ssl" else "http"
    return f"{scheme}://{'[::1]' if kind == 'tcp6' else '127.0.0.1'}:{port}"


def checked(url: str, where: str) -> str:
    """The address as it can be called; raises CommandFailed. ``where``: who said it."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        fine = fine and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        fine = False
    if not fine or parts.query or parts.fragment:
        raise CommandFailed(f"{where} must be an address such as http://127.0.0.1:8080")
    if "@" in parts.netloc:
        raise CommandFailed(f"{where} must hold no password; the key goes into {KEY}")
    return parts.geturl().rstrip("/")


def key(settings: Settings, environment: Mapping[str, str], base: str) -> Key:
    """The key that may administrate, empty if none is known; raises CommandFailed.

    The settings are those of a service on this machine: to another machine their keys do not go.
    """
    here = urlsplit(base).hostname in ("127.0.0.1", "::1", "localhost")
    if given := environment.get(KEY, "").strip():
        found = Key(Secret(given), KEY)
    elif not here:
        return Key()
    elif settings.admin_token:
        found = Key(settings.admin_token, "KIRO_ADMIN_TOKEN")
    elif settings.client_token:
        found = Key(settings.client_token[0], "KIRO_CLIENT_TOKEN")
    else:
        return Key()
    text = found.secret.reveal()
    if not (text.isascii() and text.isprintable()):
        raise CommandFailed(f"{found.origin} cannot be a key: it holds more than ASCII characters")
    return found


async def carry_out(reactor: Any, arguments: Namespace, settings: Settings, line: Line) -> None:
    """Run the chosen command; raises KiroError."""
    if not arguments.offline:
        base = place(arguments, settings, os.environ)
        api = over_http(reactor, base, key(settings, os.environ, base))
        await understood(arguments.run(api, arguments, line), base)
        return
    if arguments.url:
        raise CommandFailed("--offline and --url contradict each other")
    from kiro2api.commands.offline import Offline

    async with Offline(reactor, settings) as api:
        await understood(arguments.run(api, arguments, line), "this version")


async def understood(going: Coroutine[Any, Any, None], whose: str) -> None:
    """Wait for a command; an answer of a strange shape is told as such."""
    try:
        await going
    except KiroError:
        raise
    except (LookupError, TypeError, AttributeError) as error:
        raise CommandFailed(
            f"an answer of {whose} is not understood ({type(error).__name__}: {error}); "
            f"is that kiro2api {__version__}?"
        ) from None


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script's entry."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show must not end a command.
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    arguments = parser().parse_args(argv)
    try:
        failed = run(arguments)
        sys.stdout.flush()
    except (KeyboardInterrupt, Interrupted):
        print("kiro2api: interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read this has enough; nothing must be flushed there at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    if failed:
        print(f"kiro2api: {one_line(failed)}", file=sys.stderr)
        raise SystemExit(1)
    raise SystemExit(0)


def run(arguments: Namespace) -> str:
    """Carry it out in the reactor; what is wrong, else empty.

    :raises Interrupted: by a signal; everything was closed all the same.
    """
    from twisted.internet.task import react
    from twisted.logger import globalLogBeginner

    # A command's words are all there is to see; without this, failures would be printed as well.
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
    ends: list[BaseException] = []

    async def begin(reactor: Any) -> None:
        try:
            await bounded(reactor, command(reactor, arguments))
        except BaseException as error:  # noqa: BLE001  (judged below, outside of the reactor)
            ends.append(error)

    with suppress(SystemExit):
        react(begin)
    return verdict(ends[0]) if ends else ""


def verdict(end: BaseException) -> str:
    """The line for what a command ended with; what is no failure is raised again."""
    if isinstance(end, KiroError):
        where = f" ({end.param})" if end.param and end.param not in end.message else ""
        return f"{end.message}{where}"
    if isinstance(end, (KeyboardInterrupt, Interrupted, BrokenPipeError)):
        raise end
    return f"this should not have happened: {type(end).__name__}: {end}"


async def command(reactor: Any, arguments: Namespace) -> None:
    """Read the settings, then carry it out; raises KiroError."""
    from kiro2api.tap import read_settings

    def aside(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def out(words: str) -> None:
        print(words, flush=True)

    settings = read_settings({}, os.environ)
    await carry_out(reactor, arguments, settings, Line(out, aside, json=arguments.json))


async def bounded(reactor: Any, going: Coroutine[Any, Any, None]) -> None:
    """Wait for it; a signal cancels it, and the reactor stops only when it has ended.

    :raises Interrupted: by a signal.
    """
    from twisted.internet.defer import CancelledError, Deferred

    running = Deferred.fromCoroutine(going)
    ended: Deferred[None] = Deferred()
    stopped: list[bool] = []

    def stop() -> Deferred[None] | None:
        if running.called:
            return None
        stopped.append(True)
        running.cancel()
        return ended.addTimeout(CLEANUP_SECONDS, reactor).addErrback(lambda _: None)

    reactor.addSystemEventTrigger("before", "shutdown", stop)
    try:
        await running
    except CancelledError:
        if stopped:
            raise Interrupted from None
        raise
    finally:
        if not ended.called:
            ended.callback(None)
