"""Settings while the service runs."""

from playwright.sync_api import expect

from tests.console.house import House
from tests.console.visitor import Visitor

NAME = "ping_seconds"


def stored(house: House, name: str) -> object:
    """A setting's value and source, as the API tells them."""
    [found] = [s for s in house.admin("/api/settings")["settings"] if s["name"] == name]
    return found["value"], found["source"]


def test_change_and_reset(admin: Visitor, house: House) -> None:
    """Changed at once, told at the field if wrong, and put back."""
    before = stored(house, NAME)
    admin.go("settings")
    form = admin.page.locator(f"[data-setting={NAME}]")
    field = admin.field(NAME, form)
    expect(admin.button("Save", form)).to_be_disabled()
    field.fill("soon")
    admin.trouble.expect(400, "/api/settings")
    admin.press("Save", form)
    expect(form.get_by_role("alert")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("45")
    admin.press("Save", form)
    admin.told(f"{NAME} was saved.")
    expect(form.locator(".badge")).to_have_text("set here")
    assert stored(house, NAME) == (45, "stored")
    admin.press("Back to the default", form)
    admin.told(f"{NAME} was saved.")
    expect(form.locator(".badge")).to_have_text("default")
    assert stored(house, NAME) == before


def test_what_cannot_change(admin: Visitor) -> None:
    """Fixed settings say where they come from, and of secrets only that there is one."""
    admin.go("settings")
    row = admin.row("client_token")
    expect(row).to_contain_text("environment")
    expect(row).to_contain_text("given")
    assert "a-client-key" not in admin.page.content()
