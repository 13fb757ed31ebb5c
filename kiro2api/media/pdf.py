# -*- test-case-name: tests.media.test_pdf -*-
"""The text of a PDF, page by page.

The parser is imported with the first PDF. Must not know who attached it.
"""

from io import BytesIO
from typing import Any, Final

from kiro2api.media.limits import DOCUMENT_PAGES, Halt, Halted, Unreadable, go_on

_BROKEN: Final = "it is not a valid PDF file"


def pdf_text(data: bytes, limit: int, halted: Halted) -> tuple[str, str]:
    """(number of pages in words, text) of the first pages, at most about ``limit`` characters.

    :raises Unreadable: broken, or protected by a password.
    """

    def look_up(*_: object) -> None:
        # One page may take very long, so that its every step asks.
        go_on(halted)

    reader, count = _opened(data)
    shown = min(count, DOCUMENT_PAGES)
    pieces: list[str] = []
    size = failed = number = 0
    for number in range(1, shown + 1):
        go_on(halted)
        try:
            page = reader.pages[number - 1]
            text = page.extract_text(visitor_operand_before=look_up).strip()
        except Halt:
            raise
        except (Exception, RecursionError):  # noqa: BLE001 - a parser at hostile input
            failed += 1
            text = "[this page cannot be read]"
        pieces.append(f"[page {number}]\n{text}" if text else f"[page {number}: no text]")
        size += len(text)
        if size > limit:
            break
    if failed == shown:
        raise Unreadable(_BROKEN)
    if not size:
        return _pages(count), "[no text in it: its pages seem to be pictures]"
    if number < count and size <= limit:
        pieces.append(f"[cut here: the first {number} of {count} pages are shown]")
    return _pages(count), "\n".join(pieces)


def _opened(data: bytes) -> tuple[Any, int]:
    from logging import CRITICAL, getLogger

    from pypdf import PdfReader

    # It reports every oddity of a file, and with it pieces of the file, to standard error.
    getLogger("pypdf").setLevel(CRITICAL)
    locked = False
    try:
        reader = PdfReader(BytesIO(data), strict=False)
        # Many files have an owner's password only, and open with an empty one.
        locked = reader.is_encrypted and not reader.decrypt("")
        count = 0 if locked else len(reader.pages)
    except (Exception, RecursionError):  # noqa: BLE001 - a parser at hostile input
        raise Unreadable(_BROKEN) from None
    if locked:
        raise Unreadable("it is protected by a password")
    if not count:
        raise Unreadable("it has no pages")
    return reader, count


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count} pages"
