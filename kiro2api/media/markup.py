# -*- test-case-name: tests.media.test_markup -*-
"""HTML to the text that a reader of the page would see.

Must not know documents or where a page comes from.
"""

import re
from html.parser import HTMLParser
from typing import Final

from kiro2api.media.limits import Halted, go_on

_UNSEEN: Final = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object"})
_BLOCKS: Final = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body caption center dd details dialog div dl dt fieldset"
        " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main menu nav ol option p"
        " pre section summary table tbody tfoot thead title tr ul",
    )
)
_HEADINGS: Final = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_BLANKS: Final = re.compile(r"[ \t\r\f\v\n\xa0]+")
_PIECE: Final = 65536


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._unseen: list[str] = []
        self._verbatim = 0
        self._line_begun = False
        self.characters = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen.append(tag)
        if self._unseen:
            return
        if tag in _BLOCKS or tag == "br":
            self._new_line()
        if tag in _HEADINGS:
            self._put(_HEADINGS[tag])
        elif tag == "li":
            self._put("- ")
        elif tag in ("td", "th") and self._line_begun:
            self._put("\t")
        elif tag == "pre":
            self._verbatim += 1
        elif tag == "img":
            alt = next((value for name, value in attrs if name == "alt" and value), None)
            if alt:
                self._put(f"[image: {alt}]")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # <svg/> opens nothing.
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
            return
        if self._unseen:
            return
        if tag == "pre" and self._verbatim:
            self._verbatim -= 1
        if tag in _BLOCKS:
            self._new_line()

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._verbatim:
            self._put(data)
            return
        text = _BLANKS.sub(" ", data)
        if not self._line_begun:
            text = text.lstrip(" ")
        if text:
            self._put(text)

    def _put(self, text: str) -> None:
        self._out.append(text)
        self.characters += len(text)
        self._line_begun = not text.endswith("\n")

    def _new_line(self) -> None:
        if self._line_begun:
            self._put("\n")

    @property
    def text(self) -> str:
        lines = (line.rstrip() for line in "".join(self._out).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def page_text(page: str, limit: int, halted: Halted) -> str:
    """What is to be read of a page, somewhat more than ``limit`` characters at most."""
    seen = _Seen()
    for start in range(0, len(page), _PIECE):
        go_on(halted)
        seen.feed(page[start : start + _PIECE])
        if seen.characters > 2 * limit:
            break
    else:
        seen.close()
    return seen.text


def is_page(text: str) -> bool:
    """Whether a text begins like an HTML page."""
    head = text[:1000].lstrip().lower()
    return head.startswith(("<!doctype html", "<html")) or (
        head.startswith(("<?xml", "<!--")) and "<html" in head
    )
