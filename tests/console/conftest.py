"""One service and one browser for all tests; a tab for each."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.clients.npm import NotInstalled
from tests.conftest import CACHE
from tests.console.axe import AXE
from tests.console.browser import NoBrowser, launched
from tests.console.house import ADMIN, House
from tests.console.visitor import Visitor


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Without it these tests are skipped, but not where everything must be tested."""
    try:
        with launched() as found:
            yield found
    except NoBrowser as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One service for all tests; use ``house`` instead."""
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.stop()
    for word in ("Traceback", "CRITICAL", "Unhandled"):
        assert word not in house.log, house.log


@pytest.fixture
def house(shared_house: House) -> House:
    """The running service, its upstream without orders."""
    shared_house.emulator.reset()
    return shared_house


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core."""
    try:
        return AXE.program(CACHE).read_text("utf-8")
    except NotInstalled as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def cookies(browser: Browser, shared_house: House) -> Any:
    """A session of the admin, as the browser keeps it."""
    context = browser.new_context(base_url=shared_house.url)
    answer = context.request.post("/api/session", data={"key": ADMIN})
    assert answer.status == 201, answer.text()
    found = context.cookies()
    context.close()
    return found


@pytest.fixture
def visit(browser: Browser, house: House) -> Iterator[Callable[..., Visitor]]:
    """Opens tabs, in which nothing may go wrong; see ``Visitor`` for the arguments."""
    open_tabs: list[Visitor] = []

    def opened(**wishes: Any) -> Visitor:
        visitor = Visitor(browser, house.url, **wishes)
        open_tabs.append(visitor)
        return visitor

    yield opened
    for visitor in open_tabs:
        visitor.leave()


@pytest.fixture
def admin(visit: Callable[..., Visitor], cookies: Any) -> Visitor:
    """Somebody who is logged in with the admin key."""
    return visit(cookies=cookies)
