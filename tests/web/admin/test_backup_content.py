"""What a backup holds, and what is refused when it comes back."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.errors import RequestRejected
from kiro2api.redaction import Secret
from kiro2api.store.keys import StoredKey
from kiro2api.web.admin.backup_content import KeptAccount, decode, encode, newcomer

ACCOUNT = Account("f" * 32, "first", "idc", "pro", "eu-west-1", 0, 2, 30)
CREDENTIALS = Credentials(
    Secret("invented-access"),
    Secret("invented-refresh"),
    500.0,
    "client",
    Secret("invented-secret"),
    "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABCDEFGHIJKL",
)
KEY = StoredKey(3, "laptop", b"digest", "client", 5.0, groups=("pro",))


class ContentTests(SynchronousTestCase):
    """There and back."""

    def test_round_trip(self) -> None:
        """Everything comes back as it was."""
        policies = [GroupPolicy("pro", policy="least_used")]
        data = encode([(ACCOUNT, False, CREDENTIALS)], policies, [KEY], {"name": "value"})
        content = decode(data)
        [raw] = content.accounts
        found = newcomer(raw)
        self.assertEqual(
            (found.account, found.enabled, found.credentials), (ACCOUNT, False, CREDENTIALS)
        )
        self.assertEqual((content.groups, content.keys), (policies, [KEY]))
        self.assertEqual(content.settings, {"name": "value"})

    def test_no_secret_is_printed(self) -> None:
        """Not by anything that holds them in clear."""
        data = encode([(ACCOUNT, True, CREDENTIALS)], [], [], {})
        content = decode(data)
        kept = msgspec.json.decode(content.accounts[0], type=KeptAccount)
        self.assertNotIn("invented", repr(content) + repr(kept))

    def test_something_else(self) -> None:
        """Refused as a whole."""
        for data in (b"[]", b"{", b'{"keys": [{}]}', b"\xff"):
            self.assertEqual(self.assertRaises(RequestRejected, decode, data).param, "document")

    def test_accounts_at_fault(self) -> None:
        """The field is named, its value is not."""
        good = {
            "fingerprint": "f" * 32,
            "name": "first",
            "method": "social",
            "refresh_token": "invented",
        }
        newcomer(msgspec.Raw(msgspec.json.encode(good)))
        wrong: tuple[tuple[str, Any], ...] = (
            ("fingerprint", "../x"),
            ("name", ""),
            ("group", "v1"),
            ("region", "no region"),
            ("profile_arn", "arn"),
            ("refresh_token", ""),
            ("refresh_token", "two words"),
            ("access_token", "ümlaut"),
            ("max_in_flight", -1),
            ("requests_per_minute", -1),
            ("expires_at", -1.0),
        )
        for field, value in wrong:
            raw = msgspec.Raw(msgspec.json.encode({**good, field: value}))
            error = self.assertRaises(RequestRejected, newcomer, raw)
            self.assertEqual(error.param, field)
        for changes, field in (
            ({"method": "api_key"}, "access_token"),
            ({"method": "idc"}, "client_secret"),
        ):
            raw = msgspec.Raw(msgspec.json.encode({**good, **changes}))
            self.assertEqual(self.assertRaises(RequestRejected, newcomer, raw).param, field)
        for raw in (msgspec.Raw(b"{}"), msgspec.Raw(b'{"method": "magic"}')):
            self.assertIsNone(self.assertRaises(RequestRejected, newcomer, raw).param)
