"""Tests for kiro2api.accounts.ledger and roster."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.ledger import Change, Choice, Ledger, Nobody
from kiro2api.accounts.outcome import End, Outcome, Parked
from kiro2api.accounts.penalties import State
from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    ModelOverloaded,
    NotFound,
    QuotaExhausted,
    Throttled,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from tests.accounts.fixtures import ABANDONED, SERVED, account, failed

ONE, TWO, THREE = account(1), account(2), account(3)
NOBODY_TRIED: frozenset[str] = frozenset()


def chosen(ledger: Ledger, now: float, *tried: object, group: str = "default") -> str | None:
    """The name of who serves, None if nobody does."""
    choice = ledger.choose(group, {getattr(a, "fingerprint", "") for a in tried}, now)
    return choice.account.name if isinstance(choice, Choice) else None


def lend_and_fail(
    ledger: Ledger, who: str, fault: UpstreamFault, now: float, jitter: float = 0.0
) -> Change | None:
    """One loan that ends with this fault."""
    ledger.lent(who, now)
    return ledger.returned(who, failed(fault), now, jitter=jitter)


class ChooseTests(SynchronousTestCase):
    """Who is next."""

    def test_sequential(self) -> None:
        """The first in order serves every time, however often it is lent."""
        ledger = Ledger([TWO, ONE, THREE])
        for _ in range(3):
            self.assertEqual(chosen(ledger, 0.0), "account-1")
            ledger.lent(ONE.fingerprint, 0.0)

    def test_equal_order(self) -> None:
        """Among equals the one configured first goes first."""
        same = [account(n) for n in (7, 5, 9)]
        ledger = Ledger([type(a)(a.fingerprint, a.name, a.method) for a in same])
        self.assertEqual(chosen(ledger, 0.0), "account-7")
        self.assertEqual(chosen(ledger, 0.0, same[0]), "account-5")

    def test_tried(self) -> None:
        """Those already tried are passed over, and stay available to others."""
        ledger = Ledger([ONE, TWO])
        self.assertEqual(chosen(ledger, 0.0, ONE), "account-2")
        self.assertEqual(chosen(ledger, 0.0, ONE, TWO), None)
        self.assertEqual(chosen(ledger, 0.0), "account-1")

    def test_all_tried(self) -> None:
        """If all were tried and are ready, another request could be served now."""
        ledger = Ledger([ONE])
        nobody = ledger.choose("default", {ONE.fingerprint}, 5.0)
        self.assertEqual(nobody, Nobody(5.0, {"ready": 1}))

    def test_groups(self) -> None:
        """Groups do not see each other's accounts."""
        ledger = Ledger([account(1, group="pro"), TWO])
        self.assertEqual(chosen(ledger, 0.0), "account-2")
        self.assertEqual(chosen(ledger, 0.0, group="pro"), "account-1")
        self.assertEqual(set(ledger.groups()), {"default", "pro"})

    def test_unknown_group(self) -> None:
        """A group nobody was configured for does not exist."""
        self.assertRaises(NotFound, Ledger([ONE]).choose, "pro", NOBODY_TRIED, 0.0)

    def test_empty_default(self) -> None:
        """The default group always exists."""
        self.assertEqual(Ledger().choose("default", NOBODY_TRIED, 0.0), Nobody(None, {}))

    def test_disabled(self) -> None:
        """A disabled account is known and never lent."""
        ledger = Ledger([ONE, TWO], disabled={ONE.fingerprint})
        self.assertEqual(chosen(ledger, 1e12), "account-2")
        self.assertEqual(ledger.accounts(), (ONE, TWO))
        nobody = ledger.choose("default", {TWO.fingerprint}, 0.0)
        self.assertEqual(nobody, Nobody(0.0, {"ready": 1, "disabled": 1}))

    def test_twice(self) -> None:
        """No account can be taken in twice."""
        self.assertRaises(ValueError, Ledger([ONE]).add, ONE)

    def test_earliest(self) -> None:
        """Nobody comes with the time of the first return."""
        ledger = Ledger([ONE, TWO, THREE])
        lend_and_fail(ledger, ONE.fingerprint, Throttled("x", retry_after=50), 0.0)
        lend_and_fail(ledger, TWO.fingerprint, Throttled("x", retry_after=20), 0.0)
        lend_and_fail(ledger, THREE.fingerprint, AccountSuspended("x"), 0.0)
        nobody = ledger.choose("default", NOBODY_TRIED, 1.0)
        self.assertEqual(nobody, Nobody(20.0, {"throttled": 2, "suspended": 1}))
        self.assertEqual(chosen(ledger, 20.0), "account-2")

    def test_earliest_after_release(self) -> None:
        """A rest that was cut short does not count."""
        ledger = Ledger([ONE, TWO])
        lend_and_fail(ledger, ONE.fingerprint, Throttled("x", retry_after=20), 0.0)
        lend_and_fail(ledger, TWO.fingerprint, Throttled("x", retry_after=50), 0.0)
        lend_and_fail(ledger, ONE.fingerprint, AccountSuspended("x"), 0.0)
        self.assertEqual(
            ledger.choose("default", NOBODY_TRIED, 1.0),
            Nobody(50.0, {"throttled": 1, "suspended": 1}),
        )

    def test_nobody_returns(self) -> None:
        """If only an operator can help, there is no time."""
        ledger = Ledger([ONE])
        lend_and_fail(ledger, ONE.fingerprint, AccountSuspended("x"), 0.0)
        self.assertEqual(
            ledger.choose("default", NOBODY_TRIED, 9e9), Nobody(None, {"suspended": 1})
        )


