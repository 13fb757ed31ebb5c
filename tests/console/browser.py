"""A headless Chromium, and tabs that remember everything that went wrong in them.

Must not know what the console shows.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_FROM_A_RESPONSE = "Failed to load resource"
_LEFT = "net::ERR_ABORTED"


class NoBrowser(Exception):
    """There is no Chromium here; the message says what was looked for."""


def find_browser() -> str:
    """The path of a Chromium; raises NoBrowser."""
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    raise NoBrowser(f"none of {', '.join(_NAMES)} is installed")


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser for the time being; raises NoBrowser."""
    program = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Trouble:
    """What went wrong in one page: errors of scripts, refusals by the policy, failed requests.

    A refusal that a test provokes is declared by ``expect``.
    """

    def __init__(self, page: Page) -> None:
        self._expected: set[tuple[int, str]] = set()
        self._found: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._found.append(f"uncaught: {error}"))
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)

    def expect(self, status: int, path: str) -> None:
        """An answer of this status may come from this path from now on."""
        self._expected.add((status, path))

    def found(self) -> list[str]:
        """All of it, in order."""
        return list(self._found)

    def _said(self, message: ConsoleMessage) -> None:
        # What a response brought about is told by the response, which names its path.
        if message.type in ("error", "warning") and _FROM_A_RESPONSE not in message.text:
            self._found.append(f"console: {message.text}")

    def _answered(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if response.status >= 400 and (response.status, path) not in self._expected:
            self._found.append(f"{response.request.method} {path}: {response.status}")

    def _failed(self, request: Request) -> None:
        # Leaving a page ends its stream of news, and a download leaves the page it began on.
        if request.failure != _LEFT:
            self._found.append(f"{request.method} {request.url}: {request.failure}")
