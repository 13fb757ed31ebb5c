"""What the tests of several clients say and offer, and the orders they give the emulator."""

from typing import Any

MODEL = "claude-sonnet-4-6"

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dw"
    "HwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel, in base64."""

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}

THROTTLED = {"error": "ThrottlingException", "message": "Slow down."}
NO_CAPACITY = {
    "error": "ThrottlingException",
    "reason": "INSUFFICIENT_MODEL_CAPACITY",
    "message": "Too many are asking.",
}
TOO_LONG = {
    "error": "ValidationException",
    "reason": "CONTENT_LENGTH_EXCEEDS_THRESHOLD",
    "message": "Input is too long.",
}
WEATHER_CALL = {"text": "Let me look.", "calls": [{"name": "weather", "input": {"city": "Oslo"}}]}
TWO_CALLS = {
    "text": "Both.",
    "calls": [
        {"name": "weather", "input": {"city": "Oslo"}},
        {"name": "weather", "input": {"city": "Bergen"}},
    ],
}


def current(call: dict[str, Any]) -> dict[str, Any]:
    """The current message in the body of a call that the emulator received."""
    message: dict[str, Any] = call["body"]["conversationState"]["currentMessage"]
    user: dict[str, Any] = message["userInputMessage"]
    return user


def history(call: dict[str, Any]) -> list[dict[str, Any]]:
    """The earlier turns in the body of a call that the emulator received."""
    turns: list[dict[str, Any]] = call["body"]["conversationState"]["history"]
    return turns
