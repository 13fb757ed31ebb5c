"""OpenAI's own SDK asks for chat completions: answers, streams, tools, pictures, formats."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from pydantic import BaseModel

from tests.clients.running import KEY, Service, fetch
from tests.clients.sayings import CITY, MODEL, PIXEL, TWO_CALLS, WEATHER_CALL, current

HELLO: Any = [{"role": "user", "content": "Say hello."}]
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells the weather.", "parameters": CITY},
}


class Weather(BaseModel):
    """A tool and a wanted answer in one."""

    city: str


@pytest.fixture
def client(service: Service) -> Iterator[OpenAI]:
    """A client that does not try again by itself."""
    with OpenAI(base_url=f"{service.url}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


def ask(client: OpenAI, stream: bool, **fields: Any) -> Any:
    """The one choice, streamed or not."""
    given = {"model": MODEL, "messages": HELLO} | fields
    if not stream:
        completion = client.chat.completions.create(**given)
    else:
        with client.chat.completions.stream(**given) as answer:
            completion = answer.get_final_completion()
    [choice] = completion.choices
    return choice


def test_create(client: OpenAI, service: Service) -> None:
    """One whole completion."""
    completion = client.chat.completions.create(model=MODEL, messages=HELLO)
    [choice] = completion.choices
    assert choice.finish_reason == "stop"
    assert "Say hello." in str(choice.message.content)
    assert choice.message.role == "assistant"
    assert choice.message.tool_calls is None
    assert completion.id.startswith("chatcmpl-")
    assert (completion.object, completion.model) == ("chat.completion", MODEL)
    usage = completion.usage
    assert usage is not None
    assert usage.prompt_tokens > 0 < usage.completion_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert completion._request_id == service.records(1)[0]["request_id"]


def test_stream(client: OpenAI) -> None:
    """Chunks of one completion: role first, reason last, no usage that nobody asked for."""
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks} == {
        (chunks[0].id, chunks[0].created, MODEL, "chat.completion.chunk")
    }
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in chunks)
    assert chunks[0].choices[0].delta.role == "assistant"
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "Say hello." in text


def test_raw_stream(service: Service) -> None:
    """What is on the wire: data lines only, comments while waiting, and the last word."""
    service.emulator.script({"headers_after": 2.3})
    body = {"model": MODEL, "messages": HELLO, "stream": True}
    headers = {"authorization": f"Bearer {KEY}"}
    status, head, answer = fetch(f"{service.url}/v1/chat/completions", body, headers=headers)
    assert (status, head["content-type"].split(";")[0]) == (200, "text/event-stream")
    blocks = answer.decode().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    comments = [block for block in blocks[:-1] if block.startswith(":")]
    assert len(comments) >= 2
    assert all(
        "\n" not in block and block[:6] in ("data: ", comments[0][:6]) for block in blocks[:-1]
    )


def test_usage(client: OpenAI, service: Service) -> None:
    """Usage comes in a chunk of its own, and is the same streamed and whole."""
    counted = {
        "uncachedInputTokens": 120,
        "outputTokens": 34,
        "cacheReadInputTokens": 500,
        "cacheWriteInputTokens": 100,
    }
    service.emulator.script({"token_usage": counted, "times": 2})
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks[:-1])
    whole = client.chat.completions.create(model=MODEL, messages=HELLO).usage
    assert chunks[-1].usage == whole
    assert whole is not None
    assert (whole.prompt_tokens, whole.completion_tokens, whole.total_tokens) == (720, 34, 754)
    assert whole.prompt_tokens_details is not None
    assert whole.prompt_tokens_details.cached_tokens == 500


@pytest.mark.parametrize("stream", [False, True])
def test_tools_two_turns(client: OpenAI, service: Service, stream: bool) -> None:
    """A call, its result, and the answer to it."""
    service.emulator.script(WEATHER_CALL)
    first = ask(client, stream, tools=[WEATHER])
    assert first.finish_reason == "tool_calls"
    [call] = first.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    messages = [
        *HELLO,
        first.message.to_dict(),
        {"role": "tool", "tool_call_id": call.id, "content": "Sleet, 2 degrees"},
    ]
    second = ask(client, stream, messages=messages, tools=[WEATHER])
    assert second.finish_reason == "stop"
    assert "Sleet, 2 degrees" in second.message.content


def test_streamed_call(client: OpenAI, service: Service) -> None:
    """Each call is opened once, with index, id and name; arguments follow in pieces."""
    service.emulator.script(TWO_CALLS)
    opened: dict[int, Any] = {}
    arguments: dict[int, str] = {}
    for chunk in client.chat.completions.create(
        model=MODEL, messages=HELLO, tools=[WEATHER], stream=True
    ):
        for call in chunk.choices[0].delta.tool_calls or ():
            assert call.function is not None
            if call.id:
                assert call.index not in opened
                assert (call.type, call.function.name) == ("function", "weather")
                opened[call.index] = call.id
            arguments[call.index] = arguments.get(call.index, "") + str(call.function.arguments)
    assert sorted(opened) == [0, 1]
    assert len(set(opened.values())) == 2
    cities = [json.loads(arguments[index])["city"] for index in (0, 1)]
    assert cities == ["Oslo", "Bergen"]


@pytest.mark.parametrize("stream", [False, True])
def test_parallel_results(client: OpenAI, service: Service, stream: bool) -> None:
    """Several tool messages, one of them in parts, all reach the upstream."""
    service.emulator.script({**TWO_CALLS, "text": ""})
    first = ask(client, stream, tools=[WEATHER], parallel_tool_calls=True)
    assert not first.message.content
    one, two = first.message.tool_calls
    messages = [
        *HELLO,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": first.to_dict()["message"]["tool_calls"],
        },
        {"role": "tool", "tool_call_id": two.id, "content": [{"type": "text", "text": "Rain"}]},
        {"role": "tool", "tool_call_id": one.id, "content": "Fog"},
    ]
    second = ask(client, stream, messages=messages, tools=[WEATHER])
    assert "Rain" in second.message.content
    assert "Fog" in second.message.content
    context = current(service.emulator.calls()[-1])["userInputMessageContext"]
    assert len(context["toolResults"]) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_call_without_arguments(client: OpenAI, service: Service, stream: bool) -> None:
    """A tool without arguments is called with an empty object."""
    service.emulator.script({"calls": [{"name": "weather"}], "text": ""})
    [call] = ask(client, stream, tools=[WEATHER]).message.tool_calls
    assert call.function.arguments == "{}"


@pytest.mark.parametrize("choice", ["none", "auto", "required", WEATHER])
def test_tool_choice(client: OpenAI, choice: Any) -> None:
    """Every way to choose tools is understood; a demanded call is made."""
    expected = "stop" if choice in ("none", "auto") else "tool_calls"
    if choice is WEATHER:
        choice = {"type": "function", "function": {"name": "weather"}}
    assert ask(client, False, tools=[WEATHER], tool_choice=choice).finish_reason == expected


def test_picture(client: OpenAI, service: Service) -> None:
    """A picture in a data URL reaches the upstream as it is."""
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    choice = ask(client, False, messages=[{"role": "user", "content": content}])
    assert "I was shown 1 image." in choice.message.content
    [image] = current(service.emulator.calls()[-1])["images"]
    assert image == {"format": "png", "source": {"bytes": PIXEL}}


@pytest.mark.parametrize("role", ["system", "developer"])
def test_system(client: OpenAI, service: Service, role: str) -> None:
    """Instructions under either name, first and last."""
    messages = [
        {"role": role, "content": "Be brief."},
        *HELLO,
        {"role": role, "content": [{"type": "text", "text": "Rhyme."}]},
    ]
    assert ask(client, False, messages=messages).finish_reason == "stop"
    body = str(service.emulator.calls()[-1]["body"])
    assert "Be brief." in body
    assert "Rhyme." in body


def test_many_parameters(client: OpenAI) -> None:
    """What cannot be served is no reason to refuse."""
    choice = ask(
        client,
        False,
        n=1,
        logprobs=True,
        top_logprobs=2,
        seed=7,
        temperature=0.2,
        top_p=0.9,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        logit_bias={"50": 1},
        stop=["STOP"],
        user="somebody",
        store=False,
        metadata={"a": "b"},
        max_tokens=100,
        max_completion_tokens=100,
        reasoning_effort="low",
        verbosity="low",
        service_tier="auto",
        extra_body={"unheard_of": {"a": 1}},
    )
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None


@pytest.mark.parametrize("stream", [False, True])
def test_choices(client: OpenAI, service: Service, stream: bool) -> None:
    """Several answers, each whole, in order; the question counts once."""
    counted = {"uncachedInputTokens": 50, "outputTokens": 7, "totalTokens": 57}
    service.emulator.script(
        *({"text": f"Answer {w}.", "token_usage": counted} for w in ("one", "two", "three"))
    )
    given: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Say something."}]}
    if stream:
        options: Any = {"include_usage": True}
        with client.chat.completions.stream(**given, n=3, stream_options=options) as events:
            for _ in events:
                pass
            completion: Any = events.get_final_completion()
    else:
        completion = client.chat.completions.create(**given, n=3)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert sorted(choice.message.content or "" for choice in completion.choices) == [
        "Answer one.",
        "Answer three.",
        "Answer two.",
    ]
    assert {choice.finish_reason for choice in completion.choices} == {"stop"}
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (50, 21)
    assert len(service.emulator.calls()) == 3
    [record] = service.records(1)
    assert (record["attempts"], record["output_tokens"]) == ("3", "21")


def test_too_many_choices(client: OpenAI) -> None:
    """Each is paid."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, False, n=9)
    assert caught.value.param == "n"


