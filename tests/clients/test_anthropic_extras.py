"""Anthropic's own SDK beyond messages: base URLs, models, counting, reasoning, tool runner."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from pydantic import BaseModel

from tests.clients.running import KEY, Service, fetch
from tests.clients.sayings import CITY, MODEL, WEATHER_CALL, history

HELLO: Any = [{"role": "user", "content": "Say hello."}]
WEATHER: Any = {"name": "weather", "description": "Tells the weather.", "input_schema": CITY}


@pytest.fixture
def client(service: Service) -> Iterator[Anthropic]:
    """A client that does not try again by itself."""
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    ("base", "account"),
    [("", "one"), ("/v1", "one"), ("/v1/", "one"), ("/pro", "three"), ("/pro/v1", "three")],
)
def test_base_urls(service: Service, base: str, account: str) -> None:
    """The base URL with and without a version, with and without a group."""
    with Anthropic(base_url=service.url + base, api_key=KEY, max_retries=0) as client:
        message = client.messages.create(model=MODEL, max_tokens=1000, messages=HELLO)
        counted = client.messages.count_tokens(model=MODEL, messages=HELLO)
        models = [model.id for model in client.models.list()]
    assert message.stop_reason == "end_turn"
    assert counted.input_tokens > 0
    assert MODEL in models
    assert service.records(1)[0]["account"] == account


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY},
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"authorization": "Bearer wrong", "x-api-key": KEY},
        {"authorization": f"Bearer {KEY}", "x-api-key": "wrong"},
    ],
)
def test_key_headers(service: Service, headers: dict[str, str]) -> None:
    """The key in either header; one good key is enough."""
    body = {"model": MODEL, "max_tokens": 1000, "messages": HELLO}
    assert fetch(f"{service.url}/v1/messages", body, headers=headers)[0] == 200


def test_count_tokens(client: Anthropic, service: Service) -> None:
    """A longer question counts more, tools count too, and nobody upstream is asked."""
    count = client.messages.count_tokens
    short = count(model=MODEL, messages=HELLO).input_tokens
    more: Any = [{"role": "user", "content": "Say hello. " * 200}]
    assert count(model=MODEL, messages=more).input_tokens > 200 > short > 0
    assert count(model=MODEL, messages=HELLO, tools=[WEATHER]).input_tokens > short
    assert count(model=MODEL, messages=HELLO, system="Be brief.").input_tokens > short
    assert service.emulator.calls() == []


def test_models(client: Anthropic) -> None:
    """The SDK turns the pages; one model is found by its id and by other names for it."""
    everything = [model.id for model in client.models.list(limit=1000)]
    assert len(everything) > 10
    first = client.models.list(limit=4)
    assert (len(first.data), first.has_more) == (4, True)
    assert [model.id for model in first] == everything
    assert first.data[0].display_name
    assert first.data[0].created_at.year > 2020
    before = client.models.list(limit=2, before_id=everything[4])
    assert [model.id for model in before.data] == everything[2:4]
    assert client.models.retrieve(MODEL).id == MODEL
    assert client.models.retrieve("claude-sonnet-4.6").type == "model"
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.models.retrieve("claude-nonesuch-9")
    assert MODEL in caught.value.message


def reasoning(message: Any) -> Any:
    """The first block, which has to be reasoning."""
    assert message.content[0].type == "thinking"
    return message.content[0]


@pytest.mark.parametrize("stream", [False, True])
def test_thinking(client: Anthropic, service: Service, stream: bool) -> None:
    """Reasoning with its signature comes first, and may come back in the next turn."""
    service.emulator.script({"thinking": "Let me think of a greeting. " * 3, **WEATHER_CALL})
    given: Any = {
        "model": MODEL,
        "max_tokens": 4000,
        "thinking": {"type": "adaptive"},
        "tools": [WEATHER],
    }
    first: Any
    if stream:
        with client.messages.stream(messages=HELLO, **given) as answer:
            deltas = [event for event in answer if event.type == "content_block_delta"]
            kinds = [event.delta.type for event in deltas]
            first = answer.get_final_message()
        assert kinds.index("signature_delta") == kinds.count("thinking_delta")
        assert kinds.count("signature_delta") == 1
    else:
        first = client.messages.create(messages=HELLO, **given)
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    thought = reasoning(first)
    assert thought.thinking == "Let me think of a greeting. " * 3
    assert len(thought.signature) > 20
    result = {"type": "tool_result", "tool_use_id": first.content[2].id, "content": "Fog"}
    messages: Any = [
        *HELLO,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    service.emulator.script({"thinking": "So it is fog."})
    second = client.messages.create(messages=messages, **given)
    assert reasoning(second).thinking == "So it is fog."
    assert any(block.type == "text" and "Fog" in block.text for block in second.content)


def test_thinking_is_asked_for(client: Anthropic) -> None:
    """A model that reasons only when told to is told to."""
    message = client.messages.create(
        model=MODEL, max_tokens=4000, messages=HELLO, thinking={"type": "adaptive"}
    )
    assert reasoning(message).thinking


def test_redacted_thinking(client: Anthropic, service: Service) -> None:
    """Reasoning that nobody can read passes through both ways."""
    service.emulator.script({"redacted": "c2VjcmV0", "text": "Hm."})
    given: Any = {"model": MODEL, "max_tokens": 4000, "thinking": {"type": "adaptive"}}
    first = client.messages.create(messages=HELLO, **given)
    assert any(
        block.type == "redacted_thinking" and block.data == "c2VjcmV0" for block in first.content
    )
    messages: Any = [
        *HELLO,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": "And?"},
    ]
    assert client.messages.create(messages=messages, **given).stop_reason == "end_turn"


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that sends earlier reasoning upstream again."""
    service = Service(tmp_path_factory.mktemp("remembering"), KIRO_REPLAY_THINKING="true")
    yield service
    service.stop()