class ReadinessTests(SynchronousTestCase):
    """How many there are, and how many of them do not rest."""

    def test_counts(self) -> None:
        """Over all groups; busy ones count, and whose rest is over, but nobody who is off."""
        other = account(4, group="pro")
        ledger = Ledger([ONE, TWO, THREE, other], disabled=[THREE.fingerprint])
        self.assertEqual(ledger.readiness(0.0), (4, 3))
        ledger.set_group(GroupPolicy("default", max_in_flight=1), 0.0)
        ledger.lent(ONE.fingerprint, 0.0)
        self.assertEqual(ledger.readiness(0.0), (4, 3))
        ledger.restore(TWO.fingerprint, Parked("throttled", 10.0), 0.0)
        self.assertEqual(ledger.readiness(9.0), (4, 2))
        self.assertEqual(ledger.readiness(11.0), (4, 3))


class ReturnedTests(SynchronousTestCase):
    """What the end of a loan changes."""

    def setUp(self) -> None:
        self.ledger = Ledger([ONE])
        self.who = ONE.fingerprint

    def test_counts(self) -> None:
        """Loans and their ends are counted."""
        self.ledger.lent(self.who, 7.0)
        self.ledger.lent(self.who, 8.0)
        standing = self.ledger.standing(self.who, 8.0)
        self.assertEqual((standing.in_flight, standing.last_used), (2, 8.0))
        self.ledger.returned(self.who, SERVED, 9.0)
        self.ledger.returned(self.who, failed(Throttled("x")), 9.0)
        standing = self.ledger.standing(self.who, 9.0)
        self.assertEqual((standing.in_flight, standing.served, standing.failed), (0, 1, 1))

    def test_harmless_ends(self) -> None:
        """These say nothing about the account."""
        for outcome in (
            SERVED,
            ABANDONED,
            Outcome(End.ABANDONED, Throttled("x")),
            Outcome(End.FAILED),
            failed(UpstreamRefused("x")),
            failed(ModelOverloaded("x")),
        ):
            self.ledger.lent(self.who, 0.0)
            self.assertIsNone(self.ledger.returned(self.who, outcome, 0.0))
            self.assertIs(self.ledger.standing(self.who, 0.0).state, State.READY)
        self.assertEqual(self.ledger.standing(self.who, 0.0).failed, 0)

    def test_states(self) -> None:
        """Each fault brings its state, reason, end and whether it must be remembered."""
        for fault, state, reason, until, lasting in (
            (Throttled("x"), State.COOLING, "throttled", 130.0, False),
            (UpstreamUnavailable("x"), State.COOLING, "service", 105.0, False),
            (AccessRefused("x"), State.COOLING, "refused", 700.0, False),
            (CredentialsRejected("x"), State.REJECTED, "credentials", 160.0, False),
            (QuotaExhausted("x"), State.EXHAUSTED, "exhausted", 3700.0, True),
            (AccountSuspended("x"), State.SUSPENDED, "suspended", 0.0, True),
        ):
            ledger = Ledger([ONE])
            self.assertEqual(
                lend_and_fail(ledger, self.who, fault, 100.0),
                Change(ONE, state, reason, until, lasting),
            )
            standing = ledger.standing(self.who, 100.0)
            self.assertEqual(
                (standing.state, standing.reason, standing.until), (state, reason, until)
            )

    def test_rest_is_over(self) -> None:
        """An account is shown as ready from the end of its rest on."""
        lend_and_fail(self.ledger, self.who, Throttled("x"), 0.0)
        self.assertIs(self.ledger.standing(self.who, 29.9).state, State.COOLING)
        standing = self.ledger.standing(self.who, 30.0)
        self.assertEqual((standing.state, standing.reason, standing.until), (State.READY, "", 0.0))

    def rests(self, *times: float) -> list[float]:
        """The lengths of the rests when throttled at these moments."""
        found = []
        for now in times:
            change = lend_and_fail(self.ledger, self.who, Throttled("x"), now)
            found.append(0.0 if change is None else change.until - now)
        return found

    def test_backoff(self) -> None:
        """Each further occasion doubles the rest; a success starts over."""
        self.assertEqual(self.rests(0, 1000, 2000), [30, 60, 120])
        self.ledger.choose("default", NOBODY_TRIED, 3000.0)
        self.ledger.lent(self.who, 3000.0)
        self.ledger.returned(self.who, SERVED, 3000.0)
        self.assertEqual(self.rests(4000), [30])

    def test_one_occasion(self) -> None:
        """Loans that fail together count once, and shorten nothing."""
        self.assertEqual(self.rests(0, 0, 0, 0), [30, 0, 0, 0])
        self.assertEqual(self.rests(1000), [60])

    def test_extended(self) -> None:
        """A later failure of the same occasion may lengthen the rest."""
        self.assertEqual(self.rests(0, 10), [30, 30])
        self.assertEqual(self.ledger.standing(self.who, 39.0).until, 40.0)

    def test_reasons_count_apart(self) -> None:
        """Being throttled does not make a broken connection cost more."""
        self.rests(0, 1000, 2000)
        change = lend_and_fail(self.ledger, self.who, UpstreamUnavailable("x"), 5000.0)
        assert change is not None
        self.assertEqual(change.until, 5005.0)

    def test_jitter(self) -> None:
        """The given entropy lengthens the rest."""
        change = lend_and_fail(self.ledger, self.who, Throttled("x"), 0.0, jitter=1.0)
        assert change is not None
        self.assertEqual(change.until, 37.5)

    def test_late_success(self) -> None:
        """A success of a loan from before the rest does not end it."""
        self.ledger.lent(self.who, 0.0)
        self.rests(1)
        self.assertIsNone(self.ledger.returned(self.who, SERVED, 2.0))
        self.assertIs(self.ledger.standing(self.who, 2.0).state, State.COOLING)
        self.assertEqual(self.rests(1000), [60])

    def test_never_weaker(self) -> None:
        """Nothing shortens a rest, and nothing but an operator ends one without end."""
        self.assertIsNotNone(lend_and_fail(self.ledger, self.who, AccessRefused("x"), 0.0))
        self.assertIsNone(lend_and_fail(self.ledger, self.who, Throttled("x"), 0.0))
        self.assertEqual(self.ledger.standing(self.who, 0.0).reason, "refused")
        self.assertIsNotNone(lend_and_fail(self.ledger, self.who, AccountSuspended("x"), 0.0))
        self.assertIsNone(lend_and_fail(self.ledger, self.who, QuotaExhausted("x"), 0.0))
        self.assertIsNone(chosen(self.ledger, 9e9))

    def test_quota_reset(self) -> None:
        """A known reset is the end of the rest; one in the past is not."""
        self.ledger.lent(self.who, 0.0)
        outcome = failed(QuotaExhausted("x"))
        change = self.ledger.returned(self.who, outcome, 100.0, until=5e6)
        self.assertEqual(change, Change(ONE, State.EXHAUSTED, "exhausted", 5e6, True))
        other = Ledger([ONE])
        other.lent(self.who, 0.0)
        change = other.returned(self.who, outcome, 100.0, until=50.0)
        self.assertEqual(change, Change(ONE, State.EXHAUSTED, "exhausted", 3700.0, True))

    def test_reset_of_another_fault(self) -> None:
        """The quota's reset means nothing to other faults."""
        self.ledger.lent(self.who, 0.0)
        change = self.ledger.returned(self.who, failed(Throttled("x")), 0.0, until=5e6)
        assert change is not None
        self.assertEqual(change.until, 30.0)

    def test_recovered_quota(self) -> None:
        """A success after the reset says once that nothing is to be remembered any more."""
        lend_and_fail(self.ledger, self.who, QuotaExhausted("x"), 0.0)
        self.assertEqual(chosen(self.ledger, 3600.0), ONE.name)
        self.ledger.lent(self.who, 3600.0)
        self.ledger.lent(self.who, 3600.0)
        self.assertEqual(
            self.ledger.returned(self.who, SERVED, 3601.0),
            Change(ONE, State.READY, "", 0.0, True),
        )
        self.assertIsNone(self.ledger.returned(self.who, SERVED, 3601.0))


