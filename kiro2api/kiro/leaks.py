# -*- test-case-name: tests.kiro.test_leaks -*-
"""Tool calls that the model wrote into its text instead of making them, found as the text arrives.

Only where a line begins, only outside of code fences, only for tools that were declared, and only
whole: everything else is text and goes on unchanged, at once unless it may be the start of such a
call. Must not know events, nor what becomes of a call.

The forms: ``<invoke name="T"><parameter name="p">…</parameter></invoke>``, alone or several within
``<function_calls>``; ``<tool_use>`` or ``<tool_call>`` around a JSON object with ``name`` and
``input`` or ``arguments``, or around ``<name>`` and ``<arguments>`` or ``<input>``; and
``[Called T with args: {…}]``. The tags may have a prefix as of a namespace.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

MAX_HELD: Final = 256 * 1024
"""Characters of a call that are waited for; beyond it was no call."""
MAX_HEAD: Final = 400
"""Characters within which a call must name its tool."""
_MAX_LINE: Final = 200

_MAX_REFUSED: Final = 8
"""Calls that turned out to be none, after which an answer is not searched any more."""

UNREAD: Final = 256
"""Texts that may be kept unread."""

# What a call begins with, or an end of the text that may go on so.
_OPENING: Final = r"(?:<(?:fu|f?\Z|inv|in?\Z|to|t\Z|an|a\Z)|\[(?:Ca|C?\Z))"
_OPENS: Final = re.compile(_OPENING).match
_START: Final = re.compile(rf"\n[ \t]*{_OPENING}").search
_ANY_START: Final = re.compile(rf"(?:\A|\n)[ \t]*{_OPENING}").search
_BLANKS: Final = re.compile(r"[ \t]*")
_CALLED: Final = "[Called "
_OPENERS: Final = (
    *(
        f"<{prefix}{tag}"
        for tag in ("function_calls", "invoke", "tool_use", "tool_call")
        for prefix in ("", "antml:")
    ),
    _CALLED,
)

_TAG: Final = re.compile(r"<(antml:)?(function_calls|invoke|tool_use|tool_call)(?=[\s>])")
_INVOKE: Final = re.compile(r"<(?:antml:)?invoke\s+name=[\"']([^\"'<>]+)[\"']\s*>")
_INVOKED: Final = re.compile(r"</(?:antml:)?invoke>\s*")
_PARAMETER: Final = re.compile(
    r"<(?:antml:)?parameter\s+name=[\"']([^\"'<>]+)[\"'][^<>]*>(.*?)</(?:antml:)?parameter>\s*",
    re.DOTALL,
)
_NAMED: Final = re.compile(r"<name>([^<>]+)</name>\s*(?:<(arguments|input)>(.*)</\2>)?", re.DOTALL)
_BRACKET: Final = re.compile(r"\[Called ([\w.:-]+) with (?:args|arguments|input): (?=\{)")


class _Wrapped(msgspec.Struct):
    name: str
    input: msgspec.Raw = msgspec.Raw(b"")
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Schema(msgspec.Struct):
    properties: dict[str, dict[str, object]] = {}


_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_wrapped: Final = msgspec.json.Decoder(_Wrapped).decode


class LeakedCall(msgspec.Struct, frozen=True):
    """A call found in the text: the tool's name as the model knows it, its input as JSON text."""

    name: str
    input: str


Piece: TypeAlias = str | LeakedCall


