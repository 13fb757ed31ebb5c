"""Logins, profiles and quotas, from the login service to the control plane, over real sockets."""

from typing import Any

from twisted.internet.defer import Deferred, succeed

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.bearers import Bearers
from kiro2api.accounts.interfaces import StoredAccount
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.logins import Login, Logins
from kiro2api.accounts.profiles import Profiles
from kiro2api.accounts.quotawatch import QuotaWatch
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.tokensource import IdcTokenSource, SocialTokenSource
from kiro2api.emulator.credits import QuotaOrder
from kiro2api.emulator.devices import DeviceOrder
from kiro2api.emulator.script import Script
from kiro2api.upstream.agent import make_agent, make_http
from kiro2api.upstream.client import KiroClient
from kiro2api.upstream.hosts import PROFILE_REGIONS, Hosts
from tests.fakes.store import MemoryStore
from tests.live.case import KEYED, LiveCase
from tests.live.reactor import reactor


class Rows(MemoryStore):
    """A store that also takes what was learnt of accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.profiles: list[str] = []
        self.quotas: list[str] = []

    def write_profile(self, fingerprint: str, arn: str, checked_at: float, /) -> Deferred[None]:
        self.profiles.append(arn)
        return succeed(None)

    def write_quota(
        self, fingerprint: str, quota: str, checked_at: float, email: str, /
    ) -> Deferred[None]:
        self.quotas.append(email)
        return succeed(None)


class OutsideCase(LiveCase):
    """Everything that asks about accounts, without a gateway."""

    def setUp(self) -> None:
        super().setUp()
        self.start_upstream(KEYED)
        base = f"http://127.0.0.1:{self.upstream_port}"
        agent = make_agent(reactor, kind="twisted")
        self.addCleanup(agent.close)
        http: Any = make_http(agent)
        hosts = Hosts(upstream=base, social=base, oidc=base)
        self.kiro = KiroClient(agent, http, hosts, reactor, version="1", entropy=lambda: "uuid")
        self.rows = Rows()
        self.keyring = Keyring({})
        sources = {
            "social": SocialTokenSource(http, reactor, url=f"{base}/refreshToken"),
            "idc": IdcTokenSource(http, reactor, url=lambda region: f"{base}/token"),
        }
        self.renewal = RefreshOnce(sources, self.rows, self.keyring, reactor)  # type: ignore[arg-type]
        self.held: dict[str, Account] = {}
        self.credits: list[float | None] = []
        self.looking = Profiles(
            self.kiro.profiles, PROFILE_REGIONS, self.rows, self.keyring, reactor
        )
        bearers = Bearers(self.keyring, self.renewal, reactor)
        self.watch = QuotaWatch(
            self,
            lambda account: bearers.asked(account, self.kiro.usage),
            self.rows,
            reactor,
            jitter=lambda: 0.0,
            floor=0.0,
        )
        self.addCleanup(self.watch.stopService)
        self.logins = Logins(
            http,
            reactor,
            oidc=hosts.oidc_of,
            social=base,
            found=self.found,
            completed=self.looking.completed,
            new_id=lambda: "login",
        )
        self.addCleanup(self.logins.stop)

    async def found(self, account: Account, credentials: Credentials) -> Account:
        """A login has ended well."""
        self.held[account.fingerprint] = account
        self.keyring.put(account.fingerprint, credentials)
        self.rows.rows[account.fingerprint] = StoredAccount(credentials)
        return account

    def accounts(self) -> tuple[Account, ...]:
        return tuple(self.held.values())

    def account(self, fingerprint: str) -> Account | None:
        return self.held.get(fingerprint)

    def credits_known(self, fingerprint: str, left: float | None, reset_at: float | None) -> None:
        self.credits.append(left)

    async def ended(self, login: Login) -> Login:
        """The login, once nobody waits for it any more."""

        def now() -> Login:
            found = self.logins.get(login.id)
            assert found is not None
            return found

        await self.within(6.0, lambda: now().status != "pending", "the login ends")
        return now()


class LoginTests(OutsideCase):
    """From a code to an account that is good for everything."""

    async def test_organisation(self) -> None:
        """Logged in, its profile found, renewed under rotation, its quota read."""
        self.emulator.accounts.devices.decide(DeviceOrder("approve"))
        login = await self.logins.begin(
            "idc", start_url="https://d-1.awsapps.com/start", region="eu-west-1"
        )
        self.assertIn(f"127.0.0.1:{self.upstream_port}/device", login.verification_uri)
        done = await self.ended(login)
        self.assertEqual((done.status, done.error), ("done", ""))
        (account,) = self.accounts()
        self.assertEqual((account.region, done.account), ("eu-west-1", account.fingerprint))
        # The emulator serves such accounts with their profile only.
        self.assertTrue(self.keyring.current(account.fingerprint).profile_arn)
        for _ in range(2):
            before = self.keyring.current(account.fingerprint)
            after = await self.renewal.renew(account)
            self.assertNotEqual(before.refresh_token, after.refresh_token)
        name = self.emulator.calls[-1].account
        order = QuotaOrder(account=name, used=400.0, credits=1000.0, subscription="KIRO PRO")
        self.emulator.accounts.order_quota(order)
        quota = await self.watch.check(account.fingerprint)
        self.assertEqual((quota.left, quota.subscription), (600.0, "KIRO PRO"))
        self.assertEqual(self.credits, [600.0])
        self.assertEqual(self.rows.quotas, [f"{name}@example.invalid"])

    async def test_token_expired_elsewhere(self) -> None:
        """A quota is read although the token was declared dead: it is renewed once."""
        self.emulator.accounts.devices.decide(DeviceOrder("approve"))
        await self.ended(await self.logins.begin("builder_id"))
        (account,) = self.accounts()
        self.emulator.accounts.expire()
        quota = await self.watch.check(account.fingerprint)
        self.assertEqual(quota.limit, 1000.0)

    async def test_social_declined(self) -> None:
        """Somebody says no."""
        login = await self.logins.begin("social", provider="Google")
        self.emulator.accounts.devices.decide(DeviceOrder("deny", login.user_code))
        done = await self.ended(login)
        self.assertEqual((done.status, self.held), ("failed", {}))

    async def test_cancelled_in_flight(self) -> None:
        """A login that is cancelled while it is asked leaves no connection in use."""
        login = await self.logins.begin("builder_id")
        self.call_silently("/token")
        await self.within(
            3.0,
            lambda: any(call.path == "/token" for call in self.emulator.calls),
            "the emulator is polled",
        )
        self.assertTrue(self.logins.cancel(login.id))
        await self.within(
            1.0, lambda: self.emulator.calls[-1].outcome == "aborted", "the poll is given up"
        )

    def call_silently(self, path: str) -> None:
        """The next call of this path is never answered."""
        self.emulator.script(Script(path=path, silent=True))
