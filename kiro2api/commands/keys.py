# -*- test-case-name: tests.commands.test_keys -*-
"""``kiro2api keys``: who may ask."""

from argparse import ArgumentParser, Namespace
from typing import Any, Final

from kiro2api.commands.calling import Api, CommandFailed
from kiro2api.commands.line import Line, subcommands
from kiro2api.commands.printing import table

_COLUMNS: Final = (
    ("id", "ID"),
    ("name", "NAME"),
    ("role", "ROLE"),
    ("hint", "ENDS WITH"),
    ("enabled", "ENABLED"),
    ("groups", "GROUPS"),
    ("models", "MODELS"),
    ("spent_today", "TODAY"),
    ("spent_month", "MONTH"),
    ("expires_at", "EXPIRES"),
    ("last_used", "LAST USED"),
)
_LIMITS: Final = {
    "requests_per_minute": "requests per minute",
    "max_in_flight": "requests at once",
    "credits_per_day": "credits per day",
    "credits_per_month": "credits per month",
}


def declare(parser: ArgumentParser) -> None:
    """The subcommands and their arguments."""
    commands = subcommands(parser)
    commands.add_parser("list", help="show all keys").set_defaults(run=show)
    adding = commands.add_parser("add", help="make a key, which is shown once")
    adding.add_argument("name", help="by which the key is known")
    adding.add_argument("--role", choices=("client", "admin"), default="client")
    adding.add_argument("--group", action="append", default=[], help="allowed group; repeatable")
    adding.add_argument("--model", action="append", default=[], help="allowed model; repeatable")
    adding.add_argument(
        "--expires", default="", metavar="TIME", help="such as 2030-01-31T00:00:00Z"
    )
    for name, unit in _LIMITS.items():
        adding.add_argument(f"--{name.replace('_', '-')}", type=float, default=0, help=unit)
    adding.set_defaults(run=add)
    for action, enabled in (("enable", True), ("disable", False)):
        each = commands.add_parser(action, help=f"{action} a key")
        each.add_argument("key", help="its id, or its name")
        each.set_defaults(run=turn, enabled=enabled)
    removal = commands.add_parser("remove", help="refuse a key for ever")
    removal.add_argument("key", help="its id, or its name")
    removal.set_defaults(run=remove)


async def show(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys list``."""
    keys = await _all(api)
    line.tell(keys, table(keys, _COLUMNS))


async def add(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys add``."""
    body: dict[str, Any] = {
        "name": arguments.name,
        "role": arguments.role,
        "groups": arguments.group,
        "models": arguments.model,
        "expires_at": arguments.expires,
    }
    for name in _LIMITS:
        value = getattr(arguments, name)
        body[name] = value if name.startswith("credits") else int(value)
    made = await api.post("/api/keys", body)
    line.tell(made, f"The key is shown only now:\n{made['key']}")


async def turn(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys enable`` and ``keys disable``."""
    key = await _one(api, arguments.key)
    told = await api.call("PATCH", f"/api/keys/{key['id']}", {"enabled": arguments.enabled})
    line.tell(told, f"{key['name']} is {'enabled' if arguments.enabled else 'disabled'} now")


async def remove(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys remove``."""
    key = await _one(api, arguments.key)
    told = await api.call("DELETE", f"/api/keys/{key['id']}")
    line.tell(told, f"{key['name']} was removed")


async def _all(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/api/keys?page_size=500"))["items"]
    return found


async def _one(api: Api, wanted: str) -> dict[str, Any]:
    found = [each for each in await _all(api) if wanted in (str(each["id"]), each["name"])]
    if len(found) != 1:
        raise CommandFailed(f"there is no single key {wanted!r}; see: kiro2api keys list")
    return found[0]
