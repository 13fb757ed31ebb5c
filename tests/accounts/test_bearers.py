"""Tests for kiro2api.accounts.bearers."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.bearers import Bearers
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.errors import CredentialsRejected, UpstreamFault
from tests.accounts.fakes import ScriptedSource
from tests.accounts.fixtures import account, credentials
from tests.fakes.store import MemoryStore

WHO, KEY = account(1), account(2, method="api_key")


class BearersTests(SynchronousTestCase):
    """Credentials that are usable now."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.keyring = Keyring(
            {
                WHO.fingerprint: credentials("old", "aor", 5000.0),
                KEY.fingerprint: credentials("ksk", ""),
            }
        )
        self.source = ScriptedSource()
        store = MemoryStore()
        self.renewal = RefreshOnce({"social": self.source}, store, self.keyring, self.clock)
        self.bearers = Bearers(self.keyring, self.renewal, self.clock)
        self.asked: list[str] = []
        self.refused = {"old"}

    async def ask(self, account: Account, credentials: Credentials) -> str:
        token = credentials.access_token.reveal()
        self.asked.append(token)
        if token in self.refused:
            raise CredentialsRejected("no")
        return token

    def asking(self, who: Account = WHO) -> Deferred[str]:
        return Deferred.fromCoroutine(self.bearers.asked(who, self.ask))

    def test_good(self) -> None:
        """A good token is asked with."""
        self.refused.clear()
        self.assertEqual(self.successResultOf(self.asking()), "old")

    def test_expiring(self) -> None:
        """One that ends within the margin is renewed first."""
        self.clock.advance(3950)
        asking = self.asking()
        self.source.answer(credentials("new", "aor-2", 9000.0))
        self.assertEqual(self.successResultOf(asking), "new")
        self.assertEqual(self.asked, ["new"])

    def test_refused(self) -> None:
        """One that is refused is renewed, and asked with once more."""
        asking = self.asking()
        self.source.answer(credentials("new", "aor-2", 9000.0))
        self.assertEqual(self.successResultOf(asking), "new")
        self.refused.add("new")
        self.failureResultOf(self.asking(), CredentialsRejected)
        self.assertEqual(len(self.source.asked), 1)

    def test_renewed_meanwhile(self) -> None:
        """One that others have renewed since is not renewed again."""
        waiting: Deferred[None] = Deferred()

        async def slowly(account: Account, credentials: Credentials) -> str:
            if not self.asked:
                self.asked.append("")
                await waiting
            return await self.ask(account, credentials)

        asking = Deferred.fromCoroutine(self.bearers.asked(WHO, slowly))
        self.keyring.put(WHO.fingerprint, credentials("theirs", "aor-2", 9000.0))
        waiting.callback(None)
        self.assertEqual(self.successResultOf(asking), "theirs")
        self.assertEqual(self.source.asked, [])

    def test_api_key(self) -> None:
        """There is nothing to renew about a key."""
        self.refused.add("ksk")
        self.failureResultOf(self.asking(KEY), CredentialsRejected)

    def test_removed(self) -> None:
        """An account that is gone, before or meanwhile, is a fault like any other."""

        async def removing(account: Account, credentials: Credentials) -> str:
            self.keyring.forget(WHO.fingerprint)
            raise CredentialsRejected("no")

        for _ in range(2):
            asking = Deferred.fromCoroutine(self.bearers.asked(WHO, removing))
            self.failureResultOf(asking, UpstreamFault)
        self.assertEqual(self.source.asked, [])
