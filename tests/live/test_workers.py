"""Several processes behind one port, as an operator would run them."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.clients.running import KEY, Program, Upstream, fetch, free_port

BODY = {
    "model": "claude-sonnet-4-5-20250929",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello."}],
}
HEADERS = {"x-api-key": KEY}


def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """What ``condition`` gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found


class Company:
    """The emulator and two workers before it."""

    def __init__(self, folder: Path, lifetime: int = 3600, **variables: str) -> None:
        names = ("one", "two")
        self.folder = folder
        self.emulator = Upstream(
            folder,
            [
                {"name": name, "refresh_token": f"refresh-{name}", "token_lifetime": lifetime}
                for name in names
            ],
        )
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        accounts = folder / "accounts.json"
        accounts.write_text(
            json.dumps(
                [{"auth": "Social", "refreshToken": f"refresh-{n}", "name": n} for n in names]
            ),
            "utf-8",
        )
        self.variables = {
            "PORT": str(self.port),
            "KIRO_CLIENT_TOKEN": KEY,
            "KIRO_AUTH_TOKEN": str(accounts),
            "KIRO_DB_PATH": str(folder / "kiro2api.db"),
            "KIRO_UPSTREAM_URL": self.emulator.url,
            "KIRO_SOCIAL_AUTH_URL": self.emulator.url,
            "KIRO_DRAIN_SECONDS": "10",
            # Folders of the supervisor's own are looked for here.
            "TMPDIR": str(folder),
            **variables,
        }
        self.program: Program | None = None

    def start(self, *words: str) -> None:
        """Start it and wait until all workers serve."""
        self.program = Program(self.folder, "kiro2api", *words, **self.variables)
        self.program.wait_until_it_answers(f"{self.url}/health")
        until(lambda: self.health().get("workers") == 2, "two workers serve")

    @property
    def log(self) -> str:
        """Everything that was logged."""
        assert self.program is not None
        return self.program.log

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The supervisor."""
        assert self.program is not None
        return self.program._process

    def health(self) -> Any:
        """What any worker says."""
        return json.loads(fetch(f"{self.url}/health")[2])

    def tokens(self) -> Any:
        """What any worker says of the accounts."""
        return json.loads(fetch(f"{self.url}/api/tokens", headers=HEADERS)[2])

    def ask(self, stream: bool = False) -> int:
        """One question on a connection of its own; the status."""
        status, _, body = fetch(
            f"{self.url}/v1/messages", BODY | {"stream": stream}, headers=HEADERS
        )
        assert not stream or b"message_stop" in body
        return status

    def pids(self) -> dict[int, int]:
        """The process that was started last, by number of the worker."""
        found = re.findall(r"worker (\d+) is started as process (\d+)", self.log)
        return {int(number): int(pid) for number, pid in found}

    def served(self) -> Counter[str]:
        """Finished requests by number of the worker."""
        return Counter(re.findall(r"\[(\d)\] metering: request_id=", self.log))

    def refreshes(self) -> list[dict[str, Any]]:
        """The calls to the login service."""
        calls = json.loads(fetch(f"{self.emulator.url}/emulator/calls")[2])["calls"]
        return [call for call in calls if call["path"] == "/refreshToken"]

    def stream(self) -> tuple[HTTPConnection, Any]:
        """A streamed answer that has begun."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(
            "POST",
            "/v1/messages",
            json.dumps(BODY | {"stream": True}),
            {"content-type": "application/json"} | HEADERS,
        )
        return connection, connection.getresponse()

    def folders(self) -> list[Path]:
        """The folders with a supervisor's socket."""
        return [path for path in self.folder.glob("kiro2api-*") if path.is_dir()]

    def stop(self) -> int:
        """End everything; the status of the service."""
        try:
            return 0 if self.program is None else self.program.stop()
        finally:
            self.emulator.stop()


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Two workers that serve."""
    company = Company(tmp_path)
    try:
        company.start("--workers", "2")
        yield company
    finally:
        company.stop()


def test_both_serve_and_tell_the_same(company: Company) -> None:
    """Connections are dealt out; every worker knows what all have done; one refresh for all."""
    statuses = [company.ask() for _ in range(40)]
    assert statuses == [200] * 40
    until(lambda: sum(company.served().values()) == 40, "40 lines")
    assert set(company.served()) == {"1", "2"}
    time.sleep(1.2)  # what was not told yet is told by then
    for _ in range(8):
        tokens = company.tokens()
        assert (tokens["workers"], tokens["partial"]) == (2, False)
        assert sum(token["success_count"] for token in tokens["tokens"]) == 40
        assert company.health()["accounts"] == {"total": 2, "ready": 2}
    assert Counter(call["account"] for call in company.refreshes()) == {"one": 1, "two": 1}
    (folder,) = company.folders()
    assert folder.stat().st_mode & 0o777 == 0o700
    for pid in company.pids().values():
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert KEY.encode() not in words and b"accounts.json" not in words
    assert company.stop() == -signal.SIGTERM
    assert company.folders() == []
    assert company.log.count("kiro2api has stopped") == 3
    assert "Traceback" not in company.log


def test_rests_are_known_to_all(company: Company) -> None:
    """An account that one worker has found exhausted is asked by none."""
    company.emulator.script(
        {"error": "ThrottlingException", "reason": "", "status": 429, "retry_after": "30"}
    )
    assert company.ask() == 200
    time.sleep(1.0)
    company.emulator.reset()
    assert [company.ask() for _ in range(20)] == [200] * 20
    until(lambda: len(company.served()) == 2, "both have served")
    assert {call["account"] for call in company.emulator.calls()} == {"two"}
    (one, _) = company.tokens()["tokens"]
    assert (one["name"], one["status"]) == ("one", "cooling")


def test_a_killed_worker_is_replaced(company: Company) -> None:
    """Requests go on meanwhile, and a new worker serves within seconds."""
    before = company.pids()
    # A token that is on its way to a process which is killed is lost, whatever anybody does.
    until(lambda: all(one["expires_at"] for one in company.tokens()["tokens"]), "all are renewed")
    os.kill(before[1], signal.SIGKILL)
    until(lambda: f"(process {before[1]}) has ended: signal 9" in company.log, "it is noticed")
    assert [company.ask() for _ in range(20)] == [200] * 20
    until(lambda: company.pids()[1] != before[1], "another is started")
    until(lambda: company.health().get("workers") == 2, "it serves")
    company.served().clear()
    until(lambda: company.ask() == 200 and company.served()["1"] > 0, "it answers")
    assert company.pids()[2] == before[2]


def test_a_stop_delivers_what_runs(company: Company) -> None:
    """SIGTERM to the supervisor: answers under way arrive whole, new connections are refused."""
    for _ in range(4):
        company.emulator.script({"events": 80, "interval": 0.02})
    streams = [company.stream() for _ in range(4)]
    for _, response in streams:
        assert b"message_start" in response.read(200)
    company.process.send_signal(signal.SIGTERM)
    for connection, response in streams:
        assert b"message_stop" in response.read()
        connection.close()
    assert company.process.wait(10) == -signal.SIGTERM
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", company.port), 1).close()


def test_a_reload_replaces_everybody(company: Company) -> None:
    """SIGHUP: new settings and new processes, while a stream and requests go on."""
    before = company.pids()
    company.emulator.script({"events": 150, "interval": 0.02})
    connection, response = company.stream()
    assert b"message_start" in response.read(200)
    (company.folder / ".env").write_text("LOG_LEVEL=debug\n", "utf-8")
    company.process.send_signal(signal.SIGHUP)
    statuses = []
    deadline = time.monotonic() + 20
    while company.log.count("kiro2api has stopped") < 1 or time.monotonic() < deadline - 17:
        assert time.monotonic() < deadline
        statuses.append(company.ask())
    assert set(statuses) == {200}
    assert b"message_stop" in response.read()
    connection.close()
    until(lambda: company.log.count("kiro2api has stopped") == 2, "the old ones end")
    after = company.pids()
    assert set(after) == {1, 2} and not set(after.values()) & set(before.values())
    assert "settings: " in company.log  # only at the level of debug
    (company.folder / ".env").write_text("LOG_LEVEL=nonsense\n", "utf-8")
    company.process.send_signal(signal.SIGHUP)
    until(lambda: "the settings are kept: LOG_LEVEL" in company.log, "a mistake is told")
    assert company.pids() == after and company.ask() == 200


def test_workers_do_not_outlive_the_supervisor(company: Company) -> None:
    """Whoever loses it delivers what it has and ends."""
    pids = company.pids()
    company.process.kill()
    company.process.wait(5)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.values()), "they end")
    until(lambda: company.folders() == [], "nothing is left")


def test_a_busy_port(tmp_path: Path) -> None:
    """One line and status 1, whoever has the port: also another supervisor."""
    company = Company(tmp_path)
    try:
        with socket.socket() as other:
            other.bind(("127.0.0.1", company.port))
            other.listen()
            program = Program(tmp_path, "kiro2api", "--workers=2", **company.variables)
            assert program._process.wait(20) == 1
            assert program.log == (
                f"kiro2api: cannot listen on tcp:{company.port}:interface=127.0.0.1:backlog=1024:"
                " Address already in use\n"
            )
        company.start("--workers=2")
        held = socket.socket()
        with held, pytest.raises(OSError):
            held.bind(("127.0.0.1", company.port))
        (tmp_path / "second").mkdir()
        second = Program(tmp_path / "second", "kiro2api", "--workers=2", **company.variables)
        assert second._process.wait(20) == 1
        assert second.log.count("\n") == 1
    finally:
        company.stop()


def test_a_unix_socket(tmp_path: Path) -> None:
    """Where the port cannot be shared, its socket is inherited; the file is the supervisor's."""
    company = Company(tmp_path, KIRO_LISTEN=f"unix:{tmp_path}/door:mode=600")
    door = tmp_path / "door"
    program = Program(tmp_path, "kiro2api", "--workers=2", **company.variables)

    def asked() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(door))
            client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: client.recv(65536), b""))

    try:
        until(lambda: program.log.count("] worker: listening") == 2, "both listen")
        until(lambda: b'"workers":2' in asked(), "both serve")
        assert door.stat().st_mode & 0o777 == 0o600
        first = int(re.findall(r"as process (\d+)", program.log)[0])
        os.kill(first, signal.SIGTERM)
        until(lambda: f"(process {first}) has ended" in program.log, "one ends")
        assert b"200" in asked()
    finally:
        program.stop()
        company.stop()
    assert not door.exists()


