"""Tests for kiro2api.accounts.keyring."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.keyring import Keyring
from kiro2api.redaction import Secret
from tests.accounts.fixtures import ARN, OTHER_ARN, account, credentials
from tests.fakes.store import UNSAVED

STORED = Credentials(
    access_token=Secret("access-9"),
    refresh_token=Secret("refresh-9"),
    expires_at=99.0,
    client_id="stored-id",
    client_secret=Secret("stored-secret"),
    profile_arn=ARN,
)


class LayOverTests(SynchronousTestCase):
    """Stored credentials over configured ones."""

    def laid(self, method: object, configured: Credentials, stored: Credentials) -> Credentials:
        who = account(1, method=method)  # type: ignore[arg-type]
        keyring = Keyring({who.fingerprint: configured})
        keyring.lay_over(who, stored)
        return keyring.current(who.fingerprint)

    def test_rotated_tokens_win(self) -> None:
        """The configured refresh token may be dead since it was rotated."""
        self.assertEqual(self.laid("social", credentials(), STORED), STORED)

    def test_configuration_wins_where_given(self) -> None:
        """An operator may correct the profile and the registration."""
        configured = Credentials(
            access_token=Secret("a"),
            refresh_token=Secret("b"),
            client_id="own-id",
            client_secret=Secret("own-secret"),
            profile_arn=OTHER_ARN,
        )
        found = self.laid("idc", configured, STORED)
        self.assertEqual(found.access_token, STORED.access_token)
        self.assertEqual(found.refresh_token, STORED.refresh_token)
        self.assertEqual(found.expires_at, 99.0)
        self.assertEqual(found.client_id, "own-id")
        self.assertEqual(found.client_secret, Secret("own-secret"))
        self.assertEqual(found.profile_arn, OTHER_ARN)

    def test_never_saved(self) -> None:
        """A row that only says "parked" holds no tokens to prefer."""
        self.assertEqual(self.laid("social", credentials(), UNSAVED), credentials())

    def test_api_key(self) -> None:
        """A configured key is what it is."""
        self.assertEqual(self.laid("api_key", credentials("ksk_1"), STORED), credentials("ksk_1"))

    def test_put(self) -> None:
        """What is put is what is used."""
        keyring = Keyring({})
        keyring.put("x", STORED)
        self.assertIs(keyring.current("x"), STORED)


class AdmitTests(SynchronousTestCase):
    """Credentials of an account that is added or changed while the service runs."""

    def setUp(self) -> None:
        self.who = account(1)
        self.key = account(2, method="api_key")
        self.used = credentials("access-5", "refresh-5", 50.0)
        self.keyring = Keyring(
            {self.who.fingerprint: self.used, self.key.fingerprint: credentials("ksk_1", "")}
        )

    def admitted(self, given: Credentials, *, dead: bool = False) -> bool:
        renewed = self.keyring.admit(self.who, given, dead=dead)
        self.taken = self.keyring.current(self.who.fingerprint) == given
        return renewed

    def test_new(self) -> None:
        """An account that was unknown, and is again once it is forgotten."""
        other = account(3)
        self.assertFalse(self.keyring.knows(other.fingerprint))
        self.assertTrue(self.keyring.admit(other, self.used, dead=False))
        self.assertTrue(self.keyring.knows(other.fingerprint))
        self.keyring.forget(other.fingerprint)
        self.keyring.forget(other.fingerprint)
        self.assertFalse(self.keyring.knows(other.fingerprint))

    def test_older(self) -> None:
        """What was read before the last refresh does not replace its result."""
        for expires_at in (0.0, 49.0, 50.0):
            self.assertFalse(self.admitted(credentials("access-4", "refresh-4", expires_at)))
            self.assertFalse(self.taken)

    def test_newer(self) -> None:
        """What was renewed elsewhere, or is a new login."""
        self.assertTrue(self.admitted(credentials("access-6", "refresh-6", 51.0)))
        self.assertTrue(self.taken)

    def test_dead(self) -> None:
        """Any login is better than one that is dead."""
        self.assertTrue(self.admitted(credentials("", "refresh-9"), dead=True))
        self.assertTrue(self.taken)

    def test_same_tokens(self) -> None:
        """A corrected profile is taken over; nothing was renewed by that."""
        given = msgspec.structs.replace(self.used, profile_arn=ARN)
        self.assertFalse(self.admitted(given))
        self.assertTrue(self.taken)

    def test_only_parked(self) -> None:
        """A row that only says how the account stands has no tokens."""
        self.assertFalse(self.admitted(UNSAVED, dead=True))
        self.assertFalse(self.taken)

    def test_api_key(self) -> None:
        """A key has no age: the given one counts."""
        self.assertTrue(self.keyring.admit(self.key, credentials("ksk_2", ""), dead=False))
        self.assertEqual(self.keyring.current(self.key.fingerprint).access_token.reveal(), "ksk_2")


class TurnedTests(AdmitTests):
    """An account whose profile is another one than is stored, since that was refused.

    Nothing else about it is different.
    """

    def setUp(self) -> None:
        super().setUp()
        self.fingerprint = self.who.fingerprint
        self.keyring.turn(self.fingerprint, "")

    def arn(self) -> str:
        return self.keyring.current(self.fingerprint).profile_arn

    def test_same_tokens(self) -> None:
        """Whatever is read or renewed beside it, the profile stays."""
        self.assertTrue(self.keyring.turned(self.fingerprint))
        given = msgspec.structs.replace(self.used, profile_arn=ARN)
        self.assertFalse(self.admitted(given))
        self.assertEqual(self.arn(), "")
        self.keyring.lay_over(self.who, STORED)
        self.assertEqual(self.keyring.current(self.fingerprint).access_token, STORED.access_token)
        self.assertEqual(self.arn(), "")
        self.keyring.put(self.fingerprint, STORED)
        self.assertEqual(self.arn(), "")

    def test_another_login(self) -> None:
        """It belongs to the login; who wants to know is told that this is over."""
        gone: list[str] = []
        self.keyring.gone = gone.append
        self.keyring.begin(self.fingerprint, STORED)
        self.assertFalse(self.keyring.turned(self.fingerprint))
        self.assertEqual(self.arn(), ARN)
        self.assertEqual(gone, [self.fingerprint])
        self.keyring.turn(self.fingerprint, "")
        other = msgspec.structs.replace(STORED, access_token=Secret("access-10"))
        self.assertTrue(self.admitted(other, dead=True))
        self.assertEqual(self.arn(), ARN)
        self.keyring.turn(self.fingerprint, "")
        self.keyring.forget(self.fingerprint)
        self.assertFalse(self.keyring.turned(self.fingerprint))
        self.assertEqual(gone, [self.fingerprint] * 3)
