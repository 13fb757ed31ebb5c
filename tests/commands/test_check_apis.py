"""Tests of what the answers of the model APIs must look like."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.commands.calling import Answer
from kiro2api.commands.check_apis import APIS, refusal, streamed, streaming, whole
from tests.commands.answers import (
    CHUNKS,
    COMPLETION,
    COUNT,
    MESSAGE,
    MESSAGE_EVENTS,
    RESPONSE,
    RESPONSE_EVENTS,
    chunks,
    events,
)

MESSAGES, COUNTING, CHAT, RESPONSES = APIS


def answer(value: Any, status: int = 200) -> Answer:
    """JSON."""
    return Answer(status, msgspec.json.encode(value), "application/json")


def stream(content: bytes) -> Answer:
    """Events."""
    return Answer(200, content, "text/event-stream; charset=utf-8")


class RefusalTests(SynchronousTestCase):
    """Errors in each API's shape."""

    def test_anthropic(self) -> None:
        """Its type counts."""
        good = {"type": "error", "error": {"type": "authentication_error", "message": "no"}}
        self.assertEqual(refusal(MESSAGES, answer(good, 401), 401, "authentication_error"), "")
        self.assertIn("instead of", refusal(MESSAGES, answer(good, 401), 401, "other"))
        self.assertIn("HTTP 403", refusal(MESSAGES, answer(good, 403), 401, "other"))
        bare = answer({"error": good["error"]}, 401)
        self.assertIn("error.type", refusal(MESSAGES, bare, 401, "authentication_error"))

    def test_openai(self) -> None:
        """All of its fields are there, even if they are null."""
        error = {"message": "no", "type": "x", "param": None, "code": None}
        self.assertEqual(refusal(CHAT, answer({"error": error}, 401), 401, ""), "")
        del error["code"]
        self.assertIn("without code", refusal(CHAT, answer({"error": error}, 401), 401, ""))

    def test_no_error(self) -> None:
        """Nothing that a client could show."""
        bodies: tuple[Any, ...] = ({}, [], {"error": "text"}, {"error": {"message": 1}})
        for body in bodies:
            self.assertIn("without error.message", refusal(CHAT, answer(body, 400), 400, ""), body)
        self.assertIn("without", refusal(CHAT, Answer(400, b"<html>"), 400, ""))


class WholeTests(SynchronousTestCase):
    """Answers in one piece."""

    def test_good(self) -> None:
        """Of each API."""
        for api, body in zip(APIS, (MESSAGE, COUNT, COMPLETION, RESPONSE), strict=True):
            self.assertEqual(whole(api, answer(body)), "", api.name)

    def test_wrong(self) -> None:
        """Each thing that may be missing is named."""
        for api, body, change, words in (
            (MESSAGES, MESSAGE, {"role": "user"}, "no message"),
            (MESSAGES, MESSAGE, {"content": []}, "no text"),
            (MESSAGES, MESSAGE, {"stop_reason": None}, "stop_reason"),
            (MESSAGES, MESSAGE, {"usage": None}, "no usage"),
            (MESSAGES, MESSAGE, {"usage": {"input_tokens": 1}}, "lacks output_tokens"),
            (COUNTING, COUNT, {"input_tokens": 0}, "positive"),
            (CHAT, COMPLETION, {"object": "x"}, "object"),
            (CHAT, COMPLETION, {"choices": []}, "no text"),
            (CHAT, COMPLETION, {"choices": [{"message": {"content": "x"}}]}, "finish_reason"),
            (CHAT, COMPLETION, {"usage": {}}, "lacks prompt_tokens"),
            (RESPONSES, RESPONSE, {"object": "x"}, "object"),
            (RESPONSES, RESPONSE, {"status": "failed"}, "failed"),
            (RESPONSES, RESPONSE, {"output": []}, "no text"),
            (RESPONSES, RESPONSE, {"usage": None}, "usage"),
        ):
            self.assertIn(words, whole(api, answer({**body, **change})), (api.name, change))

    def test_refused(self) -> None:
        """With the words, where there are any."""
        body = {"error": {"message": "no credits"}}
        self.assertEqual(whole(CHAT, answer(body, 429)), "HTTP 429: no credits")
        self.assertEqual(whole(CHAT, Answer(502, b"bad gateway")), "HTTP 502")
        self.assertEqual(streamed(CHAT, Answer(502, b"bad gateway")), "HTTP 502")
        self.assertIn("no", whole(CHAT, answer([])))


