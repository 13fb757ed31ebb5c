"""Tests for kiro2api.accounts.profiles."""

from collections.abc import Sequence

import msgspec
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.profiles import (
    DEFAULT_PROFILES,
    Offered,
    Profiles,
    best_profile,
    other_way,
)
from kiro2api.errors import AccessRefused, Scope, Throttled, UpstreamUnavailable
from kiro2api.upstream.listings import OfferedProfile
from tests.accounts.fixtures import ARN, OTHER_ARN, account, credentials
from tests.accounts.records import LogRecorder

IDC = account(1, method="idc")
REGIONS = ("us-east-1", "eu-central-1")


class Rows:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, float]] = []
        self.trouble: Exception | None = None

    def write_profile(self, fingerprint: str, arn: str, checked_at: float) -> Deferred[None]:
        if self.trouble is not None:
            return fail(self.trouble)
        self.written.append((fingerprint, arn, checked_at))
        return succeed(None)


class Case(SynchronousTestCase):
    """Listings that the test answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.rows = Rows()
        self.good = credentials("aoa", "aor", 5000.0)
        self.keyring = Keyring({IDC.fingerprint: self.good})
        self.asked: list[tuple[str, str]] = []
        self.open: list[Deferred[Sequence[Offered]]] = []
        self.profiles = Profiles(self.lists, REGIONS, self.rows, self.keyring, self.clock)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def lists(
        self, account: Account, credentials: Credentials, region: str
    ) -> Deferred[Sequence[Offered]]:
        self.asked.append((account.fingerprint, region))
        answer: Deferred[Sequence[Offered]] = Deferred()
        self.open.append(answer)
        return answer

    def answer(self, *answers: Sequence[Offered] | Exception) -> None:
        """Answer what is open, in order."""
        for answer in answers:
            waiting = self.open.pop(0)
            if isinstance(answer, Exception):
                waiting.errback(answer)
            else:
                waiting.callback(answer)

    def arn(self) -> str:
        return self.keyring.current(IDC.fingerprint).profile_arn


class BestTests(SynchronousTestCase):
    """Which of several is used."""

    def test_best(self) -> None:
        """An active one, of Kiro's kind if there is one; never one of a strange form."""
        for offered, expected in (
            ([], ""),
            ([OfferedProfile("arn:odd")], ""),
            ([OfferedProfile(ARN, status="CREATING")], ""),
            ([OfferedProfile(ARN)], ARN),
            ([OfferedProfile(ARN, kind="Q_DEVELOPER", status="ACTIVE")], ARN),
            ([OfferedProfile(ARN), OfferedProfile(OTHER_ARN, kind="KIRO")], OTHER_ARN),
        ):
            self.assertEqual(best_profile(offered), expected)


class FoundTests(Case):
    """An account that has a profile."""

    def test_found(self) -> None:
        """Both regions are asked at once; the profile is in the keyring before anybody goes on."""
        waiting = self.profiles.renewed(IDC)
        self.assertEqual([region for _, region in self.asked], list(REGIONS))
        self.answer([])
        self.assertNoResult(waiting)
        self.answer([OfferedProfile(OTHER_ARN)])
        self.successResultOf(waiting)
        self.assertEqual(self.arn(), OTHER_ARN)
        self.assertEqual(self.rows.written, [(IDC.fingerprint, OTHER_ARN, 1000.0)])
        self.successResultOf(self.profiles.renewed(IDC))
        self.assertEqual(len(self.asked), 2)

    def test_region_down(self) -> None:
        """One region that fails does not matter where the other has one."""
        self.profiles.renewed(IDC)
        self.answer(UpstreamUnavailable("down"), [OfferedProfile(ARN)])
        self.assertEqual(self.arn(), ARN)

    def test_several(self) -> None:
        """The operator is told that there is a choice."""
        records = LogRecorder(self)
        self.profiles.renewed(IDC)
        self.answer([OfferedProfile(ARN)], [OfferedProfile(OTHER_ARN)])
        self.assertEqual(self.arn(), ARN)
        self.assertTrue(any("2 profiles" in line for line in records.lines()))

    def test_joined(self) -> None:
        """Those who come meanwhile wait for the same look; one may leave."""
        first, second = self.profiles.renewed(IDC), self.profiles.renewed(IDC)
        self.assertEqual(len(self.asked), 2)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.answer([OfferedProfile(ARN)], [])
        self.successResultOf(second)

    def test_patience(self) -> None:
        """Nobody waits for ever; the look goes on."""
        waiting = self.profiles.renewed(IDC)
        self.clock.advance(5)
        self.successResultOf(waiting)
        self.assertEqual(self.arn(), "")
        self.answer([OfferedProfile(ARN)], [])
        self.assertEqual(self.arn(), ARN)

    def test_lost_by_a_renewal(self) -> None:
        """A renewal that began before brings credentials without it: it is put back, not asked."""
        self.profiles.renewed(IDC)
        self.answer([OfferedProfile(ARN)], [])
        self.keyring.put(IDC.fingerprint, self.good)
        self.successResultOf(self.profiles.renewed(IDC))
        self.assertEqual((self.arn(), len(self.asked)), (ARN, 2))
        self.assertEqual(len(self.rows.written), 2)
        self.profiles.forget(IDC.fingerprint)
        self.keyring.put(IDC.fingerprint, self.good)
        self.profiles.renewed(IDC)
        self.assertEqual(len(self.asked), 4)
        self.answer([], [])

    def test_renewed_meanwhile(self) -> None:
        """Newer tokens are kept, and a profile of somebody else's finding wins."""
        self.profiles.renewed(IDC)
        newer = credentials("aoa-2", "aor-2", 6000.0)
        self.keyring.put(IDC.fingerprint, newer)
        self.answer([OfferedProfile(ARN)], [])
        found = self.keyring.current(IDC.fingerprint)
        self.assertEqual((found.access_token, found.profile_arn), (newer.access_token, ARN))
        self.profiles.forget(IDC.fingerprint)
        self.keyring.put(IDC.fingerprint, newer)
        self.profiles.renewed(IDC)
        theirs = msgspec.structs.replace(newer, profile_arn=OTHER_ARN)
        self.keyring.put(IDC.fingerprint, theirs)
        self.answer([OfferedProfile(ARN)], [])
        self.assertEqual(self.arn(), OTHER_ARN)

    def test_not_stored(self) -> None:
        """A store that fails costs nothing but a look after the next start."""
        for trouble in (ValueError("secret"), CancelledError()):
            records = LogRecorder(self)
            self.rows.trouble = trouble
            self.profiles.forget(IDC.fingerprint)
            self.keyring.put(IDC.fingerprint, self.good)
            waiting = self.profiles.renewed(IDC)
            self.answer([OfferedProfile(ARN)], [])
            self.successResultOf(waiting)
            self.assertEqual(self.arn(), ARN)
            self.assertNotIn("secret", "\n".join(records.lines()))
        self.flushLoggedErrors(CancelledError)


