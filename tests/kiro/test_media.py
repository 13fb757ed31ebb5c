# -*- test-case-name: tests.kiro.test_media -*-
"""Tests for the images' limits."""

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Image
from kiro2api.kiro import media

HEADS = {
    "png": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "jpeg": b"\xff\xd8\xff\xe0" + bytes(20),
    "gif": b"GIF89a" + bytes(20),
    "webp": b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(20),
}


def text(data: bytes) -> str:
    """Base64 as a client writes it."""
    return base64.b64encode(data).decode("ascii")


class SniffTests(SynchronousTestCase):
    """The format of the first bytes."""

    def test_formats(self) -> None:
        """Each format the upstream takes is known by its own mark."""
        for kind, head in HEADS.items():
            self.assertEqual(media.sniff(text(head)), kind)
        self.assertEqual(media.sniff(text(b"GIF87a")), "gif")

    def test_others(self) -> None:
        """Anything else is none of them, broken base64 included."""
        for data in (text(b"BM" + bytes(30)), text(b"RIFF1234WAVEfmt "), "", "A", "%%%", "é"):
            self.assertIsNone(media.sniff(data))

    @given(st.binary(max_size=64))
    def test_never_fails(self, data: bytes) -> None:
        """No bytes make it raise."""
        self.assertIn(media.sniff(text(data)), (None, *HEADS))


class UsableImageTests(SynchronousTestCase):
    """Whether an image can be sent."""

    def test_good(self) -> None:
        """A good image keeps its very own text: nothing is copied."""
        for kind, head in HEADS.items():
            data = text(head)
            usable = media.usable_image(Image(f"image/{kind}", data))
            assert isinstance(usable, tuple)
            self.assertEqual(usable[0], kind)
            self.assertIs(usable[1], data)

    def test_mislabelled(self) -> None:
        """The bytes decide, not the client's label."""
        usable = media.usable_image(Image("image/png", text(HEADS["jpeg"])))
        self.assertEqual(usable[0], "jpeg")

    def test_spelling_of_base64(self) -> None:
        """Line breaks, the URL-safe alphabet and missing padding are mended."""
        raw = HEADS["png"] + b"\xfb\xff\xbe" * 3 + b"xxx"
        good = text(raw)
        self.assertTrue(good.endswith("=="))
        broken = good[:10] + "\r\n" + good[10:]
        for spelling in (
            broken,
            good.replace("+", "-").replace("/", "_"),
            good.rstrip("="),
            good[:-1],
        ):
            self.assertEqual(media.usable_image(Image("image/png", spelling)), ("png", good))

    def test_bad_base64(self) -> None:
        """What is not base64 is said to be so."""
        for data in ("", "=", "data:image/png;base64,AAAA", "AAAA!", "AA=A", "AAAAA", "A==="):
            reason = media.usable_image(Image("image/png", data))
            self.assertEqual(reason, "its data is not valid base64", data)

    def test_unknown_format(self) -> None:
        """A bitmap is refused with the formats that would do."""
        reason = media.usable_image(Image("image/bmp", text(b"BM" + bytes(30))))
        self.assertEqual(reason, "it is not a PNG, JPEG, GIF or WebP image")

    def test_size(self) -> None:
        """The limit counts decoded bytes, and is inclusive."""
        data = HEADS["png"].ljust(media.MODEL_BYTES, b"\0")
        self.assertIsInstance(media.usable_image(Image("image/png", text(data))), tuple)
        reason = media.usable_image(Image("image/png", text(data + b"\0")))
        self.assertEqual(reason, "it has 10,000,001 bytes, more than the 10,000,000 allowed")
