# -*- test-case-name: tests.kiro.test_prepared -*-
"""A body of GenerateAssistantResponse that is encoded once: what differs from account to account
(model id, profile ARN, fields, cache points) is only joined in.

Must not know how the body came to be.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from kiro2api.conversation.tokens import estimate_counts
from kiro2api.kiro.leaks import Leaks

_CACHE_POINT: Final = b',"cachePoint":{"type":"default"}'
_OPEN_ENDS: Final = b"}}}}"
_encode = msgspec.json.Encoder().encode


class Prepared:
    """A body that lacks only what depends on the account.

    ``names``: upstream's tool names to the client's. ``repairs``: short words for what was mended.

    :param mark: what stands in the body where a cache point may be; empty: there is no such place.
    :param system_marked: the first place is that after the system text.
    :param apart: for each place, the octets before it that are more (tools, which stand behind it
        in the body) or less (pictures) than the model reads there.
    :param declared: the schemas of the tools that may be called, by their upstream names.
    :param salt: something that no other request has.
    """

    __slots__ = ("_apart", "_declared", "_parts", "_system_marked", "names", "repairs", "salt")

    def __init__(
        self,
        encoded: bytes,
        names: Mapping[str, str],
        *,
        mark: bytes = b"",
        system_marked: bool = False,
        apart: Sequence[int] = (),
        declared: Mapping[str, bytes] = {},
        repairs: tuple[str, ...] = (),
        salt: str = "",
    ) -> None:
        # Views: bodies are large, each copy of one costs as much as all its small strings.
        self._parts = list(_between(memoryview(encoded)[: -len(_OPEN_ENDS)], encoded, mark))
        self._system_marked = system_marked
        self._apart = apart
        self._declared = declared
        self.names = names
        self.repairs = repairs
        self.salt = salt

    def leaks(self) -> Leaks | None:
        """Finds calls in the text of one answer; None where there is nothing to call."""
        return Leaks(self._declared) if self._declared else None

    def body(
        self,
        model_id: str,
        profile_arn: str,
        fields: bytes = b"",
        cache_points: int = 0,
        point_tokens: int = 0,
    ) -> bytes:
        """The whole body as JSON; an empty ``profile_arn`` is left out.

        :param fields: JSON text of the additional fields that the model takes, or empty.
        :param cache_points: how many the model takes; of more, the one after the system text and
            the last ones stay.
        :param point_tokens: tokens, by our estimate, before which the model takes none.
        """
        pieces = self._pointed(cache_points, point_tokens)
        pieces += (b',"modelId":', _encode(model_id), b"}}}")
        if fields:
            pieces += (b',"additionalModelRequestFields":', fields)
        if profile_arn:
            pieces += (b',"profileArn":', _encode(profile_arn))
        pieces.append(b"}")
        return b"".join(pieces)

    def _pointed(self, cache_points: int, point_tokens: int) -> list[bytes | memoryview]:
        first, *others = self._parts
        pieces: list[bytes | memoryview] = [first]
        early = self._early(point_tokens) if cache_points and point_tokens else 0
        pinned = 1 if self._system_marked and cache_points and not early else 0
        skipped = max(early, len(others) - cache_points + pinned)
        for index, part in enumerate(others):
            if index < pinned or index >= skipped:
                pieces.append(_CACHE_POINT)
            pieces.append(part)
        return pieces

    def _early(self, point_tokens: int) -> int:
        """How many of the first places come too early. Other letters than plain ones count for
        less here than they come to: a point too few costs less than one that is refused."""
        octets = early = 0
        for part, apart in zip(self._parts, self._apart, strict=False):
            octets += len(part)
            if estimate_counts(octets + apart, octets + apart) >= point_tokens:
                break
            early += 1
        return early


def _between(view: memoryview, encoded: bytes, mark: bytes) -> Iterator[memoryview]:
    start = 0
    while mark and (found := encoded.find(mark, start)) >= 0:
        yield view[start:found]
        start = found + len(mark)
    yield view[start:]