class RenewalFailedTests(SynchronousTestCase):
    """What a failed refresh changes."""

    def test_dead_login(self) -> None:
        """Without a valid refresh token only a new login helps."""
        ledger = Ledger([ONE])
        fault = CredentialsRejected("x", code="invalid_grant")
        self.assertEqual(
            ledger.renewal_failed(ONE.fingerprint, fault, 5.0),
            Change(ONE, State.REJECTED, "login", 0.0, True),
        )
        self.assertIsNone(ledger.renewal_failed(ONE.fingerprint, fault, 6.0))
        self.assertIsNone(chosen(ledger, 9e9))

    def test_passing(self) -> None:
        """Anything else passes, and every waiter's report is the same occasion."""
        ledger = Ledger([ONE])
        fault = UpstreamUnavailable("x")
        changes = [ledger.renewal_failed(ONE.fingerprint, fault, 0.0) for _ in range(3)]
        self.assertEqual(changes, [Change(ONE, State.COOLING, "service", 5.0, False), None, None])

    def test_blameless(self) -> None:
        """A fault of no account changes nothing."""
        ledger = Ledger([ONE])
        self.assertIsNone(ledger.renewal_failed(ONE.fingerprint, ModelOverloaded("x"), 0.0))


class RestoreTests(SynchronousTestCase):
    """What was remembered over a restart."""

    def restored(self, parked: Parked, now: float = 100.0) -> Ledger:
        ledger = Ledger([ONE])
        ledger.restore(ONE.fingerprint, parked, now)
        return ledger

    def test_states(self) -> None:
        """Every reason finds its state again; unknown ones are respected."""
        for reason, until, state in (
            ("exhausted", 500.0, State.EXHAUSTED),
            ("suspended", 0.0, State.SUSPENDED),
            ("login", 0.0, State.REJECTED),
            ("disabled", 0.0, State.DISABLED),
            ("somebody else's", 0.0, State.SUSPENDED),
            ("somebody else's", 500.0, State.COOLING),
        ):
            standing = self.restored(Parked(reason, until)).standing(ONE.fingerprint, 100.0)
            self.assertEqual(
                (standing.state, standing.reason, standing.until), (state, reason, until)
            )

    def test_without_a_reason(self) -> None:
        """An empty reason must not look like being ready."""
        ledger = self.restored(Parked(""))
        nobody = ledger.choose("default", NOBODY_TRIED, 100.0)
        self.assertEqual(nobody, Nobody(None, {"suspended": 1}))

    def test_over(self) -> None:
        """A rest that ended meanwhile is over; the first success has it forgotten."""
        ledger = self.restored(Parked("exhausted", 100.0))
        self.assertEqual(chosen(ledger, 100.0), ONE.name)
        ledger.lent(ONE.fingerprint, 100.0)
        self.assertEqual(
            ledger.returned(ONE.fingerprint, SERVED, 101.0),
            Change(ONE, State.READY, "", 0.0, True),
        )

    def test_returns(self) -> None:
        """An exhausted account returns at its time."""
        ledger = self.restored(Parked("exhausted", 500.0))
        self.assertIsNone(chosen(ledger, 499.0))
        self.assertEqual(chosen(ledger, 500.0), ONE.name)

    def test_disabled_stays(self) -> None:
        """What is remembered does not switch on what is configured off."""
        ledger = Ledger([ONE], disabled={ONE.fingerprint})
        ledger.restore(ONE.fingerprint, Parked("exhausted", 500.0), 0.0)
        self.assertIs(ledger.standing(ONE.fingerprint, 600.0).state, State.DISABLED)


