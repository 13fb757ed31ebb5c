# -*- test-case-name: tests.commands.test_accounts_adding -*-
"""``kiro2api accounts add``: accounts out of JSON, which never stands on a command line.

Also how it is told what became of many accounts that were handed over at once.
"""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from kiro2api.commands.accounts_found import PATH
from kiro2api.commands.calling import Api, ApiRefused, CommandFailed
from kiro2api.commands.given import document
from kiro2api.commands.line import Line, leaf

_EXAMPLE: Final = """\
One account is an object, several are an array of them, as in KIRO_AUTH_TOKEN:
  {"auth": "Social", "refreshToken": "...", "name": "mine"}
  {"auth": "IdC", "refreshToken": "...", "clientId": "...",
   "clientSecret": "..."}
  {"auth": "ApiKey", "apiKey": "ksk_..."}
They are read from a file or from standard input, since everybody on a machine
can read its command lines."""


def declare(commands: Any) -> None:
    """The arguments."""
    parser = leaf(commands, "add", "add accounts whose tokens are at hand", add)
    parser.epilog = _EXAMPLE
    parser.add_argument("file", metavar="FILE", help="the accounts as JSON; - for standard input")
    parser.add_argument("--group", default="", help="put them into this group")


async def add(api: Api, arguments: Namespace, line: Line) -> None:
    """``accounts add``."""
    given = document(arguments.file)
    if isinstance(given, dict) and "tokens" not in given and "accounts" not in given:
        body = {**given, "group": arguments.group} if arguments.group else given
        try:
            made = await api.post(PATH, body)
        except ApiRefused as refused:
            raise _known(refused) from None
        line.tell(made, f"{made['name']} was added to group {made['group']} (id {made['id']})")
        return
    # The group is no part of this body, since that may be an array.
    query = f"?{urlencode({'group': arguments.group})}" if arguments.group else ""
    try:
        told = await api.post(f"{PATH}/bulk{query}", given)
    except ApiRefused as refused:
        # Nothing at all was added, but it is known of each why not.
        if not isinstance(refused.body, dict) or "skipped" not in refused.body:
            raise
        told = refused.body
    tell_of_many(line, told)


def _known(refused: ApiRefused) -> CommandFailed:
    """With the name of the account that is there already."""
    existing = refused.body.get("existing") if isinstance(refused.body, dict) else None
    if not isinstance(existing, dict):
        return refused
    return CommandFailed(
        f"this account is there already: {existing.get('name')} (id {existing.get('id')})"
    )


def tell_of_many(line: Line, told: Mapping[str, Any]) -> None:
    """What became of many accounts, and of what came with them; raises CommandFailed if some were
    not taken."""
    counts = [f"{told.get('added', 0)} added", f"{told.get('duplicates', 0)} were there already"]
    counts += [f"{told[what]} {what} made" for what in ("groups", "keys") if told.get(what)]
    if told.get("settings"):
        counts.append(f"{told['settings']} settings taken over")
    words = [f"{', '.join(counts)}."]
    skipped = list(told.get("skipped") or ())
    words += [f"  entry {each['index'] + 1}: {each['error']}" for each in skipped]
    for kind in ("keys", "settings"):
        beside = list(told.get(f"{kind}_skipped") or ())
        words += [f"  {kind}, {_which(each)}: {each['error']}" for each in beside]
        skipped += beside
    line.tell(told, "\n".join(words))
    if skipped:
        raise CommandFailed(f"{len(skipped)} of the entries were not taken")


def _which(entry: Mapping[str, Any]) -> str:
    return str(entry["name"]) if "name" in entry else f"entry {entry['index'] + 1}"
