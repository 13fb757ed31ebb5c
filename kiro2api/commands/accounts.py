# -*- test-case-name: tests.commands.test_accounts -*-
"""``kiro2api accounts``: list them, and what is done to single ones."""

from argparse import ArgumentParser, Namespace
from typing import Any, Final
from urllib.parse import urlencode

from kiro2api.commands.calling import Api, CommandFailed
from kiro2api.commands.line import Line, subcommands
from kiro2api.commands.printing import table

_COLUMNS: Final = (
    ("id", "ID"),
    ("name", "NAME"),
    ("group", "GROUP"),
    ("auth_type", "KIND"),
    ("status", "STATE"),
    ("error", "REASON"),
    ("returns_at", "RETURNS"),
    ("left", "CREDITS"),
    ("in_flight", "BUSY"),
    ("request_count", "REQUESTS"),
)
_ACTIONS: Final = {
    "refresh": "fetch a new access token",
    "enable": "let it be asked",
    "disable": "ask it no more",
    "unpark": "end its rest, or try it again after its owner had it unlocked",
    "test": "make one cheap call with it",
    "quota": "read its credits",
}
_PAGE: Final = 500


def declare(parser: ArgumentParser) -> None:
    """The subcommands and their arguments."""
    commands = subcommands(parser)
    listing = commands.add_parser("list", help="show all accounts")
    listing.add_argument("--group", default="", help="only those of a group")
    listing.add_argument("--state", default="", help="only those in a state, such as ready")
    listing.set_defaults(run=show)
    for action, help in _ACTIONS.items():
        each = commands.add_parser(action, help=help)
        each.add_argument("account", help="its id, or its name")
        each.set_defaults(run=act, action=action)
    removal = commands.add_parser("remove", help="forget an account and its tokens")
    removal.add_argument("account", help="its id, or its name")
    removal.set_defaults(run=remove)
    move = commands.add_parser("move", help="put an account into another group")
    move.add_argument("account", help="its id, or its name")
    move.add_argument("group", help="the group")
    move.set_defaults(run=put)


async def everybody(api: Api, **filters: str) -> list[dict[str, Any]]:
    """All accounts that match."""
    found: list[dict[str, Any]] = []
    page, total = 1, 1
    while len(found) < total:
        query = urlencode({**filters, "page": page, "page_size": _PAGE})
        told = await api.get(f"/api/tokens?{query}")
        if not told["items"]:
            break
        found += told["items"]
        page, total = page + 1, told["total"]
    return found


async def show(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts list``."""
    accounts = await everybody(api, group=arguments.group, state=arguments.state)
    rows = [{**each, "left": (each.get("quota") or {}).get("left")} for each in accounts]
    line.tell(accounts, table(rows, _COLUMNS) if rows else "There are no accounts.")


async def act(api: Api, arguments: Namespace, line: Line) -> None:
    """One of the actions on one account."""
    account = await one(api, arguments.account)
    told = await api.post(f"/api/tokens/{account['id']}/{arguments.action}", {})
    if isinstance(told, dict) and told.get("ok") is False:
        line.tell(told, f"{account['name']}: {told.get('error')}")
        raise CommandFailed(f"{account['name']} does not work")
    line.tell(told, f"{account['name']}: done")


async def put(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts move``."""
    account = await one(api, arguments.account)
    path = f"/api/tokens/{account['id']}/move"
    told = await api.call("PUT", path, {"group": arguments.group})
    line.tell(told, f"{account['name']} is in group {arguments.group} now")


async def remove(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts remove``."""
    account = await one(api, arguments.account)
    told = await api.call("DELETE", f"/api/tokens/{account['id']}")
    line.tell(told, f"{account['name']} was removed")


async def one(api: Api, wanted: str) -> dict[str, Any]:
    """The account of that id or name; raises CommandFailed."""
    accounts = await everybody(api)
    found = [each for each in accounts if wanted in (each["id"], each["name"])]
    if len(found) != 1:
        raise CommandFailed(f"there is no account {wanted!r}; see: kiro2api accounts list")
    return found[0]
