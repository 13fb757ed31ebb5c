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
    accounts that came with one that was replaced already.
    """

    def __init__(self, now: Callable[[], float], lives: float = 300.0) -> None:
        self._now = now
        self._lives = lives
        self._serial = 0
        self.late = False
        self.good: dict[str, str] = {}
        self.offences: list[str] = []
        self.open: list[tuple[Account, Credentials, Deferred[Credentials]]] = []

    def login(self, account: Account) -> Credentials:
        """A new login of an account: only its refresh token is good from now on."""
        self._serial += 1
        self.good[account.fingerprint] = f"refresh-{self._serial}"
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
        if old.refresh_token.reveal() != self.good.get(account.fingerprint):
            self.offences.append(account.name)
            answer.errback(CredentialsRejected("x", code="invalid_grant"))
            return
        self._serial += 1
        self.good[account.fingerprint] = f"refresh-{self._serial}"
        expires = self._now() + self._lives
        answer.callback(credentials(f"access-{self._serial}", f"refresh-{self._serial}", expires))

    def fail(self, place: int = 0) -> None:
        """One open refresh does not reach the service."""
        self.open.pop(place)[2].errback(UpstreamUnavailable("x"))