class ReleaseTests(SynchronousTestCase):
    """An operator's word."""

    def test_release(self) -> None:
        """Whatever parked the account, it is asked again, and starts over."""
        for fault in (AccountSuspended("x"), QuotaExhausted("x"), Throttled("x")):
            ledger = Ledger([ONE])
            lend_and_fail(ledger, ONE.fingerprint, fault, 0.0)
            self.assertEqual(
                ledger.release(ONE.fingerprint), Change(ONE, State.READY, "", 0.0, True)
            )
            self.assertEqual(chosen(ledger, 0.0), ONE.name)
        change = lend_and_fail(ledger, ONE.fingerprint, Throttled("x"), 0.0)
        assert change is not None
        self.assertEqual(change.until, 30.0)

    def test_ready(self) -> None:
        """Releasing who is ready does no harm."""
        ledger = Ledger([ONE, TWO])
        ledger.release(ONE.fingerprint)
        self.assertEqual(chosen(ledger, 0.0), "account-1")
        self.assertEqual(chosen(ledger, 0.0, ONE), "account-2")


FAULTS = (
    Throttled("x"),
    Throttled("x", retry_after=3.0),
    UpstreamUnavailable("x"),
    QuotaExhausted("x", retry_after=40.0),
    AccessRefused("x"),
    CredentialsRejected("x"),
    ModelOverloaded("x"),
    UpstreamRefused("x"),
)
STEP = st.tuples(
    st.integers(0, 4),  # which account
    st.one_of(
        st.sampled_from([SERVED, ABANDONED, "renewal", "release"]),
        st.sampled_from([failed(fault) for fault in FAULTS]),
    ),
    st.floats(0, 1),  # jitter
    st.floats(0, 100),  # seconds that pass before
    st.sets(st.integers(0, 4)),  # whom the next request tried
)


