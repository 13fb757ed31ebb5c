"""An independent reader of Responses streams, strict about their grammar.

Written from what clients need, not from our writer: it decodes with the standard library, keeps a
table of open items and compares everything that is told twice.
"""

import json
from dataclasses import dataclass, field
from typing import Any

ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
ACTIONS = {"click", "double_click", "drag", "keypress", "move", "screenshot", "scroll", "type"} | {
    "wait"
}
# What a call holds while nothing is known of it, and its fields beside what is to be done.
_NOTHING: dict[str, dict[str, Any]] = {
    "local_shell_call": {},
    "shell_call": {
        "action": {"commands": [], "timeout_ms": None, "max_output_length": None},
        "environment": {"type": "local"},
    },
    "apply_patch_call": {"operation": {"type": "update_file", "path": "", "diff": ""}},
    "computer_call": {"actions": [{"type": "screenshot"}], "pending_safety_checks": []},
    "tool_search_call": {"arguments": {}, "execution": "client"},
}
_MORE = {
    "shell_call": {"environment"},
    "computer_call": {"pending_safety_checks"},
    "tool_search_call": {"execution"},
}
RESPONSE = {
    "id",
    "object",
    "created_at",
    "model",
    "status",
    "error",
    "incomplete_details",
    "output",
    "usage",
    "parallel_tool_calls",
    "tool_choice",
    "tools",
    "instructions",
    "metadata",
    "previous_response_id",
    "reasoning",
    "store",
    "text",
    "temperature",
    "top_p",
    "truncation",
}


@dataclass
class Open:
    """An item that was added and is not done."""

    index: int
    item: dict[str, Any]
    part: bool = False
    parts_done: bool = False
    text: str = ""
    told: str | None = None
    named: list[Any] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


@dataclass
class Read:
    """What a client knows after a stream."""

    types: list[str] = field(default_factory=list)
    done: dict[int, dict[str, Any]] = field(default_factory=dict)
    cut: dict[int, dict[str, Any]] = field(default_factory=dict)
    response: dict[str, Any] | None = None
    status: str = ""
    pings: int = 0
    lines: list[bytes] = field(default_factory=list)


def check(condition: object, *what: object) -> None:
    """Not an assert statement, so that it holds under any interpreter option."""
    if not condition:
        raise AssertionError(*what)


