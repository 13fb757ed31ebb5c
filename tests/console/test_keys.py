"""Everything that can be done to API keys."""

from playwright.sync_api import expect

from tests.console.house import House
from tests.console.visitor import Visitor


def test_key(admin: Visitor, house: House) -> None:
    """Created and shown once, copied, used, edited, switched off, deleted."""
    admin.go("keys")
    admin.press("New key")
    admin.field("Name", admin.dialog).fill("laptop")
    admin.field("team", admin.dialog).check()
    admin.field("Credits per day", admin.dialog).fill("2.5")
    admin.press("Create", admin.dialog)
    key = admin.dialog.locator("[data-once]").inner_text()
    admin.press("Copy", admin.dialog)
    expect(admin.button("Copied", admin.dialog)).to_be_visible()
    assert admin.page.evaluate("navigator.clipboard.readText()") == key
    admin.press("Done", admin.dialog)
    row = admin.row("laptop")
    expect(row).to_contain_text(key[-4:])
    assert key not in admin.page.content()
    assert house.ask("Who am I?", key=key, group="team") == 200
    assert house.ask("Not my group.", key=key) == 403

    admin.press("Edit key laptop")
    admin.field("Models", admin.dialog).fill("claude haiku, wrong\u0007")
    admin.field("Name", admin.dialog).fill("admin")
    [made] = [each for each in house.admin("/api/keys")["items"] if each["name"] == "laptop"]
    admin.trouble.expect(400, f"/api/keys/{made['id']}")
    admin.press("Save", admin.dialog)
    expect(admin.field("Name", admin.dialog)).to_have_attribute("aria-invalid", "true")
    admin.field("Name", admin.dialog).fill("notebook")
    admin.field("Models", admin.dialog).fill("claude-haiku-*")
    admin.press("Save", admin.dialog)
    admin.told("Key notebook was saved.")
    expect(admin.row("notebook")).to_contain_text("claude-haiku-*")
    assert house.ask("Wrong model.", key=key, group="team") == 403

    admin.press("Disable key notebook")
    expect(admin.row("notebook")).to_contain_text("Disabled")
    assert house.ask("Am I still there?", key=key, group="team") == 401
    admin.press("Enable key notebook")
    expect(admin.row("notebook")).to_contain_text("Active")
    admin.press("Delete key notebook")
    admin.press("Delete", admin.dialog)
    admin.told("Key notebook was deleted.")
    expect(admin.row("notebook")).to_have_count(0)
    assert house.ask("And now?", key=key, group="team") == 401


def test_configured_keys_stay(admin: Visitor) -> None:
    """They are shown, without anything to press."""
    admin.go("keys")
    row = admin.row("admin")
    expect(row).to_contain_text("From the configuration")
    expect(row.get_by_role("button")).to_have_count(0)
