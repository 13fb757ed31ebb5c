"""twistd as an operator runs it: child processes in a folder of their own.

Every wait is bounded, and only what was started here is ended.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

TWISTD = str(Path(sys.executable).with_name("twistd"))
SECONDS = 20.0


class Finished(msgspec.Struct):
    """A process that has ended."""

    status: int
    out: str
    err: str


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def busy_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def refused(port: int) -> bool:
    """Whether nobody listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def fetch(url: str, body: object = None, key: str = "") -> tuple[int, bytes]:
    """One HTTP exchange: status and body. A ``body`` is posted as JSON."""
    request = urllib.request.Request(url, None if body is None else msgspec.json.encode(body))
    request.add_header("content-type", "application/json")
    if key:
        request.add_header("x-api-key", key)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def question(text: str = "Hello.", *, stream: bool = False) -> dict[str, Any]:
    """An Anthropic request."""
    return {
        "model": "claude-sonnet-4-5-20250929",
        "max_tokens": 100,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
    }


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait, not for ever."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited too long: {what}")
        time.sleep(0.02)


class Running:
    """A twistd in the foreground, with its standard output and error in files."""

    def __init__(self, process: "subprocess.Popen[bytes]", out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    def out(self) -> str:
        """What it has printed so far."""
        return self._out.read_text("utf-8")

    def err(self) -> str:
        """What it has complained of so far."""
        return self._err.read_text("utf-8")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, wait; the exit status, negative for the signal that ended it."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(SECONDS)
            raise AssertionError("the process did not end when told to") from None


class ProcessCase(SynchronousTestCase):
    """A folder to run in, and processes that are gone afterwards."""

    def setUp(self) -> None:
        """An empty folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="kiro2api-process-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self._started = 0

    def environment(self, **variables: str) -> dict[str, str]:
        """Nothing of the operator's own set-up, least of all a credential."""
        wanted = ("PATH", "LANG", "PYTHONPATH")
        kept = {name: os.environ[name] for name in wanted if name in os.environ}
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return kept | {"HOME": str(self.folder), "TMPDIR": str(temporary)} | variables

    def twistd(self, *words: str, **variables: str) -> Finished:
        """Run it to its end."""
        done = subprocess.run(
            [TWISTD, *words],
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def run_twistd(self, *words: str, **variables: str) -> Running:
        """Start it in the foreground; it is killed at the end if it still runs."""
        self._started += 1
        out, err = (self.folder / "tmp" / f"{self._started}.{name}" for name in ("out", "err"))
        environment = self.environment(**variables)
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                [TWISTD, "-n", *words],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
            )
        self.addCleanup(_kill, process)
        return Running(process, out, err)

    def wait_until_up(self, running: Running, port: int) -> None:
        """Wait until it answers; see ``wait_while``."""
        self.wait_while(running, lambda: not refused(port), "the port is open")
        # The port is taken early in the start; whoever connects is answered at its end.
        fetch(f"http://127.0.0.1:{port}/health")

    def wait_while(self, running: Running, condition: Callable[[], object], what: str) -> None:
        """Wait for the condition; fail with the process's own words if it ends before."""

        def holds() -> object:
            if running.process.poll() is not None:
                raise AssertionError(running.out() + running.err())
            return condition()

        wait_for(holds, what)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
        process.wait(SECONDS)
