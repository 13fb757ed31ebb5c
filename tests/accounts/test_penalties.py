"""Tests for kiro2api.accounts.penalties."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.penalties import (
    Penalty,
    State,
    model_penalty,
    penalty_for,
    plain,
    renewal_penalty,
    reset_of,
)
from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    ModelOverloaded,
    ProtocolViolation,
    QuotaExhausted,
    Scope,
    StreamStalled,
    StreamTruncated,
    Throttled,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)


class TableTests(SynchronousTestCase):
    """What each fault costs."""

    def check(
        self, fault: UpstreamFault, state: State, first: float, second: float, highest: float
    ) -> None:
        penalty = penalty_for(fault)
        assert penalty is not None
        self.assertIs(penalty.state, state)
        rests = [penalty.rest(attempt, None, 0.0) for attempt in (0, 1, 1000)]
        self.assertEqual(rests, [first, second, highest])

    def test_throttled(self) -> None:
        """Thirty seconds, doubling to ten minutes."""
        self.check(Throttled("x"), State.COOLING, 30, 60, 600)

    def test_service(self) -> None:
        """Five seconds, doubling to two minutes, whatever went wrong on the way."""
        for kind in (UpstreamUnavailable, ProtocolViolation, StreamTruncated, StreamStalled):
            self.check(kind("x"), State.COOLING, 5, 10, 120)

    def test_quota(self) -> None:
        """An hour, doubling to a day."""
        self.check(QuotaExhausted("x"), State.EXHAUSTED, 3600, 7200, 86400)

    def test_refused(self) -> None:
        """Ten minutes, doubling to two hours: an operator may mend a profile or region."""
        self.check(AccessRefused("x"), State.COOLING, 600, 1200, 7200)

    def test_credentials(self) -> None:
        """One minute at first: the next refresh may mend it."""
        self.check(CredentialsRejected("x"), State.REJECTED, 60, 120, 3600)

    def test_suspended(self) -> None:
        """Until an operator acts."""
        self.check(AccountSuspended("x"), State.SUSPENDED, 0, 0, 0)

    def test_nobody_to_blame(self) -> None:
        """The request's and the model's faults cost nothing."""
        for fault in (UpstreamRefused("x"), ModelOverloaded("x")):
            self.assertIsNone(penalty_for(fault))

    def test_overridden_scope(self) -> None:
        """A fault of another scope than its class is judged by the scope."""
        for fault in (Throttled("x", scope=Scope.MODEL), AccessRefused("x", scope=Scope.REQUEST)):
            self.assertIsNone(penalty_for(fault))
        self.check(Throttled("x", scope=Scope.SERVICE), State.COOLING, 5, 10, 120)
        self.check(UpstreamRefused("x", scope=Scope.ACCOUNT), State.COOLING, 600, 1200, 7200)
        self.check(UpstreamUnavailable("x", scope=Scope.CREDENTIALS), State.REJECTED, 60, 120, 3600)


class RenewalTests(SynchronousTestCase):
    """What a failed refresh costs."""

    def test_dead_login(self) -> None:
        """Only the login service can say that a new login is needed."""
        for code in ("invalid_grant", "invalid_client", "unauthorized_client", "expired_token"):
            penalty = renewal_penalty(CredentialsRejected("x", code=code))
            self.assertEqual(penalty, Penalty(State.REJECTED, "login"))

    def test_other_rejections(self) -> None:
        """Any other rejection passes."""
        for code in (None, "no_renewal"):
            penalty = renewal_penalty(CredentialsRejected("x", code=code))
            assert penalty is not None
            self.assertEqual(penalty.base, 60)

    def test_code_alone(self) -> None:
        """The code counts only with the fault it belongs to."""
        penalty = renewal_penalty(UpstreamUnavailable("x", code="invalid_grant"))
        assert penalty is not None
        self.assertEqual(penalty.reason, "service")


class RestTests(SynchronousTestCase):
    """How long a rest is."""

    penalty = Penalty(State.COOLING, "throttled", 30, 600, 3600)

    @given(st.integers(0, 10**6), st.floats(0, 1))
    def test_bounds(self, attempt: int, jitter: float) -> None:
        """Never shorter than the first, never longer than the last and a quarter."""
        rest = self.penalty.rest(attempt, None, jitter)
        self.assertTrue(30 <= rest <= 750)
        self.assertTrue(self.penalty.rest(attempt, None, 0.0) <= rest)

    def test_jitter(self) -> None:
        """Full entropy lengthens by a quarter."""
        self.assertEqual(self.penalty.rest(0, None, 1.0), 37.5)

    def test_retry_after(self) -> None:
        """What the upstream asks for goes before our own guess, within reason."""
        for asked, rest in ((1.0, 1), (3600.0, 3600), (1e9, 3600), (float("inf"), 3600)):
            self.assertEqual(self.penalty.rest(5, asked, 1.0), rest)

    def test_senseless_retry_after(self) -> None:
        """No time at all, or none that is a number, is no answer."""
        for asked in (0.0, -5.0, float("nan")):
            self.assertEqual(self.penalty.rest(0, asked, 0.0), 30)


class CooldownTests(SynchronousTestCase):
    """The operator's choice of the first rest."""

    def test_throttled(self) -> None:
        """It replaces the base, and the cap where it is longer; nothing else changes."""
        short = penalty_for(Throttled("t"), 5.0)
        long = penalty_for(Throttled("t"), 3000.0)
        assert short is not None and long is not None
        self.assertEqual(short.rest(0, None, 0.0), 5.0)
        self.assertEqual(short.rest(1, None, 0.0), 10.0)
        self.assertEqual(long.rest(0, None, 0.0), 3000.0)
        self.assertEqual(long.rest(5, None, 0.0), 3000.0)
        self.assertEqual(short.rest(0, 7.0, 0.0), 7.0)
        self.assertEqual(
            penalty_for(UpstreamUnavailable("u"), 5.0), penalty_for(UpstreamUnavailable("u"))
        )


