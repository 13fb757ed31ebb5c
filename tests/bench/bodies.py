# -*- test-case-name: tests.bench.test_smoke -*-
"""Large requests like those of a coding session, made up. Pure, and the same at every run."""

import json
import random
from typing import Any, Final

_TALK: Final = (
    "the parser reads one line and gives back a token or nothing while its caller keeps an offset "
    "into the buffer so that no byte is looked at twice and each error names its own place return "
    "if not found: raise self.value = None def take(self, size): for index in range(count) 你好 "
    "naïve façade → {} [] \"quoted\" 'single' \\n \\t 0x7f 3.14159 # why this is so"
)
_WORDS: Final = _TALK.split(" ")


def large_body(messages: int, tools: int, size: int) -> bytes:
    """A Messages request of about ``size`` bytes: a dialogue in which every other turn calls a tool
    whose result is the next one, below ``tools`` tools with nested schemas."""
    words = size // messages // 6
    missing = size / len(_written(messages, tools, words))
    return _written(messages, tools, int(words * missing))


def _written(messages: int, tools: int, words: int) -> bytes:
    """The body with so many words per message."""
    source = random.Random(messages)
    offered = [_tool(source, number) for number in range(tools)]
    turns = [
        _turn(number, " ".join(source.choices(_WORDS, k=words)), f"tool_{number // 2 % tools}")
        for number in range(messages)
    ]
    return json.dumps(
        {
            "model": "claude-sonnet-4-5-20250929",
            "max_tokens": 32000,
            "stream": True,
            "system": [{"type": "text", "text": " ".join(source.choices(_WORDS, k=300))}],
            "tools": offered,
            "messages": turns,
            "metadata": {"user_id": "somebody"},
        },
        ensure_ascii=False,
    ).encode()


def _turn(number: int, text: str, tool: str) -> dict[str, Any]:
    """User turns answer the call before them, assistant turns make the next one."""
    call = f"toolu_{number:024d}"
    if number % 2:
        given = {"path": f"src/module_{number}.py", "lines": [number, number + 40]}
        return {
            "role": "assistant",
            "content": [
                {"type": "text", "text": text},
                {"type": "tool_use", "id": call, "name": tool, "input": given},
            ],
        }
    if not number:
        return {"role": "user", "content": text}
    answered = f"toolu_{number - 1:024d}"
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": answered, "content": text}],
    }


def _tool(source: random.Random, number: int) -> dict[str, Any]:
    fields: dict[str, Any] = {
        f"field_{index}": {"type": kind, "description": " ".join(source.choices(_WORDS, k=12))}
        for index, kind in enumerate(("string", "integer", "boolean", "number"))
    }
    fields["path"] = {"type": "string"}
    fields["lines"] = {"type": "array", "items": {"type": "integer"}}
    fields["options"] = {"type": "object", "properties": {"deep": {"type": "boolean"}}}
    return {
        "name": f"tool_{number}",
        "description": " ".join(source.choices(_WORDS, k=120)),
        "input_schema": {"type": "object", "properties": fields, "required": ["path"]},
    }
