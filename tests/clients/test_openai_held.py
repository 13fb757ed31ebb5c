"""Responses are held for every process of a service, and for those that come after it."""

import json
from pathlib import Path

from tests.clients.running import KEY, Service, fetch
from tests.clients.sayings import MODEL

STEPS = 12
HEADERS = {"authorization": f"Bearer {KEY}", "connection": "close"}


def test_several_processes(tmp_path: Path) -> None:
    """Each step may come to another process than the one before."""
    service = Service(tmp_path, KIRO_WORKERS="2")
    try:
        url = f"{service.url}/v1/responses"
        previous = None
        for step in range(STEPS):
            body = {"model": MODEL, "input": f"Step {step}.", "previous_response_id": previous}
            status, _, answer = fetch(url, body, headers=HEADERS)
            assert status == 200, answer
            previous = json.loads(answer)["id"]
            status, _, again = fetch(f"{url}/{previous}", headers=HEADERS)
            assert (status, json.loads(again)) == (200, json.loads(answer))
        status, _, items = fetch(f"{url}/{previous}/input_items?limit=100", headers=HEADERS)
        assert len(json.loads(items)["data"]) == 2 * STEPS - 1
        asked = str(service.emulator.calls()[-1]["body"])
        assert all(f"Step {step}." in asked for step in range(STEPS))
        assert fetch(f"{url}/{previous}", method="DELETE", headers=HEADERS)[0] == 200
        for _ in range(4):
            assert fetch(f"{url}/{previous}", headers=HEADERS)[0] == 404
    finally:
        service.stop()