def test_one_refresh_per_expiry(tmp_path: Path) -> None:
    """Rotating refresh tokens of short life, two processes, many requests: none is used twice."""
    # A token is not sent in its last minute, so that this one serves for four seconds.
    company = Company(
        tmp_path,
        lifetime=64,
        KIRO_REFRESH_AHEAD_SECONDS="0",
        # Reading credits needs a good token, too.
        KIRO_QUOTA_CHECK_SECONDS="0",
    )
    try:
        company.start("--workers=2")
        began = time.monotonic()

        def client(number: int) -> list[int]:
            statuses = []
            while time.monotonic() < began + 17:
                statuses.append(company.ask(stream=bool(number % 2)))
                time.sleep(0.4)
            return statuses

        with ThreadPoolExecutor(4) as clients:
            statuses = [status for each in clients.map(client, range(4)) for status in each]
        # The emulator remembers 200 calls, refreshes included.
        assert 120 < len(statuses) < 190
        assert set(statuses) == {200}
        calls = company.refreshes()
        assert {call["status"] for call in calls} == {200}
        # Both at the start; then only the one that serves, each time its four seconds are over.
        counts = Counter(call["account"] for call in calls)
        assert counts["two"] == 1
        assert 4 <= counts["one"] <= 5, counts
        until(lambda: len(company.served()) == 2, "both have served")
        assert "invalid_grant" not in company.log and "needs" not in company.log
        assert all(token["status"] == "ready" for token in company.tokens()["tokens"])
        with sqlite3.connect(company.variables["KIRO_DB_PATH"]) as store:
            leases = store.execute("SELECT name, holder, fence FROM leases").fetchall()
        store.close()
        assert {holder for _, holder, _ in leases} == {""}
        assert max(fence for _, _, fence in leases) >= counts["one"]
    finally:
        company.stop()
