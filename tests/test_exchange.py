"""Attempts and failover before the first event."""

import msgspec
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.accounts.interfaces import End, IAccountPool
from kiro2api.conversation.question import Conversation, Text, Turn
from kiro2api.errors import (
    AccountSuspended,
    CredentialsRejected,
    Kind,
    KiroError,
    ModelNotFound,
    ModelOverloaded,
    NoAccountAvailable,
    ProtocolViolation,
    RequestRejected,
    StreamStalled,
    Throttled,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.exchange import Asking, Exchanges, OpenExchange
from kiro2api.kiro.models import Catalogue
from kiro2api.upstream.interfaces import OfferedModel
from tests.fakes.answers import FakeStream
from tests.fakes.lending import FakeClient, FakeOffers, FakePool, account

QUESTION = Conversation(turns=(Turn("user", (Text("hello"),)),))


class ExchangesTests(SynchronousTestCase):
    """Who is asked, how often, and what the client hears in the end."""

    def setUp(self) -> None:
        self.clock = Clock()

    def exchanges(
        self,
        client: FakeClient,
        *accounts: Account,
        attempts: int = 3,
        offered: tuple[OfferedModel, ...] | None = None,
    ) -> Exchanges:
        """Exchanges over these accounts."""
        self.pool = FakePool(accounts or (account("a"), account("b"), account("c")))
        return Exchanges(
            IAccountPool(self.pool),
            client,
            Catalogue(),
            FakeOffers(offered),
            self.clock,
            attempts=attempts,
            first_event_seconds=60,
            tool_description_limit=10000,
            new_id=lambda: "00000000-0000-4000-8000-000000000000",
        )

    def asking(self, model: str = "claude-sonnet-4-5-20250929") -> Asking:
        """A small question."""
        return Asking(QUESTION, model, "default", 12)

    def open(self, exchanges: Exchanges, asking: Asking | None = None) -> "Deferred[OpenExchange]":
        """Start."""
        return ensureDeferred(exchanges.open(asking or self.asking()))

    def ends(self) -> list[list[End]]:
        """How each lease ended so far."""
        return [[outcome.end for outcome in lease.outcomes] for lease in self.pool.leases]

    def test_first_account_serves(self) -> None:
        """One attempt; the lease is settled once, by whoever relayed, however often told (I1)."""
        client = FakeClient(FakeStream(self.clock))
        asking = self.asking()
        exchange = self.successResultOf(self.open(self.exchanges(client), asking))
        self.assertEqual(self.ends(), [[]])
        exchange.settle(End.SERVED)
        self.assertEqual(self.ends(), [[End.SERVED]])
        self.assertEqual((asking.attempts, asking.account), (1, "a"))
        self.assertEqual(asking.upstream_request_id, "upstream-1")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failover_is_invisible(self) -> None:
        """Throttling, 5xx and a broken first frame lead to the next account."""
        for fault in (Throttled("t"), UpstreamUnavailable("u"), ModelOverloaded("m")):
            client = FakeClient(fault, FakeStream(self.clock))
            self.successResultOf(self.open(self.exchanges(client)))
            self.assertEqual([name for name, _ in client.calls], ["a", "b"])
            self.assertEqual(self.ends(), [[End.FAILED], []])
            self.assertIs(self.pool.leases[0].outcomes[0].fault, fault)

    def test_fault_before_the_first_event(self) -> None:
        """A 200 that breaks before its first event is still a failed attempt."""
        broken = FakeStream(self.clock, fail(ProtocolViolation("bad CRC")))
        client = FakeClient(broken, FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual(self.ends(), [[End.FAILED], []])

    def test_request_faults_never_rotate(self) -> None:
        """The request's own fault is told at once and held against nobody."""
        client = FakeClient(UpstreamRefused("improperly formed", status=400))
        self.failureResultOf(self.open(self.exchanges(client)), UpstreamRefused)
        self.assertEqual(self.ends(), [[End.ABANDONED]])

    def test_unknown_model_lists_what_there_is(self) -> None:
        """INVALID_MODEL_ID becomes a 404 that helps; the name is passed on as it came."""
        client = FakeClient(
            UpstreamRefused("no", kind=Kind.MODEL_NOT_FOUND, code="INVALID_MODEL_ID")
        )
        d = self.open(self.exchanges(client), self.asking("gpt-17"))
        error = self.failureResultOf(d, ModelNotFound).value
        self.assertIn("gpt-17", error.message)
        self.assertIn("claude-sonnet-4-5-20250929", error.message)
        self.assertIn(b'"modelId":"gpt-17"', client.calls[0][1])

    def test_attempts_are_bounded(self) -> None:
        """After the last attempt the client hears the last fault."""
        client = FakeClient(Throttled("1"), UpstreamUnavailable("2"))
        d = self.open(self.exchanges(client, attempts=2))
        self.assertEqual(self.failureResultOf(d, UpstreamUnavailable).value.message, "2")
        self.assertEqual(len(client.calls), 2)

    def test_nobody_left(self) -> None:
        """The last fault carries the time of the next account's return."""
        client = FakeClient(Throttled("slow down"))
        d = self.open(self.exchanges(client, account("only")))
        self.assertEqual(self.failureResultOf(d, Throttled).value.retry_after, 7.0)

    def test_nobody_at_all(self) -> None:
        """Without any attempt the pool's own error is the answer."""
        exchanges = self.exchanges(FakeClient())
        self.pool.accounts = []
        self.failureResultOf(self.open(exchanges), NoAccountAvailable)

    def test_own_retry_after_wins(self) -> None:
        """What the upstream said is not overwritten."""
        client = FakeClient(Throttled("slow down", retry_after=90.0))
        d = self.open(self.exchanges(client, account("only")))
        self.assertEqual(self.failureResultOf(d, Throttled).value.retry_after, 90.0)

    def test_rejected_token_is_renewed_once(self) -> None:
        """401 leads to one refresh and one more try with the same account."""
        client = FakeClient(CredentialsRejected("expired"), FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual([name for name, _ in client.calls], ["a", "a"])
        self.assertEqual(self.pool.leases[0].renewals, 1)
        self.assertEqual(self.ends(), [[]])

    def test_rejected_twice_goes_to_the_next(self) -> None:
        """A fresh token that is refused as well costs the account, not the client."""
        client = FakeClient(
            CredentialsRejected("1"), CredentialsRejected("2"), FakeStream(self.clock)
        )
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual([name for name, _ in client.calls], ["a", "a", "b"])
        self.assertEqual(self.ends(), [[End.FAILED], []])

    def test_failed_renewal_goes_to_the_next(self) -> None:
        """So does a refresh that fails."""
        client = FakeClient(CredentialsRejected("1"), FakeStream(self.clock))
        exchanges = self.exchanges(client)
        renewal: Deferred[None] = Deferred()
        real = self.pool.acquire

        def acquire(group: str, tried: frozenset[str]) -> object:
            d = real(group, tried)
            self.pool.leases[-1].renewal = renewal
            return d

        self.pool.acquire = acquire  # type: ignore[method-assign, assignment]
        d = self.open(exchanges)
        self.assertNoResult(d)
        renewal.errback(AccountSuspended("locked"))
        self.successResultOf(d)
        self.assertEqual([name for name, _ in client.calls], ["a", "b"])

    def test_no_second_attempt_after_the_first_byte(self) -> None:
        """Once the client was promised an answer, a failure is the answer (I2)."""
        for fault in (Throttled("t"), CredentialsRejected("c")):
            pending: Deferred[FakeStream] = Deferred()
            client = FakeClient(pending)  # type: ignore[arg-type]
            asking = self.asking()
            d = self.open(self.exchanges(client), asking)
            asking.committed = True
            pending.errback(fault)
            self.failureResultOf(d, type(fault))
            self.assertEqual(len(client.calls), 1)
            self.assertEqual(self.ends(), [[End.FAILED]])

    def test_first_event_timeout(self) -> None:
        """An answer that never begins is a failed attempt, and its stream is closed."""
        waiting: Deferred[None] = Deferred()
        client = FakeClient(FakeStream(self.clock, waiting), FakeStream(self.clock))
        d = self.open(self.exchanges(client))
        self.clock.advance(59)
        self.assertNoResult(d)
        self.clock.advance(1)
        self.successResultOf(d)
        fault = self.pool.leases[0].outcomes[0].fault
        self.assertIsInstance(fault, StreamStalled)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_client_leaves_while_waiting_for_an_account(self) -> None:
        """Nothing was lent, nothing is left."""
        exchanges = self.exchanges(FakeClient())
        self.pool.waiting = Deferred()
        d = self.open(exchanges)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.pool.leases, [])

    def test_client_leaves_before_the_head(self) -> None:
        """The attempt is cancelled and the lease given back without blame."""
        client = FakeClient(Deferred())
        d = self.open(self.exchanges(client))
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.ends(), [[End.ABANDONED]])

    def test_client_leaves_before_the_first_event(self) -> None:
        """So it is while the first event is awaited; no timer stays (I10)."""
        cancelled: list[bool] = []
        waiting: Deferred[None] = Deferred(lambda _: cancelled.append(True))
        client = FakeClient(FakeStream(self.clock, waiting))
        d = self.open(self.exchanges(client))
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(cancelled, [True])
        self.assertEqual(self.ends(), [[End.ABANDONED]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken_rules_cost_nobody_anything(self) -> None:
        """A question that cannot be asked is refused before an account is lent."""
        huge = Conversation(turns=(Turn("user", (Text("x" * 11_000_000),)),))
        exchanges = self.exchanges(FakeClient())
        d = self.open(exchanges, Asking(huge, "claude-haiku-4-5", "default", 1))
        error = self.failureResultOf(d, RequestRejected).value
        self.assertIsInstance(error, KiroError)
        self.assertEqual(self.pool.asked, [])

    def test_offered_models_choose_the_id_and_the_window(self) -> None:
        """The upstream id is the first candidate that the account is offered."""
        offered = (OfferedModel("CLAUDE_SONNET_4_5_20250929_V1_0", max_input_tokens=1234),)
        client = FakeClient(FakeStream(self.clock))
        asking = self.asking()
        self.successResultOf(self.open(self.exchanges(client, offered=offered), asking))
        self.assertEqual(asking.upstream_model, "CLAUDE_SONNET_4_5_20250929_V1_0")

    def test_api_keys_send_no_profile(self) -> None:
        """The upstream refuses a profile ARN beside an API key."""
        client = FakeClient(FakeStream(self.clock), FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client, account("k", "api_key"))))
        self.successResultOf(self.open(self.exchanges(client, account("s"))))
        bodies = [msgspec.json.decode(body) for _, body in client.calls]
        self.assertNotIn("profileArn", bodies[0])
        self.assertIn("profileArn", bodies[1])