def test_thinking_replayed(remembering: Service) -> None:
    """With replay switched on, the upstream gets its reasoning back, signed as it was."""
    given: Any = {"model": MODEL, "max_tokens": 4000, "thinking": {"type": "adaptive"}}
    with Anthropic(base_url=remembering.url, api_key=KEY, max_retries=0) as client:
        remembering.emulator.script({"thinking": "What now?"})
        first = client.messages.create(messages=HELLO, **given)
        messages: Any = [
            *HELLO,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": "And?"},
        ]
        client.messages.create(messages=messages, **given)
    thought = reasoning(first)
    turn = history(remembering.emulator.calls()[-1])[-1]["assistantResponseMessage"]
    shown = turn["reasoningContent"]["reasoningText"]
    assert shown == {"text": thought.thinking, "signature": thought.signature}


def test_tool_runner(client: Anthropic, service: Service) -> None:
    """The runner asks for threads, which are refused in a way that makes it send everything."""
    asked = []

    @beta_tool
    def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: Where.
        """
        asked.append(city)
        return "Hail the size of plums"

    service.emulator.script(WEATHER_CALL)
    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=500, messages=HELLO, tools=[weather]
    )
    messages = list(runner)
    assert asked == ["Oslo"]
    assert [message.stop_reason for message in messages] == ["tool_use", "end_turn"]
    assert "Hail the size of plums" in str(messages[1].content)
    assert [record["status"] for record in service.records(3)] == ["400", "200", "200"]
    assert len(history(service.emulator.calls()[-1])) == 2


async def _discovered(url: str) -> list[str]:
    async with AsyncAnthropic(base_url=url, auth_token=KEY, api_key=None) as client:
        return [model.id async for model in client.models.list(limit=3)]


def test_async_models(service: Service) -> None:
    """The asynchronous client turns pages as well, with a bearer token."""
    assert MODEL in asyncio.run(_discovered(service.url))


class City(BaseModel):
    """What is wanted of the model."""

    name: str


def test_structured_output(client: Anthropic, service: Service) -> None:
    """A wanted shape of the answer is passed on in words and parsed by the SDK."""
    service.emulator.script({"text": '{"name": "Oslo"}'})
    message = client.messages.parse(
        model=MODEL, max_tokens=1000, messages=HELLO, output_format=City
    )
    assert message.parsed_output == City(name="Oslo")
    assert '"name"' in str(service.emulator.calls()[-1]["body"])
