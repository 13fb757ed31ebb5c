# -*- test-case-name: tests.dialects.responses.test_mcp -*-
"""Servers of tools that a client names and nobody here calls: told as a list that failed.

Such an item is what a client shows of a server that does not answer, so a session goes on and its
user sees why the tools are missing. It is told once: a later request brings it along. Must not know
the order of items.
"""

from typing import Final, Literal

import msgspec

from kiro2api.dialects.responses.output import Item, Status

LISTED: Final = "mcp_list_tools"

_ERROR: Final = (
    "MCP servers are not called from here: connect to this one from the client, which can offer "
    "its tools as functions."
)

_encode: Final = msgspec.json.Encoder().encode


class _List(msgspec.Struct, frozen=True):
    id: str
    server_label: str
    error: str | None
    tools: tuple[()] = ()
    type: Literal["mcp_list_tools"] = "mcp_list_tools"


class ToolList(Item):
    """The list of a server's tools, which nobody has got."""

    prefix = "mcpl"

    def __init__(self, unique: str, index: int, label: str) -> None:
        self.label = label
        super().__init__(unique, index)

    def json(self, status: Status) -> bytes:
        """The item, at first without the reason."""
        error = None if status == "in_progress" else _ERROR
        return _encode(_List(self.id, self.label, error))