@pytest.mark.parametrize("stream", [False, True])
def test_json_object(client: OpenAI, service: Service, stream: bool) -> None:
    """JSON may be asked for."""
    service.emulator.script({"text": "{}"})
    choice = ask(client, stream, response_format={"type": "json_object"})
    assert choice.message.content == "{}"


def test_parse(client: OpenAI, service: Service) -> None:
    """A wanted shape is passed on in words and parsed by the SDK."""
    service.emulator.script({"text": '{"city": "Oslo"}'})
    completion = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Weather)
    assert completion.choices[0].message.parsed == Weather(city="Oslo")
    assert '"city"' in str(service.emulator.calls()[-1]["body"])


def test_parsed_tool(client: OpenAI, service: Service) -> None:
    """A strict tool made from a class is parsed by the SDK."""
    service.emulator.script(
        {**WEATHER_CALL, "calls": [{"name": "Weather", "input": {"city": "Oslo"}}]}
    )
    tool = pydantic_function_tool(Weather)
    completion = client.chat.completions.parse(model=MODEL, messages=HELLO, tools=[tool])
    [call] = completion.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == Weather(city="Oslo")


def test_reasoning(client: OpenAI, service: Service) -> None:
    """Reasoning is shown apart from the answer, streamed and whole."""
    service.emulator.script({"thinking": "Let me see.", "text": "Well.", "times": 2})
    whole = ask(client, False).message
    assert (whole.content, whole.reasoning_content) == ("Well.", "Let me see.")
    deltas = [
        chunk.choices[0].delta
        for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    ]
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert thought == "Let me see."


@pytest.mark.parametrize(
    ("told", "shown"), [("max_tokens", "length"), ("refusal", "content_filter")]
)
def test_finish_reasons(client: OpenAI, service: Service, told: str, shown: str) -> None:
    """Why the upstream stopped, in the dialect's words."""
    service.emulator.script({"stop_reason": told, "times": 2})
    assert (
        client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].finish_reason
        == shown
    )
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert chunks[-1].choices[0].finish_reason == shown


def test_many_at_once(service: Service) -> None:
    """The asynchronous client: thirty answers side by side, half of them streamed."""

    async def one(client: AsyncOpenAI, number: int) -> str:
        messages: Any = [{"role": "user", "content": f"Number {number}."}]
        if number % 2:
            whole = await client.chat.completions.create(model=MODEL, messages=messages)
            return str(whole.choices[0].message.content)
        stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them() -> list[str]:
        base = f"{service.url}/v1"
        async with AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(30)))

    answers = asyncio.run(asyncio.wait_for(all_of_them(), 30))
    assert [f"“Number {n}.”" in answer for n, answer in enumerate(answers)] == [True] * 30
