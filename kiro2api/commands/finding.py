# -*- test-case-name: tests.commands.test_finding -*-
"""The one thing that a user means by an id or a name.

Must not know HTTP.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from kiro2api.commands.calling import CommandFailed


def one(
    things: Iterable[Mapping[str, Any]], wanted: str, kind: str, listing: str
) -> dict[str, Any]:
    """The one of that id, else of that name; raises CommandFailed.

    :param kind: what it is called, such as ``account``.
    :param listing: the command that shows all.
    """
    named = []
    for thing in things:
        if str(thing.get("id")) == wanted:
            return dict(thing)
        if thing.get("name") == wanted:
            named.append(thing)
    if not named:
        raise CommandFailed(f"there is no {kind} {wanted!r}; see: {listing}")
    if len(named) > 1:
        ids = ", ".join(str(thing.get("id")) for thing in named)
        raise CommandFailed(f"{len(named)} {kind}s are called {wanted!r}: say which by id, {ids}")
    return dict(named[0])