class NothingTests(Case):
    """Accounts that have none, or are not asked."""

    def test_none(self) -> None:
        """That is remembered for hours, also where it is refused."""
        no = AccessRefused("no")
        cases: list[tuple[Sequence[Offered] | Exception, ...]] = [([], []), ([], no), (no, no)]
        for answers in cases:
            self.profiles.forget(IDC.fingerprint)
            waiting = self.profiles.renewed(IDC)
            self.answer(*answers)
            self.successResultOf(waiting)
            self.assertEqual(self.rows.written.pop(), (IDC.fingerprint, "", self.clock.seconds()))
            asked = len(self.asked)
            self.successResultOf(self.profiles.renewed(IDC))
            self.assertEqual(len(self.asked), asked)
        self.keyring.put(IDC.fingerprint, credentials("a", "b", 1e9))
        self.clock.advance(6 * 3600)
        self.profiles.renewed(IDC)
        self.assertEqual(len(self.open), 2)
        self.answer([], [])

    def test_nothing_learnt(self) -> None:
        """Trouble is not remembered by the store, and only shortly here."""
        blocked = AccessRefused("blocked", scope=Scope.SERVICE)
        for fault in (UpstreamUnavailable("x"), Throttled("x"), blocked, CancelledError()):
            self.profiles.forget(IDC.fingerprint)
            self.profiles.renewed(IDC)
            self.answer(fault, [])
            self.assertEqual(self.rows.written, [])
        asked = len(self.asked)
        self.successResultOf(self.profiles.renewed(IDC))
        self.assertEqual(len(self.asked), asked)
        self.clock.advance(120)
        self.profiles.renewed(IDC)
        self.assertEqual(len(self.asked), asked + 2)
        self.answer([], [])

    def test_remembered_by_the_store(self) -> None:
        """What an earlier process looked for is not looked for again."""
        self.profiles.remember({IDC.fingerprint: 900.0, "other": 0.0})
        self.successResultOf(self.profiles.renewed(IDC))
        self.assertEqual(self.asked, [])

    def test_who_is_not_asked(self) -> None:
        """API keys, social logins, accounts with a profile, and expired tokens."""
        key, social = account(2, method="api_key"), account(3)
        named = msgspec.structs.replace(self.good, profile_arn=ARN)
        for who, given in (
            (key, self.good),
            (social, self.good),
            (IDC, named),
            (IDC, credentials("aoa", "aor", 1000.0)),
            (IDC, credentials("", "aor", 5000.0)),
        ):
            self.assertFalse(self.profiles.lacking(who, given))
            self.keyring.put(who.fingerprint, given)
            self.successResultOf(self.profiles.renewed(who))
        self.assertEqual(self.asked, [])

    def test_removed_meanwhile(self) -> None:
        """An account that is gone gets nothing."""
        self.profiles.renewed(IDC)
        self.keyring.forget(IDC.fingerprint)
        self.answer([OfferedProfile(ARN)], [])
        self.assertFalse(self.keyring.knows(IDC.fingerprint))

    def test_bug(self) -> None:
        """A listing that breaks holds nobody up."""
        waiting = self.profiles.renewed(IDC)
        self.answer(ValueError("bug"), [])
        self.successResultOf(waiting)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_stop(self) -> None:
        """What is under way is waited for, nothing else begins."""
        self.profiles.renewed(IDC)
        stopping = self.profiles.stop()
        self.assertNoResult(stopping)
        self.answer([OfferedProfile(ARN)], [])
        self.successResultOf(stopping)
        self.keyring.put(IDC.fingerprint, self.good)
        self.successResultOf(self.profiles.renewed(IDC))
        self.assertEqual(len(self.asked), 2)


