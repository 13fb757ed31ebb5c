"""Runs the service and the emulator as an operator would: as processes, on free ports.

Every wait is bounded, and only what was started here is ended.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TWISTD = Path(sys.executable).with_name("twistd")
KEY = "clients-key"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
SPARES = 60
"""Groups of two accounts each, for tests that ruin accounts."""

_KEPT = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")
_FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S+)')


def free_port() -> int:
    """A port of the loopback interface that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(
    url: str,
    body: object = None,
    *,
    method: str = "",
    headers: Mapping[str, str] = {},
    seconds: float = 10.0,
) -> tuple[int, dict[str, str], bytes]:
    """One HTTP exchange: status, headers by lower-case name, body. JSON is posted."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method or None)
    request.add_header("content-type", "application/json")
    for name, value in headers.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return response.status, _lowered(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _lowered(error.headers), error.read()


def _lowered(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class Program:
    """One ``twistd`` plugin as a child process that writes to a log file."""

    def __init__(self, folder: Path, name: str, *words: str, **variables: str) -> None:
        self._log = folder / f"{name}.log"
        self.name = name
        # Nothing of the operator's own set-up may leak in, least of all a credential.
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment = (
            kept
            | {
                "HOME": str(folder),
                "PYTHONUNBUFFERED": "1",
                "KIRO_ENFORCE_MAX_TOKENS": "true",
            }
            | variables
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(TWISTD), "-n", "--pidfile=", name, *words],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        """Everything the program has written so far."""
        return self._log.read_text("utf-8", "replace")

    def wait_until_it_answers(self, url: str) -> None:
        """Until ``url`` answers 200; raises with the log if it does not get there."""
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if fetch(url, seconds=2.0)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.name} does not answer at {url}:\n{self.log}")

    def stop(self) -> int:
        """End it: politely, then not. Gives its exit status."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait(STOP_SECONDS)


class Upstream:
    """The emulator and its controls."""

    def __init__(self, folder: Path, accounts: Sequence[Mapping[str, object]]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        file = folder / "emulated.json"
        file.write_text(json.dumps(accounts), "utf-8")
        self._program = Program(
            folder,
            "kiro2api-emulator",
            f"--accounts={file}",
            f"--listen=tcp:{port}:interface=127.0.0.1",
        )
        self._program.wait_until_it_answers(f"{self.url}/emulator/streams")

    def script(self, *orders: Mapping[str, object]) -> None:
        """Queue orders; their fields are those of ``kiro2api.emulator.script.Script``."""
        self._told("script", list(orders))

    def calls(self) -> list[dict[str, Any]]:
        """The latest requests for answers, oldest first."""
        calls: list[dict[str, Any]] = self._told("calls")["calls"]
        return [call for call in calls if call["path"] == "/generateAssistantResponse"]

    def streams(self) -> dict[str, int]:
        """How many answers are open, completed, cut, aborted."""
        counts: dict[str, int] = self._told("streams")
        return counts

    def reset(self) -> None:
        """Forget orders and calls."""
        self._told("reset", {})

    def stop(self) -> int:
        """End it."""
        return self._program.stop()

    def _told(self, order: str, body: object = None) -> Any:
        status, _, answer = fetch(f"{self.url}/emulator/{order}", body)
        if status != 200:
            raise RuntimeError(f"the emulator answers {status}: {answer.decode()}")
        return json.loads(answer)


class Service:
    """The service in front of an emulator of its own.

    Accounts: ``one`` and ``two`` in the default group, ``three`` in ``pro``, and two in every
    spare group. ``variables`` are more settings.
    """

    key = KEY

    def __init__(self, folder: Path, **variables: str) -> None:
        groups = {"one": "default", "two": "default", "three": "pro"}
        for number in range(SPARES):
            groups[f"spare-{number}-a"] = groups[f"spare-{number}-b"] = f"spare-{number}"
        self.emulator = Upstream(
            folder,
            [{"name": name, "refresh_token": f"refresh-{name}"} for name in groups],
        )
        try:
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            accounts = folder / "accounts.json"
            accounts.write_text(
                json.dumps(
                    [
                        {
                            "auth": "Social",
                            "refreshToken": f"refresh-{name}",
                            "name": name,
                            "group": group,
                        }
                        for name, group in groups.items()
                    ]
                ),
                "utf-8",
            )
            given = {
                "PORT": str(port),
                "KIRO_CLIENT_TOKEN": KEY,
                "KIRO_AUTH_TOKEN": str(accounts),
                "KIRO_DB_PATH": str(folder / "data" / "kiro2api.db"),
                "KIRO_UPSTREAM_URL": self.emulator.url,
                "KIRO_SOCIAL_AUTH_URL": self.emulator.url,
                "KIRO_OIDC_URL": self.emulator.url,
                "KIRO_PING_SECONDS": "1",
                "KIRO_DRAIN_SECONDS": "2",
            }
            self._program = Program(folder, "kiro2api", **(given | variables))
            self._program.wait_until_it_answers(f"{self.url}/health")
        except BaseException:
            self.emulator.stop()
            raise
        self._mark = 0
        self._next_spare = 0

    @property
    def log(self) -> str:
        """What the service has logged since ``begin``."""
        return self.whole_log[self._mark :]

    @property
    def whole_log(self) -> str:
        """Everything the service has logged."""
        return self._program.log

    def begin(self) -> None:
        """A new test: no orders, no calls, no log lines yet."""
        self.emulator.reset()
        self._mark = len(self.whole_log)

    def spare_group(self) -> str:
        """A group that nobody used before."""
        if self._next_spare == SPARES:
            raise RuntimeError("all spare groups are used up: raise SPARES")
        self._next_spare += 1
        return f"spare-{self._next_spare - 1}"

    def records(self, count: int = 0) -> list[dict[str, str]]:
        """The finished exchanges that were logged; waits until there are ``count`` of them."""
        deadline = time.monotonic() + 5.0
        while True:
            found = [_fields(line) for line in self.log.splitlines() if " request_id=" in line]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def stop(self) -> int:
        """End both; gives the service's exit status."""
        try:
            return self._program.stop()
        finally:
            self.emulator.stop()


def _fields(line: str) -> dict[str, str]:
    return {
        name: json.loads(value) if value.startswith('"') else value
        for name, value in _FIELD.findall(line)
    }
