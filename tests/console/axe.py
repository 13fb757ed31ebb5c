"""axe-core, the checker for accessible pages: from npm, kept in the cache."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.clients.npm import Package

WORST = frozenset({"serious", "critical"})


@dataclass(frozen=True)
class Script(Package):
    """A package of which one script is wanted."""

    def _found(self, folder: Path) -> Path | None:
        found = folder.glob(f"node_modules/{self.pattern}")
        return next((path for path in found if os.access(path, os.R_OK)), None)


AXE = Script("axe-core", "4.14.1", "axe-core/axe.min.js")


def findings(page: Page, script: str) -> list[str]:
    """What is seriously wrong with the page as it stands, one line for each place.

    :param script: the text of axe-core. It is evaluated from outside, so that the page's own
        policy stays as it is.
    """
    page.evaluate(script)
    result: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['failureSummary']}"
        for rule in result["violations"]
        if rule["impact"] in WORST
        for node in rule["nodes"]
    ]