class StreamedTests(SynchronousTestCase):
    """Answers in events."""

    def test_good(self) -> None:
        """Of each API; signs of life between are allowed."""
        ping = b': ping\n\nevent: ping\ndata: {"type": "ping"}\n\n'
        self.assertEqual(streamed(MESSAGES, stream(ping + events(MESSAGE_EVENTS))), "")
        self.assertEqual(streamed(CHAT, stream(b": ping\n\n" + chunks(CHUNKS))), "")
        self.assertEqual(streamed(RESPONSES, stream(events(RESPONSE_EVENTS))), "")

    def test_no_stream(self) -> None:
        """Another content type, nothing, or what cannot be read."""
        self.assertIn("content-type", streamed(CHAT, answer(COMPLETION)))
        self.assertIn("no event", streamed(CHAT, stream(b"")))
        self.assertIn("no event", streamed(CHAT, stream(b"event: \xff\ndata: 1\n\n")))

    def test_error(self) -> None:
        """An error in the stream is told."""
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "later"}}
        content = events(MESSAGE_EVENTS[:1]) + events([error])
        self.assertIn("later", streamed(MESSAGES, stream(content)))
        self.assertIn("later", streamed(CHAT, stream(chunks([{"error": {"message": "later"}}]))))

    def test_messages(self) -> None:
        """Order and pairs of events."""
        first, opened, delta, closed, ending, last = MESSAGE_EVENTS
        for wrong, words in (
            (MESSAGE_EVENTS[1:], "the first event"),
            (MESSAGE_EVENTS[:-1], "the last events"),
            ([first, opened, delta, ending, last], "pairs"),
            ([first, ending, last], "pairs"),
            ([first, opened, closed, {**ending, "delta": {}}, last], "stop_reason"),
            ([first, opened, closed, {**ending, "usage": {}}, last], "usage"),
        ):
            self.assertIn(words, streamed(MESSAGES, stream(events(wrong))), words)
        self.assertIn("data.type", streamed(MESSAGES, stream(b"event: x\ndata: {}\n\n")))
        self.assertIn("data.type", streamed(MESSAGES, stream(b"event: x\ndata: what\n\n")))

    def test_chunks(self) -> None:
        """One id, text, a reason and usage, then the end."""
        text, reason, usage = CHUNKS
        for wrong, words in (
            ([{**text, "id": "other"}, reason, usage], "different ids"),
            ([{**text, "object": "x"}, reason, usage], "something else"),
            ([reason, usage], "no text"),
            ([text, usage], "finish_reason"),
            ([text, reason], "no usage"),
        ):
            self.assertIn(words, streamed(CHAT, stream(chunks(wrong))), words)
        self.assertIn("[DONE]", streamed(CHAT, stream(b"data: {}\n\n")))
        self.assertIn("ids", streamed(CHAT, stream(b"data: [DONE]\n\n")))

    def test_responses(self) -> None:
        """Counted events from the first to the last."""
        for wrong, words in (
            (RESPONSE_EVENTS[1:], "the first event"),
            (RESPONSE_EVENTS[:-1], "the last event"),
            ([RESPONSE_EVENTS[0], RESPONSE_EVENTS[-1]], "sequence_number"),
            ([*RESPONSE_EVENTS[:-1], {**RESPONSE_EVENTS[-1], "response": {}}], "object"),
        ):
            self.assertIn(words, streamed(RESPONSES, stream(events(wrong))), words)
        short = [RESPONSE_EVENTS[0], {**RESPONSE_EVENTS[-1], "sequence_number": 1}]
        self.assertIn("no text", streamed(RESPONSES, stream(events(short))))
        self.assertIn("data.type", streamed(RESPONSES, stream(b"data: {}\n\ndata: x\n\n")))


class QuestionTests(SynchronousTestCase):
    """What is asked."""

    def test_stream(self) -> None:
        """Usage has to be asked for in one of them."""
        self.assertEqual(
            streaming(CHAT, CHAT.question("m"))["stream_options"], {"include_usage": True}
        )
        self.assertNotIn("stream_options", streaming(MESSAGES, MESSAGES.question("m")))
        self.assertTrue(streaming(RESPONSES, RESPONSES.question("m"))["stream"])
