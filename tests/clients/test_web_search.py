"""The web search with real clients: as their vendors' SDKs read it, and as Claude Code uses it."""

import os
import secrets
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.clients.claude_code import CLAUDE_CODE, ClaudeCode
from tests.clients.npm import NotInstalled
from tests.clients.running import KEY, Service
from tests.clients.sayings import MODEL, history
from tests.conftest import CACHE

SEARCH: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
LOOK: Any = [{"role": "user", "content": 'call web_search {"query": "old maps"}'}]


def order(*queries: str) -> dict[str, Any]:
    """An answer that searches for these."""
    calls = [{"name": "web_search", "input": {"query": query}} for query in queries]
    return {"text": "I look.", "calls": calls}


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic(service: Service, streamed: bool) -> None:
    """Blocks that the SDK knows, and a second turn that it can send."""
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0, timeout=20) as client:
        asked: Any = {"model": MODEL, "max_tokens": 2000, "tools": [SEARCH]}
        if streamed:
            with client.messages.stream(messages=LOOK, **asked) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(messages=LOOK, **asked)
        kinds = [block.type for block in message.content]
        assert kinds == ["text", "server_tool_use", "web_search_tool_result", "text"]
        call, result = message.content[1], message.content[2]
        assert call.type == "server_tool_use"
        assert call.input == {"query": "old maps"}
        assert result.type == "web_search_tool_result"
        assert result.tool_use_id == call.id
        assert isinstance(result.content, list)
        assert result.content[0].title == "old maps: finding 1"
        assert message.stop_reason == "end_turn"
        assert message.usage.server_tool_use is not None
        assert message.usage.server_tool_use.web_search_requests == 1
        more: Any = [
            *LOOK,
            {"role": "assistant", "content": [block.model_dump() for block in message.content]},
            {"role": "user", "content": "Thank you."},
        ]
        client.messages.create(messages=more, **asked)
    [*_, last] = service.emulator.calls()
    assert "part 3" in str(history(last))
    assert {record["status"] for record in service.records(2)} == {"200"}


def test_parallel_searches_and_more_rounds(service: Service) -> None:
    """Two at once, then another, then the answer; one too many is told."""
    service.emulator.script(order("one", "two"), order("three"))
    tool: Any = {**SEARCH, "max_uses": 2}
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0, timeout=20) as client:
        message = client.messages.create(model=MODEL, max_tokens=2000, tools=[tool], messages=LOOK)
    results = [block for block in message.content if block.type == "web_search_tool_result"]
    failed = results.pop()
    assert all(isinstance(result.content, list) for result in results)
    assert not isinstance(failed.content, list)
    assert failed.content.error_code == "max_uses_exceeded"
    assert message.usage.server_tool_use is not None
    assert message.usage.server_tool_use.web_search_requests == 2


def test_failing_search(service: Service) -> None:
    """A search that the upstream refuses."""
    service.emulator.script({"path": "/mcp", "status": 403, "error": "AccessDeniedException"})
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0, timeout=20) as client:
        message = client.messages.create(
            model=MODEL, max_tokens=2000, tools=[SEARCH], messages=LOOK
        )
    [failed] = [block for block in message.content if block.type == "web_search_tool_result"]
    assert not isinstance(failed.content, list)
    assert failed.content.error_code == "unavailable"
    assert message.stop_reason == "end_turn"


def test_openai(service: Service) -> None:
    """Chat completions show which of the pages the answer names."""
    with OpenAI(base_url=f"{service.url}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        completion = client.chat.completions.create(
            model=MODEL, messages=LOOK, web_search_options={}
        )
    message = completion.choices[0].message
    assert message.content is not None
    assert message.tool_calls is None
    assert message.annotations is not None
    assert len(message.annotations) == 3
    for annotation in message.annotations:
        named = annotation.url_citation
        assert message.content[named.start_index : named.end_index] == named.url


def test_claude_code(service: Service, tmp_path: Path) -> None:
    """Its own tool asks for a search in a request of its own, and shows what was found."""
    try:
        program = CLAUDE_CODE.program(CACHE)
    except NotInstalled as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    claude = ClaudeCode(program, tmp_path, secrets.token_hex(12))
    tool = {"name": "WebSearch", "input": {"query": "old maps"}}
    service.emulator.script({"text": "I look.", "calls": [tool]}, order("old maps"))
    run = claude.ask(
        "Look for old maps.",
        service.url,
        "--allowedTools",
        "WebSearch",
        ENABLE_TOOL_SEARCH="false",
    )
    assert (run.status, run.failed) == (0, False), run.output
    [result] = run.blocks("tool_result")
    assert "old maps: finding 1" in str(result["content"]), run.output
    assert len(service.records(3)) == 3
