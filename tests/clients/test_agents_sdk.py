"""OpenAI's Agents SDK runs an agent through the service, over either of OpenAI's APIs."""

import asyncio
import secrets

import agents
import pytest
from openai import AsyncOpenAI

from tests.clients.running import KEY, Service
from tests.clients.sayings import MODEL


@pytest.fixture(autouse=True)
def no_traces() -> None:
    """The SDK would send its traces to OpenAI."""
    agents.set_tracing_disabled(True)


def run(service: Service, wire: str, *, stream: bool, prompt: str) -> tuple[str, list[str]]:
    """The agent's final answer, and the cities that its tool was asked about."""
    secret = secrets.token_hex(8)
    cities: list[str] = []

    @agents.function_tool
    def weather(city: str) -> str:
        """Tells the weather of a city."""
        cities.append(city)
        return f"Rain, says {secret}."

    async def work() -> str:
        async with AsyncOpenAI(base_url=f"{service.url}/v1", api_key=KEY, timeout=20) as client:
            model: agents.Model
            if wire == "responses":
                model = agents.OpenAIResponsesModel(MODEL, client)
            else:
                model = agents.OpenAIChatCompletionsModel(MODEL, client)
            agent = agents.Agent("Guide", instructions="Be brief.", tools=[weather], model=model)
            if not stream:
                return str((await agents.Runner.run(agent, prompt)).final_output)
            running = agents.Runner.run_streamed(agent, prompt)
            async for _ in running.stream_events():
                pass
            return str(running.final_output)

    answer = asyncio.run(work())
    assert secret in answer
    return answer, cities


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_function_tool(service: Service, wire: str, stream: bool) -> None:
    """The tool is called with the model's arguments, and its result is sent back."""
    service.emulator.script(
        {"text": "I look.", "calls": [{"name": "weather", "input": {"city": "Oslo"}}]}
    )
    _, cities = run(service, wire, stream=stream, prompt="What is the weather?")
    assert cities == ["Oslo"]
    records = service.records(2)
    assert [(record["dialect"], record["status"]) for record in records] == [(wire, "200")] * 2


@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_parallel_calls(service: Service, wire: str) -> None:
    """Two calls in one answer, after some reasoning."""
    calls = [{"name": "weather", "input": {"city": city}} for city in ("Oslo", "Bergen")]
    service.emulator.script({"thinking": "Both. " * 9, "signature": "c2ln", "calls": calls})
    _, cities = run(service, wire, stream=True, prompt="What is the weather?")
    assert sorted(cities) == ["Bergen", "Oslo"]
    assert len(service.records(2)) == 2
