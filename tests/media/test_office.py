"""The text of Word documents and Excel workbooks."""

import sys
from datetime import date, datetime, time

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.media import office
from kiro2api.media.limits import Halt, Unreadable
from kiro2api.media.office import Kind, office_text, packed_kind
from tests.media.files import docx, packed, repacked, unwanted, wanted, xlsx

ENTITY = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">
<!ENTITY a "boom"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"""


class WordTests(SynchronousTestCase):
    """Documents."""

    def test_text(self) -> None:
        """Headings, paragraphs, tables, in order."""
        data = docx("First.", "", "Second.", heading="Terms", table=[["a", "b"], ["c\nd", "e"]])
        self.assertEqual(packed_kind(data), "docx")
        self.assertEqual(
            office_text("docx", data, 1000, wanted),
            ("Word", "## Terms\nFirst.\nSecond.\na | b\nc d | e"),
        )

    def test_empty(self) -> None:
        """It says so."""
        self.assertEqual(office_text("docx", docx(), 1000, wanted)[1], "[no text in it]")

    def test_merged_cells(self) -> None:
        """A merged cell is shown once."""
        from io import BytesIO

        import docx as word

        document = word.Document()
        row = document.add_table(rows=1, cols=3).rows[0]
        row.cells[0].merge(row.cells[1]).text = "wide"
        row.cells[2].text = "narrow"
        out = BytesIO()
        document.save(out)
        text = office_text("docx", out.getvalue(), 1000, wanted)[1]
        self.assertEqual(text, "wide | narrow")

    def test_limit(self) -> None:
        """No more once there is enough."""
        text = office_text("docx", docx(*["x" * 50] * 10), 120, wanted)[1]
        self.assertEqual(text.count("\n"), 2)

    def test_no_entities(self) -> None:
        """Files of this machine are not read, entities not unfolded."""
        body = (
            ENTITY + b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006'
            b'/main"><w:body><w:p><w:r><w:t>[&e;&b;]</w:t></w:r></w:p></w:body></w:document>'
        )
        with open("/etc/hostname", encoding="utf-8") as file:
            own = file.read().strip()
        data = repacked(docx("x"), word__document_xml=body)
        try:
            text = office_text("docx", data, 1000, wanted)[1]
        except Unreadable:
            text = ""
        self.assertNotIn(own, text)
        self.assertNotIn("boom", text)


class ExcelTests(SynchronousTestCase):
    """Workbooks."""

    def test_text(self) -> None:
        """Sheets, rows of columns, values as they are written."""
        data = xlsx(
            Prices=[["kind", None, "price"], ["apple", "  ", 2.0], [], ["pear", 1.5, " "], [1e300]],
            Days=[[date(2026, 1, 2), datetime(2026, 1, 2, 3, 4), time(5, 6), True]],
        )
        self.assertEqual(packed_kind(data), "xlsx")
        self.assertEqual(
            office_text("xlsx", data, 1000, wanted),
            (
                "Excel",
                "[sheet Prices]\nkind\t\tprice\napple\t\t2\npear\t1.5\n1e+300\n[sheet Days]\n"
                "2026-01-02\t2026-01-02 03:04:00\t05:06:00\tTrue",
            ),
        )

    def test_values(self) -> None:
        """Whole numbers have no fraction, texts no line ends."""
        for value, shown in ((2.0, "2"), (2.5, "2.5"), (1e300, "1e+300"), ("a\nb", "a b")):
            self.assertEqual(office._shown(value), shown)

    def test_false_dimension(self) -> None:
        """A sheet that says it is huge is not taken at its word."""
        data = xlsx(S=[["a"]])
        from io import BytesIO
        from zipfile import ZipFile

        with ZipFile(BytesIO(data)) as book:
            sheet = book.read("xl/worksheets/sheet1.xml")
        lying = sheet.replace(b'ref="A1"', b'ref="A1:XFD1048576"')
        self.assertNotEqual(lying, sheet)
        data = repacked(data, xl__worksheets__sheet1_xml=lying)
        self.assertEqual(office_text("xlsx", data, 1000, wanted)[1], "[sheet S]\na")

    def test_no_entities(self) -> None:
        """Files of this machine are not read, entities not unfolded."""
        body = (
            ENTITY
            + b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            b'<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>[&e;&b;]</t></is></c></row>'
            b"</sheetData></worksheet>"
        )
        with open("/etc/hostname", encoding="utf-8") as file:
            own = file.read().strip()
        data = repacked(xlsx(S=[["a"]]), xl__worksheets__sheet1_xml=body)
        try:
            text = office_text("xlsx", data, 1000, wanted)[1]
        except Unreadable:
            text = ""
        self.assertNotIn(own, text)

    def test_halt(self) -> None:
        """Work that nobody waits for stops."""
        self.assertRaises(Halt, office_text, "xlsx", xlsx(S=[["a"]]), 10, unwanted)
        self.assertRaises(Halt, office_text, "docx", docx("a"), 10, unwanted)


class PackedTests(SynchronousTestCase):
    """What is in a ZIP file."""

    def test_others(self) -> None:
        """Not every ZIP file is a document."""
        self.assertIsNone(packed_kind(packed(readme=b"hello")))
        self.assertIsNone(packed_kind(b"PK\x03\x04 no zip"))
        self.assertIsNone(packed_kind(docx("x")[:200]))

    def test_bombs(self) -> None:
        """What would unpack to too much is not unpacked."""
        zeros = bytes(25 * 1024 * 1024)
        bomb = packed(word__document_xml=zeros)
        self.assertLess(len(bomb), 50_000)
        self.assertRaises(Unreadable, packed_kind, bomb)
        # Rows are read one by one, so that a large sheet alone is none.
        self.assertEqual(packed_kind(packed(xl__workbook_xml=b"", xl__sheet_xml=zeros)), "xlsx")
        four = {f"part{n}": zeros for n in range(4)}
        self.assertRaises(Unreadable, packed_kind, packed(xl__workbook_xml=b"", **four))

    def test_many_parts(self) -> None:
        """Too many parts are refused, too."""
        self.patch(office, "_PARTS", 2)
        parts = packed(xl__workbook_xml=b"", a=b"", b=b"")
        self.assertRaises(Unreadable, packed_kind, parts)

    def test_broken(self) -> None:
        """Documents with damaged insides."""
        kinds: tuple[tuple[Kind, str], ...] = (("docx", "Word"), ("xlsx", "Excel"))
        for kind, name in kinds:
            main = {"word__document_xml" if kind == "docx" else "xl__workbook_xml": b"<broken"}
            error = self.assertRaises(Unreadable, office_text, kind, packed(**main), 10, wanted)
            self.assertEqual(error.reason, f"it is not a valid {name} file")

    def test_not_installed(self) -> None:
        """Without the extra it is said what is missing."""
        both: tuple[tuple[Kind, str, bytes], ...] = (
            ("docx", "docx", docx("x")),
            ("xlsx", "openpyxl", xlsx(S=[["a"]])),
        )
        for kind, module, data in both:
            here = sys.modules[module]
            self.addCleanup(sys.modules.__setitem__, module, here)
            sys.modules[module] = None  # type: ignore[assignment]
            error = self.assertRaises(Unreadable, office_text, kind, data, 10, wanted)
            self.assertIn("kiro2api[documents]", error.reason)
