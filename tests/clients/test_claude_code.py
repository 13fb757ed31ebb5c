"""Claude Code itself does its work through the service."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.clients.claude_code import CLAUDE_CODE, ClaudeCode, Run
from tests.clients.npm import NotInstalled
from tests.clients.running import KEY, Service
from tests.clients.sayings import NO_CAPACITY, THROTTLED, TOO_LONG, history
from tests.clients.tapping import Tap
from tests.conftest import CACHE


@pytest.fixture(scope="session")
def program() -> Path:
    """The program; without it these tests are skipped, but not where everything must be tested."""
    try:
        return CLAUDE_CODE.program(CACHE)
    except NotInstalled as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture
def claude(program: Path, tmp_path: Path) -> ClaudeCode:
    """Claude Code with a home and a secret of its own."""
    return ClaudeCode(program, tmp_path, secrets.token_hex(12))


def read_the_secret(claude: ClaudeCode, run: Run) -> None:
    """The tool was called, it returned the secret, and the answer has it."""
    assert (run.status, run.failed) == (0, False), run.output
    assert claude.secret in run.result
    [use] = run.blocks("tool_use")
    assert use["input"] == {"file_path": str(claude.file)}
    [result] = run.blocks("tool_result")
    assert result["tool_use_id"] == use["id"]
    assert claude.secret in str(result["content"])


@pytest.mark.parametrize(
    ("base", "account"), [("", "one"), ("/v1", "one"), ("/pro", "three"), ("/pro/v1", "three")]
)
def test_two_turns(claude: ClaudeCode, service: Service, base: str, account: str) -> None:
    """A file is read with exactly two requests, under every kind of base URL."""
    run = claude.ask(claude.reading(), service.url + base)
    read_the_secret(claude, run)
    records = service.records(2)
    assert [(record["status"], record["account"]) for record in records] == [("200", account)] * 2
    assert all(record["stream"] == "yes" for record in records)
    assert run.retries() == []


def test_bearer_token(claude: ClaudeCode, service: Service) -> None:
    """The key as a bearer token."""
    read_the_secret(claude, claude.ask(claude.reading(), service.url, ANTHROPIC_AUTH_TOKEN=KEY))
    assert len(service.records(2)) == 2


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-sonnet-4-5", "claude-haiku-4-5"])
def test_other_models(claude: ClaudeCode, service: Service, model: str) -> None:
    """Models for which the client words its wishes for reasoning in other ways."""
    read_the_secret(claude, claude.ask(claude.reading(), service.url, ANTHROPIC_MODEL=model))
    assert {record["status"] for record in service.records(2)} == {"200"}


@pytest.mark.parametrize(
    "variables", [{"ENABLE_TOOL_SEARCH": "false"}, {"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"}]
)
def test_other_shapes(claude: ClaudeCode, service: Service, variables: dict[str, str]) -> None:
    """All tools at once; and nothing experimental."""
    read_the_secret(claude, claude.ask(claude.reading(), service.url, **variables))
    assert [record["status"] for record in service.records(2)] == ["200", "200"]


def test_parallel_calls(claude: ClaudeCode, service: Service) -> None:
    """Two tools at once, with reasoning before and text between."""
    calls = [
        {"name": "Read", "input": {"file_path": str(claude.file)}},
        {"name": "Bash", "input": {"command": "echo $((6 * 7000))", "description": "Count"}},
    ]
    service.emulator.script({"thinking": "Both at once. " * 5, "text": "Now.", "calls": calls})
    run = claude.ask("Do both.", service.url)
    assert (run.status, run.failed) == (0, False), run.output
    assert [use["name"] for use in run.blocks("tool_use")] == ["Read", "Bash"]
    assert run.blocks("thinking")[0]["thinking"] == "Both at once. " * 5
    assert claude.secret in run.result
    assert "42000" in run.result
    assert len(service.records(2)) == 2


def test_continued(claude: ClaudeCode, service: Service) -> None:
    """A session that is taken up again sends what was said before."""
    read_the_secret(claude, claude.ask(claude.reading(), service.url))
    run = claude.ask("And now?", service.url, "--continue")
    assert (run.status, run.failed) == (0, False), run.output
    assert len(service.records(3)) == 3
    assert claude.secret in json.dumps(history(service.emulator.calls()[-1]))


def test_failover(claude: ClaudeCode, service: Service, group: str) -> None:
    """One throttled account goes unnoticed."""
    service.emulator.script({**THROTTLED, "account": f"{group}-a"})
    run = claude.ask(claude.reading(), f"{service.url}/{group}")
    read_the_secret(claude, run)
    assert run.retries() == []
    records = service.records(2)
    assert [record["account"] for record in records] == [f"{group}-b"] * 2
    assert [record["attempts"] for record in records] == ["2", "1"]


@pytest.mark.parametrize(
    ("order", "status"), [({**THROTTLED, "retry_after": "1"}, "429"), (NO_CAPACITY, "529")]
)
def test_tries_again(
    claude: ClaudeCode, service: Service, group: str, order: dict[str, Any], status: str
) -> None:
    """When every account is refused, the client waits as long as it is told."""
    service.emulator.script({**order, "times": 2})
    run = claude.ask(claude.reading(), f"{service.url}/{group}")
    read_the_secret(claude, run)
    assert len(run.retries()) == 1
    assert [record["status"] for record in service.records(3)] == [status, "200", "200"]


@pytest.mark.parametrize(
    "order",
    [
        {"cut_at": 12},
        {"exception_at": 12},
        {"bad_crc_at": 12},
        {"thinking": "Hm. " * 80, "cut_at": 12},
    ],
    ids=lambda order: next(iter(order)),
)
def test_broken_text(
    claude: ClaudeCode, service: Service, group: str, order: dict[str, Any]
) -> None:
    """An answer that breaks in the middle of a text is noticed and taken up again."""
    text = "Once upon a time there was " * 20
    service.emulator.script({"text": text, "delay": 0.005, **order})
    run = claude.ask(claude.reading(), f"{service.url}/{group}")
    assert (run.status, run.failed) == (0, False), run.output
    outcomes = [record["outcome"] for record in service.records(2)]
    assert outcomes[:2] == ["failed", "served"]
    assert len(outcomes) <= 3


def test_broken_call(claude: ClaudeCode, service: Service, group: str) -> None:
    """A call that breaks in the middle is not carried out, but asked for again."""
    call = {"name": "Read", "input": {"file_path": str(claude.file)}}
    order = {"thinking": "Hm.", "text": "", "calls": [call], "delay": 0.02}
    service.emulator.script({**order, "cut_at": 4})
    run = claude.ask(claude.reading(), f"{service.url}/{group}")
    read_the_secret(claude, run)
    outcomes = [record["outcome"] for record in service.records(3)]
    assert outcomes == ["failed", "served", "served"]


def test_broken_call_after_text(claude: ClaudeCode, service: Service, group: str) -> None:
    """The same after a text, which is kept."""
    call = {"name": "Bash", "input": {"command": f"touch {claude.work}/done"}}
    order = {"thinking": "Hm.", "text": "So.", "calls": [call], "delay": 0.02}
    service.emulator.script({**order, "cut_at": 5})
    run = claude.ask("Do it.", f"{service.url}/{group}")
    assert (run.status, run.failed) == (0, False), run.output
    assert run.blocks("tool_result") == []
    assert [record["outcome"] for record in service.records(2)] == ["failed", "served"]


def test_unknown_model(claude: ClaudeCode, service: Service) -> None:
    """A model that nobody offers ends the run at once, with its name."""
    run = claude.ask("Hello", service.url, ANTHROPIC_MODEL="claude-nonesuch-9")
    assert (run.status, run.failed) == (1, True)
    assert "claude-nonesuch-9" in run.result
    assert run.retries() == []
    assert {record["status"] for record in service.records(2)} == {"404"}
    assert len(service.records()) <= 2


def test_too_long(claude: ClaudeCode, service: Service) -> None:
    """An overflow is recognised as one, which is what makes the client compact."""
    service.emulator.script({**TOO_LONG, "times": 3})
    run = claude.ask("Hello", service.url)
    assert run.failed
    assert "Prompt is too long" in run.result
    assert {record["status"] for record in service.records(1)} == {"400"}


def test_wrong_key(claude: ClaudeCode, service: Service) -> None:
    """A wrong key is told in words that say which setting is meant."""
    run = claude.ask("Hello", service.url, ANTHROPIC_API_KEY="wrong", CLAUDE_CODE_MAX_RETRIES="0")
    assert run.failed
    assert "401" in run.output
    assert service.emulator.calls() == []


def test_context(claude: ClaudeCode, service: Service) -> None:
    """Its overview of the context counts tokens, many at once, and all of them are counted."""
    with Tap(service.url) as tap:
        run = claude.ask("/context", tap.url)
    assert (run.status, run.failed) == (0, False), run.output
    assert "System tools" in run.result
    asked = tap.requests()
    assert len(asked) > 5
    assert {path.partition("?")[0] for path in asked} == {"POST /v1/messages/count_tokens"}
    assert tap.statuses() == [200] * len(asked)


def test_discovers_models(claude: ClaudeCode, service: Service) -> None:
    """It may ask for the models there are."""
    with Tap(service.url) as tap:
        run = claude.ask(
            claude.reading(),
            tap.url,
            CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1",
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="",
        )
    read_the_secret(claude, run)
    asked = tap.requests()
    assert "GET /v1/models?limit=1000" in asked
    assert set(tap.statuses()) == {200}
