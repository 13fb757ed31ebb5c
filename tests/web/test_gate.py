"""Keys and callers."""

from hashlib import sha256

import msgspec
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import Forbidden, NoAccountAvailable, Unauthorized
from kiro2api.redaction import Secret
from kiro2api.store.keys import StoredKey
from kiro2api.web.gate import Caller, Configured, Gate, presented_keys
from kiro2api.web.gate_key import BudgetSpent, LimitReached
from kiro2api.web.paths import Location
from kiro2api.web.rates import FREE_FAILURES


def digest_of(key: str) -> bytes:
    """Any one-way function will do here."""
    return sha256(key.encode()).digest()


CALLER = Caller("any", "client")


class Headers:
    """A request as far as the gate looks at it."""

    method = b"GET"
    location = Location("/v1/messages")

    def __init__(self, *, address: str = "127.0.0.1", **headers: str) -> None:
        self._address = IPv4Address("TCP", address, 1)
        self._headers = {
            name.replace("_", "-").encode(): value.encode() for name, value in headers.items()
        }

    def getHeader(self, key: bytes) -> bytes | None:
        """One header."""
        return self._headers.get(key)

    def getClientAddress(self) -> IPv4Address:
        """Where it comes from."""
        return self._address


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

    def test_unknown_keys_are_slowed_down(self) -> None:
        """Who tries many wrong keys is told to wait; a good key from there is never kept out."""
        gate = self.gate()
        for _ in range(FREE_FAILURES):
            self.assertRaises(Unauthorized, gate.identify, Headers(x_api_key="wrong"))
        error = self.assertRaises(LimitReached, gate.identify, Headers(x_api_key="wrong"))
        self.assertGreater(error.retry_after or 0, 0)
        self.assertEqual(gate.identify(Headers(x_api_key="one")).name, "client-1")
        self.assertRaises(
            Unauthorized, gate.identify, Headers(x_api_key="wrong", address="10.9.9.9")
        )
        error = self.assertRaises(Unauthorized, gate.identify, Headers())
        self.assertIn("no API key", error.message)

    def test_limit_of_several_processes(self) -> None:
        """Is divided among them, upwards, also when it is changed."""
        gate = Gate(digest_of, 4, workers=3)
        gate.enter(CALLER)
        gate.enter(CALLER)
        self.assertRaises(NoAccountAvailable, gate.enter, CALLER)
        gate.set_limit(9)
        gate.enter(CALLER)
        self.assertRaises(NoAccountAvailable, gate.enter, CALLER)
        gate.set_limit(0)
        gate.enter(CALLER)
        self.assertEqual(gate.inside, 4)

    def test_recognise(self) -> None:
        """A key on its own, as in a login; wrong ones count as attempts."""
        gate = self.gate(admin="root")
        known = gate.recognise("root", Headers())
        self.assertEqual(
            (known.digest, known.caller), (digest_of("root"), Caller("admin", "admin"))
        )
        for _ in range(FREE_FAILURES):
            self.assertRaises(Unauthorized, gate.recognise, "wrong", Headers())
        self.assertRaises(LimitReached, gate.recognise, "wrong", Headers())

    def test_configured(self) -> None:
        """Shown without themselves; only long ones with their end."""
        gate = Gate(digest_of)
        gate.configure([Secret("x" * 40 + "abcd"), Secret("short")], Secret("root"))
        self.assertEqual(
            gate.configured,
            (
                Configured("client-1", "client", "abcd"),
                Configured("client-2", "client", ""),
                Configured("admin", "admin", ""),
            ),
        )


