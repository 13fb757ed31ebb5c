# -*- test-case-name: tests.accounts.test_interfaces -*-
"""The seams of the account pool: who stores credentials, who renews them, who lends them."""

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Interface

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.outcome import End, Outcome, Parked
from kiro2api.errors import AccessRefused

__all__ = [
    "Duplicate",
    "End",
    "IAccountPool",
    "ICredentialStore",
    "ILeases",
    "ITokenSource",
    "Lease",
    "Outcome",
    "Parked",
    "Source",
    "StoredAccount",
    "Superseded",
    "Wanted",
    "refresh_lease",
]


class Superseded(Exception):
    """Not saved: credentials that were renewed under a later lease are stored already."""


def refresh_lease(fingerprint: str) -> str:
    """The name of the lease under which an account is renewed."""
    return f"refresh:{fingerprint}"


Source: TypeAlias = Literal["configured", "stored"]
"""Whether an account is an entry of KIRO_AUTH_TOKEN, or was added while the service ran."""


class StoredAccount(msgspec.Struct, frozen=True):
    """What the store remembers of an account.

    ``account`` is None where only its parking is known. ``quota``: the last known usage limits as
    JSON, read at ``quota_checked_at``; ``profile_checked_at``: when a profile was last looked for,
    found or not (epoch seconds, 0 for never).
    """

    credentials: Credentials
    parked: Parked | None = None
    account: Account | None = None
    enabled: bool = True
    source: Source = "configured"
    quota: str = ""
    quota_checked_at: float = 0.0
    email: str = ""
    profile_checked_at: float = 0.0
    last_error: str = ""

    def __repr__(self) -> str:
        # Without the e-mail address, which is in the quota, too.
        return f"<stored account {self.account.name}>" if self.account else "<stored account>"


class Duplicate(Exception):
    """Not added: the store has that account already, and it counts."""

    def __init__(self, existing: StoredAccount) -> None:
        super().__init__("this account is stored already")
        self.existing = existing


class ICredentialStore(Interface):
    """Durable credentials, found by an account's fingerprint."""

    def load() -> "Deferred[Mapping[str, StoredAccount]]":
        """Everything stored, by fingerprint."""

    def read(fingerprint: str) -> "Deferred[StoredAccount | None]":
        """What is stored of one account."""

    def save(account: Account, credentials: Credentials, fence: int = 0) -> "Deferred[None]":
        """Fires only once the credentials are on disk.

        With the ``fence`` of a lease ``refresh_lease``, that lease is given up with it. Fails
        with Superseded if credentials of a later fence are stored."""

    def park(fingerprint: str, parked: Parked | None) -> "Deferred[None]":
        """Remember, or forget, why an account is not to be asked; also for one that was never
        saved, such as an API key."""


class ILeases(Interface):
    """The right to do something that only one process at a time may do."""

    def win(name: str, seconds: float) -> "Deferred[int | None]":
        """Hold the lease for so long. Fires with its fence, a number that grows each time
        somebody wins it (0: nobody else could want it), or with None while another holds it."""

    def give_up(name: str, fence: int) -> "Deferred[None]":
        """Hold it no longer; does nothing if somebody has won it since."""


class ITokenSource(Interface):
    """Fetches a fresh access token from the account's login service."""

    def refresh(account: Account, credentials: Credentials) -> "Deferred[Credentials]":
        """New credentials; fails with CredentialsRejected (a new login is needed; ``code`` is
        the OAuth error, e.g. ``invalid_grant``), AccessRefused, Throttled or UpstreamUnavailable
        (the old refresh token stays good)."""


class Lease(Protocol):
    """An account lent to one exchange. Settled exactly once; more calls are ignored."""

    @property
    def account(self) -> Account:
        """Whose credentials these are."""

    @property
    def credentials(self) -> Credentials:
        """Usable when lent; replaced after ``renew``."""

    def renew(self) -> Deferred[None]:
        """The access token was refused: refresh it (single flight; at once if another loan
        already did). Cancelling does not cancel the refresh for others."""

    def mend(self, fault: AccessRefused) -> Deferred[bool]:
        """The account was refused as such: whether it is worth another try, with ``credentials``
        that may be others now."""

    def answered(self) -> None:
        """The upstream has begun to answer: an account that was on trial may serve others again,
        while this loan goes on."""

    def settle(self, outcome: Outcome) -> None:
        """Give the account back."""


class Wanted(msgspec.Struct, frozen=True):
    """What a loan is for.

    ``model``: the catalogue's name of the model, empty for any. ``conversation``: the same text
    for all turns of one conversation, empty where there is none. ``caller``: whose request it is;
    where several wait for busy accounts, each caller gets its turn.
    """

    model: str = ""
    conversation: str = ""
    caller: str = ""


class IAccountPool(Interface):
    """Lends accounts."""

    def acquire(
        group: str,
        tried: frozenset[str],
        wanted: Wanted = Wanted(),  # noqa: B008
    ) -> Deferred[Lease]:
        """A lease on the account that shall serve next in ``group``, never one whose fingerprint
        is in ``tried`` or that is known to lack the model. Cancellable; waits, for a bounded
        time, while all who could serve are busy. Fails with NoAccountAvailable (of kind
        MODEL_NOT_FOUND if every account of the group lacks the model), or NotFound for a group
        that does not exist."""

    def returns_in(group: str, wanted: Wanted) -> float | None:
        """Seconds until somebody of the group may be asked for this again; None where somebody
        may be asked now, or nobody knows."""

    def lacks(fingerprint: str, model: str, seconds: float) -> None:
        """Learnt: this account is not offered this model; believed for so long."""
