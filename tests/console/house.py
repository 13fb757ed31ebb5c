"""A service with its emulated upstream, and a hand on both beside the browser.

Accounts: ``ada``, ``grace`` and ``linus`` in the default group, ``margaret`` in ``team``.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.clients.running import Program, Upstream, fetch, free_port

ADMIN = "an-admin-key-for-the-console"
CLIENT = "a-client-key-for-the-console"
MODEL = "claude-sonnet-4-5-20250929"
_AS_ADMIN = {"x-api-key": ADMIN}

ACCOUNTS: tuple[dict[str, Any], ...] = (
    {"name": "ada", "group": "default", "plan": {"used": 312.4, "subscription": "KIRO PRO"}},
    {"name": "grace", "group": "default", "plan": {"used": 742.0, "subscription": "KIRO PRO+"}},
    {"name": "linus", "group": "default", "plan": {"used": 910.5, "subscription": "KIRO PRO"}},
    {"name": "margaret", "group": "team", "plan": {"used": 20.0, "subscription": "KIRO POWER"}},
)


class House:
    """Both programs. ``variables`` are more settings of the service."""

    def __init__(
        self,
        folder: Path,
        accounts: tuple[dict[str, Any], ...] = ACCOUNTS,
        **variables: str,
    ) -> None:
        self._last = ""
        self.emulator = Upstream(
            folder,
            [
                {
                    "name": each["name"],
                    "refresh_token": f"refresh-{each['name']}",
                    "plan": {"email": f"{each['name']}@example.com", **each["plan"]},
                }
                for each in accounts
            ],
        )
        try:
            self.url = f"http://127.0.0.1:{(port := free_port())}"
            file = folder / "accounts.json"
            file.write_text(
                json.dumps(
                    [
                        {
                            "auth": "Social",
                            "refreshToken": f"refresh-{each['name']}",
                            "name": each["name"],
                            "group": each["group"],
                        }
                        for each in accounts
                    ]
                ),
                "utf-8",
            )
            given = {
                "PORT": str(port),
                "KIRO_ADMIN_TOKEN": ADMIN,
                "KIRO_CLIENT_TOKEN": CLIENT,
                "KIRO_AUTH_TOKEN": str(file),
                "KIRO_DB_PATH": str(folder / "data" / "kiro2api.db"),
                "KIRO_UPSTREAM_URL": self.emulator.url,
                "KIRO_SOCIAL_AUTH_URL": self.emulator.url,
                "KIRO_OIDC_URL": self.emulator.url,
                "KIRO_DRAIN_SECONDS": "1",
            }
            self._program = Program(folder, "kiro2api", **(given | variables))
            self._program.wait_until_it_answers(f"{self.url}/health")
        except BaseException:
            self.emulator.stop()
            raise

    @property
    def log(self) -> str:
        """Everything the service has logged."""
        return self._program.log

    def stop(self) -> int:
        """End both; gives the service's exit status."""
        try:
            return self._program.stop()
        finally:
            self.emulator.stop()

    # ── beside the browser ───────────────────────────────────────────────────

    def admin(self, path: str, body: object = None, method: str = "") -> Any:
        """One call of the operator's API; raises unless it succeeds."""
        status, _, answer = fetch(f"{self.url}{path}", body, method=method, headers=_AS_ADMIN)
        if status >= 300:
            raise RuntimeError(f"{path}: {status} {answer.decode()}")
        return json.loads(answer) if answer else None

    def ask(
        self, text: str, *, key: str = CLIENT, group: str = "", model: str = MODEL, **more: object
    ) -> int:
        """A client's request, served to its end; gives its status."""
        body: Mapping[str, object] = {
            "model": model,
            "max_tokens": 200,
            "messages": [{"role": "user", "content": text}],
            **more,
        }
        base = f"{self.url}/{group}" if group else self.url
        status, headers, _ = fetch(
            f"{base}/v1/messages", body, headers={"x-api-key": key}, seconds=30
        )
        self._last = headers.get("request-id", "")
        return status

    def stored(self) -> str:
        """Wait until the last request that was asked is in the log; its id."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if fetch(f"{self.url}/api/requests/{self._last}", headers=_AS_ADMIN)[0] == 200:
                return self._last
            time.sleep(0.1)
        raise RuntimeError(f"there is no record of {self._last!r}")

    def metrics(self) -> str:
        """What Prometheus is told."""
        return fetch(f"{self.url}/metrics", headers=_AS_ADMIN)[2].decode()

    def account(self, name: str) -> dict[str, Any]:
        """An account as the API tells it."""
        items = self.admin(f"/api/tokens?q={name}")["tokens"]
        found: dict[str, Any] = next(each for each in items if each["name"] == name)
        return found

    def emulate(self, name: str, **more: object) -> None:
        """One more social account at the upstream, with the refresh token ``refresh-`` and name."""
        body = {"name": name, "refresh_token": f"refresh-{name}", **more}
        status, _, answer = fetch(f"{self.emulator.url}/emulator/accounts", body)
        if status != 200:
            raise RuntimeError(answer.decode())

    def add(self, name: str, group: str = "default") -> dict[str, Any]:
        """A stored account for one test."""
        self.emulate(name)
        entry = {"auth": "Social", "refreshToken": f"refresh-{name}", "name": name, "group": group}
        made: dict[str, Any] = self.admin("/api/tokens", entry)
        return made

    def decide(self, decision: str) -> None:
        """What becomes of device logins: those open, and those to come."""
        status, _, answer = fetch(f"{self.emulator.url}/emulator/login", {"decision": decision})
        if status != 200:
            raise RuntimeError(answer.decode())
