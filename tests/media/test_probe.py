"""Kind and size of images from their first bytes."""

from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.media.probe import Probe, decoded_size, kind_of, probe
from tests.media.files import b64, noise, picture


class ProbeTests(SynchronousTestCase):
    """Against what Pillow writes."""

    def test_sizes(self) -> None:
        """The longer side, whichever it is."""
        for width, height in ((3, 2), (40, 30), (30, 40), (1, 3000), (2100, 7)):
            for kind, options in (
                ("PNG", {}),
                ("GIF", {}),
                ("JPEG", {}),
                ("JPEG", {"progressive": True}),
                ("WEBP", {}),
                ("WEBP", {"lossless": True}),
                ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}),
            ):
                data = picture(width, height, kind, **options)
                expected = Probe(kind.lower(), max(width, height))
                self.assertEqual(probe(b64(data)), expected, (kind, options))

    def test_metadata_before_the_size(self) -> None:
        """A JPEG's size may stand far behind its beginning."""
        small = picture(7, 9, "JPEG")
        block = b"\xff\xe2" + (60_002).to_bytes(2, "big") + bytes(60_000)
        for count, side in ((1, 9), (6, 9), (9, 0)):
            data = small[:2] + block * count + b"\xff" + small[2:]
            self.assertEqual(probe(b64(data)), Probe("jpeg", side), count)

    def test_markers_without_length(self) -> None:
        """Restart markers stand alone."""
        small = picture(7, 9, "JPEG")
        self.assertEqual(probe(b64(small[:2] + b"\xff\xd0\xff\x01" + small[2:])), Probe("jpeg", 9))
        self.assertEqual(probe(b64(small[:2] + b"\xff\xd8\xff\xe0\0\x04ab\0junk" + bytes(20))),
                         Probe("jpeg", 0))  # fmt: skip

    def test_other_kinds(self) -> None:
        """Kinds that have to be converted."""
        self.assertEqual(probe(b64(picture(kind="BMP"))), Probe("bmp", 0))
        self.assertEqual(probe(b64(picture(kind="TIFF"))), Probe("tiff", 0))
        self.assertEqual(probe(b64(picture(kind="ICO"))), Probe("ico", 0))
        self.assertEqual(probe(b64(picture(kind="AVIF"))), Probe("avif", 0))
        self.assertEqual(kind_of(b"\0\0\0\x18ftypheic"), "heic")
        self.assertEqual(kind_of(b"MM\0*"), "tiff")
        self.assertEqual(probe(b64(b"RIFF1234WEBPVP9 " + bytes(40))), Probe("webp", 0))
        for data in (b"", b"BM", b"BMW and other cars of the year", b"%PDF-1.7",
                     b"\0\0\0\x18ftypmp42", b"RIFF1234WAVEfmt "):  # fmt: skip
            self.assertIsNone(kind_of(data), data)
            self.assertIsNone(probe(b64(data)), data)

    def test_forms_of_base64(self) -> None:
        """Line breaks, the URL's alphabet, no padding, nonsense."""
        data = noise(33, 44, "JPEG")
        text = b64(data)
        lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
        for form in (lines, text.replace("+", "-").replace("/", "_"), text.rstrip("=")):
            self.assertEqual(probe(form), Probe("jpeg", 44))
        for form in ("", "====", "\u00e9" * 8, "a"):
            self.assertIsNone(probe(form), form)
        self.assertAlmostEqual(decoded_size(text), len(data), delta=3)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(1, 500), st.integers(1, 500), st.sampled_from(["PNG", "JPEG", "WEBP"]))
    def test_any_size(self, width: int, height: int, kind: str) -> None:
        """As Pillow sees it."""
        data = picture(width, height, kind)
        self.assertEqual(Pillow.open(BytesIO(data)).size, (width, height))
        self.assertEqual(probe(b64(data)), Probe(kind.lower(), max(width, height)))

    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.integers(0, 200), st.binary())
    def test_never_fails(self, kind: str, length: int, rest: bytes) -> None:
        """Cut off and followed by anything."""
        probe(b64(picture(kind=kind)[:length] + rest))
