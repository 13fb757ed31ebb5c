# -*- test-case-name: tests.emulator.test_script -*-
"""Orders to the emulator: how it is to answer, or to misbehave, once.

Plain values, made in the same process or decoded from JSON that another process posts. Must not
know how an order is carried out.
"""

from collections import deque
from collections.abc import Iterable

import msgspec

GENERATE = "/generateAssistantResponse"


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tool call of a scripted answer; ``input`` is any JSON value, ``id`` made if empty.

    ``raw_input`` is sent instead of the encoded ``input``, for JSON that is none.
    """

    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")
    id: str = ""
    raw_input: str | None = None


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One order, for the next ``times`` calls of ``path`` (any if empty) by ``account`` (any).

    Positions count frames of the answer from 0 and mean "before that frame"; the position after
    the last frame means the very end. Durations are in seconds.

    Refusals: ``status`` with ``error`` (the exception's name), ``reason``, ``message`` and
    ``retry_after`` as that header; ``body`` and ``content_type`` send something else altogether.

    Answers: ``text``, ``thinking`` and ``calls`` replace what the emulator would say; ``text``
    may be multiplied with ``repeat``; ``events`` many small text events come besides, each
    ``interval`` after the one before. ``token_usage`` and ``stop_reason`` are sent in a
    metadataEvent, ``context_percent`` and ``credits`` override the made-up ones.

    Delivery: ``silent`` never sends headers, ``headers_after`` sends them late, ``delay`` parts
    the frames, ``stall_at`` sends nothing more from there but keeps the connection,
    ``linger`` does so after the last frame, ``slice`` cuts every frame into writes of that many
    bytes.

    Faults: ``cut_at`` breaks the connection there, or with ``clean`` ends the body properly;
    ``exception_at`` sends an exception frame (``exception`` is its type) and ends;
    ``error_at`` an error frame likewise; ``bad_crc_at`` spoils the checksum of that frame;
    ``garbage_at`` puts bytes there that are no frame; ``unknown_at`` an event of no known type.

    Oddities: ``close_delimited`` answers without length or chunks, ``same_ids`` gives all calls
    one id, ``interleave`` mixes the fragments of parallel calls, ``no_stop`` leaves the last call
    open, ``no_ending`` omits the events that end an answer.

    Refreshes: ``rotate`` false gives the same refresh token back and keeps it good,
    ``token_lifetime`` overrides the seconds that the new access token lives.
    """

    path: str = GENERATE
    account: str = ""
    times: int = 1

    status: int = 0
    error: str = ""
    reason: str | None = None
    message: str = "The emulator was told to refuse this."
    retry_after: str = ""
    body: str | None = None
    content_type: str = ""

    text: str | None = None
    repeat: int = 1
    thinking: str = ""
    signature: str = ""
    redacted: str = ""
    calls: tuple[ToolCall, ...] | None = None
    events: int = 0
    interval: float = 0.0
    token_usage: dict[str, int] | None = None
    stop_reason: str = ""
    context_percent: float | None = None
    credits: float | None = None

    silent: bool = False
    headers_after: float = 0.0
    delay: float = 0.0
    stall_at: int | None = None
    linger: bool = False
    slice: int = 0

    cut_at: int | None = None
    clean: bool = False
    exception_at: int | None = None
    exception: str = "error"
    error_at: int | None = None
    bad_crc_at: int | None = None
    garbage_at: int | None = None
    unknown_at: int | None = None

    close_delimited: bool = False
    same_ids: bool = False
    interleave: bool = False
    no_stop: bool = False
    no_ending: bool = False

    rotate: bool | None = None
    token_lifetime: int = 0


NO_SCRIPT = Script()
"""Answer as always."""

_decoder = msgspec.json.Decoder(Script | list[Script])


def decode(body: bytes) -> list[Script]:
    """One order or a list of them; raises msgspec.ValidationError or msgspec.DecodeError."""
    decoded = _decoder.decode(body)
    return decoded if isinstance(decoded, list) else [decoded]


class Queue:
    """The orders not yet carried out, first come first served."""

    def __init__(self) -> None:
        self._waiting: deque[Script] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, scripts: Iterable[Script]) -> None:
        """Queue more orders."""
        self._waiting.extend(scripts)

    def clear(self) -> None:
        """Forget them all."""
        self._waiting.clear()

    def take(self, path: str, account: str) -> Script:
        """The oldest order that is meant for this call, or the one to answer as always."""
        for index, script in enumerate(self._waiting):
            if script.path in ("", path) and script.account in ("", account):
                if script.times > 1:
                    self._waiting[index] = msgspec.structs.replace(script, times=script.times - 1)
                else:
                    del self._waiting[index]
                return script
        return NO_SCRIPT
