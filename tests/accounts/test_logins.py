"""Tests for kiro2api.accounts.logins, at the login services that the emulator is."""

from types import SimpleNamespace
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.logins import Login, Logins
from kiro2api.emulator.devices import DeviceOrder
from kiro2api.errors import (
    Kind,
    NotFound,
    RequestRejected,
    ShuttingDown,
    UpstreamUnavailable,
)
from tests.accounts.fixtures import ARN, account
from tests.accounts.records import LogRecorder
from tests.emulator.caller import EmulatorTestCase

BASE = "http://emulator.invalid"
START = "https://d-1.awsapps.com/start"


class Case(EmulatorTestCase):
    """Logins that hand over to a list."""

    def setUp(self) -> None:
        super().setUp()
        self.found: list[tuple[Account, Credentials]] = []
        self.taking: Deferred[Account] | None = None
        self.kept: Account | None = None
        self.regions: list[str] = []
        self.ids = 0
        self.logins = self.make()

    def tearDown(self) -> None:
        self.successResultOf(self.logins.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def make(self, **options: object) -> Logins:
        def take(account: Account, credentials: Credentials) -> Deferred[Account]:
            self.found.append((account, credentials))
            return succeed(self.kept or account) if self.taking is None else self.taking

        def oidc(region: str) -> str:
            self.regions.append(region)
            return BASE

        def new_id() -> str:
            self.ids += 1
            return f"login-{self.ids}"

        return Logins(
            self.client,
            self.clock,
            oidc=oidc,
            social=BASE,
            found=take,
            new_id=new_id,
            **options,  # type: ignore[arg-type]
        )

    def order(self, decision: str) -> None:
        """What the invented user does."""
        order = msgspec.convert({"decision": decision}, DeviceOrder)
        self.emulator.accounts.devices.decide(order)

    def begin(self, kind: str = "builder_id", **values: object) -> Login:
        """A login that waits."""
        asking = self.logins.begin(kind, **values)  # type: ignore[arg-type]
        for _ in range(6):
            self.agent.flush()
        return self.successResultOf(asking)

    def now(self, login: Login) -> Login:
        """The same as it stands now."""
        found = self.logins.get(login.id)
        assert found is not None
        return found

    def after(self, *seconds: float) -> None:
        for each in seconds:
            self.advance(each)
            self.agent.flush()

    def polls(self) -> int:
        """How often the emulator was polled."""
        return sum(call.path in ("/token", "/oauth/device/poll") for call in self.emulator.calls)


class ApprovedTests(Case):
    """Logins that end well."""

    def test_builder_id(self) -> None:
        """Shown, polled, approved, handed over."""
        login = self.begin(name="mine", group="team")
        self.assertEqual((login.status, login.id), ("pending", "login-1"))
        self.assertIn(login.user_code, login.verification_uri_complete)
        self.assertEqual(login.expires_at, self.clock.seconds() + 600)
        self.assertEqual(self.polls(), 0)
        self.after(1.0)
        self.assertEqual(self.now(login).status, "pending")
        self.after(1.0)
        done = self.now(login)
        ((account, credentials),) = self.found
        self.assertEqual((done.status, done.account), ("done", account.fingerprint))
        self.assertEqual((account.name, account.group), ("mine", "team"))
        self.assertEqual((account.method, account.region), ("idc", "us-east-1"))
        self.assertTrue(credentials.client_id and credentials.client_secret)
        self.assertEqual(self.logins.all(), (done,))

    def test_idc(self) -> None:
        """In the organisation's region, and completed before it is handed over."""

        async def completed(account: Account, credentials: Credentials) -> Credentials:
            self.assertEqual(account.region, "eu-west-1")
            return msgspec.structs.replace(credentials, profile_arn=ARN)

        self.logins = self.make(completed=completed)
        self.begin("idc", start_url=START, region="eu-west-1")
        self.after(1.0, 1.0)
        ((account, credentials),) = self.found
        self.assertEqual(self.regions, ["eu-west-1"])
        self.assertEqual((account.name, account.region), ("idc", "eu-west-1"))
        self.assertEqual(credentials.profile_arn, ARN)

    def test_social(self) -> None:
        """Whatever the case of the provider's name; the profile comes with the tokens."""
        self.begin("social", provider="github")
        self.after(1.0, 1.0)
        ((account, credentials),) = self.found
        self.assertEqual((account.method, account.name), ("social", "social"))
        self.assertTrue(credentials.profile_arn)

    def test_renews(self) -> None:
        """An account that is logged in anew stays the same account."""
        old = account(7, group="team")
        self.begin(renews=old)
        self.after(1.0, 1.0)
        ((found, credentials),) = self.found
        self.assertEqual(found, msgspec.structs.replace(old, method="idc"))
        self.assertTrue(credentials.client_id)

    def test_known_already(self) -> None:
        """Whoever takes it over says which account it has become."""
        self.kept = account(7, group="team")
        login = self.begin()
        self.after(1.0, 1.0)
        self.assertEqual(self.now(login).account, self.kept.fingerprint)

    def test_used_at_once(self) -> None:
        """What was found is good for a refresh."""
        self.begin()
        self.after(1.0, 1.0)
        ((_, credentials),) = self.found
        given = self.emulator.accounts.token(
            {
                "clientId": credentials.client_id,
                "clientSecret": credentials.client_secret.reveal(),
                "grantType": "refresh_token",
                "refreshToken": credentials.refresh_token.reveal(),
            },
            self.clock.seconds(),
            rotate=None,
            lifetime=0,
        )
        self.assertIn("accessToken", given)


class PaceTests(Case):
    """How often is asked."""

    def test_slow_down(self) -> None:
        """Five seconds more, and then for good."""
        self.order("slow_down")
        login = self.begin()
        self.after(1.0)
        self.assertEqual(self.polls(), 1)
        self.after(5.0)
        self.assertEqual(self.polls(), 1)
        self.after(1.0)
        self.assertEqual(self.polls(), 2)
        self.after(5.9)
        self.assertEqual(self.polls(), 2)
        self.order("approve")
        self.after(0.2)
        self.assertEqual(self.now(login).status, "done")

    def test_trouble(self) -> None:
        """A service that fails for a moment, or is busy, does not end a login."""
        login = self.begin()
        for body in (
            {"path": "/token", "status": 500},
            {"path": "/token", "status": 429},
        ):
            self.call("POST", "/emulator/script", body)
        self.after(1.0, 1.0, 5.0)
        self.assertEqual(self.polls(), 2)
        self.after(1.0, 6.0)
        self.assertEqual(self.now(login).status, "done")


class EndedTests(Case):
    """Logins that end otherwise."""

    def test_denied(self) -> None:
        """Somebody has said no."""
        self.order("deny")
        login = self.begin()
        self.after(1.0)
        ended = self.now(login)
        self.assertEqual((ended.status, ended.error), ("failed", "The login was declined."))
        self.after(100.0)
        self.assertEqual(self.polls(), 1)

    def test_expired(self) -> None:
        """The service says so, or our own clock does."""
        self.order("expire")
        login = self.begin()
        self.after(1.0)
        self.assertEqual(self.now(login).status, "expired")
        self.order("hold")
        login = self.begin("social", provider="Google")
        for _ in range(620):
            self.after(1.0)
        self.assertEqual(self.now(login).status, "expired")
        self.assertEqual(self.found, [])

    def test_cancelled(self) -> None:
        """Nothing is asked any more; what has ended cannot be cancelled."""
        login = self.begin()
        self.assertTrue(self.logins.cancel(login.id))
        self.assertEqual(self.now(login).status, "cancelled")
        self.after(10.0)
        self.assertEqual(self.polls(), 0)
        self.assertFalse(self.logins.cancel(login.id))
        self.assertFalse(self.logins.cancel("nobody"))

    def test_cancelled_while_asking(self) -> None:
        """A question under way is given up, and none follows, however its failure looks."""
        for _ in range(2):
            login = self.begin()
            self.order("approve")
            order = {"path": "/token", "silent": True}
            self.call("POST", "/emulator/script", order)
            self.after(1.0)
            before = self.polls()
            self.assertTrue(self.logins.cancel(login.id))
            self.after(10.0, 10.0)
            self.assertEqual(self.polls(), before)
            self.assertEqual(self.now(login).status, "cancelled")
        self.assertEqual(self.found, [])

    def test_stopped(self) -> None:
        """What waits is cancelled, what was approved is waited for."""
        waits = self.begin()
        self.taking = Deferred()
        approved = self.begin()
        self.order("hold")
        self.emulator.accounts.devices.decide(DeviceOrder("approve", approved.user_code))
        self.after(1.0)
        self.assertFalse(self.logins.cancel(approved.id))
        stopping = self.logins.stop()
        self.assertNoResult(stopping)
        self.taking.callback(self.found[0][0])
        self.successResultOf(stopping)
        self.assertEqual(self.now(waits).status, "cancelled")
        self.assertEqual(self.now(approved).status, "done")

    def test_stopped_at_its_beginning(self) -> None:
        """One whose code comes after the end is not begun, nor is any later one."""
        held: Deferred[None] = Deferred()
        post = self.client.post

        async def slowly(url: str, **options: Any) -> Any:
            await held
            return await post(url, **options)

        self.client = SimpleNamespace(  # type: ignore[assignment]
            post=lambda *given, **options: Deferred.fromCoroutine(slowly(*given, **options))
        )
        self.logins = self.make()
        asking = self.logins.begin("social", provider="google")
        self.successResultOf(self.logins.stop())
        held.callback(None)
        self.agent.flush()
        self.failureResultOf(asking, ShuttingDown)
        self.failureResultOf(self.logins.begin("builder_id"), ShuttingDown)
        self.assertEqual(self.logins.all(), ())

    def test_not_taken(self) -> None:
        """Whoever takes the account over may refuse it, or break."""
        for error, said in (
            (NotFound("there is no such group"), "there is no such group"),
            (CancelledError(), "The account could not be stored."),
            (ValueError("secret"), "The account could not be stored."),
        ):
            self.taking = fail(error)
            login = self.begin()
            self.after(1.0, 1.0)
            ended = self.now(login)
            self.assertEqual((ended.status, ended.error, ended.account), ("failed", said, ""))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_no_secret_shown(self) -> None:
        """Neither in the login nor in the log."""
        records = LogRecorder(self)
        login = self.begin()
        self.after(1.0, 1.0)
        ((_, credentials),) = self.found
        shown = repr(self.now(login)) + "\n".join(records.lines()) + repr(vars(self.logins))
        for secret in (
            credentials.access_token,
            credentials.refresh_token,
            credentials.client_secret,
        ):
            self.assertNotIn(secret.reveal(), shown)


class SharedTests(Case):
    """Two processes that tell each other."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.make()
        self.logins.on_turn = self.other.heard
        self.other.on_turn = self.logins.heard

    def test_shown(self) -> None:
        """Both know how it stands, one asks."""
        login = self.begin()
        self.assertEqual(self.other.get(login.id), login)
        self.after(1.0, 1.0)
        self.assertEqual(self.now(login).status, "done")
        self.assertEqual(self.other.get(login.id), self.now(login))
        self.assertEqual((self.polls(), len(self.found)), (2, 1))

    def test_cancelled(self) -> None:
        """Either of them may cancel it."""
        login = self.begin()
        self.assertTrue(self.other.cancel(login.id))
        self.assertEqual(self.now(login).status, "cancelled")
        self.after(5.0)
        self.assertEqual(self.polls(), 0)
        self.assertFalse(self.logins.cancel(login.id))

    def test_killed(self) -> None:
        """Nobody waits for ever for a process that does not tell any more."""
        login = self.begin()
        self.logins.on_turn = lambda login: None
        self.logins.cancel(login.id)
        self.clock.advance(login.expires_at - self.clock.seconds() + 59.0)
        self.assertEqual(self.other.get(login.id), login)
        self.clock.advance(1.0)
        expired = msgspec.structs.replace(
            login, status="expired", error="Nobody approved the login in time."
        )
        self.assertEqual(self.other.get(login.id), expired)
        self.assertEqual(self.other.all(), (expired,))

    def test_too_late(self) -> None:
        """What was approved cannot be cancelled from elsewhere either."""
        self.taking = Deferred()
        login = self.begin()
        self.after(1.0, 1.0)
        self.other.cancel(login.id)
        self.taking.callback(self.found[0][0])
        self.assertEqual(self.now(login).status, "done")
        self.assertEqual(self.other.get(login.id), self.now(login))


class RefusedTests(Case):
    """Logins that do not begin."""

    def refused(self, kind: str, **values: object) -> RequestRejected:
        asking = self.logins.begin(kind, **values)  # type: ignore[arg-type]
        for _ in range(6):
            self.agent.flush()
        error = self.failureResultOf(asking, RequestRejected).value
        assert isinstance(error, RequestRejected)
        return error

    def test_values(self) -> None:
        """The field at fault is named."""
        for kind, values, param in (
            ("sso", {}, "kind"),
            ("idc", {}, "start_url"),
            ("idc", {"start_url": "http://d-1.awsapps.com/start"}, "start_url"),
            ("idc", {"start_url": "https://a b"}, "start_url"),
            ("idc", {"start_url": START, "region": "../x"}, "region"),
            ("idc", {"start_url": "https://elsewhere.test/start"}, "start_url"),
            ("social", {}, "provider"),
            ("social", {"provider": "Bitbucket"}, "provider"),
        ):
            self.assertEqual(self.refused(kind, **values).param, param, values)

    def test_too_many(self) -> None:
        """Their number is bounded; one that ended makes room."""
        self.logins = self.make(most=2)
        first = self.begin()
        starting = self.logins.begin("builder_id")
        self.assertEqual(self.refused("builder_id").kind, Kind.RATE_LIMITED)
        for _ in range(6):
            self.agent.flush()
        self.successResultOf(starting)
        self.assertEqual(self.refused("builder_id").kind, Kind.RATE_LIMITED)
        self.logins.cancel(first.id)
        self.begin()

    def test_service_down(self) -> None:
        """The service's trouble is told, and takes no place."""
        self.logins = self.make(most=1)
        for _ in range(2):
            order = {"path": "/client/register", "status": 500}
            self.call("POST", "/emulator/script", order)
            asking = self.logins.begin("builder_id")
            for _ in range(3):
                self.agent.flush()
            self.failureResultOf(asking, UpstreamUnavailable)
        self.begin()

    def test_remembered(self) -> None:
        """Old ones are forgotten, pending ones never."""
        waits = self.begin()
        for _ in range(110):
            self.logins.cancel(self.begin().id)
        self.assertEqual(len(self.logins.all()), 100)
        self.assertEqual(self.now(waits).status, "pending")
        self.assertIsNone(self.logins.get("login-2"))
