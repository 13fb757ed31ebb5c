# -*- test-case-name: tests.kiro.test_formats -*-
"""Answers that must be JSON, of a given schema perhaps: held back, taken out of whatever is around
them, checked.

Must not know how the model was told about it, nor who asks again.

The check of a schema is bounded, because a small one can demand more work than there is time:
a few keywords are not checked at all, and after so many steps the answer has passed.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from kiro2api.conversation.answer import Ended, StreamEvent, TextDelta, ToolBegun, Usage
from kiro2api.conversation.question import OutputFormat
from kiro2api.errors import UpstreamFault, UpstreamRefused
from kiro2api.kiro.unmet import MENDABLE, Unmet, end_of, size_of, text_of, usage_of
from kiro2api.kiro.wording import repaired_format

CODE: Final = "invalid_json_output"
MAX_HELD: Final = 8 * 1024 * 1024
"""Characters of an answer that are kept for the check."""
MAX_STEPS: Final = 20_000
"""Keywords of a schema that are applied to parts of an answer, at most."""
MAX_PROBLEM: Final = 400

_FENCED: Final = re.compile(r"```[\w+-]*[ \t]*\n(.*?)```", re.DOTALL)
# Patterns and the comparison of all items with all others can take for ever in a single step.
_UNCHECKED: Final = ("pattern", "patternProperties", "uniqueItems")


class Formed:
    """Holds an answer back until its end and lets it go as JSON.

    An answer that calls a tool, or that was cut, goes on as it came. ``unmet`` is set instead of
    the end of an answer that is not what was demanded. ``fault``: it can never become so.
    """

    __slots__ = ("_held", "_max_held", "_open", "_size", "_wanted", "done", "fault", "unmet")

    def __init__(self, wanted: OutputFormat, *, max_held: int = MAX_HELD) -> None:
        self._wanted = wanted
        self._max_held = max_held
        self._held: list[StreamEvent] = []
        self._size = 0
        self._open = False
        self.done = False
        self.fault: UpstreamFault | None = None
        self.unmet: Unmet | None = None

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """Nothing until the end."""
        if self._open:
            return events
        self._held.extend(events)
        self._size += sum(map(size_of, events))
        end = end_of(self._held)
        if end is None:
            if any(type(event) is ToolBegun for event in events):
                return self._released()
            if self._size > self._max_held:
                self.done = True
                self.fault = _fault("the answer is too long to be checked")
            return []
        if end.reason not in MENDABLE or any(type(event) is ToolBegun for event in self._held):
            return self._released()
        return self._checked()

    def flush(self) -> list[StreamEvent]:
        """The answer has failed: a part of it is of no use."""
        self._held = []
        return []

    def _released(self) -> list[StreamEvent]:
        self._open = True
        held, self._held = self._held, []
        return held

    def _checked(self) -> list[StreamEvent]:
        held = self._released()
        said = text_of(held)
        text, problem = formed(said, self._wanted)
        if not problem:
            thoughts = [event for event in held if not isinstance(event, _SHOWN_APART)]
            ending = [event for event in held if isinstance(event, (Usage, Ended))]
            return [*thoughts, TextDelta(text), *ending]
        self.unmet = Unmet(
            repaired_format(problem.instruction),
            said,
            usage_of(held),
            fault=_fault(problem.message),
            what="json",
        )
        return []


_SHOWN_APART: Final = (TextDelta, Usage, Ended)


def _fault(what: str) -> UpstreamFault:
    return UpstreamRefused(f"the model did not give the demanded JSON: {what}", code=CODE)


class Problem(msgspec.Struct, frozen=True):
    """Why an answer does not do: without anything of it (``message``), and as the model is told."""

    message: str
    instruction: str


_NO_JSON: Final = Problem("the answer is not JSON", "it is not valid JSON")
_NO_OBJECT: Final = Problem("the answer is no JSON object", "it is not a JSON object")


def formed(text: str, wanted: OutputFormat) -> tuple[str, Problem | None]:
    """The JSON text in ``text``, and what is wrong with it."""
    problem = _NO_JSON
    for candidate in _candidates(text):
        try:
            value = _decoded(candidate)
        except (ValueError, RecursionError):
            continue
        found = _problem(value, wanted)
        if found is None:
            return candidate, None
        if problem is _NO_JSON:
            problem = found
    return "", problem


def _candidates(text: str) -> Iterator[str]:
    """Where the JSON may be: everything, what is fenced, from the first to the last bracket."""
    text = text.strip()
    yield text
    yield from (found.strip() for found in _FENCED.findall(text)[:4])
    for first, last in ("{}", "[]"):
        start, end = text.find(first), text.rfind(last)
        if 0 <= start < end:
            yield text[start : end + 1]


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Half a surrogate pair is all that the standard library takes and msgspec does not.
        return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _problem(value: object, wanted: OutputFormat) -> Problem | None:
    if wanted.kind == "json_object" or not wanted.schema.strip():
        return None if isinstance(value, dict) else _NO_OBJECT
    return _mismatch(value, wanted.schema)


# ── schemas ──────────────────────────────────────────────────────────────────

_Check: TypeAlias = Callable[[Any, Any, Any, Any], Any]


def _passed(*_: Any) -> None:
    return None


class _Enough(Exception):
    """The check has taken too many steps."""


def _mismatch(value: object, schema: bytes) -> Problem | None:
    # Large, and needed by few.
    from jsonschema.exceptions import best_match
    from jsonschema.validators import Draft202012Validator, extend, validator_for
    from referencing import Registry

    steps = 0

    def counted(check: _Check) -> _Check:
        def step(*args: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps > MAX_STEPS:
                raise _Enough
            return check(*args)

        return step

    try:
        rules = msgspec.json.decode(schema)
        draft = validator_for(rules, default=Draft202012Validator)
        checks = {name: counted(check) for name, check in draft.VALIDATORS.items()}
        bounded = extend(draft, {**checks, **dict.fromkeys(_UNCHECKED, _passed)})
        # An empty registry: references to other documents are never fetched.
        errors = list(bounded(rules, registry=Registry()).iter_errors(value))
        error = best_match(errors)
    except Exception:  # noqa: BLE001
        # A schema that is none, that refers to what is not there, or that asks too much: the
        # client wrote it, and is better served with JSON than with nothing.
        return None
    if error is None:
        return None
    where, rule = error.json_path[:100], str(error.validator)
    return Problem(
        f"{where} does not meet {rule!r} of the schema",
        f"at {where}: {error.message[:MAX_PROBLEM]}",
    )
