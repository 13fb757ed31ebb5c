"""The text of PDFs."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.media.limits import Halt, Unreadable
from kiro2api.media.pdf import pdf_text
from tests.media.files import pdf, unwanted, wanted


class PdfTests(SynchronousTestCase):
    """Page by page."""

    def refusal(self, data: bytes) -> str:
        """Why it cannot be read."""
        return str(self.assertRaises(Unreadable, pdf_text, data, 1000, wanted).reason)

    def test_pages(self) -> None:
        """Each page under its number."""
        self.assertEqual(
            pdf_text(pdf("One fish", "", "Two fish"), 1000, wanted),
            ("3 pages", "[page 1]\nOne fish\n[page 2: no text]\n[page 3]\nTwo fish"),
        )
        self.assertEqual(pdf_text(pdf("alone"), 1000, wanted), ("1 page", "[page 1]\nalone"))

    def test_many_pages(self) -> None:
        """The first hundred, and a line that says so."""
        about, text = pdf_text(pdf(*(f"leaf {n}" for n in range(103))), 10_000, wanted)
        self.assertEqual(about, "103 pages")
        self.assertIn("leaf 99\n[cut here: the first 100 of 103 pages are shown]", text)
        self.assertNotIn("leaf 100", text)

    def test_limit(self) -> None:
        """No more pages once there is enough text."""
        about, text = pdf_text(pdf("x" * 50, "y" * 60, "z" * 50), 100, wanted)
        self.assertEqual(about, "3 pages")
        self.assertIn("y", text)
        self.assertNotIn("z", text)

    def test_without_text(self) -> None:
        """Scanned pages."""
        self.assertIn("seem to be pictures", pdf_text(pdf("", ""), 1000, wanted)[1])

    def test_password(self) -> None:
        """Refused with a user's password, read with an owner's only."""
        self.assertEqual(self.refusal(pdf("x", password="s")), "it is protected by a password")
        self.assertIn("secret", pdf_text(pdf("secret", owner="s"), 1000, wanted)[1])

    def test_broken(self) -> None:
        """Cut off, empty or no PDF at all."""
        whole = pdf("something")
        for data in (b"", b"%PDF-1.7\n", whole[:40], b"%PDF-" + b"\xff" * 100):
            self.assertEqual(self.refusal(data), "it is not a valid PDF file", data)

    def test_no_pages(self) -> None:
        """A PDF may have none."""
        self.assertEqual(self.refusal(pdf()), "it has no pages")

    def test_broken_page(self) -> None:
        """One bad page is left out, nothing but bad pages is a bad file."""
        text = pdf_text(pdf("first", "second", broken=1), 1000, wanted)[1]
        self.assertEqual(text, "[page 1]\n[this page cannot be read]\n[page 2]\nsecond")
        self.assertEqual(self.refusal(pdf("a", "b", broken=2)), "it is not a valid PDF file")

    def test_halt(self) -> None:
        """Work that nobody waits for stops."""
        self.assertRaises(Halt, pdf_text, pdf("x"), 10, unwanted)
        asked: list[bool] = []

        def after_a_while() -> bool:
            asked.append(True)
            return len(asked) > 3

        # Even within a page.
        self.assertRaises(Halt, pdf_text, pdf("x"), 10, after_a_while)
