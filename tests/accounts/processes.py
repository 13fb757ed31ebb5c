"""Several processes on one store, simulated: each can be late, frozen, or killed at any await.

The pool, the refresh, the registry, the keeper, the following and all rows are the real ones; only
the database's thread, the clock and the login service are worked by hand.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import StaticPool
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ITokenSource
from kiro2api.accounts.keeper import KeeperService
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_groups import GroupRegistry
from kiro2api.accounts.sources import Configured
from kiro2api.errors import CredentialsRejected, UpstreamUnavailable
from kiro2api.following import Following
from kiro2api.store.accounts import AccountRows
from kiro2api.store.changes import ChangeRows
from kiro2api.store.database import Database
from kiro2api.store.groups import GroupRows
from kiro2api.store.leases import LeaseRows
from kiro2api.store.migrate import StoreError
from kiro2api.store.operator import OperatorRows
from kiro2api.store.schema import METADATA
from tests.accounts.fixtures import credentials

_T = TypeVar("_T")

LOGIN_SECONDS = 20.0
"""After which the client of a login service gives up."""

TOKEN_SECONDS = 300.0


_TOKENS = "SELECT fingerprint, access_token, refresh_token, source FROM accounts"


class Disk:
    """What is stored. ``seen`` are all access tokens that ever were."""

    def __init__(self) -> None:
        self._engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(self._engine, "connect", lambda c, _: c.execute("PRAGMA foreign_keys = ON"))
        METADATA.create_all(self._engine)
        self.seen: set[str] = set()
        self.tokens: dict[str, str] = {}
        """The refresh token of each account that counts."""

    def work(self, function: Callable[[Connection], _T]) -> _T:
        """One transaction."""
        with self._engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            before = driver.total_changes
            result = function(connection)
        if driver.total_changes > before:
            rows = driver.execute(_TOKENS).fetchall()
            self.seen.update(access for _, access, _, _ in rows)
            self.tokens = {name: token for name, _, token, source in rows if source == "stored"}
        return result

    def leases(self) -> list[Any]:
        """All rows."""
        with self._engine.connect() as connection:
            return list(connection.execute(text("SELECT name, holder, expires_at FROM leases")))

    def close(self) -> None:
        """Forget everything."""
        self._engine.dispose()


class Line:
    """One process's way to the disk: ``Database.run``, whose work and whose answer can be late."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.late = False
        self.frozen = False
        self.dead = False
        self.broken = False
        self._asked: deque[tuple[Callable[[Connection], Any], Deferred[Any]]] = deque()
        self._answers: deque[tuple[Deferred[Any], Any]] = deque()

    @property
    def real(self) -> Database:
        """As the rows want it."""
        return cast(Database, self)

    def run(self, function: Callable[[Connection], _T]) -> Deferred[_T]:
        """A waiter that is cancelled leaves; the work is done all the same."""
        done: Deferred[_T] = Deferred(lambda _: None)
        if not self.dead:
            self._asked.append((function, done))
            self.hurry()
        return done

    def waiting(self) -> int:
        """How much is not done or not answered."""
        return len(self._asked) + len(self._answers)

    def hurry(self) -> None:
        """Do everything, unless it is late."""
        while self.waiting() and not (self.late or self.frozen or self.dead):
            self.step()

    def step(self) -> None:
        """Do one thing, or tell the answer to what was done."""
        if self._answers:
            done, answer = self._answers.popleft()
            if not done.called:
                done.callback(answer)
            elif isinstance(answer, Failure):
                answer.cleanFailure()
        elif self._asked:
            self._answers.append(self._worked())

    def _worked(self) -> tuple[Deferred[Any], Any]:
        function, done = self._asked.popleft()
        if self.broken:
            return done, Failure(StoreError("the disk is full"))
        try:
            return done, self._disk.work(function)
        except Exception:  # noqa: BLE001  (whoever asked is told)
            return done, Failure()

    def die(self, *, worked: bool) -> None:
        """Nothing is heard of it any more; what it asked for last was ``worked``, or not."""
        self.dead = True
        if worked and self._asked:
            self._worked()


class Call:
    """One refresh at the login service; ``token`` is what it was answered with."""

    def __init__(self, process: "Process", account: Account, old: str) -> None:
        self.process = process
        self.account = account
        self.old = old
        self.token = ""
        self.answer: Deferred[Credentials] = Deferred()
        self.reply: Credentials | Failure | None = None
        self.timer: IDelayedCall | None = None


