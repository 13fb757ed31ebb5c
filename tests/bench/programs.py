# -*- test-case-name: tests.bench.test_smoke -*-
"""The processes of a run: the fake upstream, the pass-through and the service.

Every wait is bounded, and only what was started here is ended.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
TWISTD: Final = Path(sys.executable).with_name("twistd")
KEY: Final = "bench-key"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0


class Broken(Exception):
    """The benchmark itself cannot go on; the message is one line."""


class Program:
    """A child process on a core of its own, which writes to a log file."""

    def __init__(
        self, name: str, words: list[str], folder: Path, core: int | None, **variables: str
    ) -> None:
        self.name = name
        self.port = 0
        self._log = folder / f"{name}.log"
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                words,
                # No file of the operator's is found here; what is measured is this checkout.
                cwd=folder,
                env=kept | {"HOME": str(folder), "PYTHONPATH": str(ROOT)} | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if name != "kiro2api" else log,
                stderr=log,
            )
        self.pid = self._process.pid
        if core is not None:
            os.sched_setaffinity(self.pid, {core})

    def read_port(self) -> None:
        """Wait for the line with which our own programs begin."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip():
            raise self._broken("does not start")
        self.port = int(line)

    def wait_for_health(self, port: int) -> None:
        """Until the service answers."""
        deadline = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                get(port, "/health")
            except OSError:
                time.sleep(0.05)
            else:
                self.port = port
                return
        raise self._broken("does not start")

    def check(self) -> None:
        """Raise Broken if it has ended by itself."""
        if self._process.poll() is not None:
            raise self._broken("has ended")

    def stop(self) -> None:
        """End it: politely, then not."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _broken(self, what: str) -> Broken:
        self.stop()
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return Broken(f"{self.name} {what}: {' | '.join(lines[-3:])}")


def get(port: int, path: str) -> Any:
    """What a JSON resource says; raises OSError."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10.0) as response:
        return json.load(response)


def start_upstream(folder: Path, core: int | None) -> Program:
    """The fake upstream."""
    return _own("upstream", [], folder, core)


def start_splice(folder: Path, core: int | None, upstream: int) -> Program:
    """The pass-through to a port."""
    return _own("splice", [str(upstream)], folder, core)


def _own(module: str, words: list[str], folder: Path, core: int | None) -> Program:
    words = [sys.executable, "-m", f"tests.bench.{module}", *words]
    program = Program(module, words, folder, core)
    program.read_port()
    return program


def start_service(folder: Path, core: int | None, upstream: int) -> Program:
    """kiro2api, with one account that the fake upstream signs in."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    base = f"http://127.0.0.1:{upstream}"
    program = Program(
        "kiro2api",
        [str(TWISTD), "-n", "--pidfile=", "kiro2api"],
        folder,
        core,
        PORT=str(port),
        KIRO_CLIENT_TOKEN=KEY,
        KIRO_AUTH_TOKEN='[{"auth":"Social","refreshToken":"bench-refresh"}]',
        KIRO_UPSTREAM_URL=base,
        KIRO_SOCIAL_AUTH_URL=base,
        KIRO_DB_PATH=str(folder / "kiro2api.db"),
        KIRO_DRAIN_SECONDS="1",
    )
    program.wait_for_health(port)
    return program