class StoredKeyTests(SynchronousTestCase):
    """Keys of the store."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.gate = Gate(digest_of, now=lambda: self.now)
        self.gate.configure([Secret("one")], Secret("root"))
        self.key = StoredKey(7, "laptop", digest_of("stored"), "client", 0.0)

    def admit(self, **terms: object) -> Caller:
        """Admit the key with these terms; its caller."""
        self.gate.admit(msgspec.structs.replace(self.key, **terms), "client")
        return self.gate.identify(Headers(x_api_key="stored"))

    def test_beside_configured_ones(self) -> None:
        """Both let in; what is configured has no number."""
        caller = self.admit()
        self.assertEqual((caller.name, caller.role, caller.key_id), ("laptop", "client", 7))
        self.assertEqual(self.gate.identify(Headers(x_api_key="one")).key_id, 0)
        self.assertRaises(Forbidden, self.gate.identify_admin, Headers(x_api_key="stored"))

    def test_other_terms(self) -> None:
        """Hold at once, for the same counters; running requests leave as they came."""
        before = self.admit()
        self.gate.enter(before)
        after = self.admit(name="desktop", max_in_flight=1)
        self.assertEqual(after.name, "desktop")
        self.assertRaises(LimitReached, self.gate.enter, after)
        self.assertEqual(self.gate.inside, 1)
        self.gate.leave(before)
        self.gate.enter(after)

    def test_expelled(self) -> None:
        """Unknown at once; its running requests go on; what was never there is no mistake."""
        caller = self.admit()
        self.gate.enter(caller)
        self.gate.expel(7)
        self.gate.expel(7)
        self.assertRaises(Unauthorized, self.gate.identify, Headers(x_api_key="stored"))
        self.gate.spent(caller, 1.0)
        self.gate.leave(caller)
        self.assertEqual(self.gate.inside, 0)

    def test_number_given_out_again(self) -> None:
        """Another key of the same number has nothing of the first."""
        self.gate.spent(self.admit(), 5.0)
        self.gate.admit(
            StoredKey(7, "other", digest_of("new"), "client", 0.0, credits_per_day=1.0), "client"
        )
        self.assertRaises(Unauthorized, self.gate.identify, Headers(x_api_key="stored"))
        caller = self.gate.identify(Headers(x_api_key="new"))
        self.gate.enter(caller)
        self.assertEqual(caller.name, "other")

    def test_owner(self) -> None:
        """Stays when a key is renamed, and is another for a key that takes its name."""
        first = self.admit()
        self.assertEqual(self.admit(name="desktop").owner, first.owner)
        self.gate.admit(StoredKey(8, "laptop", digest_of("new"), "client", 0.0), "client")
        other = self.gate.identify(Headers(x_api_key="new"))
        self.assertEqual(other.name, first.name)
        self.assertNotEqual(other.owner, first.owner)
        self.assertEqual(self.gate.identify(Headers(x_api_key="one")).owner, "client-1")

    def test_configured_wins(self) -> None:
        """A key that is both configured and stored has the configured role, and stays."""
        self.gate.admit(StoredKey(8, "same", digest_of("root"), "client", 0.0), "client")
        self.assertEqual(self.gate.identify(Headers(x_api_key="root")), Caller("admin", "admin"))
        self.gate.expel(8)
        self.assertEqual(self.gate.identify(Headers(x_api_key="root")), Caller("admin", "admin"))

    def test_expired(self) -> None:
        """Ends when its time comes, without anybody doing anything."""
        self.admit(expires_at=1001.0)
        self.now = 1001.0
        self.assertRaises(Unauthorized, self.gate.identify, Headers(x_api_key="stored"))
        self.assertRaises(Unauthorized, self.gate.recognise, "stored", Headers())

    def test_groups_and_models(self) -> None:
        """What a key is for; a configured key is for everything."""
        caller = self.admit(groups=("pro",), models=("claude-*",))
        self.gate.allow_group(caller, "pro")
        self.assertRaises(Forbidden, self.gate.allow_group, caller, "default")
        self.gate.allow_model(caller, "claude-x")
        error = self.assertRaises(Forbidden, self.gate.allow_model, caller, "gpt-5")
        self.assertEqual(error.param, "model")
        self.assertEqual(
            [self.gate.may_use(caller, model) for model in ("claude-x", "gpt-5")], [True, False]
        )
        self.gate.allow_group(CALLER, "any")
        self.gate.allow_model(CALLER, "any")
        self.assertTrue(self.gate.may_use(CALLER, "any"))

    def test_spent(self) -> None:
        """Counts towards the budget of its own key only."""
        caller = self.admit(credits_per_day=1.0)
        self.gate.spent(CALLER, 5.0)
        self.gate.enter(caller)
        self.gate.spent(caller, 1.0)
        self.assertRaises(BudgetSpent, self.gate.enter, caller)
        self.assertEqual(self.gate.inside, 1)

    def test_administrated(self) -> None:
        """Whether somebody who may administrate is left, for good."""
        self.assertTrue(self.gate.administrated())
        gate = self.gate = Gate(digest_of, now=lambda: self.now)
        self.assertFalse(gate.administrated())
        gate.admit(self.key, "admin")
        self.assertTrue(gate.administrated())
        self.assertFalse(gate.administrated(without=7))
        gate.admit(msgspec.structs.replace(self.key, enabled=False), "admin")
        self.assertFalse(gate.administrated())
        gate.admit(msgspec.structs.replace(self.key, expires_at=9e9), "admin")
        self.assertFalse(gate.administrated())
        gate.admit(self.key, "client")
        self.assertFalse(gate.administrated())