class PromiseTests(SynchronousTestCase):
    """The sequential policy against a model that searches everybody."""

    @settings(deadline=None)
    @given(st.permutations(range(5)), st.lists(STEP, max_size=40))
    def test_first_usable_in_order(
        self, order: list[int], steps: list[tuple[int, object, float, float, set[int]]]
    ) -> None:
        """The first in configured order that neither rests nor was tried is chosen, never one
        before its rest ends and always one after; the earliest return is that of the first."""
        accounts = [account(n) for n in range(5)]
        ledger = Ledger([accounts[n] for n in order])
        until: dict[int, float] = dict.fromkeys(range(5), 0.0)
        now = 0.0
        for number, what, jitter, passes, tried in steps:
            now += passes
            who = accounts[number].fingerprint
            if what == "release":
                change: Change | None = ledger.release(who)
            elif what == "renewal":
                fault = UpstreamUnavailable("x")
                change = ledger.renewal_failed(who, fault, now, jitter=jitter)
            else:
                assert isinstance(what, Outcome)
                ledger.lent(who, now)
                change = ledger.returned(who, what, now, jitter=jitter)
            if change is not None:
                self.assertTrue(change.state is State.READY or change.until > now)
                self.assertTrue(change.state is State.READY or change.until > until[number])
                until[number] = change.until
            ready = [n for n in range(5) if until[n] <= now]
            expected = next((n for n in ready if n not in tried), None)
            choice = ledger.choose("default", {accounts[n].fingerprint for n in tried}, now)
            if expected is None:
                assert isinstance(choice, Nobody)
                earliest = now if ready else min(until.values())
                self.assertEqual(choice.earliest, earliest)
                self.assertEqual(choice.census.get("ready", 0), len(ready))
                self.assertEqual(sum(choice.census.values()), 5)
            else:
                self.assertEqual(choice, Choice(accounts[expected]))

    def test_ten_thousand(self) -> None:
        """The only one that is ready is found among ten thousand, and all return in order."""
        accounts = [account(n) for n in range(10_000)]
        ledger = Ledger(accounts)
        for each in accounts[:-1]:
            lend_and_fail(ledger, each.fingerprint, Throttled("x", retry_after=60), 0.0)
        self.assertEqual(chosen(ledger, 1.0), "account-9999")
        self.assertEqual(chosen(ledger, 60.0), "account-0")

    def test_parked_often(self) -> None:
        """Rests that were replaced by longer ones do not pile up."""
        ledger = Ledger([ONE, TWO])
        for number in range(1000):
            lend_and_fail(ledger, ONE.fingerprint, Throttled("x", retry_after=1000), number)
        everybody = ledger._groups["default"].everybody
        self.assertLess(len(everybody.returns), 50)
        self.assertEqual(chosen(ledger, 1998.0), "account-2")
        self.assertEqual(chosen(ledger, 1999.0), "account-1")


