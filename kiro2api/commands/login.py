# -*- test-case-name: tests.commands.test_login -*-
"""``kiro2api login``: add an account by confirming a code in a browser, on any machine."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from kiro2api.commands.accounts_found import the_account
from kiro2api.commands.calling import Api, CommandFailed, below
from kiro2api.commands.line import Line

PATH: Final = "/api/logins"
LOOK_SECONDS: Final = 2.0
GOODBYE_SECONDS: Final = 2.0
_KINDS: Final = {"builder-id": "builder_id", "idc": "idc", "social": "social"}
_ENDS: Final = {
    "failed": "the login failed",
    "expired": "the code has expired; begin again",
    "cancelled": "the login was cancelled",
}


def declare(parser: ArgumentParser) -> None:
    """The arguments."""
    parser.epilog = (
        "examples:\n"
        "  kiro2api login\n"
        "  kiro2api login idc --start-url https://example.awsapps.com/start \\\n"
        "      --region eu-west-1\n"
        "  kiro2api login social --provider github --group team"
    )
    parser.add_argument(
        "kind",
        nargs="?",
        choices=_KINDS,
        default=None,
        help="builder-id: AWS Builder ID, if nothing is said; idc: IAM Identity Center; "
        "social: Google or GitHub",
    )
    parser.add_argument("--start-url", default="", metavar="URL", help="of the Identity Center")
    parser.add_argument(
        "--region", default="", metavar="REGION", help="of the Identity Center, such as eu-west-1"
    )
    parser.add_argument(
        "--provider",
        type=str.lower,
        choices=("google", "github"),
        default="google",
        help="for social; google, if nothing is said",
    )
    parser.add_argument("--group", default="", metavar="GROUP", help="where the account goes")
    parser.add_argument("--name", default="", metavar="NAME", help="by which the account is known")
    parser.add_argument(
        "--replace",
        default="",
        metavar="ACCOUNT",
        help="log this account, of any name or id, in again instead of adding one",
    )
    parser.set_defaults(run=login)


async def login(api: Api, arguments: Namespace, line: Line) -> None:
    """Show the code, then wait until the login has ended."""
    account = await the_account(api, arguments.replace) if arguments.replace else None
    kind = _kind(arguments.kind, account)
    body = {"kind": _KINDS[kind], "group": arguments.group, "name": arguments.name}
    if kind == "idc":
        if not arguments.start_url:
            raise CommandFailed("idc needs --start-url, the address where one logs in to it")
        body |= {"start_url": arguments.start_url, "region": arguments.region}
    elif kind == "social":
        body["provider"] = arguments.provider
    if account is not None:
        body["replace"] = account["id"]
    now = await api.post(PATH, {name: value for name, value in body.items() if value})
    line.say("Open this address in a browser, on any machine, and confirm the code there:")
    line.say(f"    {now.get('verification_uri_complete') or now['verification_uri']}")
    line.say(f"    code: {now['user_code']}")
    if now.get("expires_at"):
        line.say(f"Waiting until {now['expires_at']}; Ctrl-C gives up.")
    path = below(PATH, now["id"])
    try:
        while now["status"] == "pending":
            await deferLater(api.clock, LOOK_SECONDS)
            now = await api.get(path)
    except CancelledError:
        # Otherwise it would be waited for until the code expires.
        with suppress(CommandFailed, CancelledError):
            await api.exchange("DELETE", path, seconds=GOODBYE_SECONDS)
        raise
    if now["status"] != "done":
        detail = f": {now['error']}" if now.get("error") else ""
        raise CommandFailed(_ENDS.get(now["status"], str(now["status"])) + detail)
    done = "The account is logged in again" if arguments.replace else "The account was added"
    line.tell(now, f"{done} (id {now['account']}).")


def _kind(said: str | None, account: Mapping[str, Any] | None) -> str:
    """How to log in: as was said, else as the account was; raises CommandFailed before anybody
    confirms a code in vain."""
    if account is None:
        return said or "builder-id"
    method = account["auth_type"]
    if method == "api_key":
        raise CommandFailed(f"{account['name']} is an API key, which nobody logs in to")
    fitting = ("social",) if method == "social" else ("builder-id", "idc")
    if said and said not in fitting:
        raise CommandFailed(
            f"{account['name']} was logged in by {' or '.join(fitting)}, and must be again"
        )
    return said or fitting[0]
