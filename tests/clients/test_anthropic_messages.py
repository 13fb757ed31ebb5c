"""Anthropic's own SDK asks: answers, streams, tools, pictures, system prompts."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic

from kiro2api.wire.sse import SSEDecoder
from tests.clients.running import KEY, Service, fetch
from tests.clients.sayings import CITY, MODEL, PIXEL, TWO_CALLS, WEATHER_CALL, current, history

HELLO: Any = [{"role": "user", "content": "Say hello."}]
WEATHER: Any = {"name": "weather", "description": "Tells the weather.", "input_schema": CITY}
PICTURE: Any = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
}


@pytest.fixture
def client(service: Service) -> Iterator[Anthropic]:
    """A client that does not try again by itself."""
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


def text_of(message: Any) -> str:
    """The text of an answer."""
    return "".join(block.text for block in message.content if block.type == "text")


def ask(client: Anthropic, stream: bool, **fields: Any) -> Any:
    """The final message, streamed or not."""
    given = {"model": MODEL, "max_tokens": 500, "messages": HELLO} | fields
    if not stream:
        return client.messages.create(**given)
    with client.messages.stream(**given) as answer:
        return answer.get_final_message()


def test_create(client: Anthropic, service: Service) -> None:
    """One whole message, with an id of the request that the log shows, too."""
    message = client.messages.create(model=MODEL, max_tokens=1000, messages=HELLO)
    assert "Say hello." in text_of(message)
    assert (message.role, message.model, message.stop_reason) == ("assistant", MODEL, "end_turn")
    assert message.id.startswith("msg_")
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    [record] = service.records(1)
    assert record["request_id"] == message._request_id
    assert (record["account"], record["status"], record["stream"]) == ("one", "200", "no")


def test_stream(client: Anthropic, service: Service) -> None:
    """Text arrives in pieces, and the pieces are the message."""
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(pieces) > 2
    assert "".join(pieces) == text_of(message)
    assert message.stop_reason == "end_turn"
    assert stream.request_id == service.records(1)[0]["request_id"]


def test_raw_events(service: Service) -> None:
    """The order and the shape of the events, as they are on the wire."""
    service.emulator.script(WEATHER_CALL)
    body = {
        "model": MODEL,
        "max_tokens": 1000,
        "messages": HELLO,
        "tools": [WEATHER],
        "stream": True,
    }
    status, headers, answer = fetch(
        f"{service.url}/v1/messages?beta=true", body, headers={"x-api-key": KEY}
    )
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    assert headers["cache-control"].startswith("no-cache")
    events = [(name, json.loads(data)) for name, data in SSEDecoder().feed(answer)]
    assert all(name == data["type"] for name, data in events)
    names = [name for name, _ in events if name != "ping"]
    shortened = [name for name, before in zip(names, ["", *names], strict=False) if name != before]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert shortened == ["message_start", *block, *block, "message_delta", "message_stop"]
    starts = [data for name, data in events if name == "content_block_start"]
    assert [start["index"] for start in starts] == [0, 1]
    assert starts[1]["content_block"]["input"] == {}
    assert starts[1]["content_block"]["id"].startswith("toolu_")
    given = "".join(
        data["delta"]["partial_json"]
        for name, data in events
        if name == "content_block_delta" and data["index"] == 1
    )
    assert json.loads(given) == {"city": "Oslo"}
    [end] = [data for name, data in events if name == "message_delta"]
    assert end["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert end["usage"]["output_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_tools_two_turns(client: Anthropic, service: Service, stream: bool) -> None:
    """A call, its result, and the answer to it."""
    service.emulator.script(WEATHER_CALL)
    asked: Any = [{"role": "user", "content": "Weather in Oslo?"}]
    first = ask(client, stream, messages=asked, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    assert [block.type for block in first.content] == ["text", "tool_use"]
    use = first.content[1]
    assert (use.name, use.input) == ("weather", {"city": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "Sleet, 2 degrees"}
    asked += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = ask(client, stream, messages=asked, tools=[WEATHER])
    assert second.stop_reason == "end_turn"
    assert "Sleet, 2 degrees" in text_of(second)


@pytest.mark.parametrize("stream", [False, True])
def test_parallel_tools(client: Anthropic, service: Service, stream: bool) -> None:
    """Two calls at once have ids of their own, and their results find them."""
    service.emulator.script(TWO_CALLS)
    first = ask(client, stream, tools=[WEATHER])
    uses = [block for block in first.content if block.type == "tool_use"]
    assert [use.input["city"] for use in uses] == ["Oslo", "Bergen"]
    assert len({use.id for use in uses}) == 2
    results = [
        {"type": "tool_result", "tool_use_id": uses[1].id, "content": "Rain", "is_error": False},
        {"type": "tool_result", "tool_use_id": uses[0].id, "content": "Fog", "is_error": True},
        {"type": "text", "text": "Go on."},
    ]
    messages = [
        *HELLO,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    second = ask(client, stream, messages=messages, tools=[WEATHER])
    assert "Rain" in text_of(second)
    assert "Fog" in text_of(second)
    given = current(service.emulator.calls()[-1])["userInputMessageContext"]["toolResults"]
    said = {result["content"][0]["text"]: result["status"] for result in given}
    assert said == {"Rain": "success", "Fog": "error"}


def test_call_without_input(client: Anthropic, service: Service) -> None:
    """A tool without arguments is called with an empty object, streamed as well."""
    service.emulator.script({"calls": [{"name": "weather"}], "text": ""})
    message = ask(client, True, tools=[WEATHER])
    assert [block.type for block in message.content] == ["tool_use"]
    assert message.content[0].input == {}


def test_picture(client: Anthropic, service: Service) -> None:
    """A picture reaches the upstream as it is."""
    content = [{"type": "text", "text": "What is this?"}, PICTURE]
    message = ask(client, False, messages=[{"role": "user", "content": content}])
    assert "I was shown 1 image." in text_of(message)
    [image] = current(service.emulator.calls()[-1])["images"]
    assert image == {"format": "png", "source": {"bytes": PIXEL}}


def test_picture_in_result(client: Anthropic, service: Service) -> None:
    """A picture that a tool returned is shown, too."""
    service.emulator.script(WEATHER_CALL)
    first = ask(client, False, tools=[WEATHER])
    content = [{"type": "text", "text": "The map:"}, PICTURE]
    result = {"type": "tool_result", "tool_use_id": first.content[1].id, "content": content}
    messages = [
        *HELLO,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = ask(client, False, messages=messages, tools=[WEATHER])
    assert "The map:" in text_of(second)
    [image] = current(service.emulator.calls()[-1])["images"]
    assert image["source"]["bytes"] == PIXEL


@pytest.mark.parametrize(
    "system",
    [
        "Be brief.",
        [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=1;"},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        ],
    ],
)
def test_system(client: Anthropic, service: Service, system: Any) -> None:
    """The system prompt, as a string or in blocks, less what is only accounting."""
    ask(client, False, system=system)
    call = str(service.emulator.calls()[-1]["body"])
    assert "Be brief." in call
    assert "billing" not in call


def test_system_among_messages(client: Anthropic, service: Service) -> None:
    """Newer clients put system turns between the others, with keys of their own."""
    messages: Any = [
        *HELLO,
        {
            "role": "system",
            "content": [{"type": "text", "text": "Rhyme."}],
            "output_config": {"effort": "medium"},
        },
        {"role": "assistant", "content": "Hello, bell."},
        {"role": "user", "content": "Again."},
        {"role": "system", "content": "Sing."},
    ]
    message = ask(client, False, messages=messages)
    assert message.stop_reason == "end_turn"
    body = str(service.emulator.calls()[-1]["body"])
    assert "Rhyme." in body
    assert "Sing." in body


def test_old_parameters(client: Anthropic, service: Service) -> None:
    """What older and newer clients send besides is no reason to refuse."""
    message = ask(
        client,
        False,
        extra_body={
            "temperature": 1,
            "top_p": 0.9,
            "top_k": 5,
            "context_management": {"edits": []},
            "service_tier": "auto",
            "safeguards": [{}],
            "unheard_of": 1,
        },
        stop_sequences=["STOP"],
        metadata={"user_id": '{"device_id":"d","account_uuid":"","session_id":"s"}'},
        max_tokens=128_000,
        extra_headers={"anthropic-beta": "never-heard-of-2026-01-01"},
    )
    assert message.stop_reason == "end_turn"


def test_prefill(client: Anthropic) -> None:
    """The last message may be the beginning of the answer."""
    messages: Any = [*HELLO, {"role": "assistant", "content": "Well,"}]
    assert ask(client, False, messages=messages).stop_reason == "end_turn"


def test_usage_is_the_same_streamed(client: Anthropic, service: Service) -> None:
    """What the upstream counted arrives unchanged both ways, and so does our own count."""
    usage = {
        "uncachedInputTokens": 120,
        "outputTokens": 34,
        "totalTokens": 754,
        "cacheReadInputTokens": 500,
        "cacheWriteInputTokens": 100,
    }
    for order in ({"token_usage": usage}, {"text": "The same."}):
        service.emulator.script({**order, "times": 2})
        whole, streamed = (ask(client, stream).usage for stream in (False, True))
        assert whole.to_dict() == streamed.to_dict()
    service.emulator.script({"token_usage": usage})
    counted = ask(client, True).usage
    assert (counted.input_tokens, counted.output_tokens) == (120, 34)
    assert counted.cache_read_input_tokens == 500
    assert counted.cache_creation_input_tokens == 100


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("told", "shown"),
    [("end_turn", "end_turn"), ("max_tokens", "max_tokens"), ("content_filtered", "refusal")],
)
def test_stop_reasons(
    client: Anthropic, service: Service, stream: bool, told: str, shown: str
) -> None:
    """Why the upstream stopped, in the dialect's words."""
    service.emulator.script({"stop_reason": told})
    assert ask(client, stream).stop_reason == shown


