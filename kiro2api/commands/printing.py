# -*- test-case-name: tests.commands.test_printing -*-
"""What a command prints: tables for people, JSON for programs.

Pure: gives texts. Must not know where values come from.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

import msgspec


def as_json(value: object) -> str:
    """The value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8")


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, str]]) -> str:
    """Lines with aligned columns. ``columns``: pairs of a field and its title."""
    lines = [[title for _, title in columns]]
    lines += [[cell(row.get(field)) for field, _ in columns] for row in rows]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            text + " " * (wide - width(text)) for text, wide in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def cell(value: object) -> str:
    """One value in few words."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ",".join(map(cell, value))
    # Nothing that a service says may steer the terminal.
    return "".join(each if each.isprintable() else "?" for each in str(value))


def width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)
