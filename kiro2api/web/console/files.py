# -*- test-case-name: tests.web.console.test_files -*-
"""The console's files as HTTP sees them: type, version and what a browser may do with them.

Files are read once, when somebody first asks for one. Must not know what is in them.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from kiro2api.errors import NotFound
from kiro2api.web.site import ApiRequest

POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""What pages may load and run: nothing that is not ours, and nothing written into the page."""

SAFE_HEADERS: Final = (
    (b"Content-Security-Policy", POLICY.encode("ascii")),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
)

_TYPES: Final[Mapping[str, bytes]] = {
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
    "txt": b"text/plain; charset=utf-8",
    "webmanifest": b"application/manifest+json",
}


class File:
    """One file: its bytes, their type, and a tag that changes with them."""

    __slots__ = ("body", "etag", "type")

    def __init__(self, body: bytes, suffix: str) -> None:
        self.body = body
        self.type = _TYPES[suffix]
        self.etag = b'"' + blake2b(body, digest_size=12).hexdigest().encode("ascii") + b'"'


def _is_name(segment: str) -> bool:
    return segment.replace("-", "").replace(".", "").replace("_", "").isalnum() and not (
        segment.startswith(".")
    )


def _is_file(place: Traversable) -> bool:
    try:
        return place.is_file()
    except OSError:
        # A name that is too long for any file is an error to older Pythons.
        return False


class ConsoleFiles:
    """The folder ``static`` of this package.

    :param root: the folder; another one in tests.
    """

    def __init__(self, root: Callable[[], Traversable] | None = None) -> None:
        self._root = root or (lambda: files("kiro2api.web.console").joinpath("static"))
        self._known: dict[str, File] = {}

    def find(self, path: str) -> File:
        """The file at a path such as ``views/login.js``; raises NotFound."""
        known = self._known.get(path)
        if known is not None:
            return known
        segments = path.split("/")
        suffix = path.rpartition(".")[2]
        if suffix not in _TYPES or not all(map(_is_name, segments)):
            raise NotFound(f"there is no file {path!r}")
        place = self._root()
        for segment in segments:
            place = place.joinpath(segment)
        if not _is_file(place):
            raise NotFound(f"there is no file {path!r}")
        found = self._known[path] = File(place.read_bytes(), suffix)
        return found

    def send(self, request: ApiRequest, path: str) -> bytes:
        """Answer with a file, or with 304 to who has it already; raises NotFound."""
        file = self.find(path)
        for name, value in SAFE_HEADERS:
            request.setHeader(name, value)
        request.setHeader(b"ETag", file.etag)
        # Always asked for again, so that an upgrade shows at once; nearly always answered by 304.
        request.setHeader(b"Cache-Control", b"no-cache")
        if file.etag in (request.getHeader(b"if-none-match") or b""):
            request.setResponseCode(304)
            return b""
        request.setHeader(b"Content-Type", file.type)
        request.setHeader(b"Content-Length", b"%d" % len(file.body))
        return file.body


def wants_page(request: ApiRequest) -> bool:
    """Whether a browser asks; API clients probe the same address and expect JSON."""
    accept = request.getHeader(b"accept") or b""
    return b"text/html" in accept
