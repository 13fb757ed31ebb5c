"""Everything that can be done to accounts."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.console.house import House
from tests.console.visitor import Visitor


def test_list(admin: Visitor) -> None:
    """Searched, filtered by group and state, sorted; the choice is in the address."""
    admin.go("accounts")
    expect(admin.row("ada")).to_contain_text("Ready")
    admin.field("Search").fill("grace")
    admin.press("Search")
    expect(admin.page.get_by_role("row")).to_have_count(2)
    admin.go("accounts")
    admin.field("Group").select_option("team")
    expect(admin.row("margaret")).to_be_visible()
    expect(admin.row("ada")).to_have_count(0)
    admin.field("State").select_option("suspended")
    expect(admin.page.get_by_text("No account matches")).to_be_visible()
    admin.page.reload()
    expect(admin.page.get_by_text("No account matches")).to_be_visible()
    admin.go("accounts?q=example.com")
    admin.go("accounts")
    for title in ("Name", "Group", "State", "Credits", "In flight", "Last used"):
        admin.button(title).click()
        expect(admin.page.get_by_role("columnheader", name=title)).to_have_attribute(
            "aria-sort", "ascending"
        )
    admin.press("Name")
    names = admin.page.locator("td.lead strong")
    expect(names.first).to_have_text("ada")
    admin.press("Name")
    expect(names.first).not_to_have_text("ada")
    admin.page.keyboard.press("Enter")
    expect(names.first).to_have_text("ada")
    expect(admin.button("Name")).to_be_focused()


def test_add_one_token(admin: Visitor, house: House) -> None:
    """A pasted refresh token becomes an account; the same one again is told at the form."""
    house.emulate("pasted")
    admin.go("accounts")
    for _ in range(2):
        admin.press("Add account")
        admin.press("One token")
        admin.field("Refresh token", admin.dialog).fill("refresh-pasted")
        admin.field("Name", admin.dialog).fill("pasted")
        admin.field("Group", admin.dialog).select_option("team")
        admin.press("Add", admin.dialog)
        admin.trouble.expect(409, "/api/tokens")
        if _ == 0:
            admin.told("pasted was added.")
    expect(admin.dialog.locator(".note.bad")).to_be_visible()
    admin.press("Cancel", admin.dialog)
    assert house.account("pasted")["group"] == "team"


def test_add_many(admin: Visitor, house: House) -> None:
    """JSON is read; what cannot be used is told one by one, and what is no JSON at the field."""
    house.emulate("bulk-1")
    house.emulate("bulk-2")
    admin.go("accounts")
    admin.press("Add account")
    admin.press("Many (JSON)")
    text = admin.field("Accounts as JSON", admin.dialog)
    text.fill("no json")
    admin.press("Add", admin.dialog)
    expect(admin.dialog.get_by_role("alert")).to_contain_text("not JSON")
    entries = [
        {"auth": "Social", "refreshToken": "refresh-bulk-1", "name": "bulk-1"},
        {"auth": "Social", "refreshToken": "refresh-bulk-2", "name": "bulk-2"},
        {"auth": "Social", "name": "without a token"},
    ]
    text.fill(json.dumps(entries))
    admin.press("Add", admin.dialog)
    expect(admin.dialog.locator(".note.warn")).to_contain_text("2 added")
    expect(admin.dialog.locator(".note.warn li")).to_have_count(1)
    admin.press("Close", admin.dialog)
    expect(admin.row("bulk-2")).to_be_visible()


def test_device_login(admin: Visitor, house: House) -> None:
    """The code is shown; once somebody has approved it, the account is there."""
    house.decide("hold")
    admin.go("accounts")
    admin.press("Add account")
    admin.field("Name", admin.dialog).fill("by-device")
    admin.press("Begin", admin.dialog)
    code = admin.dialog.locator("strong.mono")
    expect(code).to_have_text(re.compile(r"[0-9A-F]{4}-[0-9A-F]{4}"))
    expect(admin.dialog.get_by_role("link")).to_have_attribute(
        "href", re.compile(rf"user_code={code.inner_text()}")
    )
    house.decide("approve")
    expect(admin.dialog.locator("[data-login=done]")).to_be_visible(timeout=15_000)
    house.decide("auto")
    admin.press("Close", admin.dialog)
    expect(admin.row("by-device")).to_be_visible()


def test_device_login_declined_and_cancelled(admin: Visitor, house: House) -> None:
    """One that was declined says so; one that is cancelled begins anew."""
    house.decide("hold")
    admin.go("accounts")
    admin.press("Add account")
    admin.field("Kind of login", admin.dialog).select_option("idc")
    admin.field("Start URL", admin.dialog).fill("https://example.awsapps.com/start")
    admin.press("Begin", admin.dialog)
    expect(admin.dialog.locator("strong.mono")).to_be_visible()
    admin.press("Cancel", admin.dialog)
    admin.field("Kind of login", admin.dialog).select_option("social")
    house.decide("deny")
    admin.press("Begin", admin.dialog)
    expect(admin.dialog.locator("[data-login=failed] .note")).to_be_visible(timeout=15_000)
    house.decide("auto")


def test_edit_and_move(admin: Visitor, house: House) -> None:
    """All that can be changed of an account; a wrong value is told at its field."""
    made = house.add("to-edit")
    admin.go(f"accounts/{made['id']}")
    admin.title("to-edit")
    admin.press("Edit")
    admin.field("Requests at once", admin.dialog).fill("99999999")
    admin.trouble.expect(400, f"/api/tokens/{made['id']}")
    admin.press("Save", admin.dialog)
    expect(admin.field("Requests at once", admin.dialog)).to_have_attribute("aria-invalid", "true")
    admin.field("Requests at once", admin.dialog).fill("3")
    admin.field("Name", admin.dialog).fill("edited")
    admin.field("Group", admin.dialog).select_option("team")
    admin.field("May be used", admin.dialog).uncheck()
    admin.press("Save", admin.dialog)
    admin.told("edited was saved.")
    admin.title("edited")
    found = house.account("edited")
    assert (found["group"], found["max_in_flight"], found["enabled"]) == ("team", 3, False)


def test_one_account(admin: Visitor, house: House) -> None:
    """Test, refresh, read credits, switch off and on, ask again."""
    made = house.add("patient")
    admin.go(f"accounts/{made['id']}")
    admin.press("Test")
    admin.told("patient works")
    admin.press("Refresh token")
    admin.told("patient has a fresh token.")
    admin.press("Read credits")
    admin.told("The credits of patient were read.")
    expect(admin.page.get_by_text("1,000 / 1,000")).to_be_visible()
    admin.press("Disable")
    admin.told("patient was disabled.")
    expect(admin.page.locator(".badge", has_text="Disabled")).to_be_visible()
    admin.press("Enable")
    admin.told("patient was enabled.")
    expect(admin.page.locator(".badge", has_text="Ready")).to_be_visible()


def test_ask_again(admin: Visitor, house: House) -> None:
    """An account whose login is refused is told so as it happens, and can be asked again."""
    house.admin("/api/groups", {"name": "parking"})
    made = house.add("parked", "parking")
    admin.go("accounts?group=parking")
    expect(admin.row("parked")).to_contain_text("Ready")
    house.emulator.script(
        {
            "path": "/refreshToken",
            "account": "parked",
            "status": 401,
            "error": "InvalidGrantException",
            "body": '{"error":"invalid_grant"}',
        }
    )
    admin.trouble.expect(502, f"/api/tokens/{made['id']}/refresh")
    for status in (400, 401, 403, 503):
        admin.trouble.expect(status, f"/api/tokens/{made['id']}/refresh")
    admin.press("Refresh the token of parked")
    expect(admin.row("parked")).to_contain_text("Needs a login")
    expect(admin.page.locator(".toast.bad")).to_be_visible()
    admin.press("Ask parked again")
    admin.told("parked is asked again.")
    expect(admin.row("parked")).to_contain_text("Ready")


def test_log_in_again(admin: Visitor, house: House) -> None:
    """A refused account is offered a new login and keeps its place."""
    house.admin("/api/groups", {"name": "renewing"})
    made = house.add("renewed", "renewing")
    house.emulator.script(
        {"path": "/refreshToken", "account": "renewed", "status": 401, "times": 9}
    )
    try:
        house.admin(f"/api/tokens/{made['id']}/refresh", {})
    except RuntimeError:
        pass
    admin.go(f"accounts/{made['id']}")
    admin.press("Log in again")
    admin.press("Begin", admin.dialog)
    expect(admin.dialog.locator("[data-login=done]")).to_be_visible(timeout=15_000)
    admin.press("Close", admin.dialog)
    expect(admin.page.locator(".badge", has_text="Ready")).to_be_visible()
    assert house.account("renewed")["group"] == "renewing"


def test_refresh_all(admin: Visitor, house: House) -> None:
    """With its progress; who fails is named."""
    house.admin("/api/groups", {"name": "batch"})
    for name in ("batch-1", "batch-2", "batch-3"):
        house.add(name, "batch")
    house.emulator.script(
        {"path": "/refreshToken", "account": "batch-2", "status": 401, "times": 9}
    )
    admin.go("accounts")
    admin.press("Refresh all")
    admin.field("Group", admin.dialog).select_option("batch")
    admin.press("Refresh", admin.dialog)
    expect(admin.dialog.locator("[data-job=finished]")).to_contain_text("3 of 3 done, 1 failed")
    expect(admin.dialog.locator("li")).to_contain_text("batch-2")
    admin.dialog.locator("footer button").click()
    expect(admin.dialog).to_have_count(0)


def test_delete(admin: Visitor, house: House) -> None:
    """Only after a question; what is configured stays."""
    made = house.add("to-delete")
    admin.go(f"accounts/{made['id']}")
    admin.press("Delete")
    admin.press("Cancel", admin.dialog)
    admin.title("to-delete")
    admin.press("Delete")
    expect(admin.dialog).to_contain_text("cannot be undone")
    admin.press("Delete", admin.dialog)
    admin.told("to-delete was deleted.")
    admin.title("Accounts")
    expect(admin.row("to-delete")).to_have_count(0)
    admin.go(f"accounts/{house.account('ada')['id']}")
    expect(admin.page.get_by_role("button", name="Delete")).to_be_disabled()


def test_export_and_import(admin: Visitor, house: House, tmp_path: Path) -> None:
    """What was exported under a passphrase comes back with it, and with no other."""
    made = house.add("exported")
    admin.go("accounts")
    admin.press("Export")
    admin.field("Passphrase", admin.dialog).fill("correct horse battery")
    admin.field("Passphrase again", admin.dialog).fill("another")
    admin.press("Download", admin.dialog)
    expect(admin.dialog.get_by_role("alert")).to_have_text("The two passphrases differ.")
    admin.field("Passphrase again", admin.dialog).fill("correct horse battery")
    with admin.page.expect_download() as download:
        admin.press("Download", admin.dialog)
    file = tmp_path / "export.json"
    download.value.save_as(file)
    assert "refresh-exported" not in file.read_text()
    house.admin(f"/api/tokens/{made['id']}", method="DELETE")
    admin.press("Add account")
    admin.press("Many (JSON)")
    admin.field("File", admin.dialog).set_input_files(file)
    admin.trouble.expect(400, "/api/import")
    admin.field("Passphrase", admin.dialog).fill("a wrong passphrase")
    admin.press("Add", admin.dialog)
    expect(admin.dialog.get_by_role("alert")).to_be_visible()
    admin.field("Passphrase", admin.dialog).fill("correct horse battery")
    admin.press("Add", admin.dialog)
    expect(admin.dialog.locator(".note")).to_contain_text("1 added")
    assert house.account("exported")["source"] == "stored"
