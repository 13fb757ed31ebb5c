"""Codex itself does its work through the service."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.codex import CODEX, Codex, Run
from tests.clients.npm import NotInstalled
from tests.clients.running import Service
from tests.clients.sayings import MODEL, THROTTLED, TOO_LONG
from tests.clients.tapping import Tap
from tests.conftest import CACHE

READ: dict[str, Any] = {"name": "exec_command", "input": {"cmd": "cat secret.txt"}}


@pytest.fixture(scope="session")
def program() -> Path:
    """The program; without it these tests are skipped, but not where everything must be tested."""
    try:
        return CODEX.program(CACHE)
    except NotInstalled as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture
def codex(program: Path, tmp_path: Path) -> Codex:
    """Codex with a home and a secret of its own."""
    return Codex(program, tmp_path, secrets.token_hex(12))


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that answers for any model: Codex offers other tools to models it knows."""
    service = Service(tmp_path_factory.mktemp("lenient"), KIRO_FALLBACK_MODEL=MODEL)
    yield service
    service.stop()


def read_the_secret(codex: Codex, run: Run) -> None:
    """The tool was called, and what it returned was sent back."""
    assert run.completed, run.output
    [command] = run.items("command_execution")
    assert command["exit_code"] == 0
    assert codex.secret in command["aggregated_output"]
    assert codex.secret in run.answer


@pytest.mark.parametrize(
    ("base", "account"), [("/v1", "one"), ("", "one"), ("/v1/v1", "one"), ("/pro/v1", "three")]
)
def test_two_turns(codex: Codex, service: Service, base: str, account: str) -> None:
    """A file is read with exactly two requests, under every kind of base URL."""
    service.emulator.script({"text": "I look.", "calls": [READ]})
    read_the_secret(codex, codex.ask("What is the secret?", service.url + base, MODEL))
    records = service.records(2)
    assert [(record["status"], record["account"]) for record in records] == [("200", account)] * 2
    assert {record["dialect"] for record in records} == {"responses"}


def test_usage(codex: Codex, service: Service) -> None:
    """The tokens of both requests are counted."""
    service.emulator.script({"text": "I look.", "calls": [READ]})
    run = codex.ask("What is the secret?", f"{service.url}/v1", MODEL)
    usage = run.events[-1]["usage"]
    records = service.records(2)
    assert usage["input_tokens"] == sum(int(record["input_tokens"]) for record in records)
    assert usage["output_tokens"] == sum(int(record["output_tokens"]) for record in records)


def test_parallel_calls(codex: Codex, service: Service) -> None:
    """Two calls in one answer."""
    count = {"name": "exec_command", "input": {"cmd": "echo $((6 * 7000))"}}
    service.emulator.script({"text": "Both.", "calls": [READ, count]})
    run = codex.ask("Do both.", f"{service.url}/v1", MODEL)
    assert run.completed, run.output
    assert len(run.items("command_execution")) == 2
    assert codex.secret in run.answer
    assert "42000" in run.answer
    assert len(service.records(2)) == 2


def test_namespace(codex: Codex, service: Service) -> None:
    """A tool of a namespace is found by its namespace."""
    call = {"name": "close_agent", "input": {"target": "nobody"}}
    service.emulator.script({"text": "", "calls": [call]})
    run = codex.ask("Close it.", f"{service.url}/v1", MODEL)
    assert run.completed, run.output
    assert "nobody" in run.answer
    assert "unsupported call" not in run.answer


def test_tools_in_input(codex: Codex, lenient: Service) -> None:
    """The newest models' tools come in the input, and take JavaScript as raw text."""
    lenient.begin()
    script = 'const r = await tools.exec_command({cmd: "cat secret.txt"}); text(r.output);'
    lenient.emulator.script({"text": "", "calls": [{"name": "exec", "input": {"input": script}}]})
    read_the_secret(codex, codex.ask("Read it.", f"{lenient.url}/v1", "gpt-6-sol"))
    lenient.emulator.script({"text": "", "calls": [{"name": "list_agents", "input": {}}]})
    run = codex.ask("Who is there?", f"{lenient.url}/v1", "gpt-6-sol")
    assert "/root" in run.answer


