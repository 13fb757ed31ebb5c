"""A pool and a client whose every answer the test decides."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import IAccountPool, Lease, Outcome, Wanted
from kiro2api.accounts.quota import Quota
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import AccessRefused, Kind, KiroError, NoAccountAvailable
from kiro2api.redaction import Secret
from kiro2api.upstream.interfaces import AnswerStream, IKiroClient, OfferedModel

_ANYTHING = Wanted()


def account(name: str, method: str = "social") -> Account:
    """An invented account."""
    return Account(fingerprint=f"fp-{name}", name=name, method=method)  # type: ignore[arg-type]


class FakeLease:
    """A lease that records how it ended."""

    def __init__(self, lent: Account) -> None:
        self.account = lent
        self.credentials = Credentials(
            access_token=Secret(f"access-{lent.name}"),
            refresh_token=Secret("refresh"),
            profile_arn="arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEFGHIJKL",
        )
        self.outcomes: list[Outcome] = []
        self.renewals = 0
        self.refusals: list[AccessRefused] = []
        self.mendable = False
        self.renewal: Deferred[None] | None = None

    def mend(self, fault: AccessRefused) -> Deferred[bool]:
        """Nothing to mend, unless the test says so."""
        self.refusals.append(fault)
        return succeed(self.mendable)

    def renew(self) -> Deferred[None]:
        """Succeeds, unless the test put something else."""
        self.renewals += 1
        return succeed(None) if self.renewal is None else self.renewal

    def answered(self) -> None:
        """Nobody is on trial here."""

    def settle(self, outcome: Outcome) -> None:
        """Record."""
        self.outcomes.append(outcome)


@implementer(IAccountPool)
class FakePool:
    """Lends its accounts in order, each once per question."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = list(accounts)
        self.leases: list[FakeLease] = []
        self.waiting: Deferred[Lease] | None = None
        self.asked: list[tuple[str, frozenset[str]]] = []
        self.wanted: list[Wanted] = []
        self.mendable = False
        self.rest: float | None = None
        self.lacking: list[tuple[str, str]] = []

    def returns_in(self, group: str, wanted: Wanted) -> float | None:
        """As the test says."""
        return self.rest

    def lacks(self, fingerprint: str, model: str, seconds: float) -> None:
        """Record."""
        self.lacking.append((fingerprint, model))

    def acquire(
        self, group: str, tried: frozenset[str], wanted: Wanted = _ANYTHING
    ) -> Deferred[Lease]:
        """The first account that was not tried and does not lack the model."""
        self.asked.append((group, tried))
        self.wanted.append(wanted)
        if self.waiting is not None:
            return self.waiting
        for candidate in self.accounts:
            name = candidate.fingerprint
            if name not in tried and (name, wanted.model) not in self.lacking:
                lease = FakeLease(candidate)
                lease.mendable = self.mendable
                self.leases.append(lease)
                lent: Lease = lease
                return succeed(lent)
        lacking = all((one.fingerprint, wanted.model) in self.lacking for one in self.accounts)
        if self.accounts and lacking:
            return fail(NoAccountAvailable("nobody has it", kind=Kind.MODEL_NOT_FOUND))
        return fail(NoAccountAvailable("nobody is left", retry_after=7.0))


@implementer(IKiroClient)
class FakeClient:
    """Answers each attempt with the next result: a stream, a fault or a Deferred."""

    def __init__(self, *results: AnswerStream | KiroError | Deferred[AnswerStream]) -> None:
        self.results = list(results)
        self.calls: list[tuple[str, bytes]] = []
        self.searches: list[tuple[str, str]] = []
        self.found: Deferred[tuple[SearchHit, ...]] | KiroError | None = None

    def generate(
        self, account: Account, credentials: Credentials, body: bytes, interpreter: object
    ) -> Deferred[AnswerStream]:
        """The next result."""
        self.calls.append((account.name, body))
        result = self.results.pop(0)
        if isinstance(result, KiroError):
            return fail(result)
        return result if isinstance(result, Deferred) else succeed(result)

    def models(
        self, account: Account, credentials: Credentials
    ) -> Deferred[tuple[OfferedModel, ...]]:
        """Unknown."""
        return succeed(())

    def usage(self, account: Account, credentials: Credentials) -> Deferred[Quota]:
        """Unknown."""
        return succeed(Quota())

    def search(
        self, account: Account, credentials: Credentials, query: str
    ) -> Deferred[tuple[SearchHit, ...]]:
        """One page, unless the test put something else."""
        self.searches.append((account.name, query))
        if isinstance(self.found, KiroError):
            return fail(self.found)
        if self.found is not None:
            return self.found
        return succeed((SearchHit("https://a.example/", "A", f"About {query}.", "May 1, 2026"),))


class FakeOffers:
    """What accounts are offered, as the test says."""

    def __init__(self, offered: tuple[OfferedModel, ...] | None = None) -> None:
        self.offered = offered
        self.by_account: dict[str, tuple[OfferedModel, ...]] = {}

    def known(
        self, account: Account, credentials: Credentials | None = None
    ) -> tuple[OfferedModel, ...] | None:
        """The same for everybody, unless the test says otherwise."""
        return self.by_account.get(account.name, self.offered)
