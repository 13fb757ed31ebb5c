"""Accounts through the operator's API."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.quota import Quota, encode_quota
from kiro2api.redaction import Secret
from kiro2api.web.overview import Overview
from tests.web.admin.case import AdminCase


class ListTests(AdminCase):
    """GET /api/tokens."""

    def setUp(self) -> None:
        super().setUp()
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        self.first = self.add(1, name="Anna")
        self.second = self.add(2, name="berta", group="pro")
        self.third = self.add(3, name="cleo", disabled=True)

    def names(self, query: str) -> list[str]:
        """The names on the page of that query."""
        return [each["name"] for each in self.good("GET", f"/api/tokens?{query}")["tokens"]]

    def test_whole(self) -> None:
        """The original's shape, and how many there are."""
        shown = self.good("GET", "/api/tokens")
        self.assertEqual([each["index"] for each in shown["tokens"]], [1, 2, 3])
        self.assertEqual((shown["total_tokens"], shown["active_tokens"]), (3, 2))
        self.assertEqual((shown["total"], shown["page"], shown["page_size"]), (3, 1, 50))
        self.assertEqual(shown["pool_stats"]["global_in_flight"], 0)
        self.assertNotIn("workers", shown)

    def test_filters(self) -> None:
        """By group, state and a part of what is shown."""
        self.assertEqual(self.names("group=pro"), ["berta"])
        self.assertEqual(self.names("group=nowhere"), [])
        self.assertEqual(self.names("state=disabled"), ["cleo"])
        self.assertEqual(self.names("state=ready&group=default"), ["Anna"])
        self.assertEqual(self.names("q=ERT"), ["berta"])
        self.assertEqual(self.names(f"q={self.third['id']}"), ["cleo"])

    def test_sort(self) -> None:
        """By any field, either way."""
        self.assertEqual(self.names("sort=-name"), ["cleo", "berta", "Anna"])
        self.lending.served[self.fingerprint(self.second["id"])] = 5
        self.assertEqual(self.names("sort=-request_count")[0], "berta")
        self.assertEqual(self.bad("GET", "/api/tokens?sort=secret")["param"], "sort")

    def test_pages(self) -> None:
        """Small ones, with the index going on; none beyond the last."""
        shown = self.good("GET", "/api/tokens?page=2&page_size=2")
        self.assertEqual([each["index"] for each in shown["tokens"]], [3])
        self.assertEqual(shown["total"], 3)
        self.assertEqual(self.names("page=9"), [])
        for query in ("page=0", "page=x", "page_size=501", "page_size=0"):
            param = query.partition("=")[0]
            self.assertEqual(self.bad("GET", f"/api/tokens?{query}")["param"], param)

    def test_every_sort(self) -> None:
        """Each field that can be sorted by, with and without credits."""
        from kiro2api.web.admin.tokens_view import SORTS

        self.good("POST", f"/api/tokens/{self.first['id']}/quota", {})
        for field in SORTS:
            self.assertEqual(len(self.names(f"sort={field}")), 3)

    def test_of_several_processes(self) -> None:
        """The numbers are those of all, and it is said how many they are."""
        statuses = [
            msgspec.structs.replace(status, in_flight=4, served=7)
            for status in self.lending.snapshot(0.0)
        ]
        self.view = Overview(statuses, 9, 0.0, workers=3)
        shown = self.good("GET", "/api/tokens?page_size=1")
        self.assertEqual((shown["workers"], shown["partial"]), (3, False))
        self.assertEqual(shown["tokens"][0]["request_count"], 7)
        self.assertEqual(shown["pool_stats"]["global_in_flight"], 12)
        self.assertEqual(shown["pool_stats"]["tokens_with_in_flight"], 3)

    def test_unheard_of(self) -> None:
        """An account that another process still has is not shown; a switch is believed at once."""
        before = self.lending.snapshot(0.0)
        self.view = Overview(before, 0, 0.0, workers=2)
        self.good("DELETE", f"/api/tokens/{self.first['id']}", status=204)
        self.good("POST", f"/api/tokens/{self.second['id']}/disable", {})
        self.good("POST", f"/api/tokens/{self.third['id']}/enable", {})
        shown = self.good("GET", "/api/tokens")["tokens"]
        self.assertEqual(
            [(each["name"], each["status"]) for each in shown],
            [("berta", "disabled"), ("cleo", "ready")],
        )

    def test_many(self) -> None:
        """Only the page becomes items, however many there are."""
        entries = [{"refreshToken": f"aor-{number}"} for number in range(500)]
        self.good("POST", "/api/tokens/bulk", {"tokens": entries}, 201)
        shown = self.good("GET", "/api/tokens?page=10&page_size=50&sort=-name")
        self.assertEqual((shown["total"], len(shown["tokens"])), (503, 50))


