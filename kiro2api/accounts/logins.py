# -*- test-case-name: tests.accounts.test_logins -*-
"""Logins without a browser of ours: a code is shown, somebody approves it, an account is there.

Must not know the services' questions, nor where accounts are kept: whoever made this is handed
what was found.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from kiro2api.accounts.account import (
    DEFAULT_GROUP,
    DEFAULT_REGION,
    Account,
    Credentials,
    is_region,
    is_token,
)
from kiro2api.accounts.loginservice import DEFAULT_TIMEOUT, LoginService, Poster
from kiro2api.accounts.loginsteps import (
    BUILDER_ID_URL,
    DeviceFlow,
    Grant,
    LoginEnded,
    OidcDevice,
    SocialDevice,
    Wait,
)
from kiro2api.accounts.sources import fingerprint
from kiro2api.errors import (
    Kind,
    KiroError,
    RequestRejected,
    ShuttingDown,
    Throttled,
    UpstreamFault,
)

LoginKind = Literal["builder_id", "idc", "social"]
LoginStatus = Literal["pending", "done", "failed", "expired", "cancelled"]

SLOWER_SECONDS: Final = 5.0
"""Wire: what ``slow_down`` adds to the interval, for good."""

_KEPT: Final = 100
_TOO_LATE: Final = "Nobody approved the login in time."
_TAKING_SECONDS: Final = 60.0
"""How long after its end another process may still take over what was approved."""

_PROVIDERS: Final = {"google": "Google", "github": "Github"}


class Login(msgspec.Struct, frozen=True):
    """One login as it stands. It holds no secret.

    ``expires_at``: when the code ends, in epoch seconds. ``error``: one sentence where it failed.
    ``account``: the fingerprint once it is done.
    """

    id: str
    kind: LoginKind
    status: LoginStatus
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_at: float
    group: str = DEFAULT_GROUP
    name: str = ""
    error: str = ""
    account: str = ""


class _Wanted(msgspec.Struct, frozen=True):
    """What the account shall be like; ``renews`` is the one whose login this replaces."""

    kind: LoginKind
    name: str
    group: str
    renews: Account | None


async def _as_it_is(account: Account, credentials: Credentials) -> Credentials:
    return credentials


class Logins:
    """All logins: those under way, and the last that ended.

    Each asks by itself whether it was approved, as often as the service allows. Other processes
    may learn of each step through ``on_turn`` and their own ``heard``: then any of them can show
    and cancel a login, and the one where it began still does the asking.
    """

    _log = Logger()

    def __init__(
        self,
        http: Poster,
        clock: IReactorTime,
        *,
        oidc: Callable[[str], str],
        social: str,
        found: Callable[[Account, Credentials], Awaitable[Account]],
        new_id: Callable[[], str],
        completed: Callable[[Account, Credentials], Awaitable[Credentials]] = _as_it_is,
        most: int = 10,
        timeout: float = DEFAULT_TIMEOUT,
        user_agent: str = "kiro2api",
    ) -> None:
        """
        :param clock: its seconds are epoch seconds.
        :param oidc: gives the base URL of a region's OIDC service.
        :param social: base URL of the service for social logins.
        :param found: takes a new account over and gives it as it is kept, which may be a known
            one; what it fails with fails the login. The account's name may be taken already.
        :param completed: adds what is still missing, such as a profile; must not fail.
        :param most: how many logins may be under way at once.
        """
        self._service = LoginService(http, clock, timeout, user_agent)
        self._clock = clock
        self._oidc = oidc
        self._social = social
        self._found = found
        self._new_id = new_id
        self._completed = completed
        self._most = most
        self._beginning = 0
        self._stopped = False
        self._logins: dict[str, Login] = {}
        self._waiting: dict[str, Deferred[None]] = {}
        self._running: set[Deferred[None]] = set()
        self._taking: set[str] = set()
        self.on_turn: Callable[[Login], None] = _tell_nobody
        """Told each login as it stands, whenever that changes."""

    def begin(
        self,
        kind: str,
        *,
        start_url: str = "",
        region: str = "",
        provider: str = "",
        group: str = "",
        name: str = "",
        renews: Account | None = None,
    ) -> Deferred[Login]:
        """A login that waits for approval.

        :param renews: an account whose login is dead: it keeps its fingerprint, name and group.
        :raises RequestRejected: a value is wrong (``param`` names it), or too many logins are
            under way (of kind RATE_LIMITED).
        :raises UpstreamFault: the login service gives no code.
        :raises ShuttingDown: after ``stop``.
        """
        return Deferred.fromCoroutine(
            self._begin(kind, start_url, region, provider, group, name, renews)
        )

    def get(self, id: str) -> Login | None:
        """The login of this id, None if there is none (any more)."""
        login = self._logins.get(id)
        return None if login is None else self._as_it_stands(login)

    def all(self) -> tuple[Login, ...]:
        """Every login that is remembered, the oldest first."""
        return tuple(map(self._as_it_stands, self._logins.values()))

    def cancel(self, id: str) -> bool:
        """Wait no longer; False if it has ended or was approved already."""
        login = self._logins.get(id)
        if login is None or login.status != "pending" or id in self._taking:
            return False
        self._turn(id, status="cancelled")
        self._give_up(id)
        return True

    def heard(self, login: Login) -> None:
        """Another process tells how a login stands."""
        if login.id in self._taking:
            # Who cancels it elsewhere comes too late, and hears so once it is done.
            return
        self._remember(login)
        if login.status != "pending":
            self._give_up(login.id)

    def stop(self) -> Deferred[None]:
        """Cancel what waits; fires when what was approved has been handed over."""
        self._stopped = True
        for id in tuple(self._waiting):
            self.cancel(id)
        ended = DeferredList(tuple(self._running), consumeErrors=True)
        return ended.addCallback(lambda _: None)

    async def _begin(
        self,
        kind: str,
        start_url: str,
        region: str,
        provider: str,
        group: str,
        name: str,
        renews: Account | None,
    ) -> Login:
        known, flow = self._flow(kind, start_url, region, provider)
        wanted = _Wanted(known, name, group or DEFAULT_GROUP, renews)
        if len(self._waiting) + self._beginning >= self._most:
            raise RequestRejected("Too many logins are under way.", kind=Kind.RATE_LIMITED)
        self._must_go_on()
        self._beginning += 1
        try:
            grant = await flow.begin()
        finally:
            self._beginning -= 1
        self._must_go_on()
        return self._watch(flow, grant, wanted)

    def _must_go_on(self) -> None:
        if self._stopped:
            raise ShuttingDown("The service is shutting down.")

    def _flow(
        self, kind: str, start_url: str, region: str, provider: str
    ) -> tuple[LoginKind, DeviceFlow]:
        if kind == "builder_id":
            base = self._oidc(DEFAULT_REGION)
            return "builder_id", OidcDevice(self._service, base, DEFAULT_REGION, BUILDER_ID_URL)
        if kind == "idc":
            if not (start_url.startswith("https://") and is_token(start_url)):
                raise RequestRejected("The start URL must be an https address.", param="start_url")
            place = region or DEFAULT_REGION
            if not is_region(place):
                raise RequestRejected("The region must be as in us-east-1.", param="region")
            return "idc", OidcDevice(self._service, self._oidc(place), place, start_url)
        if kind == "social":
            if provider.lower() not in _PROVIDERS:
                raise RequestRejected("The provider must be Google or Github.", param="provider")
            known = _PROVIDERS[provider.lower()]
            return "social", SocialDevice(self._service, self._social, known)
        raise RequestRejected("The kind must be builder_id, idc or social.", param="kind")

    def _watch(self, flow: DeviceFlow, grant: Grant, wanted: _Wanted) -> Login:
        login = Login(
            id=self._new_id(),
            kind=wanted.kind,
            status="pending",
            user_code=grant.user_code,
            verification_uri=grant.verification_uri,
            verification_uri_complete=grant.verification_uri_complete,
            expires_at=self._clock.seconds() + grant.lifetime,
            group=wanted.group,
            name=wanted.name,
        )
        self._remember(login)
        self.on_turn(login)
        self._log.info("a login of kind {kind} waits for approval", kind=login.kind)
        waiting = Deferred.fromCoroutine(self._run(login, flow, grant, wanted))
        self._waiting[login.id] = waiting
        self._running.add(waiting)

        def ended(result: object) -> None:
            self._running.discard(waiting)
            self._waiting.pop(login.id, None)
            self._taking.discard(login.id)

        waiting.addErrback(lambda f: f.trap(CancelledError) and None)
        waiting.addErrback(lambda f: self._log.failure("a login broke", f))
        waiting.addBoth(ended)
        return login

    async def _run(self, login: Login, flow: DeviceFlow, grant: Grant, wanted: _Wanted) -> None:
        try:
            credentials = await self._approved(login, flow, grant)
        except CancelledError:
            raise
        except LoginEnded as end:
            self._turn(login.id, status="expired" if end.expired else "failed", error=str(end))
            return
        # From here on it cannot be cancelled: somebody has approved it.
        del self._waiting[login.id]
        self._taking.add(login.id)
        account = _account(flow, credentials, wanted)
        try:
            kept = await self._found(account, await self._completed(account, credentials))
        except CancelledError:
            self._turn(login.id, status="failed", error="The account could not be stored.")
            raise
        except KiroError as error:
            self._turn(login.id, status="failed", error=error.message)
        except Exception:  # noqa: BLE001  (whatever the taker's trouble is, it ends the login)
            self._log.failure("the account of a login cannot be kept")
            self._turn(login.id, status="failed", error="The account could not be stored.")
        else:
            self._turn(login.id, status="done", account=kept.fingerprint)

    async def _approved(self, login: Login, flow: DeviceFlow, grant: Grant) -> Credentials:
        interval = grant.interval
        while True:
            await deferLater(self._clock, interval)
            if self._clock.seconds() >= login.expires_at:
                raise LoginEnded(_TOO_LATE, expired=True)
            try:
                polled = await flow.poll(grant)
            except UpstreamFault as fault:
                # A service that fails for a moment does not end a login.
                polled = Wait.SLOWER if isinstance(fault, Throttled) else Wait.PENDING
            if login.id not in self._waiting:
                # Cancelled in the middle of a question: HTTP clients report that as a failure.
                raise CancelledError
            if isinstance(polled, Credentials):
                return polled
            if polled is Wait.SLOWER:
                interval += SLOWER_SECONDS

    def _turn(self, id: str, *, status: LoginStatus, error: str = "", account: str = "") -> None:
        login = msgspec.structs.replace(
            self._logins[id], status=status, error=error, account=account
        )
        self._logins[id] = login
        self.on_turn(login)
        self._log.info("a login of kind {kind} is {status}", kind=login.kind, status=status)

    def _as_it_stands(self, login: Login) -> Login:
        """A process that was killed does not tell that its logins have ended."""
        ours = login.id in self._waiting or login.id in self._taking
        over = login.expires_at + _TAKING_SECONDS <= self._clock.seconds()
        if login.status != "pending" or ours or not over:
            return login
        return msgspec.structs.replace(login, status="expired", error=_TOO_LATE)

    def _give_up(self, id: str) -> None:
        waiting = self._waiting.pop(id, None)
        if waiting is not None:
            waiting.cancel()

    def _remember(self, login: Login) -> None:
        self._logins[login.id] = login
        ended = [each.id for each in self.all() if each.status != "pending"]
        for id in ended[: max(len(self._logins) - _KEPT, 0)]:
            del self._logins[id]


def _account(flow: DeviceFlow, credentials: Credentials, wanted: _Wanted) -> Account:
    if wanted.renews is not None:
        return msgspec.structs.replace(wanted.renews, method=flow.method, region=flow.region)
    refresh = credentials.refresh_token.reveal()
    return Account(
        fingerprint=fingerprint(flow.method, refresh, credentials.client_id),
        name=wanted.name or wanted.kind.replace("_", "-"),
        method=flow.method,
        group=wanted.group,
        region=flow.region,
    )


def _tell_nobody(login: Login) -> None:
    """There is no other process."""
