# -*- test-case-name: tests.commands.test_accounts_refreshing -*-
"""``kiro2api accounts refresh``: new access tokens for one account, a group or all."""

from argparse import Namespace
from typing import Any, Final

from twisted.internet.task import deferLater

from kiro2api.commands.accounts_found import PATH, the_account
from kiro2api.commands.calling import Api, CommandFailed, below
from kiro2api.commands.line import Line, leaf
from kiro2api.commands.printing import cell

LOOK_SECONDS: Final = 0.5


def declare(commands: Any) -> None:
    """The arguments."""
    parser = leaf(
        commands, "refresh", "fetch new access tokens for an account, a group or all", refresh
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("account", nargs="?", metavar="ACCOUNT", help="its id, or its name")
    which.add_argument("--group", default="", help="those of this group that are enabled")
    which.add_argument("--all", action="store_true", help="all that are enabled")


async def refresh(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts refresh``."""
    if arguments.account is None:
        await _many(api, {"group": arguments.group} if arguments.group else {}, line)
        return
    account = await the_account(api, arguments.account)
    told = await api.post(below(PATH, account["id"], "refresh"), {})
    expires = told.get("expires_at") if isinstance(told, dict) else ""
    until = f", good until {cell(expires)}" if expires else ""
    line.tell(told, f"{account['name']} is refreshed{until}")


async def _many(api: Api, body: dict[str, str], line: Line) -> None:
    """Say of each how it went as soon as that is known."""
    begun = await api.post(f"{PATH}/refresh", body)
    told = 0
    while True:
        job = await api.get(below("/api/jobs", begun["job"]))
        for each in job["results"][told:]:
            told += 1
            count = f"[{told}/{job['total']}]"
            line.say(f"{count} {_how(each)}")
        if job["finished"]:
            break
        await deferLater(api.clock, LOOK_SECONDS)
    done = job["done"] - job["failed"]
    words = f"{done} of {job['total']} refreshed" if job["total"] else "There is none to refresh."
    line.tell(job, words)
    if job["failed"]:
        raise CommandFailed(f"{job['failed']} of {job['total']} could not be refreshed")


def _how(result: dict[str, Any]) -> str:
    if result["status"] == "ok":
        return f"ok    {result['name']}"
    return f"FAIL  {result['name']}: {result['error']}"
