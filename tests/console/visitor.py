"""Somebody who uses the console: what they look for on a page, and what they do there."""

import re
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.console.browser import Trouble

WIDE = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}


class Visitor:
    """One tab at a house. ``dark``, ``phone`` and ``language`` are what the browser says."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        cookies: Any = (),
        dark: bool = False,
        phone: bool = False,
        language: str = "en-GB",
    ) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
            locale=language,
            accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        if cookies:
            self.context.add_cookies(list(cookies))
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(8_000)
        self.trouble = Trouble(self.page)

    def leave(self) -> None:
        """Close the tab; nothing may have gone wrong in it."""
        found = self.trouble.found()
        self.context.close()
        assert found == [], found

    # ── where ────────────────────────────────────────────────────────────────

    def go(self, place: str = "") -> None:
        """Open a view by its address, such as ``accounts``; it is there afterwards."""
        self.page.goto(f"/#/{place}")
        self.settle()

    def settle(self) -> None:
        """Until the view is drawn and nothing is being loaded."""
        expect(self.page.locator("h1").first).to_be_visible()
        expect(self.page.locator(".empty[role=status]")).to_have_count(0)

    def log_in(self, key: str) -> None:
        """By the form."""
        self.field("Key").fill(key)
        self.page.get_by_role("button", name="Log in", exact=True).click()

    # ── what ─────────────────────────────────────────────────────────────────

    def title(self, text: str) -> None:
        """The heading of the page is this."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    def button(self, name: str, inside: Locator | None = None) -> Locator:
        """A button by its name."""
        return (inside or self.page).get_by_role("button", name=name, exact=True)

    def press(self, name: str, inside: Locator | None = None) -> None:
        """Press a button."""
        self.button(name, inside).click()

    def field(self, label: str, inside: Locator | None = None) -> Locator:
        """A field by its label."""
        return (inside or self.page).get_by_label(label, exact=True)

    def row(self, text: str) -> Locator:
        """The row of a table in which a text is, as its name."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_text(text, exact=True))

    @property
    def dialog(self) -> Locator:
        """The open dialog."""
        return self.page.locator("dialog[open]")

    def told(self, text: str) -> None:
        """A message in the corner says this; it is closed."""
        toast = self.page.locator(".toast").filter(has_text=re.compile(re.escape(text)))
        expect(toast.first).to_be_visible()
        toast.first.get_by_role("button").click()

    def text(self, selector: str) -> str:
        """What stands in the first such element."""
        return self.page.locator(selector).first.inner_text()
