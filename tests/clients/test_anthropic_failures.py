"""Anthropic's own SDK meets failures: which error it raises, and what it tries again."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from tests.clients.running import KEY, Service
from tests.clients.sayings import MODEL, NO_CAPACITY, THROTTLED, TOO_LONG

HELLO: Any = [{"role": "user", "content": "Say hello."}]

TALE: Any = {"text": "Once upon a time there was " * 20, "delay": 0.005}
"""An answer of 34 frames that takes its time, lest a cut comes before its beginning is read."""


@pytest.fixture
def make(service: Service) -> Iterator[Callable[..., Anthropic]]:
    """Makes clients, for a group, with a key, that try again or not."""
    with ExitStack() as made:

        def one(group: str = "", *, key: str = KEY, retries: int = 0) -> Anthropic:
            base = f"{service.url}/{group}" if group else service.url
            client = Anthropic(base_url=base, api_key=key, max_retries=retries, timeout=20)
            return made.enter_context(client)

        yield one


def create(client: Anthropic, **fields: Any) -> Any:
    """Ask for a whole message."""
    given = {"model": MODEL, "max_tokens": 1000, "messages": HELLO} | fields
    return client.messages.create(**given)


def stream(client: Anthropic, **fields: Any) -> Any:
    """Ask for a stream and take all of it."""
    given = {"model": MODEL, "max_tokens": 1000, "messages": HELLO} | fields
    with client.messages.stream(**given) as answer:
        return answer.get_final_message()


Make = Callable[..., Anthropic]
Way = Callable[..., Any]
both_ways = pytest.mark.parametrize("way", [create, stream])


@both_ways
def test_wrong_key(service: Service, make: Make, way: Way) -> None:
    """401 for a key that nobody was given."""
    with pytest.raises(anthropic.AuthenticationError) as caught:
        way(make(key="wrong"))
    error: Any = caught.value.body
    assert error["type"] == "error"
    assert error["error"]["type"] == "authentication_error"
    assert "KIRO_CLIENT_TOKEN" in error["error"]["message"]
    assert caught.value.request_id == error["request_id"]


@both_ways
def test_unknown_model(service: Service, make: Make, way: Way) -> None:
    """404 that names the models there are."""
    with pytest.raises(anthropic.NotFoundError) as caught:
        way(make(), model="claude-nonesuch-9")
    assert "claude-nonesuch-9" in caught.value.message
    assert MODEL in caught.value.message
    assert service.records(1)[0]["status"] == "404"


@both_ways
def test_bad_body(service: Service, make: Make, way: Way) -> None:
    """400 that names the field, and nothing is sent upstream."""
    messages = [{"role": "user", "content": [{"type": "text", "text": 5}]}]
    with pytest.raises(anthropic.BadRequestError) as caught:
        way(make(), messages=messages)
    assert "messages[0].content[0].text" in caught.value.message
    assert service.emulator.calls() == []


@both_ways
def test_unknown_group(service: Service, make: Make, way: Way) -> None:
    """404 for a base URL with a group that no account has."""
    with pytest.raises(anthropic.NotFoundError, match="group"):
        way(make("nobody"))


@both_ways
def test_too_long(service: Service, make: Make, way: Way) -> None:
    """The words on which clients compact a conversation; no account is blamed."""
    service.emulator.script(TOO_LONG)
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        way(make())
    assert len(service.emulator.calls()) == 1
    assert way(make()).stop_reason == "end_turn"
    assert service.records(2)[1]["account"] == "one"


@both_ways
def test_throttled(service: Service, group: str, make: Make, way: Way) -> None:
    """429 once every account of the group has been refused, with the time until one returns."""
    service.emulator.script({**THROTTLED, "retry_after": "40", "times": 2})
    for _ in range(2):
        with pytest.raises(anthropic.RateLimitError) as caught:
            way(make(group))
        error: Any = caught.value.body
        assert error["error"]["type"] == "rate_limit_error"
        assert 30 <= int(caught.value.response.headers["retry-after"]) <= 41
    assert len(service.emulator.calls()) == 2


@both_ways
def test_waits_and_succeeds(service: Service, group: str, make: Make, way: Way) -> None:
    """The SDK waits as long as it is told, and then is served."""
    service.emulator.script({**THROTTLED, "retry_after": "1", "times": 2})
    started = time.monotonic()
    assert way(make(group, retries=2)).stop_reason == "end_turn"
    assert 0.9 < time.monotonic() - started < 6
    assert [record["status"] for record in service.records(2)] == ["429", "200"]


@both_ways
def test_another_account(service: Service, group: str, make: Make, way: Way) -> None:
    """One throttled account goes unnoticed."""
    service.emulator.script({**THROTTLED, "account": f"{group}-a"})
    assert way(make(group)).stop_reason == "end_turn"
    [record] = service.records(1)
    assert (record["account"], record["attempts"]) == (f"{group}-b", "2")


@both_ways
def test_no_capacity(service: Service, group: str, make: Make, way: Way) -> None:
    """529 while a model has no capacity, which nobody is asked for meanwhile; the SDK tries again
    when it is told to, and no account rests."""
    service.emulator.script({**NO_CAPACITY, "times": 2})
    with pytest.raises(anthropic.OverloadedError) as caught:
        way(make(group))
    error: Any = caught.value.body
    assert error["error"]["type"] == "overloaded_error"
    assert way(make(group, retries=2)).stop_reason == "end_turn"
    records = service.records(3)
    assert [record["status"] for record in records] == ["529", "529", "200"]
    assert [record["attempts"] for record in records] == ["2", "0", "1"]
    assert records[2]["account"] == f"{group}-a"


def test_upstream_down(service: Service, group: str, make: Make) -> None:
    """A failing upstream is worth a new try, after the time that the accounts rest."""
    service.emulator.script({"status": 500, "error": "InternalServerException", "times": 2})
    assert create(make(group, retries=1)).stop_reason == "end_turn"
    first, second = service.records(2)
    assert (first["status"], second["status"]) == ("503", "200")


@both_ways
def test_cut_answer(service: Service, group: str, make: Make, way: Way) -> None:
    """An answer that the upstream cuts is never taken for whole."""
    service.emulator.script({**TALE, "cut_at": 12})
    with pytest.raises(anthropic.APIStatusError) as caught:
        way(make(group))
    error: Any = caught.value.body
    assert error["type"] == "error"
    assert error["error"]["type"] == ("overloaded_error" if way is stream else "api_error")
    assert service.records(1)[0]["outcome"] == "failed"


@both_ways
@pytest.mark.parametrize(
    "order",
    [
        {"cut_at": 36, "clean": True, "calls": [{"name": "weather", "input": {"city": "Oslo"}}]},
        {"exception_at": 12},
        {"error_at": 12},
        {"bad_crc_at": 12},
        {"garbage_at": 12},
    ],
    ids=lambda order: next(iter(order)),
)
def test_spoilt_answer(
    service: Service, group: str, make: Make, way: Way, order: dict[str, Any]
) -> None:
    """The same for every other way in which an answer goes wrong, and the next one is good."""
    service.emulator.script({**TALE, **order})
    with pytest.raises(anthropic.APIStatusError):
        way(make(group))
    assert way(make(group)).stop_reason == "end_turn"


def test_text_before_the_error(service: Service, group: str, make: Make) -> None:
    """What had arrived before an answer broke was shown."""
    service.emulator.script({**TALE, "exception_at": 12})
    seen = ""
    given: Any = {"model": MODEL, "max_tokens": 1000, "messages": HELLO}
    with make(group).messages.stream(**given) as answer, pytest.raises(anthropic.APIStatusError):
        for piece in answer.text_stream:
            seen += piece
    assert seen.startswith("Once upon a time there was Once")


def test_wrong_method_and_path(service: Service, make: Make) -> None:
    """Errors of routing are JSON as well."""
    client = make()
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.get("/v1/messages", cast_to=object)
    assert caught.value.status_code == 405
    error: Any = caught.value.body
    assert error["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.get("/v1/files", cast_to=object)
    lost: Any = missing.value.body
    assert lost["error"]["type"] == "not_found_error"
