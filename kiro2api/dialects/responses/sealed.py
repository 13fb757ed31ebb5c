# -*- test-case-name: tests.dialects.responses.test_sealed -*-
"""``encrypted_content`` of reasoning items: what the upstream wants back, in a wrapper of ours.

It hides nothing: the client has seen the reasoning, or the provider has encrypted it. The mark in
front tells ours from what another server gave out. Must not know items.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from kiro2api.conversation.question import RedactedThinking, Thinking

_MARK: Final = "k2a1."


class _Sealed(msgspec.Struct, omit_defaults=True):
    text: str = ""
    signature: str = ""
    redacted: str = ""


_DECODER: Final = msgspec.json.Decoder(_Sealed)


def seal(reasoning: Thinking | RedactedThinking) -> str:
    """The text that stands for this reasoning."""
    if isinstance(reasoning, Thinking):
        sealed = _Sealed(text=reasoning.text, signature=reasoning.signature)
    else:
        sealed = _Sealed(redacted=reasoning.data)
    return _MARK + urlsafe_b64encode(msgspec.json.encode(sealed)).decode("ascii")


def unseal(content: str) -> Thinking | RedactedThinking | None:
    """The reasoning again; None for what is not ours or was damaged."""
    if not content.startswith(_MARK):
        return None
    try:
        sealed = _DECODER.decode(urlsafe_b64decode(content[len(_MARK) :]))
    except ValueError:  # of base64 and of JSON alike
        return None
    if sealed.signature:
        return Thinking(sealed.text, sealed.signature)
    return RedactedThinking(sealed.redacted) if sealed.redacted else None
