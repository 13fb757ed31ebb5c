# -*- test-case-name: tests.dialects.chat.test_inline -*-
"""Tests of images and files that come by value."""

from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Document, Image, Reference, Text
from kiro2api.dialects.chat.inline import document, file, image, split_data_url


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


class SplitDataUrlTests(SynchronousTestCase):
    """``split_data_url`` reads RFC 2397."""

    def test_base64(self) -> None:
        """The usual form, in any case, with parameters."""
        for url in (
            "data:image/png;base64,AAAA",
            "DATA:image/PNG;BASE64,AAAA",
            "data:image/png;name=a.png;base64,AAAA",
            "data: image/png ; base64,AAAA",
        ):
            self.assertEqual(("image/png", "AAAA"), split_data_url(url))

    def test_percent_encoded(self) -> None:
        """The other form becomes base64."""
        self.assertEqual(
            ("image/svg+xml", encoded("<svg/>")), split_data_url("data:image/svg+xml,%3Csvg/%3E")
        )

    def test_no_type(self) -> None:
        """Without a type it is text."""
        self.assertEqual(("text/plain", encoded("a,b")), split_data_url("data:,a,b"))

    def test_no_comma(self) -> None:
        """A URL without data has empty data."""
        self.assertEqual(("image/png", ""), split_data_url("data:image/png;base64"))

    def test_other_urls(self) -> None:
        """Any other URL is none of ours."""
        for url in ("https://example.org/data:", "data", "", "file:///x"):
            self.assertIsNone(split_data_url(url))

    @settings(max_examples=100)
    @given(st.text())
    def test_total(self, rest: str) -> None:
        """No URL breaks it."""
        self.assertIsNotNone(split_data_url("data:" + rest))


class ImageTests(SynchronousTestCase):
    """``image`` takes values and addresses."""

    def test_value(self) -> None:
        """A data URL is a value."""
        self.assertEqual(Image("image/webp", "UklG"), image("data:image/webp;base64,UklG"))

    def test_address(self) -> None:
        """Any other URL is kept as it is."""
        url = "https://example.org/cat.png"
        self.assertEqual(Reference("image", url), image(url))


class FileTests(SynchronousTestCase):
    """``file`` finds out what was sent."""

    def test_pdf(self) -> None:
        """A PDF by data URL, by its name and by its first bytes."""
        pdf = encoded("%PDF-1.7 ...")
        for data, name in (
            (f"data:application/pdf;base64,{pdf}", ""),
            ("AAAA", "Report.PDF"),
            (pdf, "report"),
        ):
            self.assertEqual(
                Document("application/pdf", data.rpartition(",")[2], name), file(data, name)
            )

    def test_unknown(self) -> None:
        """Bare base64 of no known kind."""
        self.assertEqual(Document("application/octet-stream", "AAAA", "x"), file("AAAA", "x"))

    def test_text(self) -> None:
        """Text is handed on as text, under its name."""
        for kind in ("text/markdown", "application/json"):
            data = f"data:{kind};base64,{encoded('né')}"
            self.assertEqual(Text("né"), file(data, ""))
            self.assertEqual(Text("[a.md]\nné"), file(data, "a.md"))

    def test_text_that_is_none(self) -> None:
        """What only claims to be text stays a document."""
        self.assertEqual(Document("text/plain", "A"), document("text/plain", "A", ""))
        self.assertEqual(Document("text/plain", "//79"), document("text/plain", "//79", ""))
