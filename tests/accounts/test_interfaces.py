"""Tests for kiro2api.accounts.interfaces: the implementations keep to them."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kiro2api.accounts.interfaces import (
    IAccountPool,
    ICredentialStore,
    ITokenSource,
    StoredAccount,
)
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.quota import Quota, encode_quota
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.tokensource import IdcTokenSource, SocialTokenSource
from tests.accounts.fakes import ScriptedHTTP, ScriptedSource
from tests.accounts.fixtures import account, credentials
from tests.fakes.store import MemoryStore


class StoredAccountTests(SynchronousTestCase):
    """What the store remembers."""

    def test_repr(self) -> None:
        """It shows neither a secret nor an address."""
        quota = encode_quota(Quota(email="ada@example.com"))
        row = StoredAccount(
            credentials("access", "refresh"),
            account=account(1),
            quota=quota,
            email="ada@example.com",
        )
        self.assertEqual(repr(row), "<stored account account-1>")
        self.assertEqual(repr(StoredAccount(row.credentials)), "<stored account>")


class ConformanceTests(SynchronousTestCase):
    """verifyObject for everything that says it implements an interface."""

    def test_store(self) -> None:
        """The tests' store is a credential store."""
        verifyObject(ICredentialStore, MemoryStore())

    def test_sources(self) -> None:
        """The login services, and the tests' own, are token sources."""
        for source in (
            SocialTokenSource(ScriptedHTTP(), Clock()),
            IdcTokenSource(ScriptedHTTP(), Clock()),
            ScriptedSource(),
        ):
            verifyObject(ITokenSource, source)

    def test_pool(self) -> None:
        """The account pool is one."""
        store, clock, keyring = MemoryStore(), Clock(), Keyring({})
        renewal = RefreshOnce({}, store, keyring, clock)
        pool = AccountPool(Ledger(), keyring, store, renewal, clock, jitter=lambda: 0.0)
        verifyObject(IAccountPool, pool)
