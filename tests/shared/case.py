"""Two services as processes of their own on one store, in front of one emulator in this process.

Every wait is bounded, and only what was started here is ended.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.web.server import Site

from kiro2api.emulator.accounts import EmulatedAccount
from kiro2api.emulator.service import make_site
from tests.clients.running import Program, free_port
from tests.live.case import entries
from tests.live.reactor import ReactorCase, reactor
from tests.shared.asking import Client
from tests.shared.logins import BookedEmulator
from tests.store.postgres import server

KEY = "shared-client-key"
ADMIN = "shared-admin-key"

MARGIN = 60
"""A token is not sent in its last minute: one that lives for 62 seconds serves for two."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "default": ("ada", "grace", "alan"),
    "pro": ("edsger", "barbara", "katherine"),
}


def emulated(lifetime: int) -> tuple[EmulatedAccount, ...]:
    """The accounts of all groups, social and IdC; each one's refresh token is good once."""
    names = [name for group in GROUPS.values() for name in group]
    return tuple(
        EmulatedAccount(
            name=name,
            method="idc" if number % 3 == 1 else "social",
            refresh_token=f"refresh-{name}",
            client_id=f"client-{name}" if number % 3 == 1 else "",
            client_secret=f"secret-{name}" if number % 3 == 1 else "",
            token_lifetime=lifetime,
        )
        for number, name in enumerate(names)
    )


class Gate:
    """One service: a process, and where it is asked."""

    def __init__(self, case: "SharedCase", number: int, **variables: str) -> None:
        self.case, self.number = case, number
        self.port = free_port()
        folder = case.folder / f"service-{number}"
        folder.mkdir(exist_ok=True)
        self._folder, self.variables = folder, variables
        self._starts = 0
        self.admin = Client(self.port, ADMIN)
        self.client = Client(self.port, KEY)
        self.logs: list[Path] = []
        self.start()

    def start(self) -> None:
        """Start the process; ``up`` waits until it answers."""
        self._starts += 1
        folder = self._folder / f"start-{self._starts}"
        folder.mkdir()
        self.logs.append(folder / "kiro2api.log")
        variables = {**self.case.variables, "PORT": str(self.port), **self.variables}
        self.program = Program(folder, "kiro2api", **variables)

    async def up(self) -> None:
        """Wait until it answers."""

        async def answers() -> bool:
            if self.program._process.poll() is not None:
                raise AssertionError(f"it has ended:\n{self.log}")
            try:
                return (await self.client.send("GET", "/health")).status == 200
            except Exception:  # noqa: BLE001  (nobody listens yet)
                return False

        await self.case.until(answers, "a service answers", 30.0)

    @property
    def log(self) -> str:
        """Everything that it logged, in all its lives."""
        return "".join(path.read_text("utf-8", "replace") for path in self.logs)

    @property
    def process(self) -> Any:
        """The process that runs now."""
        return self.program._process

    async def kill(self) -> None:
        """End it without a word."""
        os.kill(self.process.pid, signal.SIGKILL)
        await self.gone()

    async def gone(self) -> None:
        """Wait until it has ended."""
        await self.case.until(lambda: self.process.poll() is not None, "it ends", 20.0)

    async def stop(self) -> None:
        """End it politely."""
        if self.process.poll() is None:
            self.process.terminate()
        await self.gone()

    async def told(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """What the operator's API answers."""
        answer = await self.admin.send(method, path, body)
        assert answer.status == status, (path, answer.status, answer.body)
        return msgspec.json.decode(answer.body) if answer.body else None

    async def token(self, name: str) -> dict[str, Any]:
        """The account of that name as this service sees it."""
        listed = await self.told("GET", "/api/tokens?page_size=100")
        (found,) = [item for item in listed["tokens"] if item["name"] == name]
        return dict(found)


class SharedCase(ReactorCase):
    """The emulator, and services on demand; all end with the test."""

    timeout = 60
    lifetime = MARGIN + 2

    emulator: BookedEmulator

    def setUp(self) -> None:
        """The emulator and an empty store."""
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="kiro2api-shared-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.accounts = emulated(self.lifetime)
        self.emulator = BookedEmulator(reactor, self.accounts)
        site: Site = make_site(self.emulator)
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(self._stop_emulator, port)
        base = f"http://127.0.0.1:{port.getHost().port}"
        accounts = self.folder / "accounts.json"
        listed = msgspec.json.decode(entries(self.accounts))
        groups = {name: group for group, names in GROUPS.items() for name in names}
        for entry in listed:
            entry["group"] = groups[entry["name"]]
        accounts.write_bytes(msgspec.json.encode(listed))
        self.variables = {
            "KIRO_CLIENT_TOKEN": KEY,
            "KIRO_ADMIN_TOKEN": ADMIN,
            "KIRO_AUTH_TOKEN": str(accounts),
            "KIRO_UPSTREAM_URL": base,
            "KIRO_SOCIAL_AUTH_URL": base,
            "KIRO_OIDC_URL": base,
            "KIRO_DRAIN_SECONDS": "1",
            # Only who serves has its token renewed, and only when it has to be.
            "KIRO_REFRESH_AHEAD_SECONDS": "0",
            **self.place(),
        }
        self.gates: list[Gate] = []

    def place(self) -> dict[str, str]:
        """The settings that say where the store is."""
        return {"KIRO_DB_PATH": str(self.folder / "kiro2api.db")}

    async def start(self, count: int = 2, **variables: str) -> list[Gate]:
        """So many services, started at once."""
        started = [Gate(self, len(self.gates) + n, **variables) for n in range(count)]
        for gate in started:
            self.gates.append(gate)
            self.addCleanup(self._stop_gate, gate)
        for gate in started:
            await gate.up()
        return started

    async def until(
        self,
        condition: Callable[[], Any],
        what: str,
        seconds: float = 10.0,
        every: float = 0.02,
    ) -> None:
        """Wait for a condition, which may be a coroutine function."""
        began = reactor.seconds()
        while True:
            held = condition()
            if hasattr(held, "__await__"):
                held = await held
            if held:
                return
            if reactor.seconds() > began + seconds:
                logs = "\n".join(f"--- {g.number} ---\n{g.log[-3000:]}" for g in self.gates)
                self.fail(f"not within {seconds:g} s: {what}\n{logs}")
            await deferLater(reactor, every)

    async def sleep(self, seconds: float) -> None:
        """Let things happen."""
        await deferLater(reactor, seconds)

    def check_logs(self, *allowed: str) -> None:
        """Nobody complained of anything that is a defect."""
        for gate in self.gates:
            for word in ("Traceback", "CRITICAL", "Unhandled", "invalid_grant", "LOST"):
                if word not in allowed:
                    self.assertNotIn(word, gate.log)

    def _stop_gate(self, gate: Gate) -> Deferred[None]:
        async def stop() -> None:
            for client in (gate.admin, gate.client):
                ended = client.leave()
                if ended is not None:
                    await ended
            await gate.stop()

        return Deferred.fromCoroutine(stop())

    def _stop_emulator(self, port: Any) -> Deferred[None]:
        self.emulator.go_on()
        self.emulator.abort_all()
        stopped: Deferred[None] = maybeDeferred(port.stopListening)
        return stopped


class InPostgres:
    """Mixed into a SharedCase: the store is a schema of a real server."""

    def place(self) -> dict[str, str]:
        """An empty schema."""
        cleanup: Any = self.addCleanup  # type: ignore[attr-defined]
        return {"KIRO_DB_URL": server().fresh(cleanup)}
