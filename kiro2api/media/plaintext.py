# -*- test-case-name: tests.media.test_plaintext -*-
"""Bytes that may be text: whether they are, and which.

Must not know documents or where the bytes come from.
"""

import codecs
import re
from typing import Final

_SAMPLE: Final = 8192
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
# Tab, line ends, form feed and escape occur in text; other control characters do not.
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# Encodings of text only: Python knows others, which unpack or execute.
_SAFE: Final = re.compile(
    r"(utf[-_]?(8|16|32)([-_]?(le|be))?|us-ascii|ascii|(iso|latin|windows|cp|koi8|mac|big5|euc|gb)"
    r"[a-z0-9_.:-]*|gbk|shift[-_]?jis|sjis|latin-?1)",
    re.IGNORECASE,
)


def is_text(data: bytes) -> bool:
    """Whether the beginning looks like text in any of the usual encodings."""
    sample = data[:_SAMPLE]
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    return _CONTROLS.search(sample) is None


def decoded(data: bytes, content_type: str = "") -> str:
    """The text; the mark at its beginning decides, then the declared charset, then its looks.

    Never fails: what cannot be read in the end is shown by replacement characters.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").removeprefix("\ufeff")
    found = _CHARSET.search(content_type)
    for encoding in (found[1] if found else "", "utf-8"):
        if _SAFE.fullmatch(encoding):
            try:
                return data.decode(encoding)
            except (LookupError, UnicodeError):
                pass
    return _looked_at(data)


def _looked_at(data: bytes) -> str:
    """Text in an older encoding: in Chinese ones high bytes come in pairs, in Western ones not."""
    runs = _HIGH.findall(data[: 8 * _SAMPLE])
    if runs and sum(len(run) % 2 for run in runs) * 20 <= len(runs):
        try:
            return data.decode("gb18030")
        except UnicodeError:
            pass
    # A few stray bytes in what is otherwise UTF-8.
    text = data.decode("utf-8", "replace")
    if text.count("\ufffd") * 10 <= len(runs):
        return text
    return data.decode("cp1252", "replace")
