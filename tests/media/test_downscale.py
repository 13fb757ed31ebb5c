"""Images within limits."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image as Pillow
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.media.downscale import fitted
from kiro2api.media.limits import Halt, Limits, Unreadable
from tests.media.files import noise, picture, unwanted, wanted, written

LIMITS = Limits(side=200, image_bytes=100_000)


class Seen:
    """An image that came out."""

    def __init__(self, kind: str, data: bytes) -> None:
        self.kind = kind
        self.bytes = len(data)
        with Pillow.open(BytesIO(data)) as image:
            image.load()
            self.image: Any = image
        assert image.format == {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}[kind]


class DownscaleTests(SynchronousTestCase):
    """Sizes and formats."""

    def shrunk(self, data: bytes, limits: Limits = LIMITS) -> Seen:
        """What becomes of an image that is not within the limits."""
        found = fitted(data, limits, wanted)
        assert found is not None and found[1] is not data
        seen = Seen(*found)
        self.assertLessEqual(max(seen.image.size), limits.side)
        self.assertLessEqual(seen.bytes, limits.image_bytes)
        return seen

    def test_within(self) -> None:
        """What fits is not written anew."""
        for kind in ("PNG", "JPEG", "GIF", "WEBP"):
            data = picture(200, 100, kind)
            self.assertEqual(fitted(data, LIMITS, wanted), (kind.lower(), data))
            self.assertIs(fitted(data, LIMITS, wanted)[1], data)  # type: ignore[index]

    def test_sides(self) -> None:
        """The longer side fits, the shape stays."""
        for size, expected in (
            ((400, 200), (200, 100)),
            ((300, 900), (67, 200)),
            ((5000, 1), (200, 1)),
        ):
            self.assertEqual(self.shrunk(picture(*size)).image.size, expected)

    def test_photo_stays_a_photo(self) -> None:
        """JPEG is written as JPEG, drawings as PNG."""
        self.assertEqual(self.shrunk(noise(400, 300, "JPEG")).kind, "jpeg")
        self.assertEqual(self.shrunk(picture(400, 300)).kind, "png")
        self.assertEqual(self.shrunk(picture(400, 300, "GIF", mode="P")).kind, "png")

    def test_bytes(self) -> None:
        """What is large in bytes only is compressed, then made smaller."""
        limits = Limits(side=200, image_bytes=30_000)
        data = noise(200, 200)
        self.assertGreater(len(data), 30_000)
        seen = self.shrunk(data, limits)
        self.assertEqual((seen.kind, seen.image.size), ("jpeg", (200, 200)))
        tiny = self.shrunk(data, Limits(side=200, image_bytes=2_000))
        self.assertLess(tiny.image.width, 200)
        see_through = noise(200, 200, mode="RGBA")
        self.assertEqual(self.shrunk(see_through, limits).kind, "webp")

    def test_hopeless(self) -> None:
        """There is an end to it."""
        error = self.assertRaises(
            Unreadable, fitted, noise(300, 300), Limits(side=200, image_bytes=10), wanted
        )
        self.assertEqual(error.reason, "it cannot be made small enough")

    def test_other_kinds(self) -> None:
        """Kinds that are not taken become ones that are, however small."""
        for kind, expected in (("BMP", "png"), ("TIFF", "png"), ("ICO", "png"), ("AVIF", "jpeg"),
                               ("JPEG2000", "jpeg")):  # fmt: skip
            seen = self.shrunk(picture(48, 32, kind, color="red"))
            self.assertEqual(seen.kind, expected, kind)
            r, g, b = seen.image.convert("RGB").getpixel((20, 10))
            self.assertTrue(r > 240 and g < 15 and b < 15, kind)

    def test_modes(self) -> None:
        """Every way to keep pixels, with and without transparency."""
        for mode, out in (("1", "L"), ("L", "L"), ("P", "RGB"), ("LA", "RGBA"), ("RGBA", "RGBA")):
            self.assertEqual(self.shrunk(picture(400, 300, mode=mode)).image.mode, out, mode)
        palette = Pillow.new("P", (400, 300))
        palette.putpalette([255, 0, 0, 0, 255, 0])
        self.assertEqual(self.shrunk(written(palette, "PNG", transparency=0)).image.mode, "RGBA")
        cmyk = self.shrunk(picture(400, 300, "JPEG", mode="CMYK"))
        self.assertEqual((cmyk.kind, cmyk.image.mode), ("jpeg", "RGB"))

    def test_sixteen_bits(self) -> None:
        """Grey of sixteen bits keeps its brightness."""
        seen = self.shrunk(picture(400, 300, mode="I;16", color=32768))
        self.assertAlmostEqual(seen.image.getpixel((5, 5)), 128, delta=2)

    def test_orientation(self) -> None:
        """A camera's note on how to turn the image is heeded, and no metadata is passed on."""
        exif = Pillow.Exif()
        exif[0x0112] = 6
        exif[0x010F] = "Maker"
        image = Pillow.new("RGB", (400, 200), "red")
        image.paste("blue", (0, 0, 200, 200))
        seen = self.shrunk(written(image, "JPEG", exif=exif))
        self.assertEqual(seen.image.size, (100, 200))
        # The left half comes to stand above.
        self.assertGreater(seen.image.getpixel((50, 20))[2], 200)
        self.assertGreater(seen.image.getpixel((50, 180))[0], 200)
        self.assertEqual(dict(seen.image.getexif()), {})

    def test_no_image(self) -> None:
        """What Pillow does not know is left to others, vector formats and programs not tried."""
        for data in (
            b"",
            b"hello",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            b"<svg/>",
        ):
            self.assertIsNone(fitted(data, LIMITS, wanted), data)

    def test_damaged(self) -> None:
        """An image that is cut off."""
        data = noise(300, 300)
        error = self.assertRaises(Unreadable, fitted, data[: len(data) // 2], LIMITS, wanted)
        self.assertEqual(error.reason, "its data is damaged")

    def test_bombs(self) -> None:
        """A small file of very many pixels is refused before they are unpacked."""
        for side in (9_000, 60_000):
            error = self.assertRaises(Unreadable, fitted, huge_png(side), LIMITS, wanted)
            self.assertIn("too many pixels", error.reason)

    def test_large_photo(self) -> None:
        """A JPEG of more pixels than that is decoded at a fraction of its size."""
        data = picture(8100, 8000, "JPEG", mode="L")
        self.assertEqual(self.shrunk(data).image.width, 200)

    def test_halt(self) -> None:
        """Work that nobody waits for stops."""
        self.assertRaises(Halt, fitted, picture(400, 300), LIMITS, unwanted)


def huge_png(side: int) -> bytes:
    """A PNG that says it is huge, and has little in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
