# -*- test-case-name: tests.dialects.responses.test_clientcalls -*-
"""Calls of tools that the dialect has item types of its own for, and that the client runs.

What the model wrote becomes the fields that the client reads; where it cannot be read it becomes
an action that does no harm. Must not know events.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeVar

import msgspec

from kiro2api.dialects.chat.ending import call_id
from kiro2api.dialects.responses.output import Call, CustomCall, Status

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode


class ActionCall(Call):
    """A call that can be told only when all of its input is there."""

    def read(self, decoder: msgspec.json.Decoder[T], status: Status, otherwise: T) -> T:
        """What the model wrote, once it is complete, if it can be read."""
        if status != "completed":
            return otherwise
        try:
            return decoder.decode(self.text)
        except (msgspec.DecodeError, RecursionError):
            return otherwise


# ── shells ───────────────────────────────────────────────────────────────────


class _Command(msgspec.Struct, frozen=True, omit_defaults=True):
    command: list[str] | str = []
    working_directory: str | None = None
    timeout_ms: int | None = None
    env: dict[str, str] | None = None


class _Exec(msgspec.Struct, frozen=True):
    command: list[str]
    env: dict[str, str]
    timeout_ms: int | None
    working_directory: str | None
    user: None = None
    type: Literal["exec"] = "exec"


class _LocalShellCall(msgspec.Struct, frozen=True):
    id: str
    call_id: str
    status: Status
    action: _Exec
    type: Literal["local_shell_call"] = "local_shell_call"


class _Commands(msgspec.Struct, frozen=True):
    commands: list[str] | str = []
    timeout_ms: int | None = None
    max_output_length: int | None = None


class _Local(msgspec.Struct, frozen=True):
    type: Literal["local"] = "local"


class _ShellCall(msgspec.Struct, frozen=True):
    id: str
    call_id: str
    status: Status
    action: _Commands
    environment: _Local = _Local()
    type: Literal["shell_call"] = "shell_call"


_COMMAND: Final = msgspec.json.Decoder(_Command)
_COMMANDS: Final = msgspec.json.Decoder(_Commands)


class LocalShellCall(ActionCall):
    """A call of the client's shell: one program."""

    prefix = "lsh"

    def json(self, status: Status) -> bytes:
        """The item; a command that cannot be read is an empty one, which runs nothing."""
        command = self.read(_COMMAND, status, _Command())
        words = command.command
        action = _Exec(
            ["bash", "-lc", words] if isinstance(words, str) else words,
            command.env or {},
            command.timeout_ms,
            command.working_directory,
        )
        return _encode(_LocalShellCall(self.id, call_id(self.source), status, action))


class ShellCall(ActionCall):
    """A call of the client's shell: any number of lines."""

    prefix = "sh"

    def json(self, status: Status) -> bytes:
        """The item; without any command where they cannot be read."""
        action = self.read(_COMMANDS, status, _Commands())
        if isinstance(action.commands, str):
            action = msgspec.structs.replace(action, commands=[action.commands])
        return _encode(_ShellCall(self.id, call_id(self.source), status, action))


# ── files ────────────────────────────────────────────────────────────────────


class _Operation(msgspec.Struct, frozen=True):
    path: str = ""
    diff: str | msgspec.UnsetType | None = ""
    type: Literal["create_file", "update_file", "delete_file"] = "update_file"


class _PatchCall(msgspec.Struct, frozen=True):
    id: str
    call_id: str
    status: Literal["in_progress", "completed"]
    operation: _Operation
    type: Literal["apply_patch_call"] = "apply_patch_call"


_OPERATION: Final = msgspec.json.Decoder(_Operation)


class PatchCall(ActionCall):
    """A change of one file."""

    prefix = "apc"

    def json(self, status: Status) -> bytes:
        """The item; a change of no file where it cannot be read. A call of this kind cannot be
        told as incomplete."""
        operation = self.read(_OPERATION, status, _Operation())
        diff = msgspec.UNSET if operation.type == "delete_file" else operation.diff or ""
        return _encode(
            _PatchCall(
                self.id,
                call_id(self.source),
                "completed" if status == "completed" else "in_progress",
                msgspec.structs.replace(operation, diff=diff),
            )
        )


# ── the screen ───────────────────────────────────────────────────────────────


class _Point(msgspec.Struct, frozen=True):
    x: int
    y: int


class _Action(msgspec.Struct, frozen=True):
    type: str = "screenshot"
    x: int = 0
    y: int = 0
    button: Literal["left", "right", "wheel", "back", "forward"] = "left"
    scroll_x: int = 0
    scroll_y: int = 0
    text: str = ""
    keys: list[str] = []
    path: list[_Point] = []


class _Actions(msgspec.Struct, frozen=True):
    actions: tuple[_Action, ...] = (_Action(),)


_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "click": ("button", "x", "y"),
    "double_click": ("x", "y"),
    "drag": ("path",),
    "keypress": ("keys",),
    "move": ("x", "y"),
    "screenshot": (),
    "scroll": ("scroll_x", "scroll_y", "x", "y"),
    "type": ("text",),
    "wait": (),
}
_ONE: Final = msgspec.json.Decoder(_Action, strict=False)
_SEVERAL: Final = msgspec.json.Decoder(_Actions, strict=False)


def _action(action: _Action) -> dict[str, object]:
    """Only what belongs to an action of its type; one of an unknown type is a mere look."""
    kind = action.type if action.type in _FIELDS else "screenshot"
    shown: dict[str, object] = {"type": kind}
    for name in _FIELDS[kind]:
        shown[name] = getattr(action, name)
    if action.keys and "x" in shown:
        shown["keys"] = action.keys
    return shown


class ComputerCall(ActionCall):
    """What is to be done on the screen, one thing after the other."""

    prefix = "cu"

    def json(self, status: Status) -> bytes:
        """The item; a look at the screen where it cannot be read."""
        actions = self.read(_SEVERAL, status, _Actions()).actions
        return self.item(status, {"actions": [_action(each) for each in actions]})

    def item(self, status: Status, done: dict[str, object]) -> bytes:
        """The item around what is to be done."""
        return _encode(
            {
                "id": self.id,
                "call_id": call_id(self.source),
                "status": status,
                **done,
                "pending_safety_checks": [],
                "type": "computer_call",
            }
        )


class PreviewComputerCall(ComputerCall):
    """One thing to be done on the screen."""

    def json(self, status: Status) -> bytes:
        """The item; a look at the screen where it cannot be read."""
        return self.item(status, {"action": _action(self.read(_ONE, status, _Action()))})


# ── more tools ───────────────────────────────────────────────────────────────


class _ToolSearchCall(msgspec.Struct, frozen=True):
    id: str
    call_id: str
    status: Status
    arguments: dict[str, object]
    execution: Literal["client"] = "client"
    type: Literal["tool_search_call"] = "tool_search_call"


_ARGUMENTS: Final = msgspec.json.Decoder(dict[str, object])


class ToolSearchCall(ActionCall):
    """A search among the tools that the client has not offered yet."""

    prefix = "tsc"

    def json(self, status: Status) -> bytes:
        """The item."""
        arguments = self.read(_ARGUMENTS, status, {})
        return _encode(_ToolSearchCall(self.id, call_id(self.source), status, arguments))


CALLS: Final[Mapping[str, type[Call]]] = {
    "function": Call,
    "custom": CustomCall,
    "local_shell": LocalShellCall,
    "shell": ShellCall,
    "apply_patch": PatchCall,
    "computer": ComputerCall,
    "computer_preview": PreviewComputerCall,
    "tool_search": ToolSearchCall,
}
"""The item of a call by the kind of its tool."""
