"""Tests of the sources of images and documents."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Document, Image, Reference, Text
from kiro2api.dialects.anthropic.media import Source, document, image, read_source
from kiro2api.errors import RequestRejected


class SourceTests(SynchronousTestCase):
    """Sources that only differ in dress."""

    def test_data_url(self) -> None:
        """A data URL is a value, parameters and all."""
        raw = msgspec.Raw(b'{"type":"url","url":"data:image/png;name=a;base64,AAAA"}')
        self.assertEqual(
            image(read_source(raw, "s"), "s"), Image(media_type="image/png", data="AAAA")
        )

    def test_plain_url(self) -> None:
        """Any other URL is a reference; without one it is refused where it is missing."""
        raw = msgspec.Raw(b'{"type":"url","url":"https://example.org/"}')
        self.assertEqual(
            document(read_source(raw, "s"), "", "s"),
            Reference("document", "https://example.org/"),
        )
        source = read_source(msgspec.Raw(b'{"type":"url"}'), "s")
        self.assertEqual(
            self.assertRaises(RequestRejected, document, source, "", "s").param, "s.url"
        )

    def test_media_type_missing(self) -> None:
        """A missing type of image is for the bytes to tell; a document is a PDF then."""
        source = Source(type="base64", data="AAAA")
        self.assertEqual(image(source, "s"), Image(media_type="", data="AAAA"))
        self.assertEqual(document(source, "", "s"), Document("application/pdf", "AAAA"))

    def test_text_by_value(self) -> None:
        """Plain text in base64 is text; what is no base64 stays as it came."""
        self.assertEqual(
            document(Source(type="base64", media_type="text/plain", data="aMOk"), "", "s"),
            Text("hä"),
        )
        for data in ("a", "ä"):
            source = Source(type="base64", media_type="text/plain", data=data)
            self.assertEqual(document(source, "n", "s"), Document("text/plain", data, "n"))
