"""Tests for kiro2api.accounts.keyring."""

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
