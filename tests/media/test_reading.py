"""One attached thing to what takes its place."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Document, Image, Text
from kiro2api.media import reading
from kiro2api.media.limits import Limits, Unreadable
from kiro2api.media.reading import read_bytes, read_document, read_image
from tests.media.files import b64, docx, packed, pdf, picture, wanted, xlsx

LIMITS = Limits(side=100)


def read(data: bytes, media_type: str = "", name: str = "") -> Text | Image | None:
    """What becomes of a document."""
    return read_document(Document(media_type, b64(data), name), LIMITS, wanted)


class DocumentTests(SynchronousTestCase):
    """By kind."""

    def test_pdf(self) -> None:
        """Between a head and an end."""
        expected = "[document a.pdf: 1 page]\n[page 1]\nhello\n[end of the document]"
        self.assertEqual(read(pdf("hello"), "application/pdf", "a.pdf"), Text(expected))
        # Whatever it is said to be, and with something before it.
        self.assertEqual(read(pdf("hello"), "text/plain", "a.pdf"), Text(expected))
        self.assertEqual(read(b"\xef\xbb\xbf\n" + pdf("hello"), "", "a.pdf"), Text(expected))

    def test_office(self) -> None:
        """By what is in them."""
        self.assertEqual(
            read(docx("hello"), "application/octet-stream", "a"),
            Text("[document a: Word]\nhello\n[end of the document]"),
        )
        self.assertEqual(
            read(xlsx(S=[[1, 2]])),
            Text("[document: Excel]\n[sheet S]\n1\t2\n[end of the document]"),
        )
        self.assertIsNone(read(packed(a=b"b"), "application/zip"))

    def test_text(self) -> None:
        """As it stands, in whatever encoding."""
        for data in ("a,b\n1,é\n".encode(), "a,b\n1,é\n".encode("utf-16")):
            self.assertEqual(
                read(data, "application/x-unknown", "a.csv"),
                Text("[document a.csv]\na,b\n1,é\n\n[end of the document]"),
            )

    def test_page(self) -> None:
        """HTML becomes what a reader sees."""
        expected = Text("[document: web page]\nhello\n[end of the document]")
        self.assertEqual(read(b"<html><p>hello</p></html>"), expected)
        self.assertEqual(read(b"<p>hello</p>", "text/html; charset=utf-8"), expected)

    def test_image(self) -> None:
        """An image that came as a document becomes an image, within the limits."""
        small = picture(10, 10)
        self.assertEqual(read(small, "application/pdf2"), Image("image/png", b64(small)))
        found = read(picture(400, 200, "BMP"), "image/bmp")
        assert isinstance(found, Image)
        self.assertEqual(found.media_type, "image/png")

    def test_unknown(self) -> None:
        """Other kinds stay as they are; a note takes their place later."""
        for data in (b"", b"\x7fELF\x02\x01", b"\0\0\0\x18ftypheicmif1"):
            self.assertIsNone(read(data, "application/x-thing"), data)

    def test_cut(self) -> None:
        """Long texts are cut, and it is said."""
        self.patch(reading, "DOCUMENT_CHARACTERS", 10)
        self.assertEqual(
            read(b"0123456789abc"),
            Text(
                "[document]\n0123456789\n[cut here: only the first 10 characters are shown]\n"
                "[end of the document]"
            ),
        )

    def test_not_a_pdf(self) -> None:
        """What is said to be a PDF has to be one."""
        error = self.assertRaises(Unreadable, read, b"hello", "application/pdf")
        self.assertEqual(error.reason, "it is not a valid PDF file")

    def test_size(self) -> None:
        """Too large a document is not even decoded."""
        self.patch(reading, "DOCUMENT_BYTES", 10)
        self.assertIn("more than 10 bytes", self.assertRaises(Unreadable, read, b"0" * 11).reason)

    def test_base64(self) -> None:
        """Every form of it is read, nonsense is not."""
        text = "\xff\xfe\xfd?>" * 9
        data = text.encode("utf-16")
        usual = b64(data)
        lines = "\n".join(usual[start : start + 20] for start in range(0, len(usual), 20))
        expected = read(data)
        for form in (lines, usual.rstrip("="), usual.replace("+", "-").replace("/", "_")):
            self.assertEqual(read_document(Document("", form), LIMITS, wanted), expected)
        for form in ("a", "no base64!", "\u00e9"):
            error = self.assertRaises(Unreadable, read_document, Document("", form), LIMITS, wanted)
            self.assertEqual(error.reason, "its data is not valid base64")

    def test_fetched(self) -> None:
        """Bytes that come with a content type."""
        self.assertEqual(
            read_bytes("é".encode("latin-1"), "text/plain; charset=latin-1", "n", LIMITS, wanted),
            Text("[document n]\né\n[end of the document]"),
        )


class ImageTests(SynchronousTestCase):
    """Images by value."""

    def test_images(self) -> None:
        """Smaller where too large; otherwise left alone."""
        large = read_image(Image("image/jpeg", b64(picture(400, 200))), LIMITS, wanted)
        assert large is not None
        self.assertEqual(large.media_type, "image/png")
        for data in (b64(picture()), b64(b"no image"), "no base64!"):
            self.assertIsNone(read_image(Image("image/png", data), LIMITS, wanted), data)
