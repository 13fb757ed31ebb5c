# -*- test-case-name: tests.commands.test_groups -*-
"""``kiro2api groups``: accounts that serve together, and by which rules."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from typing import Any, Final

from kiro2api.commands.calling import Api, CommandFailed, below
from kiro2api.commands.line import Line, leaf, subcommands
from kiro2api.commands.printing import table

PATH: Final = "/api/groups"
_POLICIES: Final = ("sequential", "round_robin", "least_used")
_COLUMNS: Final = (
    ("name", "NAME"),
    ("display_name", "TITLE"),
    ("policy", "POLICY"),
    ("affinity", "AFFINITY"),
    ("max_in_flight", "AT ONCE"),
    ("requests_per_minute", "PER MINUTE"),
    ("token_count", "ACCOUNTS"),
    ("active_count", "READY"),
    ("credits_left", "CREDITS"),
)
_FIELDS: Final = (
    "display_name",
    "policy",
    "affinity",
    "max_in_flight",
    "requests_per_minute",
    "cooldown_seconds",
)


def declare(parser: ArgumentParser) -> None:
    """The subcommands and their arguments."""
    commands = subcommands(parser)
    leaf(commands, "list", "show all groups", show)
    adding = leaf(commands, "add", "make a group; it serves below /NAME/v1", add)
    setting = leaf(commands, "set", "change how a group is used", change)
    for each in (adding, setting):
        each.add_argument("name", metavar="NAME", help="the group's name, a part of URLs")
        _rules(each)
    renaming = leaf(commands, "rename", "rename a group; its accounts and keys follow", rename)
    renaming.add_argument("name", metavar="NAME", help="what it is called now")
    renaming.add_argument("new_name", metavar="NEW_NAME", help="what it is called from then on")
    removal = leaf(commands, "remove", "forget a group; its accounts go to default", remove)
    removal.add_argument("name", metavar="NAME", help="any but default")


def _rules(parser: ArgumentParser) -> None:
    parser.add_argument("--display-name", metavar="TEXT", help="how people call it")
    parser.add_argument(
        "--policy",
        choices=_POLICIES,
        help="who serves: the first that can, each in turn, or who has most credits left",
    )
    parser.add_argument(
        "--affinity", action=BooleanOptionalAction, help="a conversation keeps its account"
    )
    parser.add_argument(
        "--max-in-flight", type=int, metavar="N", help="requests at once for each account; 0: any"
    )
    parser.add_argument(
        "--requests-per-minute", type=int, metavar="N", help="for each account; 0: any"
    )
    parser.add_argument(
        "--cooldown-seconds",
        type=float,
        metavar="S",
        help="first rest of a throttled account; 0: as the service is set",
    )


def _said(arguments: Namespace) -> dict[str, Any]:
    """What was given, by the API's names."""
    given = {name: getattr(arguments, name) for name in _FIELDS}
    return {name: value for name, value in given.items() if value is not None}


async def show(api: Api, arguments: Namespace, line: Line) -> None:
    """``groups list``."""
    groups = await api.everything(PATH)
    rows = [
        {
            **each,
            "max_in_flight": each.get("max_in_flight") or None,
            "requests_per_minute": each.get("requests_per_minute") or None,
        }
        for each in groups
    ]
    line.tell(groups, table(rows, _COLUMNS))


async def add(api: Api, arguments: Namespace, line: Line) -> None:
    """``groups add``."""
    made = await api.post(PATH, {"name": arguments.name, **_said(arguments)})
    line.tell(made, f"{arguments.name} was made; its accounts serve below /{arguments.name}/v1")


async def change(api: Api, arguments: Namespace, line: Line) -> None:
    """``groups set``."""
    said = _said(arguments)
    if not said:
        raise CommandFailed("nothing to change was given; see: kiro2api groups set --help")
    told = await api.call("PUT", below(PATH, arguments.name), said)
    line.tell(told, table([told], _COLUMNS))


async def rename(api: Api, arguments: Namespace, line: Line) -> None:
    """``groups rename``."""
    path = below(PATH, arguments.name, "rename")
    told = await api.post(path, {"new_name": arguments.new_name})
    line.tell(told, f"{arguments.name} is called {arguments.new_name} now")


async def remove(api: Api, arguments: Namespace, line: Line) -> None:
    """``groups remove``."""
    await api.call("DELETE", below(PATH, arguments.name))
    line.tell({"removed": arguments.name}, f"{arguments.name} was removed")
