"""Everything that can be done to groups."""

from playwright.sync_api import expect

from tests.console.house import House
from tests.console.visitor import Visitor


def test_group(admin: Visitor, house: House) -> None:
    """Created, edited, renamed, deleted; its accounts follow."""
    admin.go("groups")
    admin.press("New group")
    admin.field("Name", admin.dialog).fill("night")
    admin.field("Shown as", admin.dialog).fill("Night shift")
    admin.field("Order of choice", admin.dialog).select_option("least_used")
    admin.press("Save", admin.dialog)
    admin.told("Group night was created.")
    card = admin.page.locator("[data-group=night]")
    expect(card).to_contain_text("Night shift")
    expect(card).to_contain_text("/night/v1")
    house.add("owl", "night")

    admin.press("Edit", card)
    admin.field("Requests at once", admin.dialog).fill("-1")
    admin.field("Rest when throttled", admin.dialog).fill("99999999")
    admin.trouble.expect(400, "/api/groups/night")
    admin.dialog.locator("form").evaluate("form => { form.noValidate = true; }")
    admin.press("Save", admin.dialog)
    expect(admin.dialog.locator("[aria-invalid=true]")).to_have_count(1)
    admin.field("Requests at once", admin.dialog).fill("4")
    admin.field("Rest when throttled", admin.dialog).fill("12.5")
    admin.press("Save", admin.dialog)
    admin.told("Group night was saved.")
    expect(card).to_contain_text("12.5 s")
    expect(card).to_contain_text("1 of 1 accounts ready")

    admin.press("Rename", card)
    admin.field("Name", admin.dialog).fill("late")
    admin.press("Save", admin.dialog)
    admin.told("Group late was saved.")
    assert house.account("owl")["group"] == "late"

    admin.press("Delete", admin.page.locator("[data-group=late]"))
    expect(admin.dialog).to_contain_text("1 accounts move to the default group")
    admin.press("Delete", admin.dialog)
    admin.told("Group late was deleted.")
    expect(admin.page.locator("[data-group=late]")).to_have_count(0)
    assert house.account("owl")["group"] == "default"


def test_default_group_stays(admin: Visitor) -> None:
    """It can be edited, and neither renamed nor deleted."""
    admin.go("groups")
    card = admin.page.locator("[data-group=default]")
    expect(admin.button("Edit", card)).to_be_visible()
    expect(card.get_by_role("button")).to_have_count(1)


def test_name_that_is_taken(admin: Visitor) -> None:
    """Told at the field."""
    admin.go("groups")
    admin.press("New group")
    admin.field("Name", admin.dialog).fill("team")
    for status in (400, 409):
        admin.trouble.expect(status, "/api/groups")
    admin.press("Save", admin.dialog)
    expect(admin.field("Name", admin.dialog)).to_have_attribute("aria-invalid", "true")
