"""Pictures of every view: light, dark, on a phone, in Chinese. Run by ``scripts/console-shots``."""

import sys
import tempfile
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect

from tests.console.browser import launched
from tests.console.house import ADMIN, House
from tests.console.story import accounts, live_through, write_history
from tests.console.visitor import Visitor

LOOKS: dict[str, dict[str, object]] = {
    "light": {},
    "dark": {"dark": True},
    "phone": {"phone": True},
    "zh": {"language": "zh-CN"},
}


def places(house: House) -> dict[str, str]:
    """Names of pictures, and the addresses of what is on them."""
    records = house.admin("/api/requests?page_size=200")["items"]
    chosen = max(records, key=lambda each: (each["attempts"], len(each["repairs"])))
    return {
        "dashboard": "dashboard",
        "accounts": "accounts",
        "account": f"accounts/{house.account('work-laptop')['id']}",
        "account-rejected": f"accounts/{house.account('old-login')['id']}",
        "groups": "groups",
        "keys": "keys",
        "requests": "requests",
        "request": f"requests/{chosen['request_id']}",
        "explain": "explain",
        "connect": "connect",
        "settings": "settings",
        "audit": "audit",
    }


def keep_busy(house: House, keys: dict[str, str]) -> list[threading.Thread]:
    """Some requests that run while the pictures are taken."""
    house.emulator.script(
        *({"text": "word ", "repeat": 4000, "delay": 0.5, "slice": 0} for _ in range(3))
    )
    wishes = (
        ("", "claude-sonnet-4-5-20250929", keys["ada-laptop"]),
        ("team", "claude-haiku-4-5", keys["ci"]),
        ("research", "claude-opus-4-6", keys["notebooks"]),
    )

    def ask(group: str, model: str, key: str) -> None:
        try:
            house.ask("Take your time.", group=group, model=model, key=key, stream=True)
        except OSError:
            pass  # the house is closed before the answer has ended

    threads = [threading.Thread(target=ask, args=each, daemon=True) for each in wishes]
    for thread in threads:
        thread.start()
    return threads


def shoot(browser: Browser, house: House, folder: Path, only: str, client: str) -> None:
    """Take all pictures, or those whose name has ``only`` in it; ``client`` is a client's key."""
    folder.mkdir(parents=True, exist_ok=True)
    for_readme(browser, house, folder, only)
    for look, wishes in LOOKS.items():
        visitor = Visitor(browser, house.url, **wishes)  # type: ignore[arg-type]
        page = visitor.page
        visitor.go()
        picture(visitor, folder, f"login-{look}", only)
        page.locator("input[name=key]").fill(ADMIN)
        page.locator("form button[type=submit]").click()
        expect(page.locator("#side")).to_be_attached()
        for name, place in places(house).items():
            if only not in f"{name}-{look}":
                continue
            visitor.go(place)
            if name == "explain":
                page.locator("form button[type=button]").click()
                page.locator("form button[type=submit]").click()
                expect(page.locator("[data-payload]")).to_be_visible()
            picture(visitor, folder, f"{name}-{look}", only)
        if only in f"dialogs-{look}":
            dialogs(visitor, folder, look)
        for line in visitor.trouble.found():
            print(f"{look}: {line}")
        visitor.context.close()
    visitor = Visitor(browser, house.url)
    visitor.go()
    visitor.log_in(client)
    visitor.title("Usage")
    picture(visitor, folder, "usage-light", only)
    visitor.context.close()


def for_readme(browser: Browser, house: House, folder: Path, only: str) -> None:
    """The two pictures of etc/screenshots: one screen each, in few colours."""
    for name, place, dark in (
        ("dashboard", "dashboard?period=30d", False),
        ("accounts", "accounts", True),
    ):
        visitor = Visitor(browser, house.url, dark=dark)
        visitor.go()
        visitor.log_in(ADMIN)
        visitor.title("Dashboard")
        visitor.settle()
        visitor.go(place)
        picture(visitor, folder, f"readme-{name}", only, whole=False)
        visitor.context.close()
        if (file := folder / f"readme-{name}.png").exists():
            with Image.open(file) as full:
                few = full.convert("RGB").quantize(200, dither=Image.Dither.NONE)
            few.save(file, optimize=True)


def dialogs(visitor: Visitor, folder: Path, look: str) -> None:
    """The larger dialogs."""
    page = visitor.page
    for name, place in (("add", "accounts"), ("key", "keys"), ("group", "groups")):
        visitor.go(place)
        page.locator(".page-head .main-action").click()
        expect(visitor.dialog).to_be_visible()
        picture(visitor, folder, f"dialog-{name}-{look}", "", whole=False)
        page.keyboard.press("Escape")


def picture(visitor: Visitor, folder: Path, name: str, only: str, *, whole: bool = True) -> None:
    """One picture, once the view has come to rest."""
    if only in name:
        visitor.page.mouse.move(0, 0)
        # Twice: a view may be there for a moment before it begins to load.
        for _ in range(2):
            visitor.settle()
            visitor.page.wait_for_timeout(250)
        visitor.page.screenshot(path=folder / f"{name}.png", full_page=whole)


def main(words: list[str]) -> int:
    """``FOLDER [PART OF A NAME]``."""
    if not words or words[0].startswith("-"):
        print("usage: scripts/console-shots FOLDER [PART-OF-A-NAME]")
        return 2
    folder, only = Path(words[0]).absolute(), words[1] if len(words) > 1 else ""
    with tempfile.TemporaryDirectory() as scratch, launched() as browser:
        place = Path(scratch)
        database = place / "data" / "kiro2api.db"
        write_history(database)
        house = House(place, accounts(), KIRO_DB_PATH=str(database))
        try:
            keys = live_through(house)
            keep_busy(house, keys)
            shoot(browser, house, folder, only, keys["ada-laptop"])
        finally:
            house.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