def test_patch(codex: Codex, lenient: Service) -> None:
    """A custom tool with a grammar gets its patch as raw text."""
    lenient.begin()
    patch = f"*** Begin Patch\n*** Add File: made.txt\n+{codex.secret}\n*** End Patch\n"
    call = {"name": "apply_patch", "input": {"input": patch}}
    lenient.emulator.script({"text": "", "calls": [call]})
    run = codex.ask("Make the file.", f"{lenient.url}/v1", "gpt-5.5")
    assert run.completed, run.output
    assert (codex.work / "made.txt").read_text("utf-8") == f"{codex.secret}\n"


def test_in_place_of_openai(codex: Codex, service: Service) -> None:
    """The built-in provider tries a WebSocket first and turns to HTTP at once."""
    service.emulator.script({"text": "I look.", "calls": [READ]})
    with Tap(service.url) as tap:
        begun = time.monotonic()
        run = codex.ask_as_openai("What is the secret?", f"{tap.url}/v1", MODEL)
        assert time.monotonic() - begun < 10
    read_the_secret(codex, run)
    assert "GET /v1/responses" in tap.requests()
    assert 426 in tap.statuses()
    assert len(service.records(2)) == 2


def test_reasoning_comes_back(codex: Codex, service: Service) -> None:
    """What the upstream signed is sent back in our wrapper."""
    service.emulator.script(
        {"thinking": "I need the file. " * 3, "signature": "c2ln", "text": "", "calls": [READ]}
    )
    with Tap(service.url) as tap:
        read_the_secret(codex, codex.ask("What is it?", f"{tap.url}/v1", MODEL))
    assert b'"encrypted_content":"k2a1.' in b"".join(tap.sent)


def test_throttled(codex: Codex, service: Service, group: str) -> None:
    """When every account is throttled, Codex waits as long as it is told."""
    service.emulator.script({**THROTTLED, "retry_after": "1", "times": 2})
    run = codex.ask("Hello", f"{service.url}/{group}/v1", MODEL)
    assert run.completed, run.output
    assert [record["status"] for record in service.records(2)][-2:] == ["429", "200"]


@pytest.mark.parametrize("order", [{"cut_at": 12}, {"exception_at": 12}, {"bad_crc_at": 12}])
def test_broken_text(codex: Codex, service: Service, group: str, order: dict[str, Any]) -> None:
    """An answer that breaks in the middle is asked for again."""
    service.emulator.script({"text": "Once upon a time " * 30, "delay": 0.005, **order})
    run = codex.ask("Tell me.", f"{service.url}/{group}/v1", MODEL)
    assert run.completed, run.output
    assert [record["outcome"] for record in service.records(2)] == ["failed", "served"]


def test_broken_call(codex: Codex, service: Service, group: str) -> None:
    """A call that breaks in the middle is not carried out."""
    call = {"name": "exec_command", "input": {"cmd": f"touch {codex.work}/done; " + "x" * 90}}
    service.emulator.script({"text": "So.", "calls": [call], "delay": 0.02, "cut_at": 3})
    run = codex.ask("Do it.", f"{service.url}/{group}/v1", MODEL)
    assert run.completed, run.output
    assert run.items("command_execution") == []
    assert not (codex.work / "done").exists()


def test_truncated_call(codex: Codex, service: Service) -> None:
    """A call that the upstream cut short is not carried out, and the turn does not look whole."""
    raw = json.dumps({"cmd": f"touch {codex.work}/done"})[:-1]
    call = {"name": "exec_command", "raw_input": raw}
    service.emulator.script({"text": "So.", "calls": [call]})
    run = codex.ask("Do it.", f"{service.url}/v1", MODEL)
    assert "max_output_tokens" in run.complaint
    assert not (codex.work / "done").exists()


def test_too_long(codex: Codex, service: Service) -> None:
    """An overflow ends the turn at once."""
    service.emulator.script({**TOO_LONG, "times": 3})
    run = codex.ask("Hello", f"{service.url}/v1", MODEL)
    assert not run.completed
    assert "context" in run.complaint.lower() or "too long" in run.complaint.lower()
    assert len(service.records(1)) == 1


def test_unknown_model(codex: Codex, service: Service) -> None:
    """A model that nobody offers is named."""
    run = codex.ask("Hello", f"{service.url}/v1", "nonesuch-9")
    assert "nonesuch-9" in run.complaint


def test_wrong_key(codex: Codex, service: Service) -> None:
    """A wrong key is told in words that say which setting is meant."""
    run = codex.ask("Hello", f"{service.url}/v1", MODEL, key="wrong")
    assert "KIRO_CLIENT_TOKEN" in run.complaint
