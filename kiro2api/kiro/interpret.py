# -*- test-case-name: tests.kiro.test_interpret -*-
"""The upstream's event stream → the answer's events; the only reader of its event names.

Must not know where frames come from nor who is told. One interpreter serves one answer.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import ClassVar, Final

import msgspec

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    Usage,
)
from kiro2api.errors import ProtocolViolation, StreamTruncated, UpstreamFault, UpstreamUnavailable
from kiro2api.kiro.faults import from_error_frame, from_exception_frame, from_invalid_state
from kiro2api.kiro.halves import Halves
from kiro2api.kiro.leaks import UNREAD, LeakedCall, Leaks, Piece
from kiro2api.kiro.payloads import (
    Content,
    ContextUsage,
    InvalidState,
    Metadata,
    Metering,
    Reasoning,
    ToolFragment,
    read,
)
from kiro2api.kiro.tally import Tally
from kiro2api.kiro.tooluse import ToolCalls, Waiting
from kiro2api.wire.eventstream import Frame

_CONTENT: Final = msgspec.json.Decoder(Content)
_REASONING: Final = msgspec.json.Decoder(Reasoning)
_TOOL: Final = msgspec.json.Decoder(ToolFragment)
_CONTEXT: Final = msgspec.json.Decoder(ContextUsage)
_METERING: Final = msgspec.json.Decoder(Metering)
_METADATA: Final = msgspec.json.Decoder(Metadata)
_INVALID: Final = msgspec.json.Decoder(InvalidState)

# Keys of texts that may be cut in the middle of a character.
_TEXT: Final = "text"
_THOUGHTS: Final = "thoughts"
_CALL: Final = "call "

_MAX_IGNORED_NAMES: Final = 32
_OUTPUT_FULL: Final = ("ContentLengthExceededException", "ContentLengthExceededError")


class Interpreter:
    """Feeds on frames, gives events in the grammar of ``conversation.answer``.

    ``fault``: what ended the answer before its time. Events that preceded it in one batch are
    given first, so that the same bytes give the same events however they were cut; the fault is
    then raised by the next call, and at once if nothing preceded it.

    ``tally``: what it counts; its size is always that of the events given so far.
    ``calls_from_text``: calls of tools that were only found in the text; they come last.

    :param window: tokens of the model's context window.
    :param input_estimate: our own estimate of the question, where the upstream tells nothing.
    :param names: the upstream's tool names → the client's.
    :param leaks: finds calls in the text; None: there is nothing to call.
    :param salt: something that no other answer has, for the ids of such calls.
    """

    __slots__ = (
        "_content",
        "_found",
        "_halves",
        "_input_estimate",
        "_leaks",
        "_over",
        "_salt",
        "_tools",
        "_window",
        "calls_from_text",
        "fault",
        "ignored",
        "tally",
    )

    def __init__(
        self,
        *,
        window: int,
        input_estimate: int,
        names: Mapping[str, str],
        leaks: Leaks | None = None,
        salt: str = "",
    ) -> None:
        self._window = window
        self._input_estimate = input_estimate
        self.tally = Tally()
        self._halves = Halves()
        self.ignored: dict[str, int] = {}
        self._tools = ToolCalls(names, self.tally, self.ignored)
        self._leaks = leaks
        self._salt = salt
        self._found: list[LeakedCall] = []
        self.calls_from_text = 0
        self._content = False
        self._over = False
        self.fault: UpstreamFault | None = None

    @property
    def done(self) -> bool:
        """Nothing more is needed of the upstream: it has sent what it sends last, or failed.

        Wire: nearly three of four streams seen hanging had got this far and were never closed.
        """
        if self._over or self.fault is not None:
            return True
        return self.tally.metered and (not self._tools.open or self._tools.cut)

    @property
    def cut_call(self) -> bool:
        """Whether a call of a tool was begun and never completed, as far as can be told now."""
        return bool(self._tools.open)

    @property
    def open_call(self) -> str:
        """The tool, by the client's name, whose call was begun and not completed; "" if none."""
        return self._tools.name if self._tools.open else ""

    def usage(self) -> Usage:
        """What the answer has cost as far as it is known now."""
        return self.tally.usage(self._window, self._input_estimate)

    def feed(self, frames: Sequence[Frame]) -> list[StreamEvent]:
        """The events of these frames; none once the answer has ended or failed.

        :raises UpstreamFault: the upstream said so, or its payloads are not what they should be.
        """
        out: list[StreamEvent] = []
        if self._over:
            return out
        if self.fault is not None:
            self._over = True
            raise self.fault
        steps = self._STEPS
        try:
            for frame in frames:
                headers = frame.headers
                if headers.message_type == "event":
                    step = steps.get(headers.event_type)
                    if step is not None:
                        step(self, frame.payload, out)
                    else:
                        self._ignore(headers.event_type)
                else:
                    out += self._ended_by(frame)
                    break
        except UpstreamFault as fault:
            self.fault = fault
            if not out:
                self._over = True
                raise
        return out

    def finish(self) -> list[StreamEvent]:
        """The stream has ended cleanly: the events that end the answer.

        :raises UpstreamFault: what the answer failed of before.
        :raises UpstreamUnavailable: there was no answer.
        :raises StreamTruncated: it ends inside a tool call, without any sign of completion.
        """
        if self._over and self.fault is None:
            return []
        self._over = True
        if self.fault is None:
            self.fault = self._shortfall()
        if self.fault is not None:
            raise self.fault
        if self._tools.open:
            # Never completed by us: half a call must not be carried out.
            return self._last(StopReason.MAX_TOKENS)
        out = self._lost()
        return out + self._last(self.tally.reason(tools_called=bool(self._tools.called)))

    def flush(self) -> list[StreamEvent]:
        """What still waits inside when the answer has failed; see ``ToolCalls.flush``."""
        out = self._tools.flush()
        if not self._tools.open:
            self._text_over(out)
        return out

    def _lost(self) -> list[StreamEvent]:
        """Halves of a character whose other half never came, and calls made in the text."""
        out: list[StreamEvent] = []
        if thought := self._halves.lost(_THOUGHTS):
            self._say(ThinkingDelta(thought), out)
        if text := self._halves.lost(_TEXT):
            if self._leaks is None:
                self._say(TextDelta(text), out)
            else:
                self._searched(self._leaks, text, out)
        self._text_over(out)
        # A model that has noticed makes the call properly, too: that one stands.
        made = frozenset(self._tools.called)
        for number, call in enumerate(self._found):
            if call.name not in made:
                digest = sha256(f"{self._salt} {number}".encode()).hexdigest()
                fragment = ToolFragment(f"tooluse_{digest[:22]}", call.name, call.input, True)
                self._tools.take(fragment, out)
                self.calls_from_text += 1
        return out

    def _shortfall(self) -> UpstreamFault | None:
        if self.tally.complete:
            return None
        if self._tools.open and not self._tools.cut:
            return StreamTruncated("the upstream's answer stopped inside a tool call")
        if not self._content and not self._tools.called:
            return UpstreamUnavailable("the upstream gave an empty answer")
        return None

    def _last(self, reason: StopReason) -> list[StreamEvent]:
        return [self.usage(), Ended(reason)]

    def _ended_by(self, frame: Frame) -> list[StreamEvent]:
        """A frame that is not an event ends the answer: as too long, or by its fault."""
        kind = frame.headers.message_type
        if kind == "error":
            raise from_error_frame(frame)
        if kind != "exception":
            raise ProtocolViolation("the upstream sent a frame that is of no known kind")
        if frame.headers.exception_type not in _OUTPUT_FULL:
            raise from_exception_frame(frame)
        self._over = True
        return self._lost() + self._last(StopReason.MAX_TOKENS)

    def _ignore(self, name: str) -> None:
        """Count an event of a type unknown to us. The names are the upstream's, hence bounded."""
        if name in _SILENT:
            return
        name = name[:64]
        if name not in self.ignored and len(self.ignored) >= _MAX_IGNORED_NAMES:
            name = "others"
        self.ignored[name] = self.ignored.get(name, 0) + 1

    # One method per event type that says something to us.

    def _said(self, payload: bytes, out: list[StreamEvent]) -> None:
        text = read(_CONTENT, payload, self._halves).content
        if text and self._halves.met:
            text = self._halves.joined(_TEXT, text)
        if not text:
            return
        leaks = self._leaks
        if leaks is None:
            self._say(TextDelta(text), out)
        elif leaks.held or "<" in text or "[" in text:
            self._searched(leaks, text, out)
        else:
            unread = leaks.unread
            unread.append(text)
            if len(unread) > UNREAD:
                leaks.catch_up()
            self._say(TextDelta(text), out)

    def _searched(self, leaks: Leaks, text: str, out: list[StreamEvent]) -> None:
        """Text; what could be a call in it waits until it is known to be one or not."""
        pieces = leaks.feed(text)
        if pieces is None:
            self._say(TextDelta(text), out)
        else:
            self._sorted(pieces, out)

    def _sorted(self, pieces: Sequence[Piece], out: list[StreamEvent]) -> None:
        self._content = True
        for piece in pieces:
            if isinstance(piece, str):
                self._say(TextDelta(piece), out)
            else:
                self._found.append(piece)

    def _text_over(self, out: list[StreamEvent]) -> None:
        """Something else than text follows."""
        if self._leaks is not None and self._leaks.held:
            self._sorted(self._leaks.flush(), out)

    def _reasoned(self, payload: bytes, out: list[StreamEvent]) -> None:
        self._text_over(out)
        thought = read(_REASONING, payload, self._halves)
        text = thought.text
        if text and self._halves.met:
            text = self._halves.joined(_THOUGHTS, text)
        if text:
            self._say(ThinkingDelta(text), out)
        if thought.signature:
            self._place(ThinkingSigned(thought.signature), out)
        if thought.redacted:
            self._place(ThinkingRedacted(thought.redacted), out)

    def _say(self, event: TextDelta | ThinkingDelta, out: list[StreamEvent]) -> None:
        self._content = True
        if self._tools.open:
            self._tools.hold(event)
        else:
            self.tally.put_out(event.text)
            out.append(event)

    def _place(self, event: Waiting, out: list[StreamEvent]) -> None:
        self._content = True
        if self._tools.open:
            self._tools.hold(event)
        else:
            out.append(event)

    def _called(self, payload: bytes, out: list[StreamEvent]) -> None:
        self._text_over(out)
        fragment = read(_TOOL, payload, self._halves)
        if self._halves.met and not isinstance(fragment.input, dict):
            key = _CALL + fragment.id
            text = self._halves.joined(key, fragment.input or "")
            fragment.input = text + self._halves.lost(key) if fragment.stop else text
        self._tools.take(fragment, out)

    def _filled(self, payload: bytes, out: list[StreamEvent]) -> None:
        self.tally.filled(read(_CONTEXT, payload, self._halves).percent or 0.0)

    def _metered(self, payload: bytes, out: list[StreamEvent]) -> None:
        self.tally.cost(read(_METERING, payload, self._halves).usage or 0.0)

    def _summed_up(self, payload: bytes, out: list[StreamEvent]) -> None:
        self.tally.summed_up(read(_METADATA, payload, self._halves))

    def _invalid(self, payload: bytes, out: list[StreamEvent]) -> None:
        state = read(_INVALID, payload, self._halves)
        raise from_invalid_state(state.reason or "", state.message or "")

    _STEPS: ClassVar[Mapping[str, Callable[["Interpreter", bytes, list[StreamEvent]], None]]] = {
        "assistantResponseEvent": _said,
        "codeEvent": _said,
        "reasoningContentEvent": _reasoned,
        "toolUseEvent": _called,
        "contextUsageEvent": _filled,
        "meteringEvent": _metered,
        "metadataEvent": _summed_up,
        "invalidStateEvent": _invalid,
    }


# Known, and without a meaning to any client.
_SILENT: Final = frozenset(
    {
        "initial-response",
        "messageMetadataEvent",
        "dryRunSucceedEvent",
        "codeReferenceEvent",
        "supplementaryWebLinksEvent",
        "followupPromptEvent",
        "intentsEvent",
        "interactionComponentsEvent",
        "toolResultEvent",
        "citationEvent",
        "documentCitationEvent",
    }
)
