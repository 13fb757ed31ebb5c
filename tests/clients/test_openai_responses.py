"""OpenAI's own SDK asks for responses: answers, streams, tools, formats, what was said before."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.clients.running import KEY, Service
from tests.clients.sayings import (
    CITY,
    MODEL,
    PIXEL,
    THROTTLED,
    TOO_LONG,
    TWO_CALLS,
    WEATHER_CALL,
    current,
    history,
)

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": CITY,
}


class Weather(BaseModel):
    """A wanted answer."""

    city: str


@pytest.fixture
def client(service: Service) -> Iterator[OpenAI]:
    """A client that does not try again by itself."""
    with OpenAI(base_url=f"{service.url}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


def ask(client: OpenAI, stream: bool, **fields: Any) -> Any:
    """The response, streamed or not."""
    given = {"model": MODEL, "input": "Say hello."} | fields
    if not stream:
        return client.responses.create(**given)
    with client.responses.stream(**given) as events:
        for _ in events:
            pass
        return events.get_final_response()


@pytest.mark.parametrize("stream", [False, True])
def test_text(client: OpenAI, service: Service, stream: bool) -> None:
    """An answer with its usage."""
    service.emulator.script({"text": "Hello to you."})
    response = ask(client, stream, instructions="Be brief.")
    assert (response.status, response.output_text) == ("completed", "Hello to you.")
    assert response.model == MODEL
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens > 0
    [record] = service.records(1)
    assert (record["dialect"], record["input_tokens"]) == (
        "responses",
        str(response.usage.input_tokens),
    )


def test_raw_stream(client: OpenAI, service: Service) -> None:
    """Events in order, numbered without gaps."""
    service.emulator.script({"text": "Hello to you."})
    events = list(client.responses.create(model=MODEL, input="Say hello.", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "Hello to you."


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client: OpenAI, service: Service, stream: bool) -> None:
    """Two calls, answered in the next request."""
    service.emulator.script(TWO_CALLS)
    asked: list[Any] = [{"role": "user", "content": "What is the weather?"}]
    first = ask(client, stream, input=asked, tools=[WEATHER], store=False)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Oslo"}, {"city": "Bergen"}]
    asked += [item.model_dump(exclude_none=True) for item in first.output]
    for call in calls:
        # The helper for streams parses arguments, and leaves what it parsed in the items.
        output = f"Rain in {call.arguments}"
        asked.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
    for item in asked:
        item.pop("parsed_arguments", None)
    second = ask(client, stream, input=asked, tools=[WEATHER])
    assert "Rain in" in second.output_text
    assert "Bergen" in second.output_text


def test_custom_tool(client: OpenAI, service: Service) -> None:
    """Raw text comes back as such."""
    service.emulator.script({"text": "", "calls": [{"name": "note", "input": {"input": "a\nb"}}]})
    response = ask(client, False, tools=[{"type": "custom", "name": "note"}])
    [call] = response.output
    assert (call.type, call.name, call.input) == ("custom_tool_call", "note", "a\nb")


@pytest.mark.parametrize("stream", [False, True])
def test_previous_response(client: OpenAI, service: Service, stream: bool) -> None:
    """Only the new part is sent, and the upstream still gets the whole conversation."""
    service.emulator.script(WEATHER_CALL)
    first = ask(client, stream, input="What is the weather?", tools=[WEATHER])
    call = first.output[-1]
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}]
    second = ask(client, stream, previous_response_id=first.id, input=outputs, tools=[WEATHER])
    assert "Rain." in second.output_text
    third = ask(client, stream, previous_response_id=second.id, input="Thanks.", tools=[WEATHER])
    assert third.previous_response_id == second.id
    said = json.dumps(history(service.emulator.calls()[-1]))
    for words in ("What is the weather?", "Let me look.", "Oslo", "Rain."):
        assert words in said


def test_input_items(client: OpenAI) -> None:
    """What was asked can be read again, page by page."""
    first = ask(client, False, input="What is the weather?")
    second = ask(client, False, input="And tomorrow?", previous_response_id=first.id)
    found = [item.type for item in client.responses.input_items.list(second.id, limit=1)]
    assert found == ["message"] * 3
    page: Any = client.responses.input_items.list(second.id, order="asc")
    assert page.data[0].content[0].text == "What is the weather?"


PATCH = {"type": "create_file", "path": "a", "diff": "+x"}
CLICKS = {"actions": [{"type": "click", "button": "left", "x": 1, "y": 2}]}
SEARCH = {"type": "tool_search", "execution": "client"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "tool, given, kind, field",
    [
        ({"type": "shell"}, {"commands": ["ls"]}, "shell_call", "action"),
        ({"type": "apply_patch"}, PATCH, "apply_patch_call", "operation"),
        ({"type": "computer"}, CLICKS, "computer_call", ""),
        (SEARCH, {"query": "mail"}, "tool_search_call", "arguments"),
    ],
)
def test_run_by_the_client(
    client: OpenAI, service: Service, stream: bool, tool: Any, given: Any, kind: str, field: str
) -> None:
    """Tools of the dialect's own kinds come back as items of their own kinds."""
    service.emulator.script({"text": "", "calls": [{"name": tool["type"], "input": given}]})
    response = ask(client, stream, tools=[tool])
    [call] = response.output
    assert (call.type, call.status) == (kind, "completed")
    told = call.to_dict()
    assert given.items() <= (told[field] if field else told).items()