class Leaks:
    """Follows the text of one answer. ``held``: what may become a call, empty if nothing does.

    Hot: as long as nothing is held, text without ``<`` and ``[`` may be put to ``unread`` instead
    of being fed: it goes on as it is, and is only looked at when it matters on what line the next
    text begins. At ``UNREAD`` of them they should be read (``catch_up``), so that they do not stay.

    Reads every character a bounded number of times, whatever the text is.

    :param schemas: JSON text of the schema of each declared tool, by its upstream name.
    """

    __slots__ = (
        "_begun",
        "_closing",
        "_fence",
        "_line",
        "_refusals",
        "_schemas",
        "_size",
        "_tail",
        "_types",
        "held",
        "unread",
    )

    def __init__(self, schemas: Mapping[str, bytes]) -> None:
        self._schemas = schemas
        self._types: dict[str, Mapping[str, object]] = {}
        self.unread: list[str] = []
        # The line so far as far as it matters, and whether there is more than blanks in it.
        self._line = ""
        self._begun = False
        self._fence = ""
        # What may be a call. Once its head is good: what ends it, and where that may have begun.
        self.held: list[str] = []
        self._size = 0
        self._closing = ""
        self._tail = ""
        self._refusals = 0

    def feed(self, text: str) -> list[Piece] | None:
        """What this text comes to; None: it goes on as it is."""
        if not self.held and (self._refusals >= _MAX_REFUSED or _ANY_START(text) is None):
            self.unread.append(text)
            if len(self.unread) > UNREAD:
                self.catch_up()
            return None
        if self.unread:
            self.catch_up()
        out: list[Piece] = []
        rest: str | None = text
        if self.held:
            rest = self._awaited(text, out)
        if rest is not None:
            self._scan(rest, out)
        return out

    def catch_up(self) -> None:
        """Read what is unread."""
        text = "".join(self.unread)
        self.unread.clear()
        if self._refusals < _MAX_REFUSED:
            self._passed(text)

    def flush(self) -> list[Piece]:
        """Other things than text follow: what is held, which is a call only if it is whole."""
        if not self.held:
            return []
        held = "".join(self.held)
        calls = self._calls(held) if self._closing == "\n" else None
        self._forget()
        return [held] if calls is None else [*calls]

    # ── text ─────────────────────────────────────────────────────────────────

    def _scan(self, text: str, out: list[Piece]) -> None:
        """Walk along the lines at whose begin there may be a call."""
        given = start = 0
        while start < len(text):
            if not self._begun:
                blanks = _BLANKS.match(text, start)
                assert blanks is not None, "it matches anything"
                first = blanks.end()
                searched = not self._fence and self._refusals < _MAX_REFUSED
                if searched and _OPENS(text, first):
                    end = self._begins(text, first, given, out)
                    if end is None:
                        return
                    if end > first:
                        given = start = end
                        continue
            # Up to the next line that may begin a call.
            end = _next(text, start)
            self._passed(text[start:end])
            start = end
        if given < len(text):
            out.append(text[given:])

    def _begins(self, text: str, start: int, given: int, out: list[Piece]) -> int | None:
        """What begins at ``start``, up to which the text has gone on but for what follows
        ``given``: where the call ends that is wholly there, ``start`` if it is none; None: the rest
        is held. Its line is not looked at again if it is none."""
        closing = self._head(text[start : start + MAX_HEAD])
        end = text.find(closing, start) if closing else -1
        calls: list[LeakedCall] | None = None
        if closing and end >= 0:
            # The line end after a call within brackets is not part of it.
            end += len(closing) if closing != "\n" else 0
            calls = self._calls(text[start:end])
        waits = closing is not None and end < 0 and len(text) - start <= MAX_HELD
        if calls is None and not waits:
            self._begun = True
            self._refusals += closing is not None
            return start
        if start > given:
            out.append(text[given:start])
        if calls is not None:
            out += calls
            return end
        assert closing is not None, "somebody waits for it"
        self.held, self._size, self._closing = [text[start:]], len(text) - start, closing
        self._tail = text[max(start, len(text) + 1 - len(closing)) :] if closing[1:] else ""
        return None

    def _passed(self, text: str) -> None:
        """Text that goes on, and that no call begins in: what is left of it is its last line, and
        whether the code fences in it are closed."""
        begin = text.rfind("\n") + 1
        if begin:
            first, *others = text[: begin - 1].split("\n")
            self._more(first)
            self._line_over(self._line)
            if "```" in text or "~~~" in text:
                for line in others:
                    if "```" in line or "~~~" in line:
                        self._line_over(line[:_MAX_LINE])
            self._line, self._begun = "", False
        self._more(text[begin:])

    def _more(self, text: str) -> None:
        self._line = (self._line + text[:_MAX_LINE])[:_MAX_LINE]
        self._begun = self._begun or bool(text and not text.isspace())

    def _line_over(self, line: str) -> None:
        """Whether a line that has ended opens or closes a code fence."""
        line = line.strip()
        if self._fence:
            if line.startswith(self._fence) and not line.strip(self._fence[0]):
                self._fence = ""
            return
        # Once on a line: it opens. Twice: code within the line.
        mark = "```" if line.count("```") % 2 else "~~~" if line.startswith("~~~") else ""
        if mark:
            run = line[line.index(mark) :]
            self._fence = mark[0] * (len(run) - len(run.lstrip(mark[0])))

    # ── what may be a call ───────────────────────────────────────────────────

    def _awaited(self, text: str, out: list[Piece]) -> str | None:
        """More of what may be a call: None while it is held, else what is left of the text after
        it, which is all of it if it was none."""
        if not self._closing:
            # Its head is not whole yet, and short.
            return self._let_go(text)
        self.held.append(text)
        self._size += len(text)
        found = (self._tail + text).find(self._closing)
        if found < 0:
            self._tail = (self._tail + text)[1 - len(self._closing) :] if self._closing[1:] else ""
            if self._size <= MAX_HELD:
                return None
        end = self._size - len(text) - len(self._tail) + found
        end += len(self._closing) if self._closing != "\n" else 0
        whole = self._let_go()
        calls = None if found < 0 else self._calls(whole[:end])
        if calls is None:
            self._refusals += 1
            self._begun = True
            return whole
        out += calls
        return whole[end:]

    def _let_go(self, more: str = "") -> str:
        whole = "".join(self.held) + more
        self._forget()
        return whole

    def _head(self, text: str) -> str | None:
        """What will end the call that begins here; empty: it cannot be told yet, None: no call."""
        undecided = "" if len(text) < MAX_HEAD else None
        if text.startswith(_CALLED):
            bracket = _BRACKET.match(text)
            if bracket is None:
                return None if "\n" in text or "]" in text else undecided
            return "\n" if bracket[1] in self._schemas else None
        tag = _TAG.match(text)
        if tag is None:
            return "" if any(opener.startswith(text) for opener in _OPENERS) else None
        closing = f"</{tag[1] or ''}{tag[2]}>"
        if tag[2] == "invoke":
            head, at = text, 0
        else:
            # The wrapper has no attributes, and something that may be a call right behind it.
            if text[tag.end()] != ">":
                return None
            head = text[tag.end() + 1 :].lstrip()
            at = len(text) - len(head)
            if not head:
                return undecided
            if tag[2] != "function_calls":
                return closing if head[0] in "{<" else None
        invoke = _INVOKE.match(text, at)
        if invoke is not None:
            return closing if invoke[1] in self._schemas else None
        return None if ">" in head or head[0] != "<" else undecided

    def _forget(self) -> None:
        self.held, self._closing, self._size, self._tail = [], "", 0, ""

    # ── reading a call ───────────────────────────────────────────────────────

    def _calls(self, block: str) -> list[LeakedCall] | None:
        """The calls of a block, None if it is not wholly made of calls that may be made."""
        found: list[LeakedCall | None]
        bracket = _BRACKET.match(block)
        tag = _TAG.match(block)
        if bracket is not None:
            inner = block[bracket.end() :].rstrip()
            found = [self._from_json(bracket[1], inner[:-1]) if inner.endswith("]") else None]
        elif tag is None or tag[2] == "invoke":
            found = self._invocations(block)
        else:
            inner = block[tag.end() + 1 : block.rindex("</")].strip()
            if tag[2] == "function_calls":
                found = self._invocations(inner)
            else:
                found = [self._wrapped(inner)]
        calls = [call for call in found if call is not None]
        return calls if len(calls) == len(found) else None

    def _invocations(self, text: str) -> list[LeakedCall | None]:
        found: list[LeakedCall | None] = []
        at = 0
        while at < len(text):
            head, close = _INVOKE.match(text, at), _INVOKED.search(text, at)
            if head is None or close is None or head[1] not in self._schemas:
                return [None]
            found.append(self._invocation(head[1], text[head.end() : close.start()].strip()))
            at = close.end()
        return found

    def _invocation(self, name: str, inner: str) -> LeakedCall | None:
        types = self._types.get(name)
        if types is None:
            types = self._types[name] = _types(self._schemas[name])
        values: dict[str, object] = {}
        at = 0
        while at < len(inner):
            parameter = _PARAMETER.match(inner, at)
            if parameter is None:
                return None
            values[parameter[1]] = _value(parameter[2], types.get(parameter[1]))
            at = parameter.end()
        return LeakedCall(name, msgspec.json.encode(values).decode("utf-8"))

    def _wrapped(self, inner: str) -> LeakedCall | None:
        named = _NAMED.fullmatch(inner)
        if named is not None:
            return self._from_json(named[1].strip(), (named[3] or "{}").strip())
        try:
            call = _wrapped(inner)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            return None
        return self._from_json(call.name, bytes(call.input or call.arguments).decode("utf-8"))

    def _from_json(self, name: str, text: str) -> LeakedCall | None:
        try:
            _object(text)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            return None
        return LeakedCall(name, text) if name in self._schemas else None


def _next(text: str, start: int) -> int:
    """Where the first line after ``start`` begins that may begin a call, else the end."""
    found = _START(text, start)
    return len(text) if found is None else found.start() + 1


def _types(schema: bytes) -> Mapping[str, object]:
    """The type of each property, as far as it can be read."""
    try:
        properties = msgspec.json.decode(schema, type=_Schema).properties
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return {name: value.get("type") for name, value in properties.items()}


def _value(text: str, kind: object) -> object:
    """A parameter's text as its schema wants it: a text unless the schema says otherwise."""
    if kind == "string":
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text
    # Without a type, only what is hardly meant as a text is taken for more.
    return value if kind is not None or isinstance(value, (dict, list)) else text
