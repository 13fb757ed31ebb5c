"""Stand-ins for login services."""

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ITokenSource


@implementer(ITokenSource)
class ScriptedSource:
    """Keeps every refresh open until the test answers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Account, Credentials]] = []
        self.open: list[Deferred[Credentials]] = []
        self.cancelled = 0

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        def cancelled(_: Deferred[Credentials]) -> None:
            self.cancelled += 1

        self.asked.append((account, credentials))
        answer: Deferred[Credentials] = Deferred(cancelled)
        self.open.append(answer)
        return answer

    def answer(self, credentials: Credentials) -> None:
        """The oldest open refresh succeeds."""
        self.open.pop(0).callback(credentials)

    def refuse(self, fault: Exception) -> None:
        """The oldest open refresh fails."""
        self.open.pop(0).errback(fault)


class ScriptedHTTP:
    """Records posts; the test fires their Deferreds."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes, dict[str, Any]]] = []
        self.open: list[Deferred[Any]] = []

    def post(self, url: str, /, *, data: bytes, **options: Any) -> Deferred[Any]:
        self.posts.append((url, data, options))
        answer: Deferred[Any] = Deferred()
        self.open.append(answer)
        return answer
