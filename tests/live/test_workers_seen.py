"""What one of several processes does, seen and ended from any of them."""

import json
import os
import re
import signal
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.live.test_workers import HEADERS, Company, until


class Console:
    """A connection that stays with one worker."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=20)
        found = re.search(r'worker="(\d)"', self._asked("GET", "/metrics")[1].decode())
        assert found is not None
        self.worker = int(found[1])

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and what the JSON says."""
        status, told = self._asked(method, path, body)
        return status, json.loads(told) if told else None

    def get(self, path: str) -> Any:
        """What must be there."""
        status, told = self.ask("GET", path)
        assert status == 200, told
        return told

    def wait(self, path: str, **fields: object) -> Any:
        """What is there once it is, with these values."""

        def there() -> Any:
            status, told = self.ask("GET", path)
            return status == 200 and fields.items() <= told.items() and told

        return until(there, f"{path} has {fields}")

    def listen(self) -> Any:
        """Its stream of events; nothing else can be asked afterwards."""
        self._connection.request("GET", "/api/events", headers=HEADERS)
        return self._connection.getresponse()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _asked(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, HEADERS | {"content-type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Two workers that serve."""
    company = Company(tmp_path)
    company.variables["KIRO_OIDC_URL"] = company.emulator.url
    try:
        company.start("--workers", "2")
        yield company
    finally:
        company.stop()


@pytest.fixture
def consoles(company: Company) -> Iterator[dict[int, Console]]:
    """One at each worker."""
    found, surplus = pair(company)
    yield found
    for console in (*found.values(), *surplus):
        console.close()


def pair(company: Company) -> tuple[dict[int, Console], list[Console]]:
    """One at each worker, and those that came twice."""
    found: dict[int, Console] = {}
    surplus: list[Console] = []
    while len(found) < 2:
        assert len(surplus) < 60
        console = Console(company.port)
        if console.worker in found:
            surplus.append(console)
        else:
            found[console.worker] = console
    return found, surplus


def server(company: Company, request_id: str) -> int:
    """The number of the worker that has served a request."""
    line = re.compile(rf"\[(\d)\] metering: request_id=\"?{request_id}")
    return int(until(lambda: line.search(company.log), "it is recorded")[1])


def test_running_requests(company: Company, consoles: dict[int, Console]) -> None:
    """Each sees those of both, and ends them, wherever they run."""
    seen: set[tuple[int, int]] = set()
    for round in range(60):
        asker = consoles[round % 2 + 1]
        company.emulator.script({"events": 5000, "interval": 0.02})
        connection, response = company.stream()
        assert b"message_start" in response.read(100)
        shown = [console.get("/api/live") for console in consoles.values()]
        assert [(each["total"], "partial" in each) for each in shown] == [(1, False)] * 2
        (one,), (other,) = (each["items"] for each in shown)
        request_id = one["request_id"]
        assert request_id == other["request_id"] and one["state"] == "answering"
        assert asker.ask("POST", f"/api/live/{request_id}/cancel")[0] == 200
        assert b"cancelled by the operator" in response.read()
        connection.close()
        seen.add((asker.worker, server(company, request_id)))
        if len(seen) == 4:
            break
    assert len(seen) == 4
    for console in consoles.values():
        assert console.get("/api/live") == {"items": [], "total": 0}
        assert console.ask("POST", "/api/live/req_none/cancel")[0] == 404


def test_events(company: Company, consoles: dict[int, Console]) -> None:
    """The events of both tell of one request, its begin and its end."""
    streams = [console.listen() for console in consoles.values()]
    assert [running(events) for events in streams] == [0, 0]
    company.emulator.script({"events": 100, "interval": 0.02})
    connection, response = company.stream()
    for wanted in (1, 0):
        for events in streams:
            total = running(events)
            while total == 1 != wanted:  # it has gone on meanwhile
                total = running(events)
            assert total == wanted
    assert b"message_stop" in response.read()
    connection.close()


def running(events: Any) -> Any:
    """How many requests the next event of that kind tells of."""
    while line := events.readline():
        if line.startswith(b"event: live"):
            told = json.loads(events.readline().removeprefix(b"data: "))
            assert "partial" not in told
            return told["total"]
    raise AssertionError("the stream has ended")


def test_a_worker_that_ends(company: Company) -> None:
    """What a replaced worker still delivers is seen, and cancelled, from its successors."""
    before = company.pids()
    company.emulator.script({"events": 5000, "interval": 0.02})
    connection, response = company.stream()
    assert b"message_start" in response.read(100)
    company.process.send_signal(signal.SIGHUP)
    until(lambda: not set(company.pids().values()) & set(before.values()), "both are replaced")
    until(lambda: company.log.count("kiro2api has stopped") == 1, "one of the old ones has ended")
    consoles, surplus = pair(company)
    shown = [console.get("/api/live")["items"] for console in consoles.values()]
    assert [len(items) for items in shown] == [1, 1]
    request_id = shown[0][0]["request_id"]
    assert consoles[1].ask("POST", f"/api/live/{request_id}/cancel")[0] == 200
    assert b"cancelled by the operator" in response.read()
    connection.close()
    for console in (*consoles.values(), *surplus):
        console.close()
    until(lambda: company.log.count("kiro2api has stopped") == 2, "the other ends, too")


def test_a_worker_that_hangs(company: Company, consoles: dict[int, Console]) -> None:
    """The other says after a second that it does not know all; a dead one is not waited for."""
    hanging = company.pids()[2]
    os.kill(hanging, signal.SIGSTOP)
    told = consoles[1].get("/api/live")
    assert told == {"items": [], "total": 0, "partial": True, "worker": 1}
    os.kill(hanging, signal.SIGCONT)
    assert consoles[1].get("/api/live") == {"items": [], "total": 0}
    os.kill(hanging, signal.SIGKILL)
    until(lambda: f"(process {hanging}) has ended" in company.log, "it is noticed")
    assert consoles[1].get("/api/live") == {"items": [], "total": 0}


def test_logins(company: Company, consoles: dict[int, Console]) -> None:
    """Begun in one, known to both, cancelled from either; what one brings is there in both."""
    one, two = consoles[1], consoles[2]
    for here, there in ((one, two), (two, one)):
        status, login = here.ask("POST", "/api/logins", {"kind": "builder_id"})
        assert (status, login["status"]) == (201, "pending")
        path = f"/api/logins/{login['id']}"
        assert there.wait(path) == login == here.get(path)
        assert there.ask("DELETE", path)[0] == 204
        here.wait(path, status="cancelled")
    _, login = one.ask("POST", "/api/logins", {"kind": "builder_id", "name": "new"})
    path = f"/api/logins/{login['id']}"
    shown = two.wait(path, status="done")
    assert one.get(path) == shown
    for console in consoles.values():
        console.wait(f"/api/tokens/{shown['account']}", name="new")


def test_jobs(company: Company, consoles: dict[int, Console]) -> None:
    """Followed from another process than the one that does it."""
    for here, there in ((1, 2), (2, 1)):
        status, begun = consoles[here].ask("POST", "/api/tokens/refresh", {})
        assert status == 202
        path = f"/api/jobs/{begun['job']}"
        job = consoles[there].wait(path, finished=True)
        assert (job["total"], job["done"], job["failed"]) == (2, 2, 0)
        assert job == consoles[here].get(path)
    assert consoles[1].ask("GET", "/api/jobs/none")[0] == 404
