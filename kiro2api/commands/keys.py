# -*- test-case-name: tests.commands.test_keys -*-
"""``kiro2api keys``: who may ask."""

from argparse import ArgumentParser, Namespace
from typing import Any, Final

from kiro2api.commands.calling import Api, CommandFailed, below
from kiro2api.commands.finding import one
from kiro2api.commands.line import Line, leaf, subcommands
from kiro2api.commands.printing import table

PATH: Final = "/api/keys"
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
    "requests_per_minute": (int, "N", "requests per minute; 0: any"),
    "max_in_flight": (int, "N", "requests at once; 0: any"),
    "credits_per_day": (float, "CREDITS", "credits per day; 0: any"),
    "credits_per_month": (float, "CREDITS", "credits per month; 0: any"),
}


def declare(parser: ArgumentParser) -> None:
    """The subcommands and their arguments."""
    commands = subcommands(parser)
    leaf(commands, "list", "show all keys", show)
    adding = leaf(commands, "add", "make a key, which is shown once", add)
    adding.add_argument("name", metavar="NAME", help="by which the key is known")
    _terms(adding)
    setting = leaf(commands, "set", "change what a key may do", change)
    _key(setting)
    setting.add_argument("--name", metavar="NAME", help="call it differently")
    _terms(setting)
    for action, enabled in (("enable", True), ("disable", False)):
        _key(leaf(commands, action, f"{action} a key", turn, enabled=enabled))
    _key(leaf(commands, "remove", "refuse a key for ever", remove))


def _key(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="its id, or its name; never the key itself")


def _terms(parser: ArgumentParser) -> None:
    parser.add_argument("--role", choices=("client", "admin"), help="an admin may do everything")
    parser.add_argument(
        "--group",
        action="append",
        dest="groups",
        metavar="GROUP",
        help="it is only for this group; repeatable, '' for all",
    )
    parser.add_argument(
        "--model",
        action="append",
        dest="models",
        metavar="MODEL",
        help="it is only for this model or pattern; repeatable, '' for all",
    )
    parser.add_argument(
        "--expires",
        dest="expires_at",
        metavar="TIME",
        help="such as 2030-01-31T00:00:00Z; '': never",
    )
    for name, (kind, unit, help) in _LIMITS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=unit, help=help)


def _said(arguments: Namespace) -> dict[str, Any]:
    """What was given, by the API's names."""
    names = ("name", "role", "groups", "models", "expires_at", *_LIMITS)
    given = {name: getattr(arguments, name) for name in names}
    for name in ("groups", "models"):
        if given[name] is not None:
            given[name] = [each for each in given[name] if each]
    return {name: value for name, value in given.items() if value is not None}


async def show(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys list``."""
    keys = await api.everything(PATH)
    if api.key.made:
        # It is gone with the command.
        keys = [each for each in keys if each.get("id") != "admin"]
    line.tell(keys, table(keys, _COLUMNS) if keys else "There are no keys.")


async def add(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys add``."""
    made = await api.post(PATH, _said(arguments))
    line.tell(made, f"The key of {made['name']}, which is shown only now:\n{made['key']}")


async def change(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys set``."""
    said = _said(arguments)
    if not said:
        raise CommandFailed("nothing to change was given; see: kiro2api keys set --help")
    key = await _one(api, arguments.key)
    told = await api.call("PATCH", below(PATH, str(key["id"])), said)
    line.tell(told, table([told], _COLUMNS))


async def turn(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys enable`` and ``keys disable``."""
    key = await _one(api, arguments.key)
    path = below(PATH, str(key["id"]))
    told = await api.call("PATCH", path, {"enabled": arguments.enabled})
    line.tell(told, f"{key['name']} is {'enabled' if arguments.enabled else 'disabled'} now")


async def remove(api: Api, arguments: Namespace, line: Line) -> None:
    """``keys remove``."""
    key = await _one(api, arguments.key)
    await api.call("DELETE", below(PATH, str(key["id"])))
    line.tell({"removed": key["id"]}, f"{key['name']} was removed")


async def _one(api: Api, wanted: str) -> dict[str, Any]:
    # A key that somebody typed by mistake is neither looked for in a URL nor repeated.
    if wanted.startswith("sk-") or len(wanted) > 100:
        raise CommandFailed("that looks like a key: give its id or its name instead")
    return one(await api.everything(PATH), wanted, "key", "kiro2api keys list")
