"""Tests for kiro2api.emulator.devices."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.emulator.devices import (
    BUILDER_ID_URL,
    INTERVAL,
    LIFETIME,
    SLOWER,
    Device,
    DeviceOrder,
    Devices,
    page,
)
from kiro2api.emulator.replies import Refused

CLIENT = {"clientName": "x", "clientType": "public", "scopes": ["codewhisperer:completions"]}
SOCIAL = {"clientId": "kiro-cli", "loginProvider": "Google"}


class Case(SynchronousTestCase):
    """Device logins at a time that the test tells."""

    def setUp(self) -> None:
        self.made = 0
        self.devices = Devices(self.make)
        self.keys: dict[str, Any] = {}
        self.now = 100.0

    def make(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{self.made:08d}"

    def begin(self, host: str = "127.0.0.1:8765") -> dict[str, Any]:
        given = self.devices.register(CLIENT, self.now)
        self.keys = {name: given[name] for name in ("clientId", "clientSecret")}
        asked = self.keys | {"startUrl": BUILDER_ID_URL}
        return self.devices.begin(asked, host, self.now)

    def poll(self, device: dict[str, Any], after: float = INTERVAL) -> str:
        """The error's name, or "approved"."""
        self.now += after
        try:
            self.devices.approved(device["deviceCode"], self.keys["clientId"], self.now)
        except Refused as refused:
            return self.error(refused)
        return "approved"

    def error(self, refused: Refused) -> str:
        error: str = msgspec.json.decode(refused.reply.body)["error"]
        return error

    def order(self, decision: str, user_code: str = "") -> int:
        body = {"decision": decision, "user_code": user_code}
        return self.devices.decide(msgspec.convert(body, DeviceOrder))


class RegisterTests(Case):
    """Strict about what is sent."""

    def test_register(self) -> None:
        """Name, type and scopes must be right; sso:account:access is not ours to ask for."""
        for changes, error in (
            ({"clientName": ""}, "invalid_request"),
            ({"clientName": 7}, "invalid_request"),
            ({"clientType": "confidential"}, "invalid_request"),
            ({"scopes": None}, "invalid_scope"),
            ({"scopes": ["sso:account:access"]}, "invalid_scope"),
            ({"scopes": [7]}, "invalid_scope"),
        ):
            refused = self.assertRaises(Refused, self.devices.register, {**CLIENT, **changes}, 0.0)
            self.assertEqual(self.error(refused), error, changes)

    def test_begin(self) -> None:
        """The client must be known, the start URL one of the provider's."""
        self.begin()
        for changes, error in (
            ({"clientId": "other"}, "invalid_client"),
            ({"clientId": 7}, "invalid_client"),
            ({"clientSecret": "other"}, "invalid_client"),
            ({}, "invalid_request"),
            ({"startUrl": "https://example.com/start"}, "invalid_request"),
            ({"startUrl": "http://d-1.awsapps.com/start"}, "invalid_request"),
            ({"startUrl": "https://d-1.awsapps.com/"}, "invalid_request"),
        ):
            asked = {**self.keys, **changes}
            refused = self.assertRaises(Refused, self.devices.begin, asked, "", 0.0)
            self.assertEqual(self.error(refused), error, changes)

    def test_begin_social(self) -> None:
        """One client, two providers."""
        for changes, error in (
            ({"clientId": "kiro2api"}, "invalid_client"),
            ({"loginProvider": "google"}, "invalid_request"),
        ):
            asked = {**SOCIAL, **changes}
            refused = self.assertRaises(Refused, self.devices.begin_social, asked, "", 0.0)
            self.assertEqual(self.error(refused), error)

    def test_address(self) -> None:
        """The emulator's own page, where it is on this machine."""
        given = self.begin()
        self.assertEqual(given["verificationUri"], "http://127.0.0.1:8765/device")
        self.assertIn(given["userCode"], given["verificationUriComplete"])
        given = self.begin("emulator.invalid")
        self.assertTrue(given["verificationUri"].startswith("https://"))


class DecisionTests(Case):
    """What the invented user does."""

    def test_auto(self) -> None:
        """Approves between the first poll and the second; the code is then used up."""
        device = self.begin()
        self.assertEqual(self.poll(device), "authorization_pending")
        self.assertEqual(self.poll(device, 0.5), "slow_down")
        self.assertEqual(self.poll(device), "approved")
        self.assertEqual(self.poll(device), "invalid_grant")

    def test_hold_and_approve(self) -> None:
        """Nothing, until told otherwise."""
        device = self.begin()
        self.assertEqual(self.order("hold"), 1)
        for _ in range(3):
            self.assertEqual(self.poll(device), "authorization_pending")
        self.assertEqual(self.order("approve", device["userCode"]), 1)
        self.assertEqual(self.poll(device), "approved")

    def test_one_of_two(self) -> None:
        """An order may be about one login only."""
        first, second = self.begin(), self.begin()
        self.assertEqual(self.order("deny", second["userCode"]), 1)
        self.assertEqual(self.poll(second), "access_denied")
        self.keys["clientId"] = "client-00000001"
        self.assertEqual(self.poll(first), "authorization_pending")
        self.assertEqual(self.order("deny", "nobody"), 0)

    def test_slow_down(self) -> None:
        """From then on the interval is longer, and that is enforced."""
        self.order("slow_down")
        device = self.begin()
        self.assertEqual(self.poll(device), "slow_down")
        self.assertEqual(self.poll(device, SLOWER), "slow_down")
        self.assertEqual(self.poll(device, SLOWER + INTERVAL), "authorization_pending")
        self.order("approve")
        self.assertEqual(self.poll(device, SLOWER + INTERVAL), "approved")

    def test_expire(self) -> None:
        """Those that are open and those to come; and all in time."""
        device = self.begin()
        self.order("expire")
        self.assertEqual(self.poll(device), "expired_token")
        self.assertEqual(self.poll(self.begin()), "expired_token")
        self.order("auto")
        self.assertEqual(self.poll(self.begin(), LIFETIME), "expired_token")

    def test_of_another(self) -> None:
        """A code belongs to its client."""
        device = self.begin()
        self.keys["clientId"] = "kiro-cli"
        self.assertEqual(self.poll(device), "invalid_grant")


class SocialTests(Case):
    """The social service's polls."""

    def poll_social(self, device: dict[str, Any], **changes: Any) -> Device | str:
        self.now += INTERVAL
        asked = {"clientId": "kiro-cli", "deviceCode": device["deviceCode"], **changes}
        return self.devices.poll_social(asked, self.now)

    def test_poll(self) -> None:
        """A status until it is approved."""
        device = self.devices.begin_social(SOCIAL, "", self.now)
        self.assertEqual(device["intervalInMilliseconds"], 1000)
        self.assertEqual(self.poll_social(device), "authorization_pending")
        approved = self.poll_social(device)
        assert isinstance(approved, Device)
        self.assertEqual((approved.provider, approved.start_url), ("Google", ""))

    def test_ended(self) -> None:
        """Declined is a status; a strange code or client is an error."""
        device = self.devices.begin_social(SOCIAL, "", self.now)
        self.order("deny")
        self.assertEqual(self.poll_social(device), "access_denied")
        self.assertRaises(Refused, self.poll_social, device, deviceCode="x")
        self.assertRaises(Refused, self.poll_social, device, clientId="x")


class PageTests(SynchronousTestCase):
    """What a browser shows."""

    def test_page(self) -> None:
        """Two links, or what was decided."""
        self.assertIn("decision=deny", page("ABCD", ""))
        self.assertIn("Done.", page("ABCD", "Done."))
