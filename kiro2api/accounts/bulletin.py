# -*- test-case-name: tests.accounts.test_pool -*-
"""Makes known how accounts stand: to the operator, to other processes, and to the store where it
must last.

Must not know why an account stands so.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kiro2api.accounts.interfaces import ICredentialStore
from kiro2api.accounts.notices import Notice, Turned
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.parkbook import ParkBook
from kiro2api.accounts.penalties import State
from kiro2api.accounts.standing import Change


class Bulletin:
    """Where changes of standings are put up.

    ``turned`` is called with each, ``tell`` with what other processes must know of it.
    """

    _log = Logger()

    def __init__(self, store: ICredentialStore, clock: IReactorTime) -> None:
        self._clock = clock
        self._parkbook = ParkBook(store)
        self.turned: Callable[[Change], None] = _nobody_listens
        self.tell: Callable[[Notice], None] = _nobody_is_told

    def note(self, change: Change | None) -> None:
        """Put up a new standing; None is no news."""
        if change is None:
            return
        account, until = change.account, change.until
        self.tell(
            Turned(
                account.fingerprint,
                change.state.value,
                change.reason,
                until,
                change.lasting,
                change.plain,
            )
        )
        if change.state is State.READY:
            self._log.info("account {name} can be asked again", name=account.name)
        elif until:
            self._log.warn(
                "account {name} rests for {rest} s: {reason}",
                name=account.name,
                rest=round(until - self._clock.seconds()),
                reason=change.reason,
            )
        else:
            self._log.error(
                "account {name} is not asked any more until an operator acts: {reason}",
                name=account.name,
                reason=change.reason,
            )
        if change.lasting:
            parked = None if change.state is State.READY else Parked(change.reason, until)
            self._parkbook.note(account.fingerprint, parked)
        self.turned(change)

    def written(self) -> Deferred[None]:
        """Fires when the store knows all that must last."""
        return self._parkbook.written()


def _nobody_listens(change: Change) -> None:
    """Nobody wants to know."""


def _nobody_is_told(notice: Notice) -> None:
    """There is no other process."""
