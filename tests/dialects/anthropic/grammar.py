"""An independent reader of the Messages event stream, as strict as the strictest client.

Knows nothing of the writer under test: it checks the published order of events and gives the
message that a client would put together.
"""

import json
from typing import Any

DELTAS = {
    "text": {"text_delta": "text"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
    "redacted_thinking": {},
    "server_tool_use": {"input_json_delta": "partial_json"},
    "web_search_tool_result": {},
}
STOP_REASONS = {
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "refusal",
    "model_context_window_exceeded",
}


def events(data: bytes) -> list[tuple[str, Any]]:
    """Split strictly: one ``event`` line, one ``data`` line, one empty line, and nothing else."""
    if not data:
        return []
    assert data.endswith(b"\n\n"), data[-40:]
    found = []
    for chunk in data[:-2].split(b"\n\n"):
        lines = chunk.split(b"\n")
        assert len(lines) == 2, chunk
        assert lines[0].startswith(b"event: "), chunk
        assert lines[1].startswith(b"data: "), chunk
        value = json.loads(lines[1][6:])
        name = lines[0][7:].decode("ascii")
        assert value["type"] == name
        found.append((name, value))
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class Replay:
    """What a client knows after the bytes: the message, whether it ended, the error if any."""

    def __init__(self, data: bytes) -> None:
        self.message: dict[str, Any] = {}
        self.stopped = False
        self.error: dict[str, Any] | None = None
        self.pings = 0
        self._open: dict[str, Any] | None = None
        self._input = ""
        self._deltas = 0
        self._delta_seen = False
        for name, value in events(data):
            assert not self.stopped, f"{name} after message_stop"
            assert self.error is None, f"{name} after the error"
            getattr(self, f"_{name}")(value)

    @property
    def complete(self) -> bool:
        return self.stopped

    def _ping(self, value: Any) -> None:
        assert value == {"type": "ping"}
        self.pings += 1

    def _message_start(self, value: Any) -> None:
        assert not self.message
        message = value["message"]
        assert set(value) == {"type", "message"}
        assert message["content"] == []
        assert message["stop_reason"] is None
        assert message["stop_sequence"] is None
        assert message["type"] == "message"
        assert message["role"] == "assistant"
        assert message["id"].startswith("msg_")
        assert message["usage"]["cache_creation_input_tokens"] == 0
        assert message["usage"]["cache_read_input_tokens"] == 0
        assert message["usage"]["output_tokens"] >= 0
        self.message = message

    def _content_block_start(self, value: Any) -> None:
        assert self.message
        assert not self._delta_seen
        assert self._open is None, "blocks overlap"
        assert value["index"] == len(self.message["content"])
        block = value["content_block"]
        match block["type"]:
            case "text":
                assert block == {"type": "text", "text": ""}
            case "thinking":
                assert block == {"type": "thinking", "thinking": "", "signature": ""}
            case "tool_use":
                assert set(block) == {"type", "id", "name", "input"}
                assert block["input"] == {}
                ids = {other.get("id") for other in self.message["content"]}
                assert block["id"] not in ids
            case "redacted_thinking":
                assert block["data"]
            case "server_tool_use":
                assert set(block) == {"type", "id", "name", "input"}
                assert block["input"] == {}
                assert block["name"] == "web_search"
                assert block["id"].startswith("srvtoolu_")
                assert block["id"] not in {other.get("id") for other in self.message["content"]}
            case "web_search_tool_result":
                self._search_result(block)
            case _:
                raise AssertionError(block)
        self.message["content"].append(block)
        self._open, self._input, self._deltas = block, "", 0

    def _search_result(self, block: Any) -> None:
        """Of an earlier search, which has no other result."""
        assert set(block) == {"type", "tool_use_id", "content"}
        content, id = self.message["content"], block["tool_use_id"]
        assert id in {other.get("id") for other in content}
        assert id not in {other.get("tool_use_id") for other in content}
        if isinstance(block["content"], list):
            for page in block["content"]:
                assert page["type"] == "web_search_result"
                assert set(page) == {"type", "url", "title", "encrypted_content", "page_age"}
        else:
            assert set(block["content"]) == {"type", "error_code"}
            assert block["content"]["type"] == "web_search_tool_result_error"

    def _content_block_delta(self, value: Any) -> None:
        block = self._open
        assert block is not None
        assert value["index"] == len(self.message["content"]) - 1
        delta = value["delta"]
        field = DELTAS[block["type"]][delta["type"]]
        assert set(delta) == {"type", field}
        self._deltas += 1
        if field == "partial_json":
            self._input += delta[field]
        else:
            assert delta[field] != ""
            assert field == "signature" or not block.get("signature")
            block[field] += delta[field]

    def _content_block_stop(self, value: Any) -> None:
        block = self._open
        assert block is not None
        assert value == {
            "type": "content_block_stop",
            "index": len(self.message["content"]) - 1,
        }
        if block["type"] == "text":
            assert block["text"]
        if block["type"] in ("tool_use", "server_tool_use"):
            assert self._deltas > 0
            try:
                block["input"] = json.loads(self._input, parse_constant=_no_constant)
            except ValueError:
                block["input"] = {}
                block["broken"] = True
        self._open = None

    def _message_delta(self, value: Any) -> None:
        assert self.message
        assert self._open is None
        assert not self._delta_seen
        assert set(value) == {"type", "delta", "usage"}
        assert value["delta"]["stop_reason"] in STOP_REASONS
        assert (value["delta"]["stop_sequence"] is None) == (
            value["delta"]["stop_reason"] != "stop_sequence"
        )
        self.message |= value["delta"]
        self.message["usage"] |= value["usage"]
        self._delta_seen = True

    def _message_stop(self, value: Any) -> None:
        assert value == {"type": "message_stop"}
        assert self._delta_seen
        self.stopped = True
        calls = [block for block in self.message["content"] if block["type"] == "tool_use"]
        broken = [block.pop("broken") for block in calls if "broken" in block]
        if broken:
            assert self.message["stop_reason"] not in ("end_turn", "tool_use", "stop_sequence")
        elif calls:
            assert self.message["stop_reason"] != "end_turn"
        else:
            assert self.message["stop_reason"] != "tool_use"

    def _error(self, value: Any) -> None:
        # A call that broke off must not look whole.
        assert self._open is None or self._open["type"] == "tool_use"
        assert not self._delta_seen
        assert set(value) == {"type", "error", "request_id"}
        assert set(value["error"]) >= {"type", "message"}
        self.error = value