class Reader:
    """Reads one stream."""

    def __init__(self) -> None:
        self.got = Read()
        self._open: Open | None = None
        self._added = 0
        self._ids: set[str] = set()
        self._head: tuple[object, ...] | None = None

    def read(self, stream: bytes) -> Read:
        """Up to where it got; raises AssertionError where the grammar is broken."""
        if not stream:
            return self.got
        check(stream.endswith(b"\n\n"), "ends within an event")
        for block in stream[:-2].split(b"\n\n"):
            check(not self.got.status, "something after the end", block)
            if block.startswith(b":"):
                check(b"\n" not in block, block)
                self.got.pings += 1
                continue
            self._event(block)
        return self.got

    def _event(self, block: bytes) -> None:
        lines = block.split(b"\n")
        check(len(lines) == 2 and b"\r" not in block, "two lines", block)
        check(lines[0].startswith(b"event: ") and lines[1].startswith(b"data: "), block)
        event = json.loads(lines[1][6:])
        kind = event.pop("type")
        check(kind == lines[0][7:].decode(), "event and type differ", block)
        check(event.pop("sequence_number") == len(self.got.types), "sequence", block)
        first = {0: "response.created", 1: "response.in_progress"}.get(len(self.got.types))
        check(first in (None, kind), "begins with", kind)
        check(first is not None or kind not in ("response.created", "response.in_progress"))
        self.got.types.append(kind)
        self.got.lines.append(lines[1])
        if "response" in event:
            check(set(event) == {"response"}, event)
            self._response(kind, event["response"])
        elif kind == "response.output_item.added":
            self._add(**event)
        elif kind == "response.output_item.done":
            self._done(**event)
        else:
            self._within(kind, event)

    def _response(self, kind: str, response: dict[str, Any]) -> None:
        check(set(response) >= RESPONSE, RESPONSE - set(response))
        check(response["object"] == "response", response)
        head = (response["id"], response["created_at"], response["model"])
        check(self._head in (None, head), "the head changed", response)
        self._head = head
        status = ENDS.get(kind, "in_progress")
        check(response["status"] == status, response)
        if status == "in_progress":
            check(response["output"] == [] and response["usage"] is None, response)
            return
        self.got.status = status
        self.got.response = response
        check((response["error"] is not None) == (status == "failed"), response)
        details = response["incomplete_details"]
        check((details is not None) == (status == "incomplete"), response)
        if status == "failed":
            check(set(response["error"]) == {"code", "message"}, response)
            check(response["usage"] is None, response)
        else:
            self._usage(response["usage"])
            self._leave()
            check(len(response["output"]) == self._added, "an item is missing", response)
        for index, item in enumerate(response["output"]):
            if index in self.got.done:
                check(item == self.got.done[index], "differs from what was done", item)
            else:
                check(index in self.got.cut, "was never told", item)
                cut = "in_progress" if item["type"] == "apply_patch_call" else "incomplete"
                check(item["status"] == cut, item)
                check(item["id"] == self.got.cut[index]["id"], item)

    def _usage(self, usage: dict[str, Any]) -> None:
        check(usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], usage)
        check(usage["input_tokens_details"]["cached_tokens"] <= usage["input_tokens"], usage)
        thought = usage["output_tokens_details"]["reasoning_tokens"]
        check(0 <= thought <= usage["output_tokens"], usage)

    def _leave(self) -> None:
        """Only a call may be left without being done: it was cut."""
        if self._open is not None:
            check(self._open.item["type"].endswith("_call"), "left open", self._open)
            self.got.cut[self._open.index] = self._open.item
            self._open = None

    def _add(self, output_index: int, item: dict[str, Any]) -> None:
        self._leave()
        check(output_index == self._added, "indexes count up", output_index)
        check(item["id"] not in self._ids, "an id twice", item)
        check(item.get("call_id") != item["id"], item)
        check(item.get("status", "in_progress") == "in_progress", item)
        self._ids.add(item["id"])
        self._added += 1
        kind = item["type"]
        if kind == "message":
            check(item["content"] == [] and item["role"] == "assistant", item)
        elif kind == "reasoning":
            check(item["summary"] == [], item)
        elif kind == "function_call":
            check(item["arguments"] == "" and item["name"] is not None, item)
        elif kind == "custom_tool_call":
            check(item["input"] == "", item)
        elif kind == "web_search_call":
            check(item["id"].startswith("ws_") and "results" not in item, item)
            check(set(item["action"]) == {"type", "query"}, item)
        elif kind == "mcp_list_tools":
            check(item["tools"] == [] and item["error"] is None, item)
        else:
            check(all(item[key] == value for key, value in _NOTHING[kind].items()), item)
            check(kind != "local_shell_call" or item["action"]["command"] == [], item)
        self._open = Open(output_index, item)

    def _within(self, kind: str, event: dict[str, Any]) -> None:
        item = self._open
        if item is None:
            raise AssertionError("outside of any item", kind)
        check(event.pop("item_id") == item.item["id"], kind, event)
        check(event.pop("output_index") == item.index, kind, event)
        check(item.told is None or kind.endswith("part.done"), "after done", kind)
        _WITHIN[item.item["type"]](item, kind.removeprefix("response."), event)

    def _done(self, output_index: int, item: dict[str, Any]) -> None:
        was = self._open
        if was is None:
            raise AssertionError("nothing is open", item)
        check(output_index == was.index and item["id"] == was.item["id"], item)
        check(item["type"] == was.item["type"], item)
        check(not was.part or was.parts_done, "a part was not done", item)
        _DONE[item["type"]](was, item)
        self.got.done[output_index] = item
        self._open = None


def _part(item: Open, kind: str, event: dict[str, Any], what: str, of: str) -> None:
    """Parts of messages and of summaries: both have exactly one."""
    check(event.pop(f"{what}_index") == 0, event)
    if kind.endswith("part.added"):
        check(not item.part and event["part"]["text"] == "", event)
        check(event["part"]["type"] == of, event)
        item.part = True
        return
    check(item.part and not item.parts_done, kind)
    if kind.endswith("text.delta"):
        check(item.told is None, "after done")
        item.text += event["delta"]
    elif kind.endswith("text.done"):
        check(item.told is None and event["text"] == item.text, event)
        item.told = item.text
    else:
        check(kind.endswith("part.done"), kind)
        check(item.told is not None and event["part"]["text"] == item.told, event)
        item.parts_done = True


def _message(item: Open, kind: str, event: dict[str, Any]) -> None:
    check(kind.startswith(("content_part.", "output_text.")), kind)
    if kind.startswith("output_text."):
        if kind.endswith("annotation.added"):
            check(event["content_index"] == 0 and item.told is None, event)
            check(event["annotation_index"] == len(item.named), event)
            item.named.append(event["annotation"])
            return
        check(event["logprobs"] == [], event)
    if kind.endswith("part.done"):
        check(event["part"]["annotations"] == item.named, event)
    _part(item, kind, event, "content", "output_text")