class LoginService:
    """Every refresh token is good once; a login begins a lineage of tokens of its own."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._serial = 0
        self.late = False
        self.open: list[Call] = []
        self.answered: list[Call] = []
        self.lineage: dict[str, int] = {}
        self.newest: dict[int, str] = {}
        self.offences: list[tuple[str, int]] = []
        self.ends: dict[str, float] = {}

    def login(self) -> Credentials:
        """A new login, whose first token is newer than any."""
        token = self._token(len(self.newest) + 1)
        access = f"access-{self._serial}"
        ends = self._world.now + TOKEN_SECONDS + 1 + self._serial / 1000
        self.ends[access] = ends
        return credentials(access, token, ends)

    def serve(self, call: Call) -> None:
        """One refresh is answered as its token deserves; the answer is on its way."""
        self.open.remove(call)
        lineage = self.lineage[call.old]
        if self.newest[lineage] != call.old:
            self.offences.append((call.account.fingerprint, lineage))
            call.reply = Failure(CredentialsRejected("x", code="invalid_grant"))
        else:
            call.token = self._token(lineage)
            ends = self._world.now + TOKEN_SECONDS
            access = f"access-{self._serial}"
            self.ends[access] = ends
            call.reply = credentials(access, call.token, ends)
        self.answered.append(call)
        if not call.process.line.frozen:
            self.deliver(call)

    def fail(self, call: Call) -> None:
        """One refresh does not get through."""
        self.open.remove(call)
        call.reply = Failure(UpstreamUnavailable("x"))
        if not call.process.line.frozen:
            self.deliver(call)

    def deliver(self, call: Call) -> None:
        """The answer arrives, if anybody is there."""
        reply, call.reply = call.reply, None
        if reply is None or call.process.line.dead:
            return
        if call.timer is not None and call.timer.active():
            call.timer.cancel()
        call.answer.callback(reply)

    def of(self, process: "Process") -> list[Call]:
        """The open calls of a process."""
        return [call for call in self.open if call.process is process]

    def in_hand(self, process: "Process") -> set[int]:
        """The lineages whose newest token that process has, or is about to get, and nobody else:
        it is not stored."""
        stored = set(self._world.disk.tokens.values())
        in_use = {self.lineage[token] for token in stored}
        tokens = {call.token for call in self.answered if call.process is process and call.token}
        found = {self.lineage[token] for token in tokens - stored if self._is_newest(token)}
        return found & in_use

    def _is_newest(self, token: str) -> bool:
        return self.newest[self.lineage[token]] == token

    def _token(self, lineage: int) -> str:
        self._serial += 1
        token = f"refresh-{self._serial}"
        self.lineage[token] = lineage
        self.newest[lineage] = token
        return token


@implementer(ITokenSource)
class Source:
    """The login service as one process sees it."""

    def __init__(self, service: LoginService, process: "Process") -> None:
        self._service = service
        self._process = process

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        call = Call(self._process, account, credentials.refresh_token.reveal())
        self._service.open.append(call)

        def give_up() -> None:
            self._service.fail(call)

        call.timer = self._process.clock.callLater(LOGIN_SECONDS, give_up)
        if not self._service.late:
            self._service.serve(call)
        return call.answer


class Process:
    """Everything about accounts that one process has."""

    def __init__(self, world: "World", name: str, **pool: Any) -> None:
        self.world, self.name = world, name
        self.clock = Clock()
        self.clock.advance(world.now)
        self.line = Line(world.disk)
        database = self.line.real
        self.rows = AccountRows(database, world.seconds)
        groups = GroupRows(database, world.seconds)
        self.keyring = Keyring({})
        self.ledger = Ledger()
        leases = LeaseRows(database, name, world.seconds, world.known_dead.__contains__)
        source = Source(world.login, self)
        self.renewal = RefreshOnce({"social": source}, self.rows, self.keyring, self.clock, leases)
        self.pool = AccountPool(
            self.ledger,
            self.keyring,
            self.rows,
            self.renewal,
            self.clock,
            jitter=lambda: 0.0,
            **pool,
        )
        store = OperatorRows(database, self.rows, groups, world.seconds)
        self.registry = Registry(store, self.pool, self.keyring, self.clock.seconds)
        self.groups = GroupRegistry(self.registry)
        self.following = Following(
            ChangeRows(database), (self.registry.follow,), self.clock, world.seconds
        )
        self.keeper = KeeperService(self.pool.renewals, self.clock, ahead=80.0, spread=40.0)

    async def start(self) -> None:
        """As a service starts."""
        await self.following.begin()
        rows = await self.rows.adopt(Configured(accounts=(), credentials={}))
        await self.pool.start()
        await self.registry.start(rows)
        self.keeper.startService()
        self.following.startService()

    async def stop(self) -> None:
        """As a service stops."""
        await self.following.stopService()
        await self.keeper.stopService()
        await self.pool.stop()
        await self.registry.order.ended()

    def thaw(self) -> None:
        """Go on: what has arrived is read before timers run."""
        self.line.frozen = False
        for call in tuple(self.world.login.answered):
            if call.process is self:
                self.world.login.deliver(call)
        self.line.hurry()
        self.clock.advance(self.world.now - self.clock.seconds())


class World:
    """What all processes share: the time, the disk, the login service."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.disk = Disk()
        self.login = LoginService(self)
        self.known_dead: set[str] = set()
        self.graveyard: list[Process] = []
        """The dead are kept: what is collected would run its ``finally`` clauses."""
        self.lost: set[int] = set()
        """Lineages whose newest token died with whoever had it: nobody could have helped that."""

    def seconds(self) -> float:
        """The time on the wall."""
        return self.now

    def kill(self, process: Process, *, worked: bool, served: bool, seen: bool) -> None:
        """It is gone between two awaits.

        :param worked: whether what it asked of the disk was still done.
        :param served: whether what it asked of the login service was.
        :param seen: whether others can tell that it is dead.
        """
        process.line.die(worked=worked)
        for call in self.login.of(process):
            if served:
                self.login.serve(call)
            else:
                self.login.open.remove(call)
        self.lost |= self.login.in_hand(process)
        self.graveyard.append(process)
        # Collected in the end, its coroutines would let one another go on.
        process.registry.order._lock.release = _nobody_goes_on  # type: ignore[method-assign]
        if seen:
            self.known_dead.add(process.name)


def _nobody_goes_on() -> None:
    """The dead let nobody pass."""
