"""Who is let in, and what they see."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.console.house import ADMIN, CLIENT, House
from tests.console.visitor import Visitor

Visit = Callable[..., Visitor]


def test_admin_logs_in_and_out(visit: Visit) -> None:
    """The key opens the console, is kept nowhere that a script sees, and logging out ends it."""
    visitor = visit()
    visitor.go()
    visitor.log_in(ADMIN)
    visitor.title("Dashboard")
    kept = visitor.page.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")
    assert ADMIN not in kept
    assert "kiro2api_session" not in kept
    [cookie] = visitor.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    visitor.page.reload()
    visitor.title("Dashboard")
    # What the page had asked for a moment before may be answered after the session's end.
    for path in ("stats", "live", "events", "tokens", "groups", "requests", "captures"):
        visitor.trouble.expect(401, f"/api/{path}")
    visitor.press("Log out")
    expect(visitor.field("Key")).to_be_visible()
    assert visitor.context.cookies() == []
    visitor.page.reload()
    expect(visitor.field("Key")).to_be_visible()


def test_wrong_key(visit: Visit) -> None:
    """A wrong key is told so at the field."""
    visitor = visit()
    visitor.go()
    visitor.trouble.expect(401, "/api/session")
    visitor.log_in("not-a-key")
    expect(visitor.page.get_by_role("alert")).to_have_text("This key is not known here.")
    expect(visitor.field("Key")).to_have_attribute("aria-invalid", "true")


def test_client_sees_only_its_own(visit: Visit, house: House) -> None:
    """A client's key opens its usage and the snippets, whatever address is asked for."""
    assert house.ask("Hello from the client.") == 200
    house.stored()
    visitor = visit()
    visitor.go()
    visitor.log_in(CLIENT)
    visitor.title("Usage")
    names = visitor.page.get_by_role("navigation", name="Main").get_by_role("link")
    expect(names).to_have_text(["Usage", "Connect"])
    visitor.go("accounts")
    visitor.title("Usage")
    visitor.page.get_by_role("button", name="7 days").click()
    expect(visitor.page.locator(".stat .value").first).to_have_text(re.compile(r"\d"))
    expect(visitor.page.locator("canvas")).to_be_visible()
    # The table of the chart's numbers is for screen readers: it must not make the page longer.
    assert visitor.page.evaluate("document.documentElement.scrollHeight") < 1200
    visitor.go("connect")
    expect(visitor.page.locator("[data-snippet]").first).to_contain_text("ANTHROPIC_BASE_URL")


def test_keyboard_only(visit: Visit) -> None:
    """Logging in, a view, and a dialog, without a mouse."""
    visitor = visit()
    visitor.go()
    page = visitor.page
    expect(visitor.field("Key")).to_be_focused()
    page.keyboard.type(ADMIN)
    page.keyboard.press("Enter")
    visitor.title("Dashboard")
    expect(page.locator("#main")).to_be_focused()
    page.get_by_role("link", name="kiro2api").first.focus()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.get_by_role("link", name="Groups").focus()
    page.keyboard.press("Enter")
    visitor.title("Groups")
    visitor.button("New group").focus()
    page.keyboard.press("Enter")
    expect(visitor.dialog).to_be_visible()
    visitor.field("Name", visitor.dialog).focus()
    page.keyboard.type("api")
    page.keyboard.press("Enter")
    visitor.trouble.expect(400, "/api/groups")
    expect(visitor.field("Name", visitor.dialog)).to_have_attribute("aria-invalid", "true")
    expect(visitor.field("Name", visitor.dialog)).to_be_focused()
    page.keyboard.press("Escape")
    expect(visitor.dialog).to_have_count(0)
    expect(visitor.button("New group")).to_be_focused()


def test_language_of_the_browser_and_by_choice(visit: Visit, cookies: Any) -> None:
    """Chinese for a Chinese browser; the choice of another one is remembered."""
    visitor = visit(cookies=cookies, language="zh-CN")
    visitor.go()
    visitor.title("概览")
    assert visitor.page.evaluate("document.documentElement.lang") == "zh-CN"
    visitor.page.get_by_role("button", name="English").click()
    visitor.title("Dashboard")
    visitor.page.reload()
    visitor.title("Dashboard")
    assert visitor.page.evaluate("document.documentElement.lang") == "en"


def test_colours(visit: Visit, cookies: Any) -> None:
    """As the system wishes, until somebody chooses otherwise."""
    visitor = visit(cookies=cookies, dark=True)
    visitor.go()
    root = visitor.page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    visitor.press("Light colours")
    expect(root).to_have_attribute("data-theme", "light")
    visitor.page.reload()
    visitor.settle()
    expect(root).to_have_attribute("data-theme", "light")


def test_session_that_ended_elsewhere(visit: Visit, house: House) -> None:
    """Deleting a key ends its sessions: the page goes back to the login."""
    made = house.admin("/api/keys", {"name": "short-lived", "role": "admin"})
    visitor = visit()
    visitor.go()
    visitor.log_in(made["key"])
    visitor.title("Dashboard")
    for path in ("/api/groups", "/api/events", "/api/stats", "/api/live"):
        visitor.trouble.expect(401, path)
    house.admin(f"/api/keys/{made['id']}", method="DELETE")
    # Whichever call comes next is refused; news may have caused one already.
    visitor.page.goto("/#/groups")
    expect(visitor.field("Key")).to_be_visible()