class ItemTests(AdminCase):
    """What an account looks like."""

    def test_all_of_it(self) -> None:
        """Every field; no secret, no e-mail address."""
        arn = "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABCDEFGHIJKL"
        made = self.add(1, name="first", region="eu-west-1", profileArn=arn)
        fingerprint = self.fingerprint(made["id"])
        quota = Quota(3.0, 10.0, 7.0, 2_000_000.0, "KIRO PRO", "someone@mail.example.com")
        self.successResultOf(
            self.process.rows.write_quota(fingerprint, encode_quota(quota), 90.0, quota.email)
        )
        self.successResultOf(Deferred.fromCoroutine(self.process.follow()))
        reply = self.call("GET", f"/api/tokens/{made['id']}")
        self.assertEqual(
            reply.json,
            {
                "id": fingerprint[:16],
                "index": 1,
                "name": "first",
                "group": "default",
                "auth_type": "social",
                "source": "stored",
                "enabled": True,
                "status": "ready",
                "error": "",
                "returns_at": "",
                "expires_at": "",
                "last_used": "",
                "in_flight": 0,
                "request_count": 0,
                "success_count": 0,
                "failure_count": 0,
                "user_email": "s***e@***.com",
                "subscription": "KIRO PRO",
                "quota": {
                    "used": 3.0,
                    "limit": 10.0,
                    "left": 7.0,
                    "reset_at": "1970-01-24T03:33:20+00:00",
                    "checked_at": "1970-01-01T00:01:30+00:00",
                    "overage": False,
                },
                "max_in_flight": 0,
                "requests_per_minute": 0,
                "region": "eu-west-1",
                "profile_region": "eu-central-1",
                "order": 0,
                "busy": False,
                "probing": False,
                "last_error": "",
                "last_error_at": "",
            },
        )
        for secret in (b"aor-invented", b"someone", b"mail.example"):
            self.assertNotIn(secret, reply.raw)


class AddTests(AdminCase):
    """POST /api/tokens and /bulk."""

    def test_added(self) -> None:
        """Answered with the item, lent from now on, and audited with the key's name."""
        made = self.add(1, name="first")
        self.assertEqual((made["name"], made["status"]), ("first", "ready"))
        self.assertIn(self.fingerprint(made["id"]), self.lending.members)
        self.assertEqual(self.actions(), [("admin", "account.add")])

    def test_duplicate(self) -> None:
        """Which one it is."""
        made = self.add(1, name="first")
        entry = {"auth": "Social", "refreshToken": "aor-invented-1"}
        reply = self.call("POST", "/api/tokens", entry)
        self.assertEqual(reply.status, 409)
        self.assertEqual(
            reply.json["existing"], {"id": made["id"], "name": "first", "group": "default"}
        )

    def test_mistakes(self) -> None:
        """The field is named; the value never is."""
        wrong: tuple[tuple[Any, str], ...] = (
            ({}, "refreshToken"),
            ({"auth": "canary", "refreshToken": "x"}, "auth"),
            ({"refreshToken": "x", "group": "nowhere"}, "group"),
            ({"refreshToken": "x", "source": "ide", "path": "/etc/canary"}, "source"),
        )
        for body, param in wrong:
            error = self.bad("POST", "/api/tokens", body)
            self.assertEqual(error["param"], param)
            self.assertNotIn("canary", error["message"])
        for raw in (b"[]", b"{", b"\xff"):
            self.bad("POST", "/api/tokens", raw)

    def test_bulk(self) -> None:
        """Each for itself; an array or what holds one."""
        entries = [{"refreshToken": "aor-1"}, {"refreshToken": "aor-1"}, {"auth": "IdC"}]
        done = self.good("POST", "/api/tokens/bulk", {"tokens": entries}, 201)
        self.assertEqual((done["added"], done["duplicates"]), (1, 1))
        self.assertEqual([each["index"] for each in done["skipped"]], [2])
        self.assertEqual(len(done["ids"]), 1)
        again = self.good("POST", "/api/tokens/bulk", entries[:1], 201)
        self.assertEqual((again["added"], again["duplicates"]), (0, 1))

    def test_bulk_mistakes(self) -> None:
        """Nothing to add, or nothing that can be."""
        self.assertEqual(self.bad("POST", "/api/tokens/bulk", {"tokens": []})["param"], "tokens")
        reply = self.call("POST", "/api/tokens/bulk", {"tokens": [{}]})
        self.assertEqual((reply.status, len(reply.json["skipped"])), (400, 1))


