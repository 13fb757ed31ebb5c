"""The log of requests, one request's page, and what is kept of failed ones."""

import csv
import json
from pathlib import Path

from playwright.sync_api import expect

from tests.console.house import House
from tests.console.visitor import Visitor


def test_list_and_filters(admin: Visitor, house: House) -> None:
    """What was asked is there, filtered by several fields; new ones are announced as they end."""
    assert house.ask("First of the list.") == 200
    assert house.ask("Nobody is there.", group="nowhere") == 404
    house.stored()
    admin.go("requests")
    expect(admin.page.locator("tbody tr").first).to_be_visible()
    assert house.ask("While somebody looks.") == 200
    admin.page.get_by_role("button", name="Show 1 new").click()
    admin.field("Status").fill("404")
    admin.press("Filter")
    expect(admin.page.locator("tbody tr").first).to_contain_text("404 refused")
    expect(admin.page.get_by_text("200 served")).to_have_count(0)
    admin.press("Clear")
    expect(admin.field("Status")).to_have_value("")
    admin.page.wait_for_url("**/#/requests")
    admin.field("Outcome").select_option("served")
    admin.field("API").select_option("anthropic")
    admin.field("Upstream model").fill("claude-sonnet-4.5")
    admin.press("Filter")
    expect(admin.page.locator("tbody tr").first).to_contain_text("200 served")
    assert "outcome=served" in admin.page.url
    admin.field("Search").fill("no-such-id")
    admin.press("Filter")
    expect(admin.page.get_by_text("No request matches")).to_be_visible()
    admin.field("Status").fill("many")
    admin.trouble.expect(400, "/api/requests")
    admin.press("Filter")
    expect(admin.page.get_by_role("alert")).to_contain_text("status must be")


def test_address_typed_by_hand(admin: Visitor) -> None:
    """What cannot be understood in an address is no reason to show nothing."""
    admin.go("requests?from=once&outcome=served")
    expect(admin.field("Outcome")).to_have_value("served")
    admin.trouble.expect(404, "/api/requests/100%25")
    admin.page.goto("/#/requests/100%")
    expect(admin.page.get_by_role("alert")).to_contain_text("no record")


def test_one_request(admin: Visitor, house: House) -> None:
    """Its page tells the attempts with accounts and outcomes, tokens, credits and repairs."""
    house.emulator.script({"status": 429, "error": "ThrottlingException"})
    tools = [{"name": "a tool with blanks", "input_schema": {"type": "object"}}]
    assert house.ask("Twice, please.", tools=tools) == 200
    house.stored()
    admin.go("requests")
    admin.page.locator("td.lead a").first.click()
    admin.title("Request")
    attempts = admin.page.get_by_role("region", name="Attempts").locator("tbody tr")
    expect(attempts).to_have_count(2)
    expect(attempts.nth(0)).to_contain_text("429")
    expect(attempts.nth(1)).to_contain_text("served")
    expect(admin.page.get_by_text("Upstream request id")).to_be_visible()
    expect(admin.page.get_by_text("Counted by")).to_be_visible()
    expect(
        admin.page.locator("section", has_text="Repairs").locator(".badge").first
    ).to_be_visible()
    for each in house.admin("/api/tokens?state=cooling")["tokens"]:
        house.admin(f"/api/tokens/{each['id']}/unpark", {})


def test_csv(admin: Visitor, house: House, tmp_path: Path) -> None:
    """As a file with the same filters."""
    assert house.ask("For the file.") == 200
    house.stored()
    admin.go("requests?outcome=served")
    expect(admin.page.locator("tbody tr").first).to_be_visible()
    with admin.page.expect_download() as download:
        admin.page.get_by_role("link", name="Export CSV").click()
    download.value.save_as(tmp_path / "requests.csv")
    with (tmp_path / "requests.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["outcome"] for row in rows} == {"served"}


def test_captures(admin: Visitor, house: House) -> None:
    """Switched on for a while, a failed request is kept and can be read; all can be deleted."""
    admin.go("requests")
    card = admin.page.locator("[data-captures]")
    expect(card).to_have_attribute("data-captures", "off")
    admin.press("30 min", card)
    admin.press("Keep failed requests", card)
    admin.told("Failed requests are kept from now on.")
    expect(card).to_contain_text("in 30 minutes")
    assert house.ask("This will be kept.", group="nowhere") == 404
    admin.press("Look for new ones", card)
    with admin.page.expect_download() as download:
        card.get_by_role("link", name="Download").first.click()
    kept = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert kept["error"]["status"] == 404
    admin.press("End it", card)
    expect(card).to_have_attribute("data-captures", "off")
    admin.press("Delete kept requests", card)
    admin.press("Delete", admin.dialog)
    admin.told("The kept requests were deleted.")
    expect(card.get_by_role("link", name="Download")).to_have_count(0)
