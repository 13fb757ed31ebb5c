# -*- test-case-name: tests.web.test_gate -*-
"""Who is calling, and may they: keys and sessions, kept and compared as digests.

Must not know dialects or accounts. Keys are looked up by digest, so neither the time of a
comparison nor a dump of memory tells a key. Configured keys have no limits; what a stored key
has is its ``KeyUse``'s business.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import msgspec

from kiro2api.errors import Forbidden, NoAccountAvailable, Unauthorized
from kiro2api.redaction import Secret
from kiro2api.store.keys import Role, StoredKey, hint_of
from kiro2api.web.gate_key import KeyUse, LimitReached
from kiro2api.web.gate_models import Naming, PlainNaming
from kiro2api.web.paths import Location
from kiro2api.web.rates import FailedAttempts

__all__ = ["Caller", "Configured", "Gate", "Role", "presented_keys"]


class Caller(NamedTuple):
    """Whose key it was. ``name`` is what logs show; ``use`` is None for a configured key."""

    name: str
    role: Role
    use: KeyUse | None = None

    @property
    def key_id(self) -> int:
        """The stored key's number, 0 for a configured key."""
        return 0 if self.use is None else self.use.key.id

    @property
    def limited(self) -> bool:
        """Whether the key is for some groups only."""
        return self.use is not None and bool(self.use.key.groups)

    @property
    def owner(self) -> str:
        """Whose things are whose: as the name, but never that of an earlier key."""
        return self.name if self.use is None else f"key-{self.use.key.digest.hex()[:32]}"


class Configured(msgspec.Struct, frozen=True):
    """A key of the configuration, as it may be shown."""

    name: str
    role: Role
    hint: str


class HeaderSource(Protocol):
    """The part of a request that carries keys."""

    def getHeader(self, key: bytes) -> bytes | None:
        """One header's value."""


class Presented(HeaderSource, Protocol):
    """A request, as far as it is looked at here."""

    method: bytes
    location: Location

    def getClientAddress(self) -> Any:
        """Where it comes from."""


class Sessions(Protocol):
    """Whose session a request belongs to."""

    def caller(self, request: Presented, find: Callable[[int, str], "Known | None"]) -> Caller:
        """Whoever began the session; raises Unauthorized or Forbidden."""


