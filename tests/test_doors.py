"""The doors between rooms: who may import whom, and what pure rooms may not touch."""

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "kiro2api"

L0 = {"errors", "redaction", "settings", "conversation"}

# Room → rooms of ours that it may import; a room may always import itself.
DOORS: dict[str, set[str]] = {
    "errors": set(),
    "redaction": set(),
    "settings": {"errors", "redaction"},
    "conversation": {"errors"},
    "wire": {"errors"},
    "transports": set(),
    "kiro": {"errors", "redaction", "conversation", "wire"},
    "dialects": {"errors", "conversation", "wire"},
    "accounts": {"errors", "redaction", "upstream.bodies"},
    "store": {"errors", "redaction", "accounts", "conversation.held", "metering", "statistics"},
    "upstream": {"transports", "errors", "redaction", "conversation", "wire", "kiro", "accounts"},
    "media": {"errors", "redaction", "conversation", "kiro.media", "upstream.bodies"},
    "exchange": {"errors", "conversation", "kiro", "accounts", "upstream", "websearch"},
    "websearch": {"errors", "conversation", "upstream"},
    "following": {"errors", "store.changes"},
    "metering": {"errors"},
    "statistics": {"metering", "accounts.status"},
    "explain": {
        "errors",
        "redaction",
        "conversation",
        "kiro",
        "dialects",
        "accounts.account",
        "upstream.headers",
        "exchange",
        "websearch",
    },
    "web": {
        "transports",
        "errors",
        "redaction",
        "conversation",
        "kiro.models",
        "dialects",
        "exchange",
        "media",
        "metering",
        "statistics",
        "explain",
        "upstream.interfaces",
        "accounts.interfaces",
        "accounts.account",
        "accounts.status",
        # What an operator changes goes through the registry.
        "accounts.groups",
        "accounts.logins",
        "accounts.quota",
        "accounts.registry",
        "accounts.registry_arrivals",
        "accounts.registry_changes",
        "accounts.registry_entries",
        "accounts.registry_groups",
        "accounts.registry_roll",
        "accounts.registry_store",
        # Rows of keys and sessions, whom the gate admits; what changed, for those who follow.
        "store.keys",
        "store.sessions",
        "store.spending",
        "store.changes",
        "settings",
    },
    "emulator": {"errors", "redaction", "wire", "kiro"},
}

# Wiring: these know everybody.
FREE = {
    "ids",
    "wiring",
    "service",
    "tap",
    "logs",
    "demo",
    "commands",
    "starting",
    # Several processes: what is decided, what is done about it, and what it is done with.
    "workers",
    "supervisor",
    "worker",
    "census",
    "control",
    "lines",
    "sharing",
}

# Rooms of one layer whose nouns are modules beside each other: ``exchange_way`` is in ``exchange``.
SPLIT = (
    "wiring",
    "settings",
    "exchange",
    "websearch",
    "explain",
    "metering",
    "statistics",
    "supervisor",
    "worker",
)

PURE = (
    "conversation/",
    "wire/",
    "kiro/",
    "dialects/",
    "accounts/account.py",
    "accounts/groups.py",
    "accounts/homes.py",
    "accounts/keyring.py",
    "accounts/ledger.py",
    "accounts/quota.py",
    "accounts/expiry.py",
    "accounts/foreign.py",
    "emulator/credits.py",
    "emulator/cast.py",
    "accounts/line.py",
    "accounts/member.py",
    "accounts/outcome.py",
    "accounts/penalties.py",
    "accounts/registry_changes.py",
    "accounts/roster.py",
    "accounts/standing.py",
    "accounts/status.py",
    "accounts/verdicts.py",
    "accounts/view.py",
    "accounts/waiters.py",
    "errors.py",
    "redaction.py",
    "web/paths.py",
    "accounts/notices.py",
    "workers.py",
    "census.py",
    "lines.py",
    "settings",
    "exchange_way.py",
    "exchange_cuts.py",
    "exchange_memory.py",
    "exchange_tries.py",
    "explain_repairs.py",
    "websearch_round.py",
    "websearch_tool.py",
    "metering_capture.py",
    "metering_search.py",
    "statistics",
)
IMPURE_MODULES = {"twisted", "time", "random", "os", "logging", "klein", "treq", "txaio", "socket"}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of ours with its path below the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), path


def imported(path: Path) -> Iterator[str]:
    """Every module name that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(relative: str) -> str:
    """The room a module belongs to: its folder, or its own name less a suffix after _."""
    head = relative.split("/")[0].removesuffix(".py")
    return next((room for room in SPLIT if head.startswith(f"{room}_")), head)


class DoorsTests(SynchronousTestCase):
    """The table above holds."""

    def test_every_room_is_known(self) -> None:
        """A new room must be given its doors."""
        rooms = {room_of(relative) for relative, _ in modules()} - {"__init__"}
        self.assertEqual(rooms - set(DOORS) - FREE, set())

    def test_imports_follow_the_doors(self) -> None:
        """No module imports a room that its own room has no door to."""
        wrong = []
        for relative, path in modules():
            room = room_of(relative)
            if room in FREE or room == "__init__":
                continue
            if relative == "emulator/tap.py":
                continue
            for name in imported(path):
                if not name.startswith("kiro2api."):
                    continue
                inner = name.removeprefix("kiro2api.")
                target = room_of(inner.split(".")[0])
                allowed = DOORS[room] | {room}
                if inner == "__version__" or target in allowed:
                    continue
                if any(inner == door or inner.startswith(door + ".") for door in allowed):
                    continue
                if inner in {"accounts", "upstream", "kiro"}:
                    continue
                wrong.append(f"{relative} imports {name}")
        self.assertEqual(wrong, [])

    def test_pure_rooms_touch_nothing_impure(self) -> None:
        """No clock, no entropy, no network and no logging in the pure rooms."""
        wrong = [
            f"{relative} imports {name}"
            for relative, path in modules()
            if relative.startswith(PURE)
            for name in imported(path)
            if name.split(".")[0] in IMPURE_MODULES
        ]
        self.assertEqual(wrong, [])

    def test_only_taps_import_the_reactor(self) -> None:
        """The global reactor is named where the service is made, and nowhere else."""
        wrong = [
            relative
            for relative, path in modules()
            if not relative.endswith("tap.py")
            for name in imported(path)
            if name == "twisted.internet.reactor"
        ]
        self.assertEqual(wrong, [])

    def test_modules_stay_small(self) -> None:
        """No module over 400 lines, half of them under 150."""
        sizes = sorted(
            (len(path.read_text("utf-8").splitlines()), relative)
            for relative, path in modules()
            if not relative.endswith("__init__.py")
        )
        self.assertEqual([entry for entry in sizes if entry[0] > 400], [])
        self.assertLessEqual(sizes[len(sizes) // 2][0], 150)

    def test_packages_hold_only_docstrings(self) -> None:
        """``__init__.py`` says what the package is and does nothing."""
        for relative, path in modules():
            if relative.endswith("__init__.py") and relative != "__init__.py":
                body = ast.parse(path.read_text("utf-8")).body
                self.assertEqual(len(body), 1, relative)
                self.assertIsInstance(body[0], ast.Expr, relative)

    def test_no_package_hides_twisted(self) -> None:
        """An ``__init__.py`` beside the plugin would shadow all of Twisted."""
        self.assertFalse((ROOT / "twisted" / "__init__.py").exists())
        self.assertFalse((ROOT / "twisted" / "plugins" / "__init__.py").exists())
