"""A login service that rotates refresh tokens, and minds."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ITokenSource
from kiro2api.errors import CredentialsRejected, UpstreamUnavailable
from tests.accounts.fixtures import credentials


@implementer(ITokenSource)
class RotatingLogin:
    """Answers at once, or, while ``late``, keeps every refresh open until the test answers it.

    A refresh token is good once: it is replaced when the answer is made. ``offences`` lists the
    accounts that came with one that was replaced already. Every login of an account has tokens of
    its own; ``good`` is the one of the last.
    """

    def __init__(self, now: Callable[[], float], lives: float = 300.0) -> None:
        self._now = now
        self._lives = lives
        self._serial = 0
        self.late = False
        self.good: dict[str, str] = {}
        self._valid: set[str] = set()
        self.offences: list[str] = []
        self.open: list[tuple[Account, Credentials, Deferred[Credentials]]] = []

    def login(self, account: Account) -> Credentials:
        """A new login of an account."""
        self._serial += 1
        self.good[account.fingerprint] = f"refresh-{self._serial}"
        self._valid.add(f"refresh-{self._serial}")
        return credentials("", f"refresh-{self._serial}")

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        answer: Deferred[Credentials] = Deferred()
        self.open.append((account, credentials, answer))
        if not self.late:
            self.answer(-1)
        return answer

    def answer(self, place: int = 0) -> None:
        """One open refresh is answered as its token deserves."""
        account, old, answer = self.open.pop(place)
        token, fingerprint = old.refresh_token.reveal(), account.fingerprint
        if token not in self._valid:
            self.offences.append(account.name)
            answer.errback(CredentialsRejected("x", code="invalid_grant"))
            return
        self._serial += 1
        self._valid.remove(token)
        self._valid.add(f"refresh-{self._serial}")
        if self.good[fingerprint] == token:
            self.good[fingerprint] = f"refresh-{self._serial}"
        expires = self._now() + self._lives
        answer.callback(credentials(f"access-{self._serial}", f"refresh-{self._serial}", expires))

    def fail(self, place: int = 0) -> None:
        """One open refresh does not reach the service."""
        self.open.pop(place)[2].errback(UpstreamUnavailable("x"))
