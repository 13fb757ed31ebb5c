"""Every view in both colours, on a phone, in Chinese: readable, and nothing in the way."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.console.axe import findings
from tests.console.house import House
from tests.console.visitor import Visitor

Visit = Callable[..., Visitor]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def places(house: House) -> Iterator[str]:
    """The address of each view, with something to be seen on it."""
    yield from ("dashboard", "accounts", "groups", "keys", "requests", "explain")
    yield from ("settings", "connect", "audit")
    yield f"accounts/{house.account('ada')['id']}"
    yield f"requests/{house.admin('/api/requests')['items'][0]['request_id']}"


@pytest.fixture
def used(house: House) -> House:
    """A house in which something has happened."""
    assert house.ask("Something happens.") == 200
    house.stored()
    return house


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_accessible(visit: Visit, cookies: Any, used: House, axe: str, dark: bool) -> None:
    """axe-core finds nothing serious: contrast, names, roles, structure."""
    visitor = visit(cookies=cookies, dark=dark)
    found = {}
    for place in places(used):
        visitor.go(place)
        if place == "explain":
            visitor.press("Insert an example")
            visitor.press("Explain")
            expect(visitor.page.locator("[data-payload]")).to_be_visible()
        found[place] = findings(visitor.page, axe)
    visitor.go("accounts")
    for way in ("Log in", "One token", "Many (JSON)"):
        visitor.press("Add account")
        visitor.press(way, visitor.dialog)
        found[way] = findings(visitor.page, axe)
        visitor.page.keyboard.press("Escape")
    visitor.go("keys")
    visitor.press("New key")
    found["New key"] = findings(visitor.page, axe)
    assert {place: wrong for place, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_login_is_accessible(visit: Visit, axe: str, dark: bool) -> None:
    """The first page, too."""
    visitor = visit(dark=dark)
    visitor.go()
    assert findings(visitor.page, axe) == []


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_phone(visit: Visit, cookies: Any, used: House, language: str) -> None:
    """Nothing is wider than a phone, and the menu opens and closes."""
    visitor = visit(cookies=cookies, phone=True, language=language)
    page = visitor.page
    wide = {}
    for place in places(used):
        visitor.go(place)
        if place == "explain":
            page.locator("form button[type=button]").click()
            page.locator("form button[type=submit]").click()
            expect(page.locator("[data-payload]")).to_be_visible()
        wide[place] = page.evaluate("document.documentElement.scrollWidth")
    assert {place: width for place, width in wide.items() if width > 390} == {}
    side = page.locator("#side")
    expect(side).to_be_hidden()
    page.locator(".topbar button").click()
    expect(side).to_be_visible()
    side.locator('a[href="#/groups"]').click()
    expect(side).to_be_hidden()
    visitor.settle()
    assert "#/groups" in page.url


def test_chinese(visit: Visit, cookies: Any, used: House) -> None:
    """Every heading, button and column is in Chinese."""
    visitor = visit(cookies=cookies, language="zh-CN")
    left = {}
    for place in places(used):
        visitor.go(place)
        texts = visitor.page.locator(
            "main h1, main h2:not([data-group] h2), main th"
        ).all_inner_texts()
        names = {"ada", "team", "default", "Claude Code", "ID", "#", "API", "Token"}
        left[place] = [
            text for text in texts if text and text not in names and not CHINESE.search(text)
        ]
    assert {place: texts for place, texts in left.items() if texts} == {}
