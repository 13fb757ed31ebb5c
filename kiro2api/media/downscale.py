# -*- test-case-name: tests.media.test_downscale -*-
"""Images to a size and a format that are of use, with Pillow.

Only what exceeds a limit is touched. Pillow is imported with the first such image. Must not know
who attached it.

Wire: gif, jpeg, png and webp are taken; metadata (place, camera) is not sent on with what is
written anew.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from kiro2api.media.limits import IMAGE_PIXELS, Halted, Limits, Unreadable, go_on

_TAKEN: Final = {"PNG": "png", "JPEG": "jpeg", "GIF": "gif", "WEBP": "webp"}
# Named, because others of Pillow's readers start programs or read vector formats.
_READ: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "AVIF", "JPEG2000")
_QUALITIES: Final = (90, 80, 65)
_SHRINK: Final = 0.7
_SHRINKS: Final = 10


def fitted(data: bytes, limits: Limits, halted: Halted) -> tuple[str, bytes] | None:
    """(format, file) of an image within the limits, the same file where it was within them.

    None: it is not an image that can be read here.

    :raises Unreadable: it is one, but broken or too large to be decoded.
    """
    from PIL import Image, ImageOps

    try:
        image: Any = Image.open(BytesIO(data), formats=_READ)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable("it has too many pixels") from None
    except (Exception, RecursionError):  # noqa: BLE001 - a parser at hostile input
        return None
    with image:
        kind = _TAKEN.get(image.format)
        side = limits.side
        small = max(image.size) <= side
        if small and kind is not None and len(data) <= limits.image_bytes:
            return kind, data
        go_on(halted)
        # Only JPEG can be decoded at a fraction of its size.
        image.draft(None, (side, side))
        if image.width * image.height > IMAGE_PIXELS:
            raise Unreadable(f"it has too many pixels ({image.width:,} x {image.height:,})")
        try:
            image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
            plain = _plain(ImageOps.exif_transpose(image))
        except (Exception, RecursionError):  # noqa: BLE001 - a parser at hostile input
            raise Unreadable("its data is damaged") from None
        photo = image.format in ("JPEG", "AVIF", "JPEG2000")
    go_on(halted)
    for shape in _smaller(plain):
        go_on(halted)
        for name, file in _written(shape, photo):
            if len(file) <= limits.image_bytes:
                return name, file
    raise Unreadable("it cannot be made small enough")


def _plain(image: Any) -> Any:
    """The image in one of the modes that every format here can hold."""
    if image.mode in ("RGB", "RGBA", "L"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I"):
        # Sixteen bits: converting as it is would cut off everything beyond eight.
        return image.point(lambda value: value / 256).convert("L")
    transparent = image.mode in ("LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _smaller(image: Any) -> Iterator[Any]:
    """The image, then ever smaller ones."""
    yield image
    for _ in range(_SHRINKS):
        image = image.resize([max(1, round(length * _SHRINK)) for length in image.size])
        yield image


def _written(image: Any, photo: bool) -> Iterator[tuple[str, bytes]]:
    """The image as files, the best first."""
    opaque = image.mode != "RGBA" or image.getextrema()[3][0] == 255
    if not (photo and opaque):
        yield "png", _file(image, "PNG")
    if opaque:
        flat = image if image.mode != "RGBA" else image.convert("RGB")
        for quality in _QUALITIES:
            yield "jpeg", _file(flat, "JPEG", quality=quality)
    else:
        for quality in _QUALITIES:
            yield "webp", _file(image, "WEBP", quality=quality)


def _file(image: Any, name: str, **options: Any) -> bytes:
    out = BytesIO()
    # A copy has no metadata to be written.
    image.info = {}
    image.save(out, name, **options)
    return out.getvalue()