class ChangeTests(AdminCase):
    """PATCH, move, switch, unpark, DELETE."""

    def setUp(self) -> None:
        super().setUp()
        self.made = self.add(1, name="first")
        self.path = f"/api/tokens/{self.made['id']}"
        self.print = self.fingerprint(self.made["id"])

    def test_patch(self) -> None:
        """Answered as it is now; the pool knows at once."""
        body = {"name": "second", "max_in_flight": 2, "requests_per_minute": 30, "order": 5}
        shown = self.good("PATCH", self.path, body)
        self.assertEqual({field: shown[field] for field in body}, body)
        self.assertEqual(self.lending.members[self.print].max_in_flight, 2)

    def test_switch(self) -> None:
        """Three ways, one meaning."""
        self.assertEqual(self.good("PATCH", self.path, {"disabled": True})["status"], "disabled")
        self.assertFalse(self.lending.enabled[self.print])
        self.assertEqual(self.good("POST", f"{self.path}/enable", {})["status"], "ready")
        self.assertFalse(self.good("POST", f"{self.path}/disable", {})["enabled"])

    def test_move(self) -> None:
        """To a group that there is."""
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        self.assertEqual(self.good("PUT", f"{self.path}/move", {"group": "pro"})["group"], "pro")
        self.assertEqual(self.lending.members[self.print].group, "pro")
        self.assertEqual(self.bad("PUT", f"{self.path}/move", {"group": "no"})["param"], "group")
        self.assertEqual(self.bad("PUT", f"{self.path}/move", {})["param"], "group")

    def test_mistakes(self) -> None:
        """A field that is none, a value that is none."""
        for body, param in (
            ({"colour": "red"}, "colour"),
            ({"order": "first"}, "order"),
            ({"name": ""}, "name"),
            ({"max_in_flight": -1}, "max_in_flight"),
        ):
            self.assertEqual(self.bad("PATCH", self.path, body)["param"], param)

    def test_unpark(self) -> None:
        """Asked again."""
        self.successResultOf(self.process.rows.park(self.print, Parked("suspended")))
        self.successResultOf(Deferred.fromCoroutine(self.process.follow()))
        self.assertEqual(self.good("GET", self.path)["error"], "suspended")
        self.assertEqual(self.good("POST", f"{self.path}/unpark", {})["status"], "ready")
        self.assertEqual(self.lending.released, [self.print])

    def test_remove(self) -> None:
        """Gone, and then unknown."""
        self.good("DELETE", self.path, status=204)
        self.assertEqual(self.lending.members, {})
        self.bad("DELETE", self.path, status=404)
        self.bad("GET", self.path, status=404)

    def test_remove_configured(self) -> None:
        """409 with the reason."""
        card = self.registry.find(self.made["id"])
        self.registry.roll.put(msgspec.structs.replace(card, source="configured"))
        self.assertIn("KIRO_AUTH_TOKEN", self.bad("DELETE", self.path, status=409)["message"])


class KnownCredentialTests(AdminCase):
    """An expiry that is known is shown."""

    def test_expiry(self) -> None:
        """Of the credentials in use."""
        made = self.add(1)
        self.process.keyring.put(
            self.fingerprint(made["id"]), Credentials(Secret("a"), Secret("r"), expires_at=60.0)
        )
        shown = self.good("GET", f"/api/tokens/{made['id']}")
        self.assertEqual(shown["expires_at"], "1970-01-01T00:01:00+00:00")
