# -*- test-case-name: tests.kiro.test_tooluse -*-
"""The tool calls of one answer: fragments keyed by id, in any order → calls that never overlap.

Must not know the rest of the event stream: it is given fragments and, while a call is open, the
events that have to wait for its end.

Wire: a call is a run of fragments with one id, the last says ``stop``; the name is on each. Input
comes as pieces of JSON text, sometimes as objects; a call without arguments may have none at all.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from kiro2api.conversation.answer import (
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.errors import ProtocolViolation
from kiro2api.kiro.payloads import ToolFragment, is_cut_short
from kiro2api.kiro.tally import Tally

MAX_HELD: Final = 1024 * 1024
"""Characters (and then some per item) that may wait for an open call's end."""
MAX_CHECKED: Final = 1024 * 1024
"""Characters of a call's input that are kept to see whether it is whole."""
MAX_SLICE: Final = 8 * 1024
"""Octets of input per event: a tunnel that buffers one line of 33 KB was seen to hang a client."""

_ITEM_COST: Final = 64

Waiting: TypeAlias = TextDelta | ThinkingDelta | ThinkingSigned | ThinkingRedacted
_Object: TypeAlias = dict[str, msgspec.Raw]


class ToolCalls:
    """Serialises the calls of one answer.

    ``open``: id of the call under way, "" if none; while it is not empty, other events are given
    to ``hold``. ``cut``: the open call has stopped with half an input; it will never be ended, and
    what comes after it is dropped. ``name``: the client's name of the tool that was called last.
    ``called``: upstream names of the tools that were called. ``ignored``: counts by reason.

    :param names: the upstream's tool names → the client's.
    """

    __slots__ = (
        "_blank",
        "_checked",
        "_ended",
        "_held",
        "_held_cost",
        "_max_held",
        "_names",
        "_object",
        "_object_cost",
        "_pieces",
        "_tally",
        "called",
        "cut",
        "ignored",
        "name",
        "open",
    )

    def __init__(
        self,
        names: Mapping[str, str],
        tally: Tally,
        ignored: dict[str, int],
        *,
        max_held: int = MAX_HELD,
    ) -> None:
        self._names = names
        self._tally = tally
        self._max_held = max_held
        self._ended: set[str] = set()
        self._held: list[Waiting | ToolFragment] = []
        self._held_cost = 0
        # Of the open call: its text so far (given up beyond MAX_CHECKED), whether that is only
        # white space, and its input if that comes as objects.
        self._pieces: list[str] = []
        self._checked = 0
        self._blank = True
        self._object: _Object = {}
        self._object_cost = 0
        self.open = ""
        self.cut = False
        self.called: set[str] = set()
        self.name = ""
        self.ignored = ignored

    def take(self, fragment: ToolFragment, out: list[StreamEvent]) -> None:
        """One fragment; what it leads to is appended to ``out``.

        :raises ProtocolViolation: a call without id or name, or too much held.
        """
        if not self._step(fragment, out):
            return
        # A call ended, so what waited goes on, in its order; it may open and end further calls.
        pending = deque(self._released())
        while pending:
            item = pending.popleft()
            if isinstance(item, ToolFragment):
                if self._step(item, out):
                    pending.extendleft(reversed(self._released()))
            elif self.open:
                self.hold(item)
            else:
                self._give(item, out)

    def flush(self) -> list[StreamEvent]:
        """The answer has failed inside the open call: what was said meanwhile and waits for it.

        Nothing while the call has no input: whoever closes it then might take it for a call
        without arguments. Other calls that wait are never shown.
        """
        out: list[StreamEvent] = []
        if self.open and not self._blank:
            for item in self._released():
                if not isinstance(item, ToolFragment):
                    self._give(item, out)
        return out

    def _give(self, event: Waiting, out: list[StreamEvent]) -> None:
        if isinstance(event, (TextDelta, ThinkingDelta)):
            self._tally.put_out(event.text)
        out.append(event)

    def hold(self, event: Waiting) -> None:
        """An event that came while a call is open.

        :raises ProtocolViolation: too much held.
        """
        self._hold(event, sum(len(text) for text in msgspec.structs.astuple(event)))

    def _hold(self, item: Waiting | ToolFragment, size: int) -> None:
        if self.cut:
            self._ignore("event after a truncated tool call")
            return
        self._held_cost += _ITEM_COST + size
        if self._held_cost > self._max_held:
            raise ProtocolViolation("too much of the answer arrived inside an open tool call")
        self._held.append(item)

    def _released(self) -> list[Waiting | ToolFragment]:
        held, self._held, self._held_cost = self._held, [], 0
        return held

    def _step(self, fragment: ToolFragment, out: list[StreamEvent]) -> bool:
        """True when the fragment ended the open call."""
        id = fragment.id
        if id in self._ended:
            self._ignore("toolUseEvent after stop")
            return False
        if self.open and self.open != id:
            self._hold(fragment, _size(fragment.input))
            return False
        if not self.open:
            self._begin(id, fragment.name, out)
        if fragment.input:
            self._input(fragment.input, out)
        return bool(fragment.stop) and self._stop(out)

    def _begin(self, id: str, name: str | None, out: list[StreamEvent]) -> None:
        if not id or not name:
            raise ProtocolViolation("the upstream sent a tool call without an id or a name")
        self.open = id
        self.called.add(name)
        self._pieces.clear()
        self._checked = 0
        self._blank = True
        self._object = {}
        self._object_cost = 0
        self.name = self._names.get(name, name)
        self._tally.put_out(self.name)
        out.append(ToolBegun(id, self.name))

    def _input(self, input: str | _Object, out: list[StreamEvent]) -> None:
        """The kind that comes first stands: text and objects of one call have no common meaning."""
        if isinstance(input, str):
            if self._object:
                self._ignore("toolUseEvent text after an object")
                return
            self._blank = self._blank and input.isspace()
            self._checked += len(input)
            if self._checked <= MAX_CHECKED:
                self._pieces.append(input)
            self._text(input, out)
        elif not self._blank:
            self._ignore("toolUseEvent object after text")
        else:
            self._object_cost += _size(input)
            if self._object_cost > self._max_held:
                raise ProtocolViolation("a tool call's input is too large to be merged")
            self._object = _merged(self._object, input) if self._object else input

    def _text(self, text: str, out: list[StreamEvent]) -> None:
        self._tally.put_out(text)
        size = MAX_SLICE if text.isascii() else MAX_SLICE // 4
        if len(text) <= size:
            out.append(ToolInputDelta(self.open, text))
            return
        slices = (text[at : at + size] for at in range(0, len(text), size))
        out.extend(ToolInputDelta(self.open, piece) for piece in slices)

    def _stop(self, out: list[StreamEvent]) -> bool:
        id = self.open
        self._ended.add(id)
        if self._object:
            self._text(msgspec.json.encode(self._object).decode("utf-8"), out)
        elif self._blank:
            self._text("{}", out)
        elif self._checked <= MAX_CHECKED and is_cut_short("".join(self._pieces)):
            # Strategy: a client that is given half an input and a regular end asks for the same
            # call again, and is cut again, for ever. Left open, the answer ends as too long.
            self.cut = True
            for _ in self._released():
                self._ignore("event after a truncated tool call")
            return False
        self._pieces.clear()
        self.open = ""
        out.append(ToolEnded(id))
        return True

    def _ignore(self, why: str) -> None:
        self.ignored[why] = self.ignored.get(why, 0) + 1


def _size(input: str | _Object | None) -> int:
    if isinstance(input, dict):
        return sum(len(key) + len(bytes(value)) for key, value in input.items())
    return len(input or "")


def _merged(old: _Object, new: _Object) -> _Object:
    """Both objects in one, deeply: objects of one name are merged, else the newer value stands."""
    merged = dict(old)
    for key, value in new.items():
        before = _as_object(merged.get(key))
        after = _as_object(value)
        if before is None or after is None:
            merged[key] = value
        else:
            merged[key] = msgspec.Raw(msgspec.json.encode(_merged(before, after)))
    return merged


def _as_object(value: msgspec.Raw | None) -> _Object | None:
    try:
        return msgspec.json.decode(value or b"", type=_Object)
    except msgspec.DecodeError:
        return None
