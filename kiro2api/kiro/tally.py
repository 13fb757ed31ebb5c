# -*- test-case-name: tests.kiro.test_tally -*-
"""What one answer cost and why it ended, from whatever the upstream told of it.

Must not know frames or events' order; it is told things and asked once, at the end.
"""

from collections.abc import Mapping
from typing import Final

from kiro2api.conversation.answer import StopReason, Usage
from kiro2api.conversation.tokens import estimate_counts
from kiro2api.kiro.payloads import Metadata, TokenUsage

# Wire: only some accounts and models get a ``stopReason``; spellings differ by plane, so they are
# compared without case, hyphens and underscores.
_REASONS: Final[Mapping[str, StopReason]] = {
    "endturn": StopReason.END_TURN,
    "tooluse": StopReason.TOOL_USE,
    "maxtokens": StopReason.MAX_TOKENS,
    "stopsequence": StopReason.STOP_SEQUENCE,
    "refusal": StopReason.REFUSAL,
    "contentfiltered": StopReason.REFUSAL,
    "guardrailintervened": StopReason.REFUSAL,
    "modelcontextwindowexceeded": StopReason.CONTEXT_WINDOW,
}


class Tally:
    """Counts one answer. ``complete``: the upstream sent something that it sends only at the end;
    ``metered``: it sent what it sends last. ``chars`` and ``octets`` (in UTF-8): the size of what
    was put out so far."""

    __slots__ = (
        "_credits",
        "_percent",
        "_stop",
        "_tokens",
        "chars",
        "complete",
        "metered",
        "octets",
    )

    def __init__(self) -> None:
        self.chars = 0
        self.octets = 0
        self._credits = 0.0
        self._percent = 0.0
        self._tokens: TokenUsage | None = None
        self._stop: StopReason | None = None
        self.complete = False
        self.metered = False

    def put_out(self, text: str) -> None:
        """This text, tool name or tool input goes on towards the client."""
        chars = len(text)
        self.chars += chars
        self.octets += chars if text.isascii() else len(text.encode("utf-8", "replace"))

    def filled(self, percent: float) -> None:
        """So much of the window is in use after this answer."""
        self._percent = percent
        self.complete = True

    def cost(self, credits: float) -> None:
        """The answer's price."""
        self._credits = credits
        self.complete = self.metered = True

    def summed_up(self, metadata: Metadata) -> None:
        """The upstream's own counts and stop reason; the latest of each stands."""
        self.complete = True
        self._tokens = metadata.token_usage or self._tokens
        spelled = "".join(filter(str.isalpha, metadata.stop_reason or "")).lower()
        self._stop = _REASONS.get(spelled, self._stop)

    def reason(self, *, tools_called: bool) -> StopReason:
        """Why the answer ended. A client acts on TOOL_USE, so it is said exactly when a call is
        there, unless something cut the answer."""
        told = self._stop
        if told in (None, StopReason.END_TURN, StopReason.TOOL_USE):
            if tools_called:
                return StopReason.TOOL_USE
            if told is None and self._percent >= 100:
                return StopReason.CONTEXT_WINDOW
            return StopReason.END_TURN
        return told

    def usage(self, window: int, input_estimate: int) -> Usage:
        """Exact where the upstream counted, else derived from its context percentage, else
        estimated.

        :param window: tokens that 100 percent stand for.
        :param input_estimate: tokens of the question, by our own estimate.
        """
        tokens = self._tokens
        percent = self._percent
        if tokens is not None and tokens.uncached is not None and tokens.output is not None:
            return Usage(
                input_tokens=_whole(tokens.uncached),
                output_tokens=_whole(tokens.output),
                cache_read_tokens=_whole(tokens.cache_read),
                cache_write_tokens=_whole(tokens.cache_write),
                credits=self._credits,
                context_percent=percent or tokens.percent or 0.0,
                provenance="exact",
            )
        output = estimate_counts(self.chars, self.octets)
        total = int(percent * window / 100)
        return Usage(
            input_tokens=max(0, total - output) if total > 0 else input_estimate,
            output_tokens=output,
            credits=self._credits,
            context_percent=percent,
            provenance="derived" if total > 0 else "estimated",
        )


def _whole(count: float | None) -> int:
    return max(0, int(count or 0))
