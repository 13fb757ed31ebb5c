# -*- test-case-name: tests.kiro.test_stops -*-
"""Stop sequences, which the upstream has no field for: found in the text, across its pieces.

Only the text is searched, not reasoning and not the input of tools. Must not know why else an
answer may end.
"""

from collections.abc import Callable, Iterable, Sequence

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta, Usage


class Stops:
    """Ends the answer before the stop sequence that is complete first, the longest of several
    that are complete at the same place.

    Whatever could be the beginning of one is held back until it is known.

    :param texts: the stop sequences; empty ones are none.
    :param usage: what the answer has cost so far.
    """

    __slots__ = ("_held", "_texts", "_usage", "done")

    def __init__(self, texts: Iterable[str], usage: Callable[[], Usage]) -> None:
        self._texts = tuple(sorted({text for text in texts if text}, key=lambda t: (-len(t), t)))
        self._usage = usage
        self._held = ""
        self.done = False

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """The events up to the first stop sequence, and then the end."""
        out: list[StreamEvent] = []
        for event in events:
            if type(event) is TextDelta:
                if stop := self._text(event.text, out):
                    self.done = True
                    out += (self._usage(), Ended(StopReason.STOP_SEQUENCE, stop))
                    break
            else:
                out += self.flush()
                out.append(event)
        return out

    def flush(self) -> list[StreamEvent]:
        """What is held is no stop sequence after all."""
        held, self._held = self._held, ""
        return [TextDelta(held)] if held else []

    def _text(self, text: str, out: list[StreamEvent]) -> str:
        """The stop sequence that was found."""
        text = self._held + text
        found, start = "", 0
        for stop in self._texts:  # the longest first
            at = text.find(stop)
            if at >= 0 and (not found or at + len(stop) < start + len(found)):
                found, start = stop, at
        keep = 0 if found else max(_overlap(text, stop) for stop in self._texts)
        shown = text[:start] if found else text[: len(text) - keep]
        self._held = text[len(text) - keep :] if keep else ""
        if shown:
            out.append(TextDelta(shown))
        return found


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of ``text`` are the beginning of ``stop``, at most."""
    at = max(0, len(text) - len(stop) + 1)
    while (at := text.find(stop[0], at)) >= 0:
        if stop.startswith(text[at:]):
            return len(text) - at
        at += 1
    return 0
