# -*- test-case-name: tests.commands.test_login -*-
"""``kiro2api login``: add an account by confirming a code in a browser, on any machine."""

from argparse import ArgumentParser, Namespace
from typing import Final

from twisted.internet.task import deferLater

from kiro2api.commands.calling import Api, CommandFailed
from kiro2api.commands.line import Line

LOOK_SECONDS: Final = 2.0
_KINDS: Final = {"builder-id": "builder_id", "idc": "idc", "social": "social"}
_ENDS: Final = {
    "failed": "the login failed",
    "expired": "the code has expired; begin again",
    "cancelled": "the login was cancelled",
}


def declare(parser: ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument(
        "kind",
        nargs="?",
        choices=_KINDS,
        default="builder-id",
        help="AWS Builder ID (the default), IAM Identity Center, or Google/GitHub",
    )
    parser.add_argument("--start-url", default="", help="of the Identity Center")
    parser.add_argument("--region", default="", help="of the Identity Center, such as eu-west-1")
    parser.add_argument("--provider", choices=("Google", "Github"), default="Google")
    parser.add_argument("--group", default="", help="the group of the new account")
    parser.add_argument("--name", default="", help="by which the account is known")
    parser.set_defaults(run=login)


async def login(api: Api, arguments: Namespace, line: Line) -> None:
    """Show the code, then wait until the login has ended."""
    body = {"kind": _KINDS[arguments.kind], "group": arguments.group, "name": arguments.name}
    if arguments.kind == "idc":
        body |= {"start_url": arguments.start_url, "region": arguments.region}
    elif arguments.kind == "social":
        body["provider"] = arguments.provider
    now = await api.post("/api/logins", {name: value for name, value in body.items() if value})
    line.say("Open this address in a browser, log in there, and confirm the code:")
    line.say(f"    {now.get('verification_uri_complete') or now['verification_uri']}")
    line.say(f"    code: {now['user_code']}")
    while now["status"] == "pending":
        await deferLater(arguments.reactor, LOOK_SECONDS)
        now = await api.get(f"/api/logins/{now['id']}")
    if now["status"] != "done":
        detail = f": {now['error']}" if now.get("error") else ""
        raise CommandFailed(_ENDS.get(now["status"], now["status"]) + detail)
    line.tell(now, "The account was added.")
