# -*- test-case-name: tests.commands.test_accounts -*-
"""``kiro2api accounts``: list and show them, and what is done to single ones."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from typing import Any, Final

from kiro2api.commands import accounts_adding, accounts_refreshing
from kiro2api.commands.accounts_found import PATH, every, the_account
from kiro2api.commands.calling import Api, CommandFailed, below
from kiro2api.commands.line import Line, leaf, subcommands
from kiro2api.commands.printing import cell, facts, table

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
_FACTS: Final = (
    ("name", "Name"),
    ("id", "Id"),
    ("group", "Group"),
    ("auth_type", "Kind"),
    ("source", "Kept in"),
    ("status", "State"),
    ("error", "Reason"),
    ("returns_at", "Returns"),
    ("last_error", "Last error"),
    ("last_error_at", "Last error at"),
    ("user_email", "E-mail"),
    ("subscription", "Subscription"),
    ("credits", "Credits"),
    ("reset_at", "Credits reset"),
    ("checked_at", "Credits read"),
    ("expires_at", "Token expires"),
    ("region", "Region"),
    ("profile_region", "Profile's region"),
    ("max_in_flight", "At once, at most"),
    ("requests_per_minute", "Per minute, at most"),
    ("in_flight", "Busy"),
    ("request_count", "Requests"),
    ("success_count", "  served"),
    ("failure_count", "  failed"),
    ("last_used", "Last used"),
)
_SOURCES: Final = {"configured": "the configuration", "stored": "the database"}
_ACTIONS: Final = {
    "enable": "let it be asked",
    "disable": "ask it no more; what it is answering goes on",
    "unpark": "end its rest, or try it again after its owner had it unlocked",
    "test": "make one cheap call with it",
    "quota": "read its credits",
}


def declare(parser: ArgumentParser) -> None:
    """The subcommands and their arguments."""
    commands = subcommands(parser)
    listing = leaf(commands, "list", "show all accounts", show_all)
    listing.add_argument("--group", default="", help="only those of this group")
    listing.add_argument("--state", default="", help="only those in this state, such as ready")
    listing.add_argument("--search", default="", help="only those with this text anywhere")
    listing.add_argument(
        "--sort", default="", help="by a field, such as name; --sort=-left: most credits first"
    )
    _on_one(commands, "show", "show everything about an account", show)
    accounts_adding.declare(commands)
    accounts_refreshing.declare(commands)
    for action, help in _ACTIONS.items():
        _on_one(commands, action, help, act, action=action)
    move = _on_one(commands, "move", "put an account into another group", put)
    move.add_argument("group", metavar="GROUP", help="the name of the group")
    _on_one(commands, "remove", "forget an account and its tokens", remove)


def _on_one(commands: Any, name: str, help: str, run: object, **defaults: object) -> ArgumentParser:
    parser = leaf(commands, name, help, run, **defaults)
    parser.add_argument("account", metavar="ACCOUNT", help="its id, or its name")
    return parser


async def show_all(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts list``."""
    accounts = await every(
        api,
        group=arguments.group,
        state=arguments.state,
        q=arguments.search,
        sort=arguments.sort,
    )
    narrowed = arguments.group or arguments.state or arguments.search
    nobody = "No account is like that." if narrowed else "There are no accounts yet."
    rows = [{**each, "left": (each.get("quota") or {}).get("left")} for each in accounts]
    line.tell(accounts, table(rows, _COLUMNS) if rows else nobody)


async def show(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts show``."""
    account = await the_account(api, arguments.account)
    quota = account.get("quota") or {}
    shown = {
        **account,
        "source": _SOURCES.get(account.get("source", ""), account.get("source")),
        "credits": _credits(quota) if quota else None,
        "reset_at": quota.get("reset_at"),
        "checked_at": quota.get("checked_at"),
        # 0 stands for none.
        "max_in_flight": account.get("max_in_flight") or None,
        "requests_per_minute": account.get("requests_per_minute") or None,
    }
    line.tell(account, facts(shown, [pair for pair in _FACTS if shown.get(pair[0]) is not None]))


def _credits(quota: Mapping[str, Any]) -> str:
    left = "any number" if quota.get("left") is None else cell(quota["left"])
    return f"{left} left, {cell(quota.get('used'))} of {cell(quota.get('limit'))} used"


def _tested(name: str, told: Any) -> str:
    return f"{name} works: {told.get('models')} models, in {told.get('milliseconds')} ms"


def _counted(name: str, told: Any) -> str:
    if not told:
        return f"{name}: nothing is known of its credits"
    return f"{name}: {_credits(told)}, reset {cell(told.get('reset_at'))}"


def _stands(name: str, told: Any) -> str:
    status, error = told.get("status"), told.get("error")
    reason = f" ({cell(error)})" if error and error != status else ""
    return f"{name} is {status}{reason} now"


_WORDS: Final[Mapping[str, Callable[[str, Any], str]]] = {"test": _tested, "quota": _counted}


async def act(api: Api, arguments: Namespace, line: Line) -> None:
    """One of the actions on one account."""
    account = await the_account(api, arguments.account)
    name = account["name"]
    told = await api.post(below(PATH, account["id"], arguments.action), {})
    if isinstance(told, dict) and told.get("ok") is False:
        line.tell(told, "")
        raise CommandFailed(f"{name} does not work: {told.get('error')}")
    line.tell(told, _WORDS.get(arguments.action, _stands)(name, told))


async def put(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts move``."""
    account = await the_account(api, arguments.account)
    path = below(PATH, account["id"], "move")
    told = await api.call("PUT", path, {"group": arguments.group})
    line.tell(told, f"{account['name']} is in group {arguments.group} now")


async def remove(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts remove``."""
    account = await the_account(api, arguments.account)
    await api.call("DELETE", below(PATH, account["id"]))
    line.tell({"removed": account["id"]}, f"{account['name']} was removed")