class RefusedTests(Case):
    """Accounts that the upstream refuses with their profile, or without one."""

    def refused(
        self, who: Account, used: Credentials, fault: AccessRefused | None = None
    ) -> Deferred[bool]:
        fault = fault or AccessRefused("no", status=403)
        return Deferred.fromCoroutine(self.profiles.refused(who, used, fault))

    def test_looked_for_first(self) -> None:
        """A profile of its own is better than any other."""
        asking = self.refused(IDC, self.good)
        self.assertNoResult(asking)
        self.answer([OfferedProfile(ARN)], [])
        self.assertTrue(self.successResultOf(asking))
        self.assertEqual(self.arn(), ARN)

    def test_default(self) -> None:
        """Then that of the login is tried, once, and kept."""
        asking = self.refused(IDC, self.good)
        self.answer([], [])
        self.assertTrue(self.successResultOf(asking))
        self.assertEqual(self.arn(), DEFAULT_PROFILES["idc"])
        self.assertEqual(self.rows.written[-1][1], DEFAULT_PROFILES["idc"])
        self.assertTrue(self.successResultOf(self.refused(IDC, self.good)))
        now = self.keyring.current(IDC.fingerprint)
        self.assertFalse(self.successResultOf(self.refused(IDC, now)))

    def test_social(self) -> None:
        """Social logins have another default, and are not listed."""
        who = account(3)
        self.keyring.put(who.fingerprint, self.good)
        self.assertTrue(self.successResultOf(self.refused(who, self.good)))
        found = self.keyring.current(who.fingerprint).profile_arn
        self.assertEqual(found, DEFAULT_PROFILES["social"])
        self.assertEqual(self.asked, [])

    def test_without(self) -> None:
        """Who is refused with one is tried without, and not looked for again."""
        named = msgspec.structs.replace(self.good, profile_arn=ARN)
        self.keyring.put(IDC.fingerprint, named)
        self.assertTrue(self.successResultOf(self.refused(IDC, named)))
        self.assertEqual(self.arn(), "")
        self.successResultOf(self.profiles.renewed(IDC))
        self.assertEqual((self.asked, self.rows.written), ([], []))

    def test_without_for_good(self) -> None:
        """The stored profile does not come back with the next change of the account's row."""
        named = msgspec.structs.replace(self.good, profile_arn=ARN)
        self.keyring.put(IDC.fingerprint, named)
        self.assertTrue(self.successResultOf(self.refused(IDC, named)))
        self.keyring.admit(IDC, named, dead=False)
        self.assertEqual(self.arn(), "")

    def test_removed_before(self) -> None:
        """The account was removed while it was lent."""
        self.keyring.forget(IDC.fingerprint)
        self.assertFalse(self.successResultOf(self.refused(IDC, self.good)))

    def test_other_reasons(self) -> None:
        """What has nothing to do with profiles, and who has none."""
        for fault in (
            AccessRefused("blocked", status=403, scope=Scope.SERVICE),
            AccessRefused("no", status=404),
        ):
            self.assertFalse(self.successResultOf(self.refused(IDC, self.good, fault)))
        key = account(2, method="api_key")
        self.assertFalse(self.successResultOf(self.refused(key, self.good)))
        self.assertIsNone(other_way("api_key", ""))
        self.successResultOf(self.profiles.stop())
        self.assertFalse(self.successResultOf(self.refused(IDC, self.good)))

    def test_removed_meanwhile(self) -> None:
        """An account that is gone is not tried again."""
        asking = self.refused(IDC, self.good)
        self.keyring.forget(IDC.fingerprint)
        self.answer([], [])
        self.assertFalse(self.successResultOf(asking))


class CompletedTests(Case):
    """Credentials of an account that nobody knows yet."""

    def test_completed(self) -> None:
        """With the profile where there is one."""
        asking = Deferred.fromCoroutine(self.profiles.completed(IDC, self.good))
        self.answer([OfferedProfile(ARN)], [])
        self.assertEqual(self.successResultOf(asking).profile_arn, ARN)
        asking = Deferred.fromCoroutine(self.profiles.completed(IDC, self.good))
        self.answer([], UpstreamUnavailable("down"))
        self.assertEqual(self.successResultOf(asking), self.good)

    def test_not_lacking(self) -> None:
        """Others stay as they are."""
        asking = Deferred.fromCoroutine(self.profiles.completed(account(3), self.good))
        self.assertIs(self.successResultOf(asking), self.good)
