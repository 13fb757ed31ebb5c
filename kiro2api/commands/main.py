# -*- test-case-name: tests.commands.test_main -*-
"""The console script: reads the command line, finds the service, runs one command.

Every mistake ends in one line on standard error: status 2 for what cannot be understood, 1 for
what cannot be done.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kiro2api import __version__
from kiro2api.commands import accounts, backup, check, explain, keys, login
from kiro2api.commands.calling import over_http
from kiro2api.commands.line import Line
from kiro2api.errors import KiroError
from kiro2api.redaction import Secret
from kiro2api.settings import Settings

URL: Final = "KIRO2API_URL"
KEY: Final = "KIRO2API_KEY"
EPILOG: Final = f"""\
The service is found by the same settings as twistd's (environment, .env, kiro2api.toml), or by
--url or {URL}; the admin key is KIRO_ADMIN_TOKEN, else the first of KIRO_CLIENT_TOKEN, or {KEY}."""


def parser() -> ArgumentParser:
    """The command line."""
    top = ArgumentParser(
        prog="kiro2api",
        description="Look after the accounts and keys of a kiro2api service. "
        "The service itself is started with: twistd kiro2api",
        epilog=EPILOG,
    )
    top.add_argument("--version", action="version", version=f"kiro2api {__version__}")
    top.add_argument("--url", default="", help="address of the service")
    top.add_argument("--json", action="store_true", help="print JSON for programs")
    top.add_argument(
        "--offline",
        action="store_true",
        help="work on the database itself, without a running service",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name, declare, help in (
        ("accounts", accounts.declare, "list accounts and act on them"),
        ("keys", keys.declare, "make and remove API keys"),
        ("login", login.declare, "add an account by logging in"),
        ("import", backup.declare_import, "add accounts from a file"),
        ("export", backup.declare_export, "write everything to an encrypted file"),
        ("explain", explain.declare, "show what would be sent for a request"),
        ("check", check.declare, "look whether everything works"),
    ):
        declare(commands.add_parser(name, help=help, description=f"{help.capitalize()}."))
    return top


def place(arguments: Namespace, settings: Settings, environment: Mapping[str, str]) -> str:
    """The service's address."""
    if found := arguments.url or environment.get(URL, ""):
        return found if "://" in found else f"http://{found}"
    scheme = "https" if settings.listen.startswith("ssl:") else "http"
    return f"{scheme}://127.0.0.1:{settings.port}"


def key(settings: Settings, environment: Mapping[str, str]) -> Secret:
    """The key that may administrate, empty if none is known."""
    if given := environment.get(KEY):
        return Secret(given)
    if settings.admin_token:
        return settings.admin_token
    return settings.client_token[0] if settings.client_token else Secret("")


async def carry_out(reactor: Any, arguments: Namespace, settings: Settings, line: Line) -> None:
    """Run the chosen command; raises KiroError."""
    arguments.reactor = reactor
    if arguments.offline:
        from kiro2api.commands.offline import Offline

        async with Offline(reactor, settings) as api:
            await arguments.run(api, arguments, line)
        return
    base = place(arguments, settings, os.environ)
    api = over_http(reactor, base, key(settings, os.environ))
    await arguments.run(api, arguments, line)


def main(argv: Sequence[str] | None = None) -> None:
    """The console script's entry."""
    arguments = parser().parse_args(argv)
    from twisted.internet.task import react

    from kiro2api.tap import read_settings

    failed: list[str] = []

    async def run(reactor: Any) -> None:
        try:
            settings = read_settings({}, os.environ)
            await carry_out(reactor, arguments, settings, Line(print, json=arguments.json))
        except KiroError as error:
            where = f" ({error.param})" if error.param and error.param not in error.message else ""
            failed.append(f"{error.message}{where}")

    try:
        react(run)
    except SystemExit as ended:
        if ended.code:
            raise
    if failed:
        print(f"kiro2api: {failed[0]}", file=sys.stderr)
        raise SystemExit(1)