def test_pings(client: Anthropic, service: Service) -> None:
    """While the upstream thinks, the stream is kept alive by events that the SDK skips."""
    service.emulator.script({"headers_after": 2.3, "text": "At last."})
    body = {"model": MODEL, "max_tokens": 1000, "messages": HELLO, "stream": True}
    _, _, answer = fetch(f"{service.url}/v1/messages", body, headers={"x-api-key": KEY})
    before = answer.partition(b"content_block_start")[0]
    assert before.count(b"event: ping\n") >= 2
    service.emulator.script({"headers_after": 1.3, "text": "At last."})
    assert text_of(ask(client, True)) == "At last."


def test_leaving_early(client: Anthropic, service: Service) -> None:
    """A client that leaves takes the upstream's answer with it."""
    aborted = service.emulator.streams()["aborted"]
    service.emulator.script({"events": 100_000, "interval": 0.01})
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=HELLO) as stream:
        next(stream.text_stream)
    [record] = service.records(1)
    assert record["outcome"] == "abandoned"
    assert service.emulator.streams()["aborted"] == aborted + 1
    assert service.emulator.streams()["open"] == 0


def test_many_at_once(service: Service) -> None:
    """The asynchronous client: thirty answers side by side, half of them streamed."""

    async def one(client: AsyncAnthropic, number: int) -> str:
        messages: Any = [{"role": "user", "content": f"Number {number}."}]
        if number % 2:
            message = await client.messages.create(model=MODEL, max_tokens=1000, messages=messages)
            return text_of(message)
        async with client.messages.stream(
            model=MODEL, max_tokens=1000, messages=messages
        ) as stream:
            return "".join([piece async for piece in stream.text_stream])

    async def all_of_them() -> list[str]:
        async with AsyncAnthropic(base_url=service.url, api_key=KEY, max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(30)))

    answers = asyncio.run(asyncio.wait_for(all_of_them(), 30))
    assert [f"“Number {n}.”" in answer for n, answer in enumerate(answers)] == [True] * 30


def test_history_in_order(client: Anthropic, service: Service) -> None:
    """A long conversation arrives turn by turn."""
    messages: Any = []
    for number in range(4):
        messages += [
            {"role": "user", "content": f"Question {number}"},
            {"role": "assistant", "content": f"Answer {number}"},
        ]
    ask(client, False, messages=[*messages, {"role": "user", "content": "Last"}])
    call = service.emulator.calls()[-1]
    said = [
        turn["userInputMessage" if "userInputMessage" in turn else "assistantResponseMessage"][
            "content"
        ]
        for turn in history(call)
    ]
    assert said == [f"{who} {n}" for n in range(4) for who in ("Question", "Answer")]
    assert current(call)["content"] == "Last"
