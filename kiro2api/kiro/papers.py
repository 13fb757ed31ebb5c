# -*- test-case-name: tests.kiro.test_papers -*-
"""Documents that go to the model as such, the newest first; what does not fit is told as text.

Must not know JSON, nor whether the model takes documents.

Wire: the shape and its formats are known, limits are not published. So these are those of the
model provider's other interfaces, which are the narrowest that are known, and a refusal leads to
the text. Names must be unique.
"""

import re
from collections.abc import Sequence
from typing import Final

from kiro2api.conversation.question import Document
from kiro2api.kiro.media import DOCUMENT_CHARACTERS, normal
from kiro2api.kiro.turns import Paper, Piece, Side

TOTAL: Final = 5
"""Documents of one request."""

_FORMATS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_ENDINGS: Final = frozenset(_FORMATS.values())
_FORBIDDEN: Final = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_MAX_NAME: Final = 100


def fit_papers(sides: Sequence[Side]) -> None:
    """Replace the documents that may be sent."""
    names: set[str] = set()
    for side in reversed(sides):
        if side.assistant:
            continue
        for place in range(len(side.groups) - 1, -1, -1):
            group = side.groups[place]
            if not any(isinstance(piece, Document) for piece in group):
                continue
            fitted: list[Piece] = list(group)
            for index in range(len(fitted) - 1, -1, -1):
                piece = fitted[index]
                if isinstance(piece, Document) and len(names) < TOTAL:
                    paper = _paper(piece, names)
                    if paper is not None:
                        fitted[index] = paper
            side.groups[place] = fitted


def _paper(document: Document, names: set[str]) -> Paper | None:
    said = document.media_type.partition(";")[0].strip().lower()
    stem, _, ending = document.name.rpartition(".")
    kind = _FORMATS.get(said) or (ending.lower() if ending.lower() in _ENDINGS else None)
    data = normal(document.data)
    if kind is None or not data or len(data) > DOCUMENT_CHARACTERS:
        return None
    base = _FORBIDDEN.sub(" ", stem or document.name).strip()[:_MAX_NAME] or "document"
    name, number = base, 2
    while name in names:
        name, number = f"{base} ({number})", number + 1
    names.add(name)
    return Paper(name, kind, data)
