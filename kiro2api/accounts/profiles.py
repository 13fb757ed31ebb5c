# -*- test-case-name: tests.accounts.test_profiles -*-
"""Finds the profile of accounts whose login does not tell it, once.

Must not know how profiles are listed, nor what they are used for.

Wire: an IdC login names no profile, but organisations' accounts are not served without one. Its
region is not that of the login, so that all regions are asked. Social logins are given theirs with
every renewal; API keys have none and must not ask.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kiro2api.accounts.account import Account, Credentials, Method, is_profile_arn, usable
from kiro2api.accounts.keyring import Keyring
from kiro2api.errors import AccessRefused, Scope, UpstreamFault

_BEST_KIND: Final = "KIRO"
_USABLE: Final = ("ACTIVE", "")


class Offered(Protocol):
    """One profile as it is listed."""

    @property
    def arn(self) -> str:
        """Its name."""

    @property
    def kind(self) -> str:
        """KIRO, Q_DEVELOPER or CODEWHISPERER."""

    @property
    def status(self) -> str:
        """ACTIVE, another word, or empty."""


class ProfileRows(Protocol):
    """The part of the store that is used here."""

    def write_profile(self, fingerprint: str, arn: str, checked_at: float, /) -> Deferred[None]:
        """Remember what was found; ``arn`` empty for nothing."""


# Wire: what the provider's own programs send where a login names no profile of its own.
DEFAULT_PROFILES: Final[Mapping[Method, str]] = {
    "social": "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK",
    "idc": "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX",
}

Lists = Callable[[Account, Credentials, str], Awaitable[Sequence[Offered]]]
"""Gives the profiles of an account in one region; fails with an UpstreamFault."""


def best_profile(offered: Sequence[Offered]) -> str:
    """The ARN to use, empty if there is none: an active one, of Kiro's own kind if possible."""
    fit = [each for each in offered if each.status in _USABLE and is_profile_arn(each.arn)]
    own = [each for each in fit if each.kind == _BEST_KIND]
    return next((each.arn for each in (*own, *fit)), "")


def other_way(method: Method, refused: str) -> str | None:
    """The profile to try after a refusal with that one: without any, or with the default of the
    login; None where there is no other way.

    Wire: which of the two is served has changed before, and differs by host and login.
    """
    return "" if refused else DEFAULT_PROFILES.get(method)


