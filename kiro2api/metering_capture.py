# -*- test-case-name: tests.test_metering_capture -*-
"""A failed request as it may be kept: its structure, and nothing that is anybody's business.

Pure. Keys, tokens, addresses and attachments go, long texts are cut to their beginning. Must not
know who asked for it, nor where it is kept.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec

from kiro2api.metering import Record

MOST_OCTETS: Final = 200_000

_SHOWN_HEADERS: Final = frozenset(
    {
        "user-agent",
        "content-type",
        "accept",
        "anthropic-version",
        "anthropic-beta",
        "openai-beta",
        "x-stainless-lang",
        "x-stainless-package-version",
        "x-stainless-retry-count",
        "x-stainless-timeout",
    }
)
_SECRET_NAME: Final = re.compile(
    r"(^|_)(pass(word|wd|phrase)?|secrets?|api_?keys?|authorization|cookies?|credentials?"
    r"|private_?keys?|(access|refresh|auth|bearer|id|session)_?tokens?|tokens?|e_?mails?"
    r"|user_?ids?|usernames?|phone)$",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_SECRET: Final = frozenset({"max_tokens", "budget_tokens", "max_completion_tokens"})
_ADDRESS: Final = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_KEYS: Final = re.compile(
    r"\b(?:sk|pk|rk|aoa|aor|ksk|ghp|gho|ghu|ghs|glpat|xox[abprs]|AKIA|ASIA|AIza)[-_A-Za-z0-9]{12,}"
    r"|\beyJ[\w-]{10,}\.[\w-]{5,}(?:\.[\w-]*)*"
    r"|(?i:\b(?:bearer|basic)\s+)[\w.~+/=:-]{12,}"
    r"|(?i:\b(?:api[_-]?key|access[_-]?token|refresh[_-]?token|token|secret|password|passwd)"
    r"[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;]{6,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END|\Z)",
    re.DOTALL,
)
# Random text of one word: a key of a kind that nobody thought of.
_RANDOM: Final = re.compile(r"\b(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[A-Za-z0-9+/_=-]{40,}")
_BASE64: Final = re.compile(r"(?:data:[^,]{0,100},)?[A-Za-z0-9+/_=\r\n-]{120,}\Z")
_REMOVED: Final = "<removed>"
# What is tried in turn until it fits: characters of a text, members of a list or an object.
_SIZES: Final = ((400, 100), (120, 50), (40, 20), (10, 8))
_DEPTH: Final = 24


class Captured(msgspec.Struct, frozen=True):
    """One capture in a list. ``at``: epoch seconds."""

    request_id: str
    at: float
    octets: int


def capture(
    record: Record,
    *,
    path: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    error: Mapping[str, object],
) -> bytes:
    """A failed request as JSON text, redacted and no longer than ``MOST_OCTETS``.

    :param error: what the client was told: kind, code, message and so on.
    """
    try:
        said: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = f"<no JSON, {len(body)} octets>"
    base = {
        "record": msgspec.to_builtins(record),
        "path": scrubbed(path, 200),
        "headers": {
            name.lower(): scrubbed(value, 200)
            for name, value in headers
            if name.lower() in _SHOWN_HEADERS
        },
        "body_octets": len(body),
        "error": redacted(error, 400, 50),
    }
    for texts, members in _SIZES:
        room = Room(texts, members)
        kept = msgspec.json.encode({**base, "body": room.redacted(said)})
        if len(kept) <= MOST_OCTETS and room.left > 0:
            return kept
    return msgspec.json.encode({**base, "body": "<too large>"})


def redacted(value: object, texts: int, members: int) -> object:
    """A JSON value with its structure kept and its contents cut."""
    return Room(texts, members).redacted(value)


class Room:
    """What there is room for; a request that is too large costs no more than another.

    :param texts: characters that are left of a text.
    :param members: members that are left of a list or an object, half of a list's the last ones.
    """

    def __init__(self, texts: int, members: int) -> None:
        self._texts = texts
        self._members = members
        self.left = MOST_OCTETS

    def redacted(self, value: object, depth: int = 0) -> object:
        """A JSON value with its structure kept and its contents cut."""
        self.left -= 2
        if self.left <= 0 or depth >= _DEPTH:
            return "<more>"
        if isinstance(value, str):
            text = scrubbed(value, self._texts)
            self.left -= len(text)
            return text
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        return value

    def _object(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        kept: dict[str, object] = {}
        for name, member in islice(value.items(), self._members):
            shown = scrubbed(str(name), 100)
            self.left -= len(shown)
            if _is_secret(str(name)) and not isinstance(member, bool | None):
                kept[shown] = _REMOVED
            else:
                kept[shown] = self.redacted(member, depth + 1)
        if len(value) > self._members:
            kept["<more>"] = len(value) - self._members
        return kept

    def _list(self, value: Sequence[object], depth: int) -> list[object]:
        if len(value) <= self._members:
            return [self.redacted(one, depth + 1) for one in value]
        half = self._members // 2
        first = [self.redacted(one, depth + 1) for one in value[:half]]
        last = [self.redacted(one, depth + 1) for one in value[-half:]]
        return [*first, f"<{len(value) - 2 * half} more>", *last]


def scrubbed(text: str, limit: int) -> str:
    """The beginning of a text without what looks like a secret, an address or an attachment."""
    length = len(text)
    # A secret that is cut in two would not be found any more, so that it is cut afterwards.
    text = text[: limit + 2000]
    if length >= 120 and _BASE64.match(text):
        return f"<{length} characters of data>"
    text = _KEYS.sub(_REMOVED, text)
    text = _RANDOM.sub(_REMOVED, text)
    text = _ADDRESS.sub("<address>", text)
    text = text.encode("utf-8", "replace").decode()
    if len(text) > limit:
        text = f"{text[:limit]}… <{length} characters>"
    return text


def _is_secret(name: str) -> bool:
    spelled = _CAMEL.sub("_", name).lower().replace("-", "_")
    return spelled not in _NOT_SECRET and _SECRET_NAME.search(spelled) is not None
