# -*- test-case-name: tests.media.test_probe -*-
"""Kind and size of an image from its first bytes, so that most images need no decoding.

Works on base64 text, of which only the beginning is decoded. Must not know limits.
"""

import binascii
from typing import Final, NamedTuple

_HEAD: Final = 64
_STEPS: Final = (1024, 16 * 1024, 512 * 1024)
"""Characters: before a JPEG's size stand its metadata, which may hold a small picture."""
_URL_SAFE: Final = str.maketrans("-_", "+/")
_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\0\0\1\0", "ico"),
    (b"\0\0\0\x0cjP  ", "jp2"),
)
_BRANDS: Final = dict.fromkeys((b"avif", b"avis"), "avif") | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"mif1", b"msf1"), "heic"
)

# Start-of-frame markers: all of C0..CF but the tables among them.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE: Final = frozenset(range(0xD0, 0xD9)) | {0x01}


class Probe(NamedTuple):
    """What was seen; ``side`` is the longer one in pixels, 0 where it is not known."""

    kind: str
    side: int


def kind_of(head: bytes) -> str | None:
    """The kind of image that begins so, None for anything else."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    # Two letters are a weak sign, so the size of the second header has to fit.
    if head[:2] == b"BM" and head[15:18] == b"\0\0\0" and 12 <= head[14] <= 124:
        return "bmp"
    return None


def probe(data: str) -> Probe | None:
    """Kind and size of an image in base64 text, None for what is no image."""
    head = _beginning(data, _HEAD)
    kind = kind_of(head)
    if kind is None:
        return None
    if kind != "jpeg":
        return Probe(kind, _side(kind, head))
    for characters in _STEPS:
        side = _jpeg_side(_beginning(data, characters))
        if side or characters >= len(data):
            break
    return Probe(kind, side)


def decoded_size(data: str) -> int:
    """About how many bytes some base64 text stands for."""
    return len(data) * 3 // 4


def _beginning(data: str, characters: int) -> bytes:
    """The bytes of the first characters, none where they are not base64."""
    piece = "".join(data[:characters].split()).translate(_URL_SAFE).rstrip("=")
    try:
        return binascii.a2b_base64(piece[: len(piece) // 4 * 4])
    except ValueError:
        return b""


def _side(kind: str, head: bytes) -> int:
    def number(start: int, end: int) -> int:
        return int.from_bytes(head[start:end], "little")

    if kind == "png":
        return max(int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))
    if kind == "gif":
        return max(number(6, 8), number(8, 10))
    if kind == "webp":
        match head[12:16]:
            case b"VP8 ":
                return max(number(26, 28) & 0x3FFF, number(28, 30) & 0x3FFF)
            case b"VP8L":
                bits = number(21, 25)
                return max(bits & 0x3FFF, bits >> 14 & 0x3FFF) + 1
            case b"VP8X":
                return max(number(24, 27), number(27, 30)) + 1
    return 0


def _jpeg_side(data: bytes) -> int:
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return 0
        marker = data[position + 1]
        if marker == 0xFF or marker in _ALONE:
            position += 1 if marker == 0xFF else 2
        elif marker in _FRAMES:
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            return max(height, int.from_bytes(data[position + 7 : position + 9], "big"))
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return 0