class HeardTests(SynchronousTestCase):
    """Standings that another process has found."""

    def setUp(self) -> None:
        self.ledger = Ledger([ONE, TWO])

    def hear(self, state: State, reason: str, until: float = 0.0, lasting: bool = False) -> None:
        self.ledger.heard(Change(ONE, state, reason, until, lasting), 100.0)

    def stands(self) -> tuple[State, str, float]:
        standing = self.ledger.standing(ONE.fingerprint, 100.0)
        return standing.state, standing.reason, standing.until

    def test_rest(self) -> None:
        """It is not asked until then."""
        self.hear(State.COOLING, "throttled", 130.0)
        self.assertEqual(chosen(self.ledger, 100.0), "account-2")
        self.assertEqual(chosen(self.ledger, 130.0), "account-1")

    def test_over_already(self) -> None:
        """News that came too late."""
        self.hear(State.COOLING, "throttled", 100.0)
        self.assertEqual(self.stands(), (State.READY, "", 0.0))

    def test_the_graver_stays(self) -> None:
        """A shorter rest shortens nothing, and no rest mends what an operator must."""
        self.hear(State.COOLING, "throttled", 130.0)
        self.hear(State.COOLING, "service", 120.0)
        self.assertEqual(self.stands(), (State.COOLING, "throttled", 130.0))
        self.hear(State.EXHAUSTED, "exhausted", 500.0, lasting=True)
        self.assertEqual(self.stands(), (State.EXHAUSTED, "exhausted", 500.0))
        self.hear(State.SUSPENDED, "suspended", lasting=True)
        self.assertEqual(self.stands(), (State.SUSPENDED, "suspended", 0.0))
        self.hear(State.COOLING, "throttled", 900.0)
        self.assertEqual(self.stands(), (State.SUSPENDED, "suspended", 0.0))

    def test_released(self) -> None:
        """Somebody was served, or an operator has acted."""
        self.hear(State.SUSPENDED, "suspended", lasting=True)
        self.hear(State.READY, "", lasting=True)
        self.assertEqual(chosen(self.ledger, 100.0), "account-1")
        self.ledger.lent(ONE.fingerprint, 100.0)
        self.assertIsNone(self.ledger.returned(ONE.fingerprint, SERVED, 100.0))

    def test_remembered(self) -> None:
        """What lasts is forgotten by whoever is served first."""
        self.hear(State.EXHAUSTED, "exhausted", 130.0, lasting=True)
        chosen(self.ledger, 130.0)
        self.ledger.lent(ONE.fingerprint, 130.0)
        change = self.ledger.returned(ONE.fingerprint, SERVED, 130.0)
        self.assertEqual(change, Change(ONE, State.READY, "", 0.0, True))

    def test_counts_like_our_own(self) -> None:
        """The next rest for the same reason is longer; told again meanwhile, it is not."""
        self.hear(State.COOLING, "throttled", 130.0)
        self.hear(State.COOLING, "throttled", 131.0)
        change = lend_and_fail(self.ledger, ONE.fingerprint, Throttled("x"), 140.0)
        assert change is not None
        self.assertEqual(change.until, 200.0)

    def test_disabled(self) -> None:
        """The configuration is not overruled, nor passed on."""
        self.hear(State.DISABLED, "disabled")
        self.assertEqual(self.stands(), (State.READY, "", 0.0))
        ledger = Ledger([ONE], disabled=[ONE.fingerprint])
        for state, until in ((State.READY, 0.0), (State.COOLING, 130.0)):
            ledger.heard(Change(ONE, state, "x", until, False), 100.0)
            self.assertIs(ledger.standing(ONE.fingerprint, 100.0).state, State.DISABLED)
