# -*- test-case-name: tests.dialects.chat.test_freeform -*-
"""Calls of custom tools, whose input is raw text for the client and JSON for the model.

Must not know how a call is written down.
"""

import msgspec


class _Input(msgspec.Struct):
    input: str


_decode = msgspec.json.Decoder(_Input).decode


def raw_text(arguments: str) -> str:
    """The text in ``{"input": text}``; a model that ignored that shape is quoted as it is."""
    try:
        return _decode(arguments).input
    except (msgspec.DecodeError, UnicodeError):
        return arguments


class FreeformCall:
    """One call while its input arrives."""

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index
        self.fragments: list[str] = []

    def text(self) -> str:
        """The input, once the call has ended."""
        return raw_text("".join(self.fragments))