def _reasoning(item: Open, kind: str, event: dict[str, Any]) -> None:
    check(kind.startswith(("reasoning_summary_part.", "reasoning_summary_text.")), kind)
    _part(item, kind, event, "summary", "summary_text")


def _input(name: str, of: str) -> Any:
    def within(item: Open, kind: str, event: dict[str, Any]) -> None:
        check(kind.startswith(f"{name}."), kind)
        if kind == f"{name}.delta":
            check(set(event) == {"delta"} and len(event["delta"]) <= 8192, event)
            item.text += event["delta"]
        else:
            check(kind == f"{name}.done" and event[of] == item.text, event)
            item.told = item.text

    return within


def _nothing(item: Open, kind: str, event: dict[str, Any]) -> None:
    raise AssertionError("has no events of its own", kind)


def _search(item: Open, kind: str, event: dict[str, Any]) -> None:
    check(not event, kind, event)
    item.steps.append(kind)


_WITHIN = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _input("function_call_arguments", "arguments"),
    "custom_tool_call": _input("custom_tool_call_input", "input"),
    "local_shell_call": _nothing,
    "shell_call": _nothing,
    "apply_patch_call": _nothing,
    "computer_call": _nothing,
    "tool_search_call": _nothing,
    "web_search_call": _search,
    "mcp_list_tools": _search,
}


def _message_done(was: Open, item: dict[str, Any]) -> None:
    check(was.part and item["status"] in ("completed", "incomplete"), item)
    (part,) = item["content"]
    check(part["type"] == "output_text" and part["text"] == was.told, item)
    check(part["annotations"] == was.named, item)
    for named in was.named:
        check(set(named) == {"type", "start_index", "end_index", "title", "url"}, named)
        check(named["type"] == "url_citation", named)
        check(part["text"][named["start_index"] : named["end_index"]] == named["url"], named)


def _reasoning_done(was: Open, item: dict[str, Any]) -> None:
    texts = [part["text"] for part in item["summary"]]
    check(texts == ([] if was.told is None else [was.told]), item)


def _call_done(of: str) -> Any:
    def done(was: Open, item: dict[str, Any]) -> None:
        check(was.told is not None and item[of] == was.told, item)
        check(item["status"] == "completed", item)
        for key in ("name", "call_id", "namespace"):
            check(item.get(key) == was.item.get(key), item)

    return done


def _shell_done(was: Open, item: dict[str, Any]) -> None:
    check(item["status"] == "completed" and item["call_id"] == was.item["call_id"], item)
    check(item["action"]["type"] == "exec", item)
    check(all(isinstance(word, str) for word in item["action"]["command"]), item)


def _action_done(key: str, kinds: set[str]) -> Any:
    def done(was: Open, item: dict[str, Any]) -> None:
        check(item["status"] == "completed" and item["call_id"] == was.item["call_id"], item)
        check(set(item) == {"id", "type", "status", "call_id", key, *_MORE.get(item["type"], ())})
        found = item[key] if isinstance(item[key], list) else [item[key]]
        check(not kinds or all(each["type"] in kinds for each in found), item)

    return done


def _list_done(was: Open, item: dict[str, Any]) -> None:
    check(was.steps == ["mcp_list_tools.in_progress", "mcp_list_tools.failed"], was)
    check(item["tools"] == [] and item["error"] and item["server_label"], item)


def _search_done(was: Open, item: dict[str, Any]) -> None:
    steps = ["in_progress", "searching"]
    if item["status"] == "completed":
        steps.append("completed")
    else:
        check(item["status"] == "failed", item)
    check(was.steps == [f"web_search_call.{step}" for step in steps], was)
    check(set(item) == {"id", "type", "status", "action"}, item)
    check(item["action"]["type"] == "search", item)
    check(item["action"]["query"] == was.item["action"]["query"], item)
    for source in item["action"].get("sources", ()):
        check(set(source) == {"type", "url"} and source["type"] == "url", source)


_DONE = {
    "message": _message_done,
    "reasoning": _reasoning_done,
    "function_call": _call_done("arguments"),
    "custom_tool_call": _call_done("input"),
    "local_shell_call": _shell_done,
    "shell_call": _action_done("action", set()),
    "apply_patch_call": _action_done("operation", {"create_file", "update_file", "delete_file"}),
    "computer_call": _action_done("actions", ACTIONS),
    "tool_search_call": _action_done("arguments", set()),
    "web_search_call": _search_done,
    "mcp_list_tools": _list_done,
}


def read(stream: bytes) -> Read:
    """Read a stream up to where it got."""
    return Reader().read(stream)