class Known(NamedTuple):
    """A key that is admitted."""

    digest: bytes
    caller: Caller


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
    :param limit: requests served at once over all callers and processes; 0 for no limit.
    :param now: epoch seconds.
    :param workers: among how many processes limits are divided.
    :param naming: what names of models mean, for keys that are for some models only.
    """

    def __init__(
        self,
        digest: Callable[[str], bytes],
        limit: int = 0,
        *,
        now: Callable[[], float] = time.time,
        workers: int = 1,
        naming: Naming | None = None,
    ) -> None:
        self._digest = digest
        self._now = now
        self._workers = workers
        self._naming = naming or PlainNaming()
        self._digests: dict[bytes, Caller] = {}
        self._configured: dict[str, tuple[bytes, Configured]] = {}
        self._uses: dict[int, KeyUse] = {}
        self._failures = FailedAttempts()
        self._sessions: Sessions | None = None
        self._limit = 0
        self.set_limit(limit)
        self.inside = 0

    # ── who is known ─────────────────────────────────────────────────────────

    def configure(self, clients: Iterable[Secret], admin: Secret | None) -> None:
        """Admit the configured keys; without an admin key, client keys may administrate."""
        role: Role = "client" if admin else "admin"
        for number, key in enumerate(clients, 1):
            self._configure(f"client-{number}", role, key)
        if admin:
            self._configure("admin", "admin", admin)

    def _configure(self, name: str, role: Role, key: Secret) -> None:
        digest = self._digest(key.reveal())
        self._configured[name] = (digest, Configured(name, role, hint_of(key)))
        self.add(digest, Caller(name, role))

    @property
    def configured(self) -> tuple[Configured, ...]:
        """The configured keys, as they may be shown."""
        return tuple(shown for _, shown in self._configured.values())

    def add(self, digest: bytes, caller: Caller) -> None:
        """Admit one more key, without limits."""
        self._digests[digest] = caller

    def admit(self, key: StoredKey, role: Role) -> None:
        """Admit a stored key, or let it have other terms; what is configured stays as it is."""
        use = self._uses.get(key.id)
        if use is None or use.key.digest != key.digest:
            self.expel(key.id)
            use = self._uses[key.id] = KeyUse(key, self._naming, self._workers)
        use.renew(key)
        known = self._digests.get(key.digest)
        if known is None or known.use is not None:
            self._digests[key.digest] = Caller(key.name, role, use)

    def expel(self, key_id: int) -> None:
        """Admit a stored key no longer; its running requests go on."""
        use = self._uses.pop(key_id, None)
        if use is None:
            return
        known = self._digests.get(use.key.digest)
        if known is not None and known.use is use:
            del self._digests[use.key.digest]

    def use(self, key_id: int) -> KeyUse | None:
        """What a stored key has had."""
        return self._uses.get(key_id)

    @property
    def uses(self) -> Iterable[KeyUse]:
        """Those of all stored keys that are admitted."""
        return self._uses.values()

    def administrated(self, without: int = 0) -> bool:
        """Whether a key of an administrator is good for ever, not counting that one."""
        return any(
            caller.role == "admin" and (caller.use is None or _lasting(caller.use.key, without))
            for caller in self._digests.values()
        )

    def accept(self, sessions: Sessions) -> None:
        """From now on a session stands for its key, except at the model APIs."""
        self._sessions = sessions

    # ── who is calling ───────────────────────────────────────────────────────

    def identify(self, request: Presented) -> Caller:
        """The caller; raises Unauthorized. Either header may hold the right key."""
        keys = presented_keys(request)
        for key in keys:
            caller = self._digests.get(self._digest(key))
            if caller is not None:
                if caller.use is not None:
                    caller.use.present(self._now())
                return caller
        if keys:
            raise self._unknown(request)
        sessions = self._sessions
        if sessions is None or request.location.path.startswith("/v1/"):
            raise Unauthorized("no API key: send it as x-api-key or as Authorization: Bearer")
        caller = sessions.caller(request, self._known)
        if caller.use is not None:
            caller.use.present(self._now())
        return caller

    def identify_admin(self, request: Presented) -> Caller:
        """As identify, for the operator's routes; raises Forbidden for a mere client."""
        caller = self.identify(request)
        if caller.role != "admin":
            raise Forbidden("this needs an admin key: send the value of KIRO_ADMIN_TOKEN")
        return caller

    def identify_owner(self, request: Presented) -> Caller:
        """As identify_admin, for what concerns all groups: keys, settings, the whole of the store.

        Otherwise a key for some groups could make itself one for all.
        """
        caller = self.identify_admin(request)
        if caller.limited:
            raise Forbidden("this needs an admin key that is for all groups")
        return caller

    def recognise(self, key: str, request: Presented) -> Known:
        """Whose key a text is; raises Unauthorized, or LimitReached after many wrong ones."""
        digest = self._digest(key)
        caller = self._digests.get(digest)
        if caller is None:
            raise self._unknown(request)
        if caller.use is not None:
            caller.use.present(self._now())
        return Known(digest, caller)

    def _unknown(self, request: Presented) -> Unauthorized | LimitReached:
        # Only now, so that nobody who shows a good key ever waits for others' mistakes.
        address = getattr(request.getClientAddress(), "host", "")
        wait = self._failures.failed(str(address), self._now())
        if wait:
            return LimitReached(
                "too many attempts with unknown API keys", retry_after=wait, code="unknown_keys"
            )
        return Unauthorized(
            "unknown API key: use one that the operator made, or the value of KIRO_CLIENT_TOKEN"
        )

    def _known(self, key_id: int, name: str) -> Known | None:
        if not key_id:
            digest, _ = self._configured.get(name, (b"", None))
        else:
            use = self._uses.get(key_id)
            digest = use.key.digest if use is not None else b""
        caller = self._digests.get(digest)
        return Known(digest, caller) if caller is not None else None

    # ── what they may ────────────────────────────────────────────────────────

    def allow_group(self, caller: Caller, group: str) -> None:
        """Raises Forbidden if the caller's key is not for this group."""
        if caller.use is not None:
            caller.use.allow_group(group)

    def group_seen(self, caller: Caller, asked: str) -> str:
        """The group to which a look at many groups' things is narrowed; empty for all of them.

        Of a key for one group, that one. Raises Forbidden for a group that the key is not for, and
        where one of several has to be named.
        """
        groups = caller.use.key.groups if caller.use is not None else ()
        if asked:
            self.allow_group(caller, asked)
        if asked or not groups:
            return asked
        if len(groups) > 1:
            raise Forbidden(
                f"this API key is for some groups: name one of {', '.join(groups)}",
                param="group",
                code="group_forbidden",
            )
        return groups[0]

    def allow_model(self, caller: Caller, model: str) -> None:
        """Raises Forbidden if the caller's key is not for this model."""
        if caller.use is not None and not caller.use.may_use(model):
            raise Forbidden(
                f"this API key is not for the model {model!r}",
                param="model",
                code="model_forbidden",
            )

    def may_use(self, caller: Caller, model: str) -> bool:
        """Whether the caller's key is for this model."""
        return caller.use is None or caller.use.may_use(model)

    # ── what they have ───────────────────────────────────────────────────────

    def set_limit(self, limit: int) -> None:
        """Requests served at once over all callers and processes; 0 for no limit."""
        self._limit = -(-limit // self._workers)

    def spent(self, caller: Caller, credits: float) -> None:
        """What a finished request of the caller's has cost."""
        if caller.use is not None:
            caller.use.budget.add(credits, self._now())

    def enter(self, caller: Caller) -> None:
        """One more request inside; raises when it is full, or the caller has had his share."""
        if self._limit and self.inside >= self._limit:
            raise NoAccountAvailable(
                f"{self.inside} requests are being served already, which is the limit",
                retry_after=1.0,
            )
        if caller.use is not None:
            caller.use.enter(self._now())
        self.inside += 1

    def leave(self, caller: Caller) -> None:
        """One request fewer."""
        self.inside -= 1
        if caller.use is not None:
            caller.use.leave()


def _lasting(key: StoredKey, without: int) -> bool:
    return key.id != without and key.enabled and not key.expires_at
