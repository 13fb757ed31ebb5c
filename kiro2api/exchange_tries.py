# -*- test-case-name: tests.test_exchange_tries -*-
"""One question on its way, and what happened to it: who was asked, how that ended, what was mended.

Pure. Must not know how an account is chosen or an answer opened.
"""

import msgspec

from kiro2api.conversation.question import Conversation
from kiro2api.errors import UpstreamFault

SERVED = "served"
"""The outcome of an attempt that gave an answer."""
ABANDONED = "abandoned"
"""The outcome of an attempt whose client left before there was an answer."""


class Attempt(msgspec.Struct, frozen=True):
    """One call of the upstream for a question, a further round of an answer included.

    ``account`` is its name. ``outcome``: "served", "abandoned", or the code of the fault, else its
    kind. ``status`` is that of the upstream's answer, 0 where there was none. ``seconds`` until
    the first event, or until the call had failed.
    """

    account: str
    upstream_model: str
    outcome: str
    status: int
    seconds: float


class Asking(msgspec.Struct):
    """One question on its way, and what happens to it.

    ``input_tokens`` is our own estimate, uncorrected. ``caller``: whose question it is.
    ``committed`` is set by whoever writes the first byte to the client: from then on a failure is
    the answer and no other attempt is made. ``lent_at``: reactor seconds of the first loan.
    ``tried``: every call of the upstream that has ended, in order. ``repairs``: short words for
    what was mended on the way, each once. ``searches``: web searches that succeeded, known once
    the answer is over.
    """

    conversation: Conversation
    model: str
    group: str
    input_tokens: int
    caller: str = ""
    committed: bool = False
    attempts: int = 0
    lent_at: float | None = None
    account: str = ""
    upstream_model: str = ""
    upstream_request_id: str = ""
    tried: list[Attempt] = []
    repairs: list[str] = []
    searches: int = 0

    def repaired(self, *words: str) -> None:
        """This was mended."""
        for word in words:
            if word not in self.repairs:
                self.repairs.append(word)

    def failed_later(self, fault: UpstreamFault) -> None:
        """The answer that had begun has failed after all."""
        if self.tried and self.tried[-1].outcome == SERVED:
            self.tried[-1] = msgspec.structs.replace(
                self.tried[-1], outcome=outcome_of(fault), status=fault.status or 200
            )


def outcome_of(fault: UpstreamFault) -> str:
    """A fault as the outcome of an attempt."""
    return fault.code or fault.kind.value
