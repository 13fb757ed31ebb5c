# -*- test-case-name: tests.test_settings -*-
"""The text of a ``.env`` file as names and values.

Pure. Must not know which names mean something. A value in single quotes is taken as it stands
and may run over several lines, which is what JSON needs; double quotes know ``\\n``, ``\\r``,
``\\t`` and a backslash before anything else; without quotes a value ends at `` #`` or at the end
of its line. Nothing is expanded, so a ``$`` in a token stays a ``$``.
"""

import re
from typing import Final

_BLANK: Final = re.compile(r"[^\S\n]*(?:#[^\n]*)?(?:\n|\Z)")
_ENTRY: Final = re.compile(
    r"""
    [^\S\n]* (?:export[^\S\n]+)? (?P<name>[A-Za-z_][A-Za-z0-9_]*) [^\S\n]*=[^\S\n]*
    (?: '(?P<single>[^']*)'
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | (?P<bare>(?!['"])[^\n]*?) )
    (?: [^\S\n]+\#[^\n]* | [^\S\n]* ) (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}


def parse_dotenv(text: str) -> dict[str, str]:
    """Names and values, the last of equal names wins.

    :raises ValueError: with the number of the first line that cannot be read, never its content.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        entry = _ENTRY.match(text, position)
        if entry is None:
            line = text.count("\n", 0, position) + 1
            raise ValueError(f"line {line} is not NAME=VALUE with matching quotes")
        double = entry["double"]
        if double is not None:
            value = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), double)
        else:
            value = entry["single"] if entry["single"] is not None else entry["bare"]
        found[entry["name"]] = value
        position = entry.end()
    return found
