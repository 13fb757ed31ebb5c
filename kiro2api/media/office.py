# -*- test-case-name: tests.media.test_office -*-
"""The text of Word documents and Excel workbooks (Office Open XML).

The parsers are an extra of the package and are imported with the first such document. Must not
know who attached it.
"""

from collections.abc import Iterator
from datetime import date, datetime, time
from io import BytesIO
from typing import Any, Final, Literal, TypeAlias
from zipfile import BadZipFile, ZipFile

from kiro2api.media.limits import (
    UNPACKED_BYTES,
    UNPACKED_TREE_BYTES,
    Halt,
    Halted,
    Unreadable,
    go_on,
)

Kind: TypeAlias = Literal["docx", "xlsx"]

_PARTS: Final = 10_000
_ROWS_BETWEEN: Final = 200
_MAIN: Final[tuple[tuple[str, Kind], ...]] = (
    ("word/document.xml", "docx"),
    ("xl/workbook.xml", "xlsx"),
)
_ABSENT: Final = "this server has no reader for it; kiro2api[documents] has one"


def packed_kind(data: bytes) -> Kind | None:
    """Which kind of document a ZIP file is, None for any other one.

    :raises Unreadable: it would unpack to more than is read.
    """
    try:
        with ZipFile(BytesIO(data)) as packed:
            entries = packed.infolist()
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        return None
    names = {entry.filename for entry in entries}
    kind = next((kind for name, kind in _MAIN if name in names), None)
    if kind is None:
        return None
    # A declared size is never exceeded in unpacking.
    trees = [entry.file_size for entry in entries if entry.filename.endswith((".xml", ".rels"))]
    over = sum(entry.file_size for entry in entries) > UNPACKED_BYTES or len(entries) > _PARTS
    if over or (kind == "docx" and max(trees) > UNPACKED_TREE_BYTES):
        raise Unreadable("it unpacks to more than can be read")
    return kind


def office_text(kind: Kind, data: bytes, limit: int, halted: Halted) -> tuple[str, str]:
    """(what it is in words, text) of a document, at most somewhat more than ``limit`` characters.

    :raises Unreadable: broken, or its reader is not installed.
    """
    about, lines = ("Word", _word) if kind == "docx" else ("Excel", _excel)
    out: list[str] = []
    size = 0
    try:
        for line in lines(data, halted):
            out.append(line)
            size += len(line) + 1
            if size > limit:
                break
    except (Halt, Unreadable):
        raise
    except ImportError:
        raise Unreadable(_ABSENT) from None
    except (Exception, RecursionError):  # noqa: BLE001 - a parser at hostile input
        raise Unreadable(f"it is not a valid {about} file") from None
    return about, "\n".join(out) or "[no text in it]"


# ── Word ─────────────────────────────────────────────────────────────────────


def _word(data: bytes, halted: Halted) -> Iterator[str]:
    import docx
    from docx.table import Table

    for item in docx.Document(BytesIO(data)).iter_inner_content():
        go_on(halted)
        if isinstance(item, Table):
            yield from _table(item, halted)
        elif item.text.strip():
            yield _heading(item) + item.text


def _heading(paragraph: Any) -> str:
    style = paragraph.style.name if paragraph.style is not None else ""
    level = style.removeprefix("Heading ")
    return "#" * int(level) + " " if level != style and level.isdecimal() else ""


def _table(table: Any, halted: Halted) -> Iterator[str]:
    for row in table.rows:
        go_on(halted)
        cells: list[str] = []
        before = None
        for cell in row.cells:
            # A merged cell is listed once for each place it covers.
            if cell._tc is not before:
                cells.append(" ".join(cell.text.split()))
            before = cell._tc
        yield " | ".join(cells)


# ── Excel ────────────────────────────────────────────────────────────────────


def _excel(data: bytes, halted: Halted) -> Iterator[str]:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    book = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        for sheet in book.worksheets:
            yield f"[sheet {sheet.title}]"
            # What a file says of its size need not be true.
            sheet.reset_dimensions()
            for number, row in enumerate(sheet.iter_rows(values_only=True)):
                if number % _ROWS_BETWEEN == 0:
                    go_on(halted)
                cells = [_shown(value) for value in row]
                while cells and not cells[-1]:
                    cells.pop()
                if cells:
                    yield "\t".join(cells)
    finally:
        book.close()


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return " ".join(str(value).split())
