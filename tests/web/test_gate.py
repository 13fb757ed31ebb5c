"""Keys and callers."""

from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import Forbidden, NoAccountAvailable, Unauthorized
from kiro2api.redaction import Secret
from kiro2api.web.gate import Caller, Gate, presented_keys


def digest_of(key: str) -> bytes:
    """Any one-way function will do here."""
    return sha256(key.encode()).digest()


CALLER = Caller("any", "client")


class Headers:
    """A request as far as the gate looks at it."""

    def __init__(self, **headers: str) -> None:
        self._headers = {
            name.replace("_", "-").encode(): value.encode() for name, value in headers.items()
        }

    def getHeader(self, key: bytes) -> bytes | None:
        """One header."""
        return self._headers.get(key)


class PresentedKeysTests(SynchronousTestCase):
    """Where keys are looked for."""

    def test_both_headers(self) -> None:
        """Bearer in any case, a raw Authorization, and x-api-key."""
        self.assertEqual(presented_keys(Headers(authorization="Bearer  a ")), ["a"])
        self.assertEqual(presented_keys(Headers(authorization="bEARER a")), ["a"])
        self.assertEqual(presented_keys(Headers(authorization="a")), ["a"])
        self.assertEqual(
            presented_keys(Headers(x_api_key="b", authorization="Bearer a")), ["a", "b"]
        )
        self.assertEqual(presented_keys(Headers(authorization="Bearer ")), ["Bearer"])
        self.assertEqual(presented_keys(Headers()), [])


class GateTests(SynchronousTestCase):
    """Who gets in."""

    def gate(self, admin: str = "", limit: int = 0) -> Gate:
        """Two client keys."""
        gate = Gate(digest_of, limit)
        gate.configure([Secret("one"), Secret("two")], Secret(admin) if admin else None)
        return gate

    def test_either_header_may_be_right(self) -> None:
        """A wrong Authorization beside a right x-api-key is fine."""
        caller = self.gate().identify(Headers(authorization="Bearer no", x_api_key="two"))
        self.assertEqual(caller.name, "client-2")

    def test_wrong_and_missing(self) -> None:
        """Both are refused, with different advice and without repeating the key."""
        error = self.assertRaises(Unauthorized, self.gate().identify, Headers(x_api_key="wrongkey"))
        self.assertNotIn("wrongkey", error.message)
        error = self.assertRaises(Unauthorized, self.gate().identify, Headers())
        self.assertIn("no API key", error.message)

    def test_admin_is_apart_once_configured(self) -> None:
        """With an admin key, client keys may not administrate; the admin may do both."""
        gate = self.gate(admin="root")
        self.assertRaises(Forbidden, gate.identify_admin, Headers(x_api_key="one"))
        self.assertEqual(gate.identify_admin(Headers(x_api_key="root")), Caller("admin", "admin"))
        self.assertEqual(gate.identify(Headers(x_api_key="root")).name, "admin")

    def test_without_admin_key_clients_administrate(self) -> None:
        """A single-user set-up needs one key only."""
        self.assertEqual(self.gate().identify_admin(Headers(x_api_key="one")).role, "admin")

    def test_stored_digests(self) -> None:
        """A generated key is known by its digest alone."""
        gate = self.gate()
        gate.add(digest_of("generated"), Caller("generated", "client"))
        self.assertEqual(gate.identify(Headers(x_api_key="generated")).name, "generated")

    def test_limit(self) -> None:
        """Only so many inside at once."""
        gate = self.gate(limit=1)
        gate.enter(CALLER)
        error = self.assertRaises(NoAccountAvailable, gate.enter, CALLER)
        self.assertEqual(error.retry_after, 1.0)
        gate.leave(CALLER)
        gate.enter(CALLER)
        self.assertEqual(gate.inside, 1)
