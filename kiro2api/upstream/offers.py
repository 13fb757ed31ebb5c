# -*- test-case-name: tests.upstream.test_offers -*-
"""Which models each account is offered, remembered.

Must not know which account serves whom or how a model is chosen. It never delays a request: what
is known is given at once and renewed behind the scenes. Wire: the list depends on the account's
profile, plan and region.
"""

from collections.abc import Iterator
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api.accounts.account import Account, Credentials
from kiro2api.errors import UpstreamFault, UpstreamUnavailable
from kiro2api.upstream.interfaces import OfferedModel

Offer = tuple[OfferedModel, ...]


class ModelSource(Protocol):
    """Who is asked: the part of ``IKiroClient`` that matters here."""

    def models(self, account: Account, credentials: Credentials) -> Deferred[Offer]:
        """The models offered to this account."""


class _Entry:
    """What is known of one account, and who waits for more."""

    def __init__(self) -> None:
        self.offer: Offer | None = None
        self.fault: UpstreamFault | None = None
        # Reactor seconds from which on asking again makes sense.
        self.due = 0.0
        self.flight: Deferred[Offer] | None = None
        self.waiters: list[Deferred[Offer]] = []


class OfferedModels:
    """A cache of ListAvailableModels per account.

    :param ttl: seconds for which an answer stands; the last good one is kept beyond that.
    :param pause: seconds after a failure in which nobody is asked again.
    :param capacity: accounts to remember; the longest known is forgotten first.
    """

    _log = Logger()

    def __init__(
        self,
        source: ModelSource,
        clock: IReactorTime,
        *,
        ttl: float = 3600.0,
        pause: float = 300.0,
        capacity: int = 4096,
    ) -> None:
        self._source = source
        self._clock = clock
        self._ttl = ttl
        self._pause = pause
        self._capacity = capacity
        self._entries: dict[str, _Entry] = {}
        self._stopped = False

    def known(self, account: Account, credentials: Credentials | None = None) -> Offer | None:
        """What this account was last seen to be offered, None if that is unknown; at once.

        With credentials, a missing or old answer is renewed in the background.
        """
        if credentials is None:
            entry = self._entries.get(account.fingerprint)
            return None if entry is None else entry.offer
        entry = self._entry(account)
        if self._may_ask(entry):
            self._ask(entry, account, credentials)
        return entry.offer

    def fetch(self, account: Account, credentials: Credentials) -> Deferred[Offer]:
        """The same, waited for where nothing current is known.

        One call is under way per account however many wait; cancelling concerns only the one
        who waits. Fails with the upstream's fault when there is not even an old answer.
        """
        if self._stopped:
            return fail(CancelledError())
        entry = self._entry(account)
        if entry.flight is None and not self._may_ask(entry):
            return _settled(entry)
        waiter: Deferred[Offer] = Deferred(entry.waiters.remove)
        entry.waiters.append(waiter)
        if entry.flight is None:
            self._ask(entry, account, credentials)
        return waiter

    def forget(self, account: Account) -> None:
        """Drop what is known of an account that was removed or got new credentials."""
        entry = self._entries.pop(account.fingerprint, None)
        if entry is not None and entry.flight is not None:
            entry.flight.cancel()

    def stop(self) -> None:
        """Cancel what is under way; nothing is asked any more."""
        self._stopped = True
        for entry in list(self._entries.values()):
            if entry.flight is not None:
                entry.flight.cancel()

    def _entry(self, account: Account) -> _Entry:
        entry = self._entries.get(account.fingerprint)
        if entry is None:
            if len(self._entries) >= self._capacity:
                oldest = self._entries.pop(next(iter(self._entries)))
                if oldest.flight is not None:
                    oldest.flight.cancel()
            entry = self._entries[account.fingerprint] = _Entry()
        return entry

    def _may_ask(self, entry: _Entry) -> bool:
        return not self._stopped and entry.flight is None and self._clock.seconds() >= entry.due

    def _ask(self, entry: _Entry, account: Account, credentials: Credentials) -> None:
        flight = entry.flight = self._source.models(account, credentials)
        flight.addCallbacks(
            self._told,
            self._refused,
            callbackArgs=(entry,),
            errbackArgs=(entry, account.name),
        )

    def _told(self, offer: Offer, entry: _Entry) -> None:
        entry.flight = None
        if offer:
            entry.offer = offer
            entry.fault = None
            entry.due = self._clock.seconds() + self._ttl
        else:
            # An empty list would hide every model: as good as no answer.
            entry.fault = UpstreamUnavailable("the upstream lists no models", code="no_models")
            entry.due = self._clock.seconds() + self._pause
        self._release(entry)

    def _refused(self, failure: Failure, entry: _Entry, name: str) -> None:
        entry.flight = None
        if failure.check(CancelledError):
            for waiter in self._leaving(entry):
                waiter.errback(CancelledError())
            return
        entry.due = self._clock.seconds() + self._pause
        error = failure.value
        if isinstance(error, UpstreamFault):
            entry.fault = error
            self._log.debug(
                "no list of models for account {account}: {kind}",
                account=name,
                kind=error.kind.value,
            )
        else:
            self._log.failure("cannot list models", failure)
            entry.fault = UpstreamUnavailable("the list of models cannot be had")
        self._release(entry)

    def _release(self, entry: _Entry) -> None:
        for waiter in self._leaving(entry):
            _settled(entry).chainDeferred(waiter)

    def _leaving(self, entry: _Entry) -> Iterator[Deferred[Offer]]:
        """Everybody who waits, each just before being told: what one does may cancel another."""
        while entry.waiters:
            yield entry.waiters.pop(0)


def _settled(entry: _Entry) -> Deferred[Offer]:
    """What there is: a current or old answer, else the fault."""
    if entry.offer is not None:
        return succeed(entry.offer)
    return fail(entry.fault or UpstreamUnavailable("the list of models is not known"))
