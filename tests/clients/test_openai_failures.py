"""OpenAI's own SDK: base URLs, models, and which error it raises when something fails."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.clients.running import KEY, Service
from tests.clients.sayings import MODEL, NO_CAPACITY, THROTTLED, TOO_LONG

HELLO: Any = [{"role": "user", "content": "Say hello."}]
TALE: Any = {"text": "Once upon a time there was " * 20, "delay": 0.005}
"""An answer of 34 frames that takes its time, lest a cut comes before its beginning is read."""

Make = Callable[..., OpenAI]
Way = Callable[..., Any]


@pytest.fixture
def make(service: Service) -> Iterator[Make]:
    """Makes clients, for a group, with a key, that try again or not."""
    with ExitStack() as made:

        def one(path: str = "/v1", *, key: str = KEY, retries: int = 0) -> OpenAI:
            url = service.url + path
            client = OpenAI(base_url=url, api_key=key, max_retries=retries, timeout=20)
            return made.enter_context(client)

        yield one


def create(client: OpenAI, **fields: Any) -> Any:
    """Ask for a whole completion; its reason to finish."""
    given = {"model": MODEL, "messages": HELLO} | fields
    return client.chat.completions.create(**given).choices[0].finish_reason


def stream(client: OpenAI, **fields: Any) -> Any:
    """The same for a stream."""
    given = {"model": MODEL, "messages": HELLO, "stream": True} | fields
    return list(client.chat.completions.create(**given))[-1].choices[0].finish_reason


both_ways = pytest.mark.parametrize("way", [create, stream])


@pytest.mark.parametrize(
    ("path", "account"),
    [("/v1", "one"), ("", "one"), ("/", "one"), ("/v1/", "one"), ("/pro/v1", "three")],
)
def test_base_urls(service: Service, make: Make, path: str, account: str) -> None:
    """The base URL with and without a version, and with a group."""
    client = make(path)
    assert stream(client) == "stop"
    assert MODEL in [model.id for model in client.models.list()]
    assert service.records(1)[0]["account"] == account


def test_models(make: Make) -> None:
    """The list in this dialect's shape, and single models."""
    client = make()
    listed = list(client.models.list())
    assert len(listed) > 10
    assert {model.object for model in listed} == {"model"}
    assert client.models.retrieve(MODEL) == next(model for model in listed if model.id == MODEL)
    assert client.models.retrieve("anthropic/claude-sonnet-4.6").owned_by == "anthropic"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-nonesuch")
    assert caught.value.code == "model_not_found"


@both_ways
def test_wrong_key(make: Make, way: Way) -> None:
    """401 for a key that nobody was given."""
    with pytest.raises(openai.AuthenticationError) as caught:
        way(make(key="wrong"))
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


@both_ways
def test_unknown_model(make: Make, way: Way) -> None:
    """404 that names the models there are."""
    with pytest.raises(openai.NotFoundError) as caught:
        way(make(), model="gpt-nonesuch")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert MODEL in caught.value.message


@both_ways
def test_bad_body(service: Service, make: Make, way: Way) -> None:
    """400 that names the field, and nothing is sent upstream."""
    with pytest.raises(openai.BadRequestError) as caught:
        way(make(), messages=[])
    assert (caught.value.type, caught.value.param) == ("invalid_request_error", "messages")
    assert service.emulator.calls() == []


@both_ways
def test_too_long(service: Service, make: Make, way: Way) -> None:
    """The code by which clients know an overflow."""
    service.emulator.script(TOO_LONG)
    with pytest.raises(openai.BadRequestError) as caught:
        way(make())
    assert caught.value.code == "context_length_exceeded"


@both_ways
def test_throttled(service: Service, group: str, make: Make, way: Way) -> None:
    """429 once every account of the group has been refused, with the time until one returns."""
    service.emulator.script({**THROTTLED, "retry_after": "40", "times": 2})
    with pytest.raises(openai.RateLimitError) as caught:
        way(make(f"/{group}/v1"))
    assert caught.value.code == "rate_limit_exceeded"
    assert 30 <= int(caught.value.response.headers["retry-after"]) <= 41


@both_ways
def test_waits_and_succeeds(service: Service, group: str, make: Make, way: Way) -> None:
    """The SDK waits as long as it is told, and then is served."""
    service.emulator.script({**THROTTLED, "retry_after": "1", "times": 2})
    assert way(make(f"/{group}/v1", retries=2)) == "stop"
    assert [record["status"] for record in service.records(2)] == ["429", "200"]


@both_ways
def test_spent(service: Service, group: str, make: Make, way: Way) -> None:
    """Spent credits, in the words that clients know them by."""
    order = {"error": "ServiceQuotaExceededException", "reason": "MONTHLY_REQUEST_COUNT"}
    service.emulator.script({**order, "times": 2})
    with pytest.raises(openai.RateLimitError) as caught:
        way(make(f"/{group}/v1"))
    assert caught.value.code == "insufficient_quota"


@both_ways
def test_no_capacity(service: Service, group: str, make: Make, way: Way) -> None:
    """A model without capacity is tried again by the SDK."""
    service.emulator.script({**NO_CAPACITY, "times": 2})
    assert way(make(f"/{group}/v1", retries=2)) == "stop"
    assert [record["status"] for record in service.records(2)] == ["503", "200"]


@both_ways
@pytest.mark.parametrize(
    "order", [{"cut_at": 20}, {"exception_at": 20}, {"bad_crc_at": 20}], ids=lambda o: next(iter(o))
)
def test_spoilt_answer(
    service: Service, group: str, make: Make, way: Way, order: dict[str, Any]
) -> None:
    """An answer that breaks is never taken for whole."""
    service.emulator.script({**TALE, **order})
    with pytest.raises(openai.APIError) as caught:
        way(make(f"/{group}/v1"))
    # Within a stream there is no status any more.
    assert isinstance(caught.value, openai.APIStatusError) == (way is create)
    assert service.records(1)[0]["outcome"] == "failed"


def test_text_before_the_error(service: Service, group: str, make: Make) -> None:
    """What had arrived before an answer broke was shown."""
    service.emulator.script({**TALE, "exception_at": 20})
    chunks = make(f"/{group}/v1").chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    seen = ""
    with pytest.raises(openai.APIError):
        for chunk in chunks:
            seen += chunk.choices[0].delta.content or ""
    assert seen.startswith("Once upon a time there was Once")


def test_unserved_paths(make: Make) -> None:
    """What is not served is refused in JSON that the SDK understands."""
    client = make()
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="any", input="text")
    with pytest.raises(openai.APIStatusError) as caught:
        client.get("/chat/completions", cast_to=object)
    assert (caught.value.status_code, caught.value.code) == (405, "method_not_allowed")