def test_unserved_tools(client: OpenAI) -> None:
    """What nobody can run is refused, or told."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, False, tools=[{"type": "file_search", "vector_store_ids": ["v"]}])
    assert "file_search" in str(caught.value)
    server = {"type": "mcp", "server_label": "docs", "server_url": "https://docs.example/"}
    response = ask(client, False, tools=[server])
    assert (response.output[0].type, response.output[0].tools) == ("mcp_list_tools", [])
    assert response.output[0].error
    again = ask(client, False, tools=[server], previous_response_id=response.id)
    assert "mcp_list_tools" not in [item.type for item in again.output]


def test_unknown_previous_response(client: OpenAI) -> None:
    """A response that is not held is named."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, False, previous_response_id="resp_gone")
    assert caught.value.code == "previous_response_not_found"
    assert "resp_gone" in str(caught.value)


def test_held(client: OpenAI, service: Service) -> None:
    """A response can be looked at again until it is deleted."""
    response = ask(client, False)
    found = client.responses.retrieve(response.id)
    assert found.output_text == response.output_text
    assert client.responses.cancel(response.id).id == response.id
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


@pytest.mark.parametrize("stream", [False, True])
def test_parse(client: OpenAI, service: Service, stream: bool) -> None:
    """An answer of the wanted shape."""
    service.emulator.script({"text": '{"city": "Oslo"}'})
    if stream:
        response = ask(client, True, text_format=Weather)
    else:
        response = client.responses.parse(model=MODEL, input="Where?", text_format=Weather)
    assert response.output_parsed == Weather(city="Oslo")
    assert "city" in current(service.emulator.calls()[-1])["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning(client: OpenAI, service: Service, stream: bool) -> None:
    """A summary where it is wanted, and a form that can be sent back."""
    service.emulator.script({"thinking": "Let me see. " * 5, "signature": "c2ln", "text": "Yes."})
    response = ask(
        client,
        stream,
        reasoning={"effort": "low", "summary": "auto"},
        include=["reasoning.encrypted_content"],
    )
    reasoning, message = response.output
    assert (reasoning.type, message.type) == ("reasoning", "message")
    assert reasoning.summary[0].text == "Let me see. " * 5
    assert reasoning.encrypted_content.startswith("k2a1.")
    assert response.usage.output_tokens_details.reasoning_tokens > 0
    again = ask(client, stream, input=[reasoning.model_dump(exclude_none=True), {"content": "Go"}])
    assert again.status == "completed"


@pytest.mark.parametrize("stream", [False, True])
def test_web_search(client: OpenAI, service: Service, stream: bool) -> None:
    """A search between the texts, the pages that are named, and a second turn with all of it."""
    asked: list[Any] = [{"role": "user", "content": 'call web_search {"query": "old maps"}'}]
    tools: Any = [{"type": "web_search", "filters": {"allowed_domains": None}}]
    include: Any = ["web_search_call.action.sources"]
    response = ask(client, stream, input=asked, tools=tools, include=include)
    assert response.status == "completed"
    assert [item.type for item in response.output] == ["message", "web_search_call", "message"]
    search, message = response.output[1:]
    assert search.id.startswith("ws_")
    assert (search.status, search.action.type) == ("completed", "search")
    assert search.action.query == "old maps"
    [text] = message.content
    assert len(text.annotations) == len(search.action.sources) == 3
    for named in text.annotations:
        assert named.type == "url_citation"
        assert text.text[named.start_index : named.end_index] == named.url
    asked += [item.model_dump(exclude_none=True) for item in response.output]
    asked.append({"role": "user", "content": "Thank you."})
    again: Any = {"input": asked, "tools": tools, "tool_choice": {"type": "web_search_preview"}}
    assert ask(client, stream, **again).status == "completed"
    said = json.dumps(history(service.emulator.calls()[-1]))
    assert search.action.sources[0].url in said


def test_web_search_events(client: OpenAI, service: Service) -> None:
    """Events of the SDK's own types, in order and numbered without gaps."""
    asked = 'call web_search {"query": "old maps"}'
    tools: Any = [{"type": "web_search_preview"}]
    events = list(client.responses.create(model=MODEL, input=asked, tools=tools, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    searches = [event for event in events if event.type.startswith("response.web_search_call.")]
    assert [event.type.rsplit(".", 1)[1] for event in searches] == [
        "in_progress",
        "searching",
        "completed",
    ]
    indexes = {(event.item_id, event.output_index) for event in searches}  # type: ignore[union-attr]
    assert [index for _, index in indexes] == [1]
    kinds = [event.type for event in events]
    assert kinds.count("response.output_text.annotation.added") == 3


def test_picture(client: OpenAI, service: Service) -> None:
    """A picture by value reaches the upstream."""
    url = f"data:image/png;base64,{PIXEL}"
    content = [{"type": "input_text", "text": "See?"}, {"type": "input_image", "image_url": url}]
    ask(client, False, input=[{"role": "user", "content": content}])
    [picture] = current(service.emulator.calls()[-1])["images"]
    assert picture["source"]["bytes"] == PIXEL


def test_incomplete(client: OpenAI, service: Service) -> None:
    """An answer that was cut says so."""
    service.emulator.script({"text": "Once upon", "stop_reason": "max_tokens"})
    response = ask(client, False)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"


def test_cut_stream(client: OpenAI, service: Service, group: str) -> None:
    """A stream that breaks ends in a failed response."""
    service.emulator.script({"text": "Once upon a time " * 30, "delay": 0.005, "cut_at": 12})
    there = client.with_options(base_url=f"{service.url}/{group}/v1")
    events = list(there.responses.create(model=MODEL, input="Tell me.", stream=True))
    final = events[-1]
    assert final.type == "response.failed"
    assert final.response.error is not None
    assert final.response.error.code == "server_error"


def test_throttled(client: OpenAI, service: Service, group: str) -> None:
    """A status with a time to try again, which the SDK heeds."""
    order = {**THROTTLED, "times": 2, "retry_after": "1"}
    there = client.with_options(base_url=f"{service.url}/{group}/v1")
    service.emulator.script(order)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(there, False)
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert ask(there.with_options(max_retries=3), True).status == "completed"


def test_too_long(client: OpenAI, service: Service) -> None:
    """An overflow has the code that clients know."""
    service.emulator.script(TOO_LONG)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, True)
    assert caught.value.code == "context_length_exceeded"


def test_async(service: Service) -> None:
    """The asynchronous client, many at once."""

    async def ask_all() -> list[str]:
        async with AsyncOpenAI(base_url=f"{service.url}/v1", api_key=KEY, timeout=20) as client:
            asked = [client.responses.create(model=MODEL, input=f"Say {n}.") for n in range(8)]
            return [response.output_text for response in await asyncio.gather(*asked)]

    answers = asyncio.run(ask_all())
    assert all(f"Say {number}." in answer for number, answer in enumerate(answers))
