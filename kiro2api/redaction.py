# -*- test-case-name: tests.test_redaction -*-
"""A secret that cannot be printed by accident.

Knows nothing of who holds the secret or why. It is deliberately not a ``str`` subclass: JSON
encoders and string formatting would treat a subclass as text and print it.
"""

import hmac
from typing import Any, Final, NoReturn

_MASK: Final = "<secret>"


class Secret:
    """Holds one secret text; ``reveal()`` is the only way to read it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: call this only where it is put on the wire or on disk."""
        return self._value

    def matches(self, other: str) -> bool:
        """Compare in constant time, so that the duration tells nothing about the secret."""
        return hmac.compare_digest(self._value.encode("utf-8"), other.encode("utf-8"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return _MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied into a serialised form")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self
