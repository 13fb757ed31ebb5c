"""Tests for kiro2api.accounts.foreignsource."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred, execute, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.foreign import Place
from kiro2api.accounts.foreignsource import ForeignTokenSource
from kiro2api.errors import CredentialsRejected, UpstreamUnavailable
from kiro2api.redaction import Secret
from tests.accounts.fakes import ScriptedSource
from tests.accounts.fixtures import account, credentials
from tests.accounts.records import LogRecorder

_T = TypeVar("_T")

WHO, OTHER = account(1), account(2)
OURS = credentials("aoa-1", "aor-1", 1000.0)
DEAD = CredentialsRejected("dead", code="invalid_grant")


class Case(SynchronousTestCase):
    """An account whose file the test writes."""

    write_back = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(990)
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.path = folder / "token.json"
        self.social, self.idc = ScriptedSource(), ScriptedSource()
        place = Place("file", str(self.path), write_back=self.write_back)
        self.trouble: Exception | None = None
        self.source = ForeignTokenSource(
            {"social": self.social, "idc": self.idc},
            {WHO.fingerprint: place},
            self.clock,
            self.in_thread,
        )

    def in_thread(self, blocking: Callable[[], _T], /) -> Deferred[_T]:
        return execute(blocking) if self.trouble is None else fail(self.trouble)

    def write(self, access: str, refresh: str, expires: float, **fields: object) -> None:
        """What the other program has there now."""
        self.path.write_text(
            json.dumps(
                {"accessToken": access, "refreshToken": refresh, "expiresAt": expires, **fields}
            )
        )

    def refresh(self, ours: Credentials = OURS) -> Deferred[Credentials]:
        return self.source.refresh(WHO, ours)

    def used(self) -> list[str]:
        """The refresh tokens that were sent."""
        return [given.refresh_token.reveal() for _, given in self.social.asked]


class ReadFirstTests(Case):
    """Before a renewal."""

    def test_newer(self) -> None:
        """What the other program has renewed is taken, and nothing is asked."""
        self.write("aoa-2", "aor-2", 5000)
        found = self.successResultOf(self.refresh())
        self.assertEqual(found.access_token, Secret("aoa-2"))
        self.assertEqual(found.refresh_token, Secret("aor-2"))
        self.assertEqual(self.used(), [])

    def test_first_time(self) -> None:
        """Where we have nothing yet, anything is newer."""
        self.write("aoa-2", "aor-2", 5000)
        found = self.successResultOf(self.refresh(credentials("", "", 0.0)))
        self.assertEqual(found.access_token, Secret("aoa-2"))

    def test_the_same(self) -> None:
        """Then it is renewed."""
        self.write("aoa-1", "aor-1", 1000)
        asking = self.refresh()
        self.social.answer(credentials("aoa-3", "aor-3", 5000.0))
        self.assertEqual(self.successResultOf(asking).access_token, Secret("aoa-3"))
        self.assertEqual(self.used(), ["aor-1"])

    def test_older(self) -> None:
        """What we have renewed since is not exchanged for what was before."""
        self.write("aoa-0", "aor-0", 500)
        self.refresh()
        self.assertEqual(self.used(), ["aor-1"])

    def test_newer_but_late(self) -> None:
        """A newer login whose access token has ended is renewed with its own refresh token."""
        self.write("aoa-2", "aor-2", 1040)
        asking = self.refresh()
        self.assertEqual(self.used(), ["aor-2"])
        self.social.answer(credentials("aoa-3", "aor-3", 5000.0))
        self.successResultOf(asking)

    def test_another_login(self) -> None:
        """Somebody has logged in differently: the other service renews, in its region."""
        fields = {"clientId": "c-1", "clientSecret": "s-1", "region": "eu-west-1"}
        self.write("aoa-2", "aor-2", 1040, **fields)
        self.refresh()
        ((asked, given),) = self.idc.asked
        self.assertEqual((asked.method, asked.region), ("idc", "eu-west-1"))
        self.assertEqual(given.client_id, "c-1")
        self.assertEqual(asked.fingerprint, WHO.fingerprint)

    def test_unreadable(self) -> None:
        """Then ours is used, and the operator told; no word of the file is."""
        records = LogRecorder(self)
        for text in (None, "secret", '{"authMethod":"secret"}'):
            if text is not None:
                self.path.write_text(text)
            self.refresh()
        self.assertEqual(self.used(), ["aor-1"] * 3)
        self.assertEqual(len(records.lines()), 3)
        self.assertNotIn("secret", "\n".join(records.lines()))

    def test_key(self) -> None:
        """An API key that lies there now needs no renewal, ever."""
        self.path.write_text('{"apiKey":"ksk_1"}')
        found = self.successResultOf(self.refresh(credentials("", "", 0.0)))
        self.assertEqual(found.access_token, Secret("ksk_1"))

    def test_nobody_renews_it(self) -> None:
        """A kind of login that no source knows."""
        self.source = ForeignTokenSource(
            {}, {WHO.fingerprint: Place("file", "/x")}, self.clock, self.in_thread
        )
        self.failureResultOf(self.refresh(), CredentialsRejected)

    def test_others(self) -> None:
        """Accounts of our own are passed on as they are."""
        self.source.refresh(OTHER, OURS)
        self.assertEqual(self.social.asked, [(OTHER, OURS)])

    def test_cancelled(self) -> None:
        """A thread pool that ends is no trouble with the file."""
        self.trouble = CancelledError()
        self.failureResultOf(self.refresh(), CancelledError)


class RefusedTests(Case):
    """After a refusal."""

    def test_renewed_meanwhile(self) -> None:
        """The other program was faster: its tokens are taken."""
        self.write("aoa-1", "aor-1", 1000)
        asking = self.refresh()
        self.write("aoa-2", "aor-2", 5000)
        self.social.refuse(DEAD)
        self.assertEqual(self.successResultOf(asking).access_token, Secret("aoa-2"))

    def test_renewed_and_late(self) -> None:
        """They are renewed if they have ended; that refusal is the last word."""
        self.write("aoa-1", "aor-1", 1000)
        asking = self.refresh()
        self.write("aoa-2", "aor-2", 900)
        self.social.refuse(DEAD)
        self.assertEqual(self.used(), ["aor-1", "aor-2"])
        self.social.refuse(DEAD)
        self.failureResultOf(asking, CredentialsRejected)
        self.assertEqual(len(self.used()), 2)

    def test_the_same(self) -> None:
        """The token that was refused is not sent again."""
        self.write("aoa-1", "aor-1", 1000)
        asking = self.refresh()
        self.social.refuse(DEAD)
        self.failureResultOf(asking, CredentialsRejected)
        self.path.unlink()
        asking = self.refresh()
        self.social.refuse(DEAD)
        self.failureResultOf(asking, CredentialsRejected)
        self.assertEqual(len(self.used()), 2)

    def test_trouble(self) -> None:
        """A service that is down is no refusal."""
        self.write("aoa-1", "aor-1", 1000)
        asking = self.refresh()
        self.social.refuse(UpstreamUnavailable("down"))
        self.failureResultOf(asking, UpstreamUnavailable)


class WriteBackTests(Case):
    """Where renewed tokens are written back."""

    write_back = True

    def renewed(self) -> Credentials:
        asking = self.refresh()
        self.social.answer(credentials("aoa-3", "aor-3", 5000.0))
        return self.successResultOf(asking)

    def test_written(self) -> None:
        """The other program stays logged in."""
        self.write("aoa-1", "aor-1", 1000, own=7)
        self.renewed()
        self.assertEqual(
            json.loads(self.path.read_text()),
            {"accessToken": "aoa-3", "refreshToken": "aor-3", "expiresAt": 5000, "own": 7},
        )

    def test_not_written(self) -> None:
        """What cannot be written, or was renewed meanwhile, is told; our tokens are good."""
        records = LogRecorder(self)
        self.assertEqual(self.renewed().access_token, Secret("aoa-3"))
        self.write("aoa-9", "aor-9", 10)
        self.assertEqual(self.renewed().access_token, Secret("aoa-3"))
        shown = "\n".join(records.lines())
        self.assertIn("not written back", shown)
        self.assertIn("at the same time", shown)
        self.assertNotIn("aor-", shown)

    def test_trouble(self) -> None:
        """Whatever goes wrong while writing, the renewed tokens are not lost."""
        records = LogRecorder(self)
        self.write("aoa-1", "aor-1", 1000)
        asking = self.refresh()
        self.trouble = RuntimeError("aor-3")
        self.social.answer(credentials("aoa-3", "aor-3", 5000.0))
        self.assertEqual(self.successResultOf(asking).refresh_token, Secret("aor-3"))
        shown = "\n".join(records.lines())
        self.assertIn("not written back", shown)
        self.assertNotIn("aor-3", shown)

    def test_cancelled(self) -> None:
        """A thread pool that ends is told as such."""
        self.write("aoa-1", "aor-1", 1000)
        asking = self.refresh()
        self.trouble = CancelledError()
        self.social.answer(credentials("aoa-3", "aor-3", 5000.0))
        self.failureResultOf(asking, CancelledError)