class Profiles:
    """Completes credentials that lack a profile.

    Whatever goes wrong, the account stays as it is: the upstream says by itself whether it serves
    without a profile.
    """

    _log = Logger()

    def __init__(
        self,
        lists: Lists,
        regions: Sequence[str],
        rows: ProfileRows,
        keyring: Keyring,
        clock: IReactorTime,
        *,
        patience: float = 5.0,
        again: float = 6 * 3600.0,
        retry: float = 120.0,
    ) -> None:
        """
        :param patience: how long a request may be held up by this, in seconds.
        :param again: after how many seconds an account that has none is asked about again.
        :param retry: the same where nothing could be learnt.
        """
        self._lists = lists
        self._regions = tuple(regions)
        self._rows = rows
        self._keyring = keyring
        self._clock = clock
        self._patience = patience
        self._again = again
        self._retry = retry
        self._found: dict[str, str] = {}
        self._not_before: dict[str, float] = {}
        self._looking: dict[str, Deferred[None]] = {}
        self._stopped = False

    def remember(self, checked_at: Mapping[str, float]) -> None:
        """Take over when the store was last told of each account (by fingerprint)."""
        for fingerprint, moment in checked_at.items():
            if moment:
                self._not_before[fingerprint] = moment + self._again

    def lacking(self, account: Account, credentials: Credentials) -> bool:
        """Whether a look would make sense now. Cheap: it may be asked for every request."""
        return (
            account.method == "idc"
            and not credentials.profile_arn
            and not self._stopped
            and usable(account.method, credentials, self._clock.seconds(), 0.0)
        )

    def renewed(self, account: Account) -> Deferred[None]:
        """The account has a good access token: make sure that its profile is in the keyring.

        Fires at once where nothing is to be done, after ``patience`` at the latest, and never
        fails; the look goes on for those who come later. To be called after a renewal, never
        before: an expired token learns nothing.
        """
        if not self._look(account):
            return succeed(None)
        waiter: Deferred[None] = Deferred(lambda _: patience.cancel())
        patience = self._clock.callLater(self._patience, waiter.callback, None)

        def looked(_: object) -> None:
            if patience.active():
                patience.cancel()
                waiter.callback(None)

        # Each waiter has a Deferred of its own: a shared one would be cancelled for all.
        self._looking[account.fingerprint].addCallback(looked)
        return waiter

    async def refused(self, account: Account, used: Credentials, fault: AccessRefused) -> bool:
        """A call with ``used`` was refused: whether the account is worth another try, because its
        profile is another one now. An account changes its way once, and keeps it."""
        fingerprint = account.fingerprint
        told = fault.scope is Scope.ACCOUNT and fault.status in (400, 403)
        if not told or account.method == "api_key" or self._stopped:
            return False
        if not used.profile_arn:
            await self.renewed(account)
        current = self._keyring.find(fingerprint)
        if current is None or current.profile_arn != used.profile_arn:
            return current is not None
        other = other_way(account.method, used.profile_arn)
        if other is None or self._keyring.turned(fingerprint):
            return False
        self._found.pop(fingerprint, None)
        # Whoever is served without a profile is not looked for again.
        self._not_before[fingerprint] = float("inf")
        self._keyring.turn(fingerprint, other)
        self._log.info(
            "account {name} was refused, and is tried {way} from now on",
            name=account.name,
            way="with the default profile" if other else "without a profile",
        )
        if other:
            self._found[fingerprint] = other
            await self._write(account, other, self._clock.seconds())
        return True

    def forget(self, fingerprint: str) -> None:
        """The account was removed, or has another login."""
        self._found.pop(fingerprint, None)
        self._not_before.pop(fingerprint, None)

    async def completed(self, account: Account, credentials: Credentials) -> Credentials:
        """The credentials of an account that is not in the keyring yet, with its profile."""
        if not self.lacking(account, credentials):
            return credentials
        arn, _ = await self._listed(account, credentials)
        return msgspec.structs.replace(credentials, profile_arn=arn) if arn else credentials

    def stop(self) -> Deferred[None]:
        """Look no more; fires when the looks under way have ended."""
        self._stopped = True
        ended = DeferredList(tuple(self._looking.values()), consumeErrors=True)
        return ended.addCallback(lambda _: None)

    def _look(self, account: Account) -> bool:
        """Whether a look is under way now."""
        fingerprint = account.fingerprint
        if fingerprint in self._looking:
            return True
        current = self._keyring.find(fingerprint)
        if current is None:
            return False
        rests = self._not_before.get(fingerprint, 0.0) > self._clock.seconds()
        if not self.lacking(account, current) or (rests and fingerprint not in self._found):
            return False
        landed: Deferred[None] = Deferred()
        self._looking[fingerprint] = landed

        def over(_: object) -> None:
            del self._looking[fingerprint]
            landed.callback(None)

        looking = Deferred.fromCoroutine(self._complete(account))
        looking.addErrback(lambda f: self._log.failure("a profile could not be looked for", f))
        looking.addBoth(over)
        return fingerprint in self._looking

    async def _complete(self, account: Account) -> None:
        fingerprint = account.fingerprint
        # A renewal that began before the profile was found has stored credentials without it.
        arn = self._found.get(fingerprint, "")
        sure = True
        if not arn:
            arn, sure = await self._listed(account, self._keyring.current(fingerprint))
        now = self._clock.seconds()
        if arn:
            self._found[fingerprint] = arn
            self._put(fingerprint, arn)
        else:
            self._not_before[fingerprint] = now + (self._again if sure else self._retry)
        if sure:
            await self._write(account, arn, now)

    def _put(self, fingerprint: str, arn: str) -> None:
        current = self._keyring.find(fingerprint)
        if current is not None and not current.profile_arn:
            self._keyring.put(fingerprint, msgspec.structs.replace(current, profile_arn=arn))

    async def _listed(self, account: Account, credentials: Credentials) -> tuple[str, bool]:
        """The best profile of all regions ("" for none), and whether every region has told."""
        asked = [self._region(account, credentials, region) for region in self._regions]
        answers = [await each for each in [Deferred.fromCoroutine(one) for one in asked]]
        offered = {each.arn: each for answer in answers for each in answer or ()}
        arn = best_profile(tuple(offered.values()))
        if arn and len(offered) > 1:
            self._log.warn(
                "account {name} has {count} profiles: the first is used, unless its entry names "
                "another as profileArn",
                name=account.name,
                count=len(offered),
            )
        return arn, bool(arn) or None not in answers

    async def _region(
        self, account: Account, credentials: Credentials, region: str
    ) -> Sequence[Offered] | None:
        """None where nothing could be learnt."""
        try:
            return await self._lists(account, credentials, region)
        except CancelledError:
            return None
        except AccessRefused as fault:
            # Wire: who may have no profile is refused, and so for good.
            return () if fault.scope is Scope.ACCOUNT else None
        except UpstreamFault as fault:
            self._log.info(
                "the profiles of account {name} in {region} could not be listed: {kind}",
                name=account.name,
                region=region,
                kind=type(fault).__name__,
            )
            return None

    async def _write(self, account: Account, arn: str, now: float) -> None:
        try:
            await self._rows.write_profile(account.fingerprint, arn, now)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (it is in use already, and found again later)
            self._log.error(
                "the profile of account {name} is not stored ({kind})",
                name=account.name,
                kind=type(error).__name__,
            )