class ModelPenaltyTests(SynchronousTestCase):
    """What a fault costs the model."""

    def rests(self, fault: UpstreamFault, cooldown: float = 30.0) -> list[float]:
        penalty = model_penalty(fault, cooldown)
        assert penalty is not None
        return [penalty.rest(attempt, None, 0.0) for attempt in (0, 1, 1000)]

    def test_overloaded(self) -> None:
        """Two seconds, doubling to half a minute, in the whole group."""
        self.assertEqual(self.rests(ModelOverloaded("x")), [2, 4, 30])

    def test_lacking(self) -> None:
        """An hour, for this account."""
        fault = UpstreamRefused("x", scope=Scope.ACCOUNT_MODEL)
        self.assertEqual(self.rests(fault), [3600, 3600, 3600])

    def test_throttled(self) -> None:
        """As an account would rest, but only from this model."""
        fault = Throttled("x", scope=Scope.ACCOUNT_MODEL)
        self.assertEqual(self.rests(fault), [30, 60, 600])
        self.assertEqual(self.rests(fault, 5.0), [5, 10, 600])

    def test_nothing_to_do_with_it(self) -> None:
        """All other faults."""
        for fault in (Throttled("x"), UpstreamRefused("x"), UpstreamUnavailable("x")):
            self.assertIsNone(model_penalty(fault))


class PlainTests(SynchronousTestCase):
    """Which rests need no trial."""

    def test_told(self) -> None:
        """Only a throttle of known length."""
        self.assertTrue(plain(Throttled("x", retry_after=5)))
        for fault in (
            Throttled("x"),
            Throttled("x", retry_after=0),
            UpstreamUnavailable("x", retry_after=5),
        ):
            self.assertFalse(plain(fault))


class ResetTests(SynchronousTestCase):
    """Until when an exhausted account rests."""

    def test_known(self) -> None:
        """The reset, if it is known and to come, and the fault was about quota."""
        quota = QuotaExhausted("x", code="MONTHLY_REQUEST_COUNT")
        self.assertEqual(reset_of(quota, 500.0, 100.0), 500.0)
        for fault, resets_at in ((quota, None), (quota, 0.0), (quota, 100.0)):
            self.assertIsNone(reset_of(fault, resets_at, 100.0))
        self.assertIsNone(reset_of(Throttled("x"), 500.0, 100.0))

    def test_daily(self) -> None:
        """A daily limit does not last for longer than a day."""
        daily = QuotaExhausted("x", code="DAILY_REQUEST_COUNT")
        self.assertEqual(reset_of(daily, 500.0, 100.0), 500.0)
        self.assertIsNone(reset_of(daily, 100_000.0, 100.0))
