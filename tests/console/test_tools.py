"""Explain, the snippets, and the audit log."""

from playwright.sync_api import expect

from tests.console.house import House
from tests.console.visitor import Visitor


def test_explain(admin: Visitor) -> None:
    """What would be sent, for each kind of API; mistakes at the field."""
    admin.go("explain")
    body = admin.field("Request body (JSON)")
    for dialect in ("anthropic", "chat", "responses"):
        admin.field("API").select_option(dialect)
        admin.press("Insert an example")
        admin.press("Explain")
        expect(admin.page.locator("[data-payload]")).to_contain_text("conversationState")
        expect(admin.page.get_by_role("region", name="Accounts that may serve it")).to_be_visible()
    body.fill("{")
    admin.press("Explain")
    expect(body).to_have_attribute("aria-invalid", "true")
    admin.field("API").select_option("anthropic")
    body.fill('{"model": "claude-sonnet-4-5", "messages": "wrong"}')
    admin.press("Explain")
    expect(admin.page.get_by_role("alert").first).to_contain_text("messages")


def test_snippets(admin: Visitor, house: House) -> None:
    """Each tool has its lines, with this address and the chosen group."""
    admin.go("connect")
    snippet = admin.page.locator("[data-snippet]").first
    expect(snippet).to_contain_text(f"ANTHROPIC_BASE_URL={house.url}\n")
    admin.field("Account group").select_option("team")
    expect(snippet).to_contain_text(f"ANTHROPIC_BASE_URL={house.url}/team\n")
    for tool, line in (
        ("Codex", 'wire_api = "responses"'),
        ("opencode", "@ai-sdk/anthropic"),
        ("Cursor", "/team/v1"),
        ("Cline", "/team"),
        ("aider", "ANTHROPIC_API_BASE"),
        ("Python", "from anthropic import Anthropic"),
        ("curl", "/team/v1/messages"),
    ):
        admin.press(tool)
        expect(snippet).to_contain_text(line)
    admin.button("Copy").first.click()
    assert "/team/v1/messages" in admin.page.evaluate("navigator.clipboard.readText()")


def test_audit(admin: Visitor, house: House) -> None:
    """Who did what."""
    house.add("audited")
    admin.go("audit")
    row = admin.page.locator("tbody tr").first
    expect(row).to_contain_text("Added an account")
    expect(row).to_contain_text("audited")
    expect(row).to_contain_text("admin")
    assert "refresh-audited" not in admin.page.content()
