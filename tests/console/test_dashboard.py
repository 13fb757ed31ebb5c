"""The dashboard: numbers, charts, and what runs at this moment."""

import threading
from collections import defaultdict

from playwright.sync_api import expect
from prometheus_client.parser import text_string_to_metric_families

from tests.console.house import House
from tests.console.visitor import Visitor


def test_numbers(admin: Visitor, house: House) -> None:
    """What the API tells is what is shown, for each period; a request more shows by itself."""
    assert house.ask("One to be counted.") == 200
    house.stored()
    admin.go()
    first = admin.page.locator(".stat .value").first
    expect(first).to_have_text(str(house.admin("/api/stats")["totals"]["requests"]))
    before = int(first.inner_text())
    assert house.ask("And another one.") == 200
    expect(first).to_have_text(str(before + 1), timeout=15_000)
    for period in ("7 days", "14 days", "30 days"):
        admin.press(period)
        admin.settle()
        expect(first).to_have_text(str(before + 1))
    for what in ("Tokens", "Credits", "Requests"):
        admin.press(what)
        expect(admin.page.get_by_role("figure", name=f"{what} over time")).to_be_visible()
        expect(admin.page.locator("canvas")).to_be_visible()
    admin.field("Group").select_option("team")
    expect(first).not_to_have_text(str(before + 1))
    admin.page.locator("a", has_text="Ready").click()
    admin.title("Accounts")


def test_three_tell_the_same(admin: Visitor, house: House) -> None:
    """The console, the statistics route and the metrics show one and the same numbers."""
    assert house.ask("To be told three times.") == 200
    house.stored()
    totals = house.admin("/api/stats")["totals"]
    counted: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(house.metrics()):
        for sample in family.samples:
            counted[sample.name] += sample.value
    assert counted["kiro2api_requests_total"] == totals["requests"]
    assert round(counted["kiro2api_credits_total"], 6) == round(totals["credits"], 6)
    kinds = ("input", "output", "cache_read", "cache_write")
    assert counted["kiro2api_tokens_total"] == sum(totals[f"{kind}_tokens"] for kind in kinds)
    admin.go()
    shown = admin.page.locator(".grid.stats .value").all_inner_texts()
    assert shown[0] == str(totals["requests"])
    assert float(shown[1].rstrip("%")) == round(totals["success_rate"] * 100, 1)
    assert float(shown[5]) == round(totals["credits"], 2)


def test_running_request_is_cancelled(admin: Visitor, house: House) -> None:
    """A request appears while it runs, with its tokens, and is ended at the press of a button."""
    house.emulator.script({"text": "word ", "repeat": 400, "delay": 0.1, "slice": 0})
    ended: list[object] = []

    def ask() -> None:
        try:
            ended.append(house.ask("Take your time.", stream=True))
        except OSError as error:
            ended.append(error)

    admin.go()
    live = admin.page.locator("[data-live]")
    expect(live).to_contain_text("live")
    client = threading.Thread(target=ask)
    client.start()
    expect(live.locator("tbody tr")).to_contain_text("answering")
    live.get_by_role("button").first.click()
    admin.told("The request was cancelled.")
    expect(live.get_by_text("Nobody is being served at the moment")).to_be_visible()
    client.join(20)
    assert ended
