"""Small files of many kinds, made for the tests."""

from base64 import b64encode
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from PIL import Image as Pillow
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def b64(data: bytes) -> str:
    """Base64 text."""
    return b64encode(data).decode("ascii")


def pdf(*pages: str, password: str = "", owner: str | None = None, broken: int = 0) -> bytes:
    """A PDF with one line of text on each page; an empty text makes an empty page.

    :param broken: this many pages, the first ones, have contents that nobody can decode.
    """
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(width=600, height=800)
        if text:
            fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
            page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
            stream = DecodedStreamObject()
            stream.set_data(f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode("latin-1"))
            if len(writer.pages) <= broken:
                stream[NameObject("/Filter")] = NameObject("/NoSuchFilter")
            page[NameObject("/Contents")] = writer._add_object(stream)
    if password or owner:
        writer.encrypt(password, owner, algorithm="AES-256")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def picture(
    width: int = 40,
    height: int = 30,
    kind: str = "PNG",
    mode: str = "RGB",
    color: Any = None,
    **options: Any,
) -> bytes:
    """An image of one colour."""
    return written(
        Pillow.new(mode, (width, height), color=0 if color is None else color), kind, **options
    )


def noise(width: int, height: int, kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """An image that can hardly be compressed."""
    channels = [Pillow.effect_noise((width, height), 200) for _ in mode]
    return written(Pillow.merge(mode, channels), kind, **options)


def written(image: Any, kind: str, **options: Any) -> bytes:
    """A file of an image."""
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def docx(*paragraphs: str, heading: str = "", table: list[list[str]] | None = None) -> bytes:
    """A Word document."""
    import docx as word

    document = word.Document()
    if heading:
        document.add_heading(heading, level=2)
    for text in paragraphs:
        document.add_paragraph(text)
    if table:
        grid = document.add_table(rows=0, cols=len(table[0]))
        for row in table:
            for cell, text in zip(grid.add_row().cells, row, strict=True):
                cell.text = text
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def xlsx(**sheets: list[list[Any]]) -> bytes:
    """An Excel workbook."""
    from openpyxl import Workbook  # type: ignore[import-untyped]

    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def packed(**parts: bytes) -> bytes:
    """A ZIP file; ``__`` in a name stands for ``/`` and ``_xml`` for ``.xml``."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return out.getvalue()


def repacked(data: bytes, **changed: bytes) -> bytes:
    """A ZIP file with some parts replaced, by the names of ``packed``."""
    changed = {k.replace("__", "/").replace("_xml", ".xml"): v for k, v in changed.items()}
    out = BytesIO()
    with ZipFile(BytesIO(data)) as old, ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name in old.namelist():
            archive.writestr(name, changed.get(name, old.read(name)))
    return out.getvalue()


def wanted() -> bool:
    """For work that is to go on."""
    return False


def unwanted() -> bool:
    """For work that is to stop."""
    return True
