# -*- test-case-name: tests.commands.test_printing -*-
"""What a command prints: tables for people, JSON for programs.

Pure: gives texts. Must not know where values come from.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from unicodedata import category, east_asian_width

import msgspec

_GAP: Final = "  "
_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def as_json(value: object) -> str:
    """The value as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8")
    if not any(map(_steers, text)):
        return text
    return "".join(f"\\u{ord(each):04x}" if _c1(each) else each for each in text)


def printable(text: str) -> str:
    """The text without characters that would steer a terminal; only lines are kept apart."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join("?" if _steers(each) else each for each in text)


def one_line(text: str) -> str:
    """The text on a single line."""
    return printable(" ".join(text.split()))


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, str]]) -> str:
    """Lines with aligned columns. ``columns``: pairs of a field and its title."""
    lines = [[title for _, title in columns]]
    lines += [[cell(row.get(field)) for field, _ in columns] for row in rows]
    return aligned(lines)


def facts(value: Mapping[str, Any], names: Iterable[tuple[str, str]]) -> str:
    """One thing, a line for each of its fields. ``names``: pairs of a field and its title."""
    return aligned([f"{title}:", cell(value.get(field))] for field, title in names)


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """Lines of equally many cells, below each other."""
    rows = list(lines)
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        _GAP.join(
            text + " " * (wide - width(text)) for text, wide in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def cell(value: object) -> str:
    """One value in few words, on one line."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ",".join(map(cell, value))
    return one_line(str(value))


def width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text if not _mark(each))


def _mark(character: str) -> bool:
    return category(character) in ("Mn", "Me")


def _steers(character: str) -> bool:
    return character != "\n" and category(character) in _STEERING


def _c1(character: str) -> bool:
    # What JSON itself does not escape, and terminals take for commands or for a change of writing.
    return _steers(character) and ord(character) < 0x10000
