"""Given away only with a passphrase."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import RequestRejected
from kiro2api.redaction import Secret
from kiro2api.web.admin.backup_sealed import NONCE, SALT, is_sealed, seal, unseal

PASSPHRASE = Secret("an invented passphrase")
ENTROPY = bytes(range(SALT + NONCE))


def sealed(content: bytes = b"invented content") -> dict[str, Any]:
    """A document as JSON would give it back."""
    document = seal(content, PASSPHRASE, ENTROPY, "2026-01-01T00:00:00+00:00")
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return found


class SealedTests(SynchronousTestCase):
    """The document."""

    def test_round_trip(self) -> None:
        """The content comes back; nothing of it is to be seen."""
        document = sealed()
        self.assertTrue(is_sealed(document))
        self.assertNotIn("content", str(document))
        self.assertEqual(unseal(document, PASSPHRASE), b"invented content")

    def test_others_are_none(self) -> None:
        """Whatever has another format."""
        others: tuple[Any, ...] = ({}, [], "x", {"format": "other"})
        for document in others:
            self.assertFalse(is_sealed(document))

    def test_wrong_passphrase(self) -> None:
        """Said as such."""
        for passphrase in (Secret("another"), Secret("")):
            error = self.assertRaises(RequestRejected, unseal, sealed(), passphrase)
            self.assertEqual(error.param, "passphrase")

    def test_changed(self) -> None:
        """Whatever was changed, it does not open: the head is sealed with the content."""
        for field, value in (
            ("created_at", "2027-01-01T00:00:00+00:00"),
            ("data", "AAAA" * 10),
            ("nonce", "AAAAAAAAAAAAAAAA"),
        ):
            error = self.assertRaises(
                RequestRejected, unseal, {**sealed(), field: value}, PASSPHRASE
            )
            self.assertEqual(error.param, "passphrase")

    def test_damaged(self) -> None:
        """Or written by somebody who wants our memory or time."""
        good = sealed()
        for change in (
            {"data": "*"},
            {"data": 7},
            {"nonce": ""},
            {"version": 2},
            {"cipher": "ROT13"},
            {"kdf": {**good["kdf"], "n": 2**24}},
            {"kdf": {**good["kdf"], "n": 3}},
            {"kdf": {**good["kdf"], "r": 64}},
            {"kdf": {**good["kdf"], "salt": "*"}},
            {"kdf": {"name": "other"}},
        ):
            error = self.assertRaises(RequestRejected, unseal, {**good, **change}, PASSPHRASE)
            self.assertEqual(error.param, "document", change)
