"""Tests for kiro2api.accounts.interfaces: the implementations keep to them."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kiro2api.accounts.interfaces import IAccountPool, ICredentialStore, ITokenSource
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.tokensource import IdcTokenSource, SocialTokenSource
from tests.accounts.fakes import ScriptedHTTP, ScriptedSource
from tests.fakes.store import MemoryStore


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
