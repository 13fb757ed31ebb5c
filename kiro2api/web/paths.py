# -*- test-case-name: tests.web.test_paths -*-
"""The one canonical form of a request path, whatever base URL the client was given.

Clients append ``/v1/messages`` to a base that may itself end in ``/v1`` or ``/pro/v1``; all of
these mean the same. Pure text work: must not know Twisted, Klein or the accounts.
"""

import re
from typing import NamedTuple

RESERVED = frozenset(
    {"v1", "api", "static", "assets", "health", "healthz", "ready", "metrics", "messages", "chat"}
    | {"responses", "models", "emulator", "console", "login", "favicon.ico"}
)
"""Names that cannot be a group: they begin paths of their own."""

GROUP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_API = frozenset({"messages", "chat", "models", "responses"})


class Location(NamedTuple):
    """Where a request goes: ``path`` is canonical, ``group`` empty for the default group."""

    path: str
    group: str = ""


def locate(path: str) -> Location:
    """Fold doubled ``/v1``, a missing ``/v1``, a group prefix and trailing slashes away.

    ``/pro/v1/v1/messages/`` gives ``/v1/messages`` of group ``pro``. A path of no API stays as
    it is, less its trailing slash.
    """
    segments = [segment for segment in path.split("/") if segment]
    if not segments:
        return Location("/")
    group = ""
    rest = segments
    if (
        len(rest) > 1
        and rest[1] == "v1"
        and rest[0] not in RESERVED
        and GROUP_NAME.fullmatch(rest[0])
    ):
        group, rest = rest[0], rest[1:]
    versioned = rest[0] == "v1"
    while rest and rest[0] == "v1":
        rest = rest[1:]
    if rest and rest[0] in _API:
        return Location("/v1/" + "/".join(rest), group)
    if versioned:
        return Location("/" + "/".join(["v1", *rest]), group)
    return Location("/" + "/".join(segments))


def is_openai(path: str) -> bool:
    """Whether a canonical path belongs to OpenAI's APIs alone."""
    return path.startswith(("/v1/chat", "/v1/responses"))
