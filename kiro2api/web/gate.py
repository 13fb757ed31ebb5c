# -*- test-case-name: tests.web.test_gate -*-
"""Who is calling, and may they: client keys and the admin key, kept and compared as digests.

Must not know dialects or accounts. Keys are looked up by digest, so neither the time of a
comparison nor a dump of memory tells a key.
"""

from collections.abc import Callable, Iterable
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

    :param digest: what is remembered of a key in place of the key itself.
    :param limit: requests served at once over all callers; 0 for no limit.
    """

    def __init__(self, digest: Callable[[str], bytes], limit: int = 0) -> None:
        self._digest = digest
        self._digests: dict[bytes, Caller] = {}
        self._limit = limit
        self.inside = 0

    def configure(self, clients: Iterable[Secret], admin: Secret | None) -> None:
        """Admit the configured keys; without an admin key, client keys may administrate."""
        role: Role = "client" if admin else "admin"
        for number, key in enumerate(clients, 1):
            self.add(self._digest(key.reveal()), Caller(f"client-{number}", role))
        if admin:
            self.add(self._digest(admin.reveal()), Caller("admin", "admin"))

    def add(self, digest: bytes, caller: Caller) -> None:
        """Admit one more key."""
        self._digests[digest] = caller

    def identify(self, request: HeaderSource) -> Caller:
        """The caller; raises Unauthorized. Either header may hold the right key."""
        keys = presented_keys(request)
        for key in keys:
            caller = self._digests.get(self._digest(key))
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

    def allow_group(self, caller: Caller, group: str) -> None:
        """Raises Forbidden if the caller's key is not for this group."""

    def allow_model(self, caller: Caller, model: str) -> None:
        """Raises Forbidden if the caller's key is not for this model."""

    def spent(self, caller: Caller, credits: float) -> None:
        """What a finished request of the caller's has cost."""

    def enter(self, caller: Caller) -> None:
        """One more request inside; raises when it is full, or the caller has had his share."""
        if self._limit and self.inside >= self._limit:
            raise NoAccountAvailable(
                f"{self.inside} requests are being served already, which is the limit",
                retry_after=1.0,
            )
        self.inside += 1

    def leave(self, caller: Caller) -> None:
        """One request fewer."""
        self.inside -= 1
