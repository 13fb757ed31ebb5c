"""Frames as the upstream sends them, for the tests of this room."""

import msgspec

from kiro2api.wire.eventstream import Frame, FrameDecoder, encode_frame


def event(name: str, payload: object) -> Frame:
    """One event frame; ``payload`` bytes as they are, anything else as JSON."""
    return _frame({":message-type": "event", ":event-type": name}, payload)


def exception(name: str, payload: object) -> Frame:
    """One exception frame."""
    return _frame({":message-type": "exception", ":exception-type": name}, payload)


def error(code: str, message: str) -> Frame:
    """One frame of an unmodelled error."""
    headers = {":message-type": "error", ":error-code": code, ":error-message": message}
    return _frame(headers, b"")


def _frame(headers: dict[str, str], payload: object) -> Frame:
    body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    (frame,) = FrameDecoder().receive(encode_frame(headers, body))
    return frame


def said(text: str) -> Frame:
    """A piece of the answer's text."""
    return event("assistantResponseEvent", {"content": text})


def tool(id: str, name: str | None = "t", **fields: object) -> Frame:
    """A fragment of a tool call: ``input``, ``stop``."""
    return event("toolUseEvent", {"toolUseId": id, "name": name, **fields})


def metering(usage: float = 0.5) -> Frame:
    """What the upstream sends last."""
    return event("meteringEvent", {"unit": "credit", "unitPlural": "credits", "usage": usage})


def context(percent: float) -> Frame:
    """How full the window is."""
    return event("contextUsageEvent", {"contextUsagePercentage": percent})
