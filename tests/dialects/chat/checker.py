"""An independent reader of chat completion streams, strict about their grammar.

Written from what clients need, not from our writer: it decodes with the standard library and
rebuilds the message as an SDK would.
"""

import json
from dataclasses import dataclass, field
from typing import Any

ENVELOPE = {"id", "object", "created", "model", "choices"}


@dataclass
class Read:
    """What a client knows after a stream."""

    content: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list)
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    usage: dict[str, int] | None = None
    error: dict[str, Any] | None = None
    done: bool = False
    pings: int = 0
    lines: list[bytes] = field(default_factory=list)


def check(condition: object, *what: object) -> None:
    """Not an assert statement, so that it holds under any interpreter option."""
    if not condition:
        raise AssertionError(*what)


def read(stream: bytes, *, include_usage: bool = False) -> Read:
    """Read a stream up to where it got; raises AssertionError where it breaks the grammar."""
    got = Read()
    if not stream:
        return got
    check(stream.endswith(b"\n\n"), "ends within an event")
    envelope: tuple[object, ...] | None = None
    for event in stream[:-2].split(b"\n\n"):
        check(b"\n" not in event and b"\r" not in event, "more than one line", event)
        if event.startswith(b":"):
            check(not got.done and got.error is None, "a comment after the end")
            got.pings += 1
            continue
        check(event.startswith(b"data: "), "no data line", event)
        check(not got.done and got.error is None, "something after the end", event)
        got.lines.append(event)
        data = event[6:]
        if data == b"[DONE]":
            check(got.finish_reason is not None, "done without a finish reason")
            check((got.usage is not None) == include_usage, "usage, or the lack of it")
            got.done = True
            continue
        chunk = json.loads(data)
        if "error" in chunk:
            check(set(chunk) == {"error"}, chunk)
            check(set(chunk["error"]) == {"message", "type", "code", "param"}, chunk)
            check(got.finish_reason is None, "an error after the finish reason")
            got.error = chunk["error"]
            continue
        check(set(chunk) == (ENVELOPE | {"usage"} if include_usage else ENVELOPE), chunk)
        check(chunk["object"] == "chat.completion.chunk", chunk)
        head = (chunk["id"], chunk["created"], chunk["model"])
        check(envelope in (None, head), "the envelope changed", chunk)
        if chunk["choices"]:
            check(chunk.get("usage") is None, "usage beside a choice", chunk)
            _choice(chunk["choices"], got, first=envelope is None)
        else:
            check(got.finish_reason is not None, "usage before the finish reason")
            check(got.usage is None, "usage twice")
            got.usage = chunk["usage"]
        envelope = head
    return got


def _choice(choices: list[dict[str, Any]], got: Read, *, first: bool) -> None:
    check(len(choices) == 1, choices)
    (choice,) = choices
    check(set(choice) == {"index", "delta", "finish_reason"}, choice)
    check(choice["index"] == 0, choice)
    check(got.finish_reason is None, "a choice after the finish reason")
    delta = choice["delta"]
    if first:
        check(delta == {"role": "assistant", "content": ""}, "first delta", delta)
        check(choice["finish_reason"] is None, choice)
        return
    if choice["finish_reason"] is not None:
        check(delta == {}, choice)
        got.finish_reason = choice["finish_reason"]
        return
    check(len(delta) == 1, delta)
    got.content += delta.get("content", "")
    got.reasoning += delta.get("reasoning_content", "")
    for call in delta.get("tool_calls", ()):
        _call(call, got)
    for annotation in delta.get("annotations", ()):
        check(set(annotation) == {"type", "url_citation"}, annotation)
        check(annotation["type"] == "url_citation", annotation)
        got.annotations.append(annotation)
    kinds = {"content", "reasoning_content", "tool_calls", "annotations"}
    check(set(delta) <= kinds, delta)


def _call(call: dict[str, Any], got: Read) -> None:
    if "id" in call:
        check(set(call) == {"index", "id", "type", "function"}, call)
        check(call["type"] == "function", call)
        check(call["index"] == len(got.calls), "indexes count up", call)
        check(set(call["function"]) == {"name", "arguments"}, call)
        check(call["function"]["arguments"] == "", call)
        check(all(call["id"] != other["id"] for other in got.calls), "an id twice", call)
        got.calls.append({key: call[key] for key in ("id", "type", "function")})
        return
    check(set(call) == {"index", "function"}, call)
    check(0 <= call["index"] < len(got.calls), "a fragment without its call", call)
    check(set(call["function"]) == {"arguments"}, call)
    check(len(call["function"]["arguments"]) <= 8192, "a fragment too long")
    got.calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
