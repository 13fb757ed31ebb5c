# -*- test-case-name: tests.web.test_gate -*-
"""Who is calling, and may they: client keys and the admin key, kept and compared as digests.

Must not know dialects or accounts. Keys are looked up by digest, so neither the time of a
comparison nor a dump of memory tells a key.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol, TypeAlias

from kiro2api.errors import Forbidden, NoAccountAvailable, Unauthorized
from kiro2api.redaction import Secret

Role: TypeAlias = Literal["client", "admin"]


class Caller(NamedTuple):
    """Whose key it was. ``name`` is what logs show."""

    name: str
    role: Role


class HeaderSource(Protocol):
    """The part of a request that carries credentials."""

    def getHeader(self, key: bytes) -> bytes | None:
        """One header's value."""


def digest_of(key: str) -> str:
    """The digest under which a key is stored: keys are long and random, so no salt is needed."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def presented_keys(request: HeaderSource) -> list[str]:
    """Every key a request carries: ``x-api-key``, ``Authorization`` with or without Bearer."""
    found = []
    for name in (b"authorization", b"x-api-key"):
        value = request.getHeader(name)
        if value:
            text = value.decode("utf-8", "replace").strip()
            if text[:7].lower() == "bearer ":
                text = text[7:].strip()
            if text:
                found.append(text)
    return found


class Gate:
    """Admits callers.

    :param digests: digest of each key to its caller.
    :param limit: requests served at once over all callers; 0 for no limit.
    """

    def __init__(self, digests: Mapping[str, Caller], limit: int = 0) -> None:
        self._digests = dict(digests)
        self._limit = limit
        self.inside = 0

    @classmethod
    def of(cls, clients: Iterable[Secret], admin: Secret | None, limit: int = 0) -> "Gate":
        """A gate for configured keys; without an admin key client keys may administrate."""
        role: Role = "client" if admin else "admin"
        digests = {
            digest_of(key.reveal()): Caller(f"client-{number}", role)
            for number, key in enumerate(clients, 1)
        }
        if admin:
            digests[digest_of(admin.reveal())] = Caller("admin", "admin")
        return cls(digests, limit)

    def add(self, digest: str, caller: Caller) -> None:
        """Admit one more key."""
        self._digests[digest] = caller

    def identify(self, request: HeaderSource) -> Caller:
        """The caller; raises Unauthorized. Either header may hold the right key."""
        keys = presented_keys(request)
        for key in keys:
            caller = self._digests.get(digest_of(key))
            if caller is not None:
                return caller
        if not keys:
            raise Unauthorized("no API key: send it as x-api-key or as Authorization: Bearer")
        raise Unauthorized("unknown API key: use the value of KIRO_CLIENT_TOKEN")

    def identify_admin(self, request: HeaderSource) -> Caller:
        """As identify, for the operator's routes; raises Forbidden for a mere client."""
        caller = self.identify(request)
        if caller.role != "admin":
            raise Forbidden("this needs the admin key: send the value of KIRO_ADMIN_TOKEN")
        return caller

    def enter(self) -> None:
        """One more request inside; raises when it is full."""
        if self._limit and self.inside >= self._limit:
            raise NoAccountAvailable(
                f"{self.inside} requests are being served already, which is the limit",
                retry_after=1.0,
            )
        self.inside += 1

    def leave(self) -> None:
        """One request fewer."""
        self.inside -= 1
