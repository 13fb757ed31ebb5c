"""Tests for kiro2api.accounts.verdicts: trials, models that are lacked or rest, credits."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.ledger import Change, Choice, Ledger, Nobody
from kiro2api.accounts.outcome import End, Outcome, Parked
from kiro2api.accounts.penalties import State
from kiro2api.accounts.roster import MOST_MODELS
from kiro2api.accounts.standing import Standing
from kiro2api.errors import (
    AccountSuspended,
    ModelOverloaded,
    QuotaExhausted,
    Scope,
    Throttled,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from tests.accounts.fixtures import ABANDONED, SERVED, account, failed

ONE, TWO, THREE = account(1), account(2), account(3)
WHO = ONE.fingerprint
NONE: frozenset[str] = frozenset()


class Case(SynchronousTestCase):
    """A ledger of one."""

    def setUp(self) -> None:
        self.ledger = Ledger([ONE])

    def strike(self, fault: UpstreamFault, now: float, model: str = "") -> Change | None:
        self.ledger.lent(WHO, now)
        return self.ledger.returned(WHO, Outcome(End.FAILED, fault, model), now)

    def can_serve(self, now: float, *tried: str, model: str = "") -> bool:
        return isinstance(self.ledger.choose("default", set(tried), now, model), Choice)

    def stands(self, now: float) -> Standing:
        return self.ledger.standing(WHO, now)


class TrialTests(Case):
    """Who returns from a fault is lent once at a time until it is seen to work."""

    def setUp(self) -> None:
        super().setUp()
        self.early = self.ledger.lent(WHO, 0.0)
        self.strike(UpstreamUnavailable("x"), 0.0)
        self.assertTrue(self.can_serve(5.0))
        self.probe = self.ledger.lent(WHO, 5.0)

    def give_back(self, loan: int, outcome: Outcome, now: float) -> Change | None:
        return self.ledger.returned(WHO, outcome, now, loan=loan)

    def test_one_at_a_time(self) -> None:
        """While it is tried by one, it is busy for the others."""
        standing = self.stands(5.0)
        self.assertEqual(
            (standing.state, standing.probing, standing.busy), (State.READY, True, True)
        )
        self.assertFalse(self.can_serve(6.0))
        self.give_back(self.probe, ABANDONED, 6.0)
        self.assertTrue(self.can_serve(6.0))
        self.assertTrue(self.stands(6.0).probing)

    def test_served(self) -> None:
        """A success ends the trial, and the next fault costs what the first did."""
        self.give_back(self.probe, SERVED, 6.0)
        standing = self.stands(6.0)
        self.assertFalse(standing.probing or standing.busy)
        change = self.strike(UpstreamUnavailable("x"), 10.0)
        assert change is not None
        self.assertEqual(change.until, 15.0)

    def test_answered(self) -> None:
        """An answer that has begun is enough for the others; a fault after it still doubles."""
        self.ledger.answered(WHO, self.early, 6.0)
        self.assertFalse(self.can_serve(6.0))
        self.ledger.answered(WHO, self.probe, 6.0)
        self.ledger.answered(WHO, self.probe, 6.0)
        self.assertTrue(self.can_serve(6.0))
        change = self.give_back(self.probe, failed(UpstreamUnavailable("x")), 10.0)
        assert change is not None
        self.assertEqual(change.until, 20.0)

    def test_failed(self) -> None:
        """A failed trial doubles the rest, every time."""
        change = self.give_back(self.probe, failed(UpstreamUnavailable("x")), 6.0)
        assert change is not None
        self.assertEqual(change.until, 16.0)
        self.assertTrue(self.can_serve(16.0))
        probe = self.ledger.lent(WHO, 16.0)
        change = self.give_back(probe, failed(UpstreamUnavailable("x")), 16.0)
        assert change is not None
        self.assertEqual(change.until, 36.0)

    def test_a_loan_from_before(self) -> None:
        """It is not the trial: its success proves nothing, its fault is the old occasion."""
        self.assertIsNone(self.give_back(self.early, SERVED, 6.0))
        self.assertFalse(self.can_serve(6.0))
        self.assertTrue(self.stands(6.0).probing)

    def test_a_fault_from_before(self) -> None:
        """It parks the account again, but no longer than the first time."""
        change = self.give_back(self.early, failed(UpstreamUnavailable("x")), 6.0)
        assert change is not None
        self.assertEqual(change.until, 11.0)

    def test_told_how_long(self) -> None:
        """After a throttle of the length that the upstream asked for, all come back at once."""
        ledger = Ledger([ONE])
        ledger.lent(WHO, 0.0)
        change = ledger.returned(WHO, failed(Throttled("x", retry_after=5)), 0.0)
        self.assertEqual(change, Change(ONE, State.COOLING, "throttled", 5.0, False, True))
        for _ in range(2):
            self.assertIsInstance(ledger.choose("default", NONE, 5.0), Choice)
            ledger.lent(WHO, 5.0)
        self.assertFalse(ledger.standing(WHO, 5.0).probing)

    def test_after_a_restart(self) -> None:
        """A rest that was over at the start is followed by a trial."""
        ledger = Ledger([ONE])
        ledger.restore(WHO, Parked("exhausted", 5.0), 6.0)
        self.assertTrue(ledger.standing(WHO, 6.0).probing)
        ledger.restore(WHO, Parked("exhausted", 50.0), 6.0)
        ledger.restore(WHO, Parked("suspended"), 6.0)
        self.assertIs(ledger.standing(WHO, 6.0).state, State.EXHAUSTED)

    def test_told_by_another_process(self) -> None:
        """A plain rest stays one."""
        self.ledger.release(WHO)
        self.ledger.heard(Change(ONE, State.COOLING, "throttled", 60.0, False, True), 10.0)
        self.assertFalse(self.stands(60.0).probing)

    def test_last_error(self) -> None:
        """The operator sees what the account was blamed for last."""
        standing = self.stands(6.0)
        self.assertEqual(
            (standing.last_error, standing.last_error_at), ("UpstreamUnavailable", 0.0)
        )


class LackingTests(SynchronousTestCase):
    """Accounts that do not have a model."""

    def setUp(self) -> None:
        self.ledger = Ledger([ONE, TWO, THREE])

    def who(self, model: str, now: float = 0.0, *tried: str) -> str:
        choice = self.ledger.choose("default", set(tried), now, model)
        return choice.account.name[-1] if isinstance(choice, Choice) else ""

    def test_not_asked(self) -> None:
        """Only for that model, and only as long as it is believed."""
        self.ledger.lacks(WHO, "opus", 50.0)
        self.ledger.lacks(WHO, "", 50.0)
        self.assertEqual([self.who(m) for m in ("opus", "haiku", "")], ["2", "1", "1"])
        self.assertEqual(self.who("opus", 49.0), "2")
        self.assertEqual(self.who("opus", 50.0), "1")
        self.ledger.lacks(WHO, "opus", 150.0)
        self.ledger.lacks(WHO, "opus", 100.0)
        self.assertEqual((self.who("opus", 99.0), self.who("opus", 100.0)), ("2", "1"))

    def test_all_lack_it(self) -> None:
        """Then nobody can be waited for, whoever is switched off."""
        self.ledger.admit(THREE, 0.0, enabled=False)
        for each in (ONE, TWO):
            self.ledger.lacks(each.fingerprint, "opus", 50.0)
        nobody = self.ledger.choose("default", NONE, 0.0, "opus")
        self.assertEqual(nobody, Nobody(50.0, {"disabled": 1, "lacking": 2}, lacking=True))
        self.ledger.admit(THREE, 0.0)
        self.assertEqual(self.who("opus"), "3")

    def test_the_other_never_returns(self) -> None:
        """Whether one that needs a login would have the model, nobody will find out by waiting."""
        for each in (ONE, TWO):
            self.ledger.lacks(each.fingerprint, "opus", 50.0)
        for reason in ("login", "suspended"):
            self.ledger.restore(THREE.fingerprint, Parked(reason), 0.0)
            nobody = self.ledger.choose("default", NONE, 0.0, "opus")
            assert isinstance(nobody, Nobody)
            self.assertTrue(nobody.lacking)
            self.ledger.release(THREE.fingerprint, 0.0)

    def test_the_other_rests(self) -> None:
        """Who has the model may only rest: that is no lack."""
        self.ledger.lacks(WHO, "opus", 50.0)
        self.ledger.lacks(TWO.fingerprint, "opus", 50.0)
        self.ledger.lent(THREE.fingerprint, 0.0)
        throttled = failed(Throttled("x", retry_after=20))
        self.ledger.returned(THREE.fingerprint, throttled, 0.0)
        nobody = self.ledger.choose("default", NONE, 0.0, "opus")
        self.assertEqual(nobody, Nobody(20.0, {"lacking": 2, "throttled": 1}))
        self.assertEqual(self.who("opus", 20.0), "3")
        self.assertEqual(self.who("opus", 20.0, THREE.fingerprint), "")

    def test_learnt_while_one_rests(self) -> None:
        """Who rests while the first lack is learnt comes back for that model, too."""
        self.ledger.lent(TWO.fingerprint, 0.0)
        self.ledger.returned(TWO.fingerprint, failed(Throttled("x", retry_after=20)), 0.0)
        self.ledger.lacks(WHO, "opus", 50.0)
        nobody = self.ledger.choose("default", {THREE.fingerprint}, 0.0, "opus")
        assert isinstance(nobody, Nobody)
        self.assertEqual(nobody.census, {"lacking": 1, "throttled": 1, "ready": 1})
        self.assertEqual(self.who("opus", 20.0), "2")

    def test_said_by_the_fault(self) -> None:
        """A loan that failed for account and model together teaches the same."""
        fault = UpstreamRefused("x", scope=Scope.ACCOUNT_MODEL)
        for model, expected in (("", "1"), ("opus", "2")):
            self.ledger.lent(WHO, 0.0)
            self.assertIsNone(self.ledger.returned(WHO, Outcome(End.FAILED, fault, model), 0.0))
            self.assertEqual(self.who("opus"), expected)
        self.assertEqual(self.who(""), "1")

    def test_throttled_for_a_model(self) -> None:
        """The account rests from that model alone, longer each time."""
        fault = Throttled("x", scope=Scope.ACCOUNT_MODEL)
        for now, back in ((0.0, 30.0), (30.0, 90.0)):
            for each in (ONE, TWO, THREE):
                self.ledger.lent(each.fingerprint, now)
                self.ledger.returned(each.fingerprint, Outcome(End.FAILED, fault, "opus"), now)
            self.assertEqual(self.who("haiku", now), "1")
            nobody = self.ledger.choose("default", NONE, now, "opus")
            self.assertEqual(nobody, Nobody(back, {"throttled": 3}))

    def test_many_models(self) -> None:
        """What was learnt first is forgotten first."""
        for number in range(MOST_MODELS + 1):
            self.ledger.lacks(WHO, f"model-{number}", 50.0)
        self.assertEqual([self.who("model-0"), self.who("model-1")], ["1", "2"])

    def test_ten_thousand(self) -> None:
        """The only one that has the model is found, and found again after a loan."""
        accounts = [account(number) for number in range(10_000)]
        ledger = Ledger(accounts)
        for each in accounts[:-1]:
            ledger.lacks(each.fingerprint, "opus", 1e9)
        for now in (0.0, 1.0):
            choice = ledger.choose("default", NONE, now, "opus")
            self.assertEqual(choice, Choice(accounts[-1]))
            ledger.lent(accounts[-1].fingerprint, now)


class OverloadedTests(Case):
    """Models without capacity."""

    def test_rests_for_all(self) -> None:
        """Only who has met it may try one more account; the account is not to blame."""
        self.assertIsNone(self.strike(ModelOverloaded("x"), 0.0, "opus"))
        self.assertEqual(
            self.ledger.choose("default", NONE, 1.0, "opus"), Nobody(2.0, {"ready": 1}, closed=True)
        )
        self.assertTrue(self.can_serve(1.0, "somebody else", model="opus"))
        self.assertFalse(self.can_serve(1.0, "one", "two", model="opus"))
        self.assertTrue(self.can_serve(1.0, model="haiku"))
        self.assertTrue(self.can_serve(2.0, model="opus"))
        self.assertEqual(self.stands(2.0).failed, 0)

    def rest(self, now: float) -> float:
        self.strike(ModelOverloaded("x"), now, "opus")
        nobody = self.ledger.choose("default", NONE, now, "opus")
        assert isinstance(nobody, Nobody) and nobody.earliest is not None
        return nobody.earliest - now

    def test_longer_each_time(self) -> None:
        """Doubled up to half a minute; at once is one occasion; forgotten after a while, or an
        answer."""
        self.assertEqual(
            [self.rest(now) for now in (0, 0, 10, 20, 30, 50, 90)], [2, 2, 4, 8, 16, 30, 30]
        )
        self.assertEqual(self.rest(2000.0), 2.0)
        self.ledger.lent(WHO, 2000.0)
        self.ledger.returned(WHO, Outcome(End.SERVED, model="opus"), 2001.0)
        self.assertEqual(self.rest(2003.0), 2.0)

    def test_bounded(self) -> None:
        """Names of models do not pile up."""
        for number in range(MOST_MODELS + 5):
            self.strike(ModelOverloaded("x"), 0.0, f"model-{number}")
        self.assertTrue(self.can_serve(0.0, model="model-0"))
        self.assertFalse(self.can_serve(0.0, model="model-9"))


class CreditTests(Case):
    """What is known of credits."""

    def exhaust(self, now: float, code: str = "MONTHLY_REQUEST_COUNT") -> float:
        change = self.strike(QuotaExhausted("x", code=code), now)
        assert change is not None
        return change.until - now

    def test_until_the_reset(self) -> None:
        """A known reset ends the rest, if it is to come."""
        self.ledger.credits_known(WHO, 3.0, 5e5, 0.0)
        self.assertEqual(self.exhaust(100.0), 5e5 - 100)
        self.assertEqual(self.stands(100.0).resets_at, 5e5)
        self.ledger.release(WHO)
        self.assertEqual(self.exhaust(6e5), 3600.0)

    def test_daily(self) -> None:
        """The limit of a day does not last until the reset of a month."""
        self.ledger.credits_known(WHO, 3.0, 5e5, 0.0)
        self.assertEqual(self.exhaust(0.0, "DAILY_REQUEST_COUNT"), 3600.0)
        self.ledger.release(WHO)
        self.assertEqual(self.exhaust(5e5 - 7200, "DAILY_REQUEST_COUNT"), 7200.0)

    def test_nothing_left(self) -> None:
        """Read after it was exhausted: it rests until the reset, if that is known."""
        self.exhaust(0.0)
        self.assertIsNone(self.ledger.credits_known(WHO, 0.0, None, 1.0))
        self.assertEqual(
            self.ledger.credits_known(WHO, 0.0, 9000.0, 1.0),
            Change(ONE, State.EXHAUSTED, "exhausted", 9000.0, True),
        )
        self.assertIsNone(self.ledger.credits_known(WHO, 0.0, 9000.0, 1.0))
        self.assertIsNone(self.ledger.credits_known(WHO, None, None, 1.0))
        self.assertFalse(self.can_serve(8999.0))
        self.assertTrue(self.can_serve(9000.0))

    def test_something_left(self) -> None:
        """It comes back through a trial, and what was stored is forgotten."""
        self.exhaust(0.0)
        back = Change(ONE, State.READY, "", 0.0, True)
        self.assertEqual(self.ledger.credits_known(WHO, 5.0, None, 1.0), back)
        self.assertTrue(self.can_serve(1.0))
        self.assertTrue(self.stands(1.0).probing)

    def test_no_storm(self) -> None:
        """Who says that it has credits but is refused again is believed later and later."""
        self.exhaust(0.0)
        self.ledger.credits_known(WHO, 5.0, None, 1.0)
        self.exhaust(2.0)
        self.assertEqual(
            self.ledger.credits_known(WHO, 5.0, None, 3.0),
            Change(ONE, State.EXHAUSTED, "exhausted", 122.0, True),
        )
        self.assertIsNone(self.ledger.credits_known(WHO, 5.0, None, 4.0))
        self.assertTrue(self.can_serve(122.0))
        self.exhaust(122.0)
        self.ledger.credits_known(WHO, 5.0, None, 123.0)
        self.assertEqual(self.stands(123.0).until, 362.0)
        self.ledger.credits_known(WHO, 5.0, None, 361.0)
        self.assertTrue(self.can_serve(362.0))

    def test_others_stay(self) -> None:
        """Credits mend nothing else."""
        self.assertIsNone(self.ledger.credits_known(WHO, 0.0, 99.0, 0.0))
        self.strike(AccountSuspended("x"), 0.0)
        self.assertIsNone(self.ledger.credits_known(WHO, 5.0, None, 1.0))
        self.assertFalse(self.can_serve(1e9))
