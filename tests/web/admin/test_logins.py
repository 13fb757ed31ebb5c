"""Logins through the operator's API."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.web.resource import IResource

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.logins import Login
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.sources import fingerprint
from kiro2api.errors import Kind, RequestRejected, UpstreamUnavailable
from kiro2api.redaction import Secret
from kiro2api.web.admin.logins import LoginsApi, Taker
from tests.web.admin.case import AdminCase

FRESH = Credentials(Secret("invented-access"), Secret("invented-refresh"), expires_at=500.0)


class LoginsStub:
    """Begins what it is told to; a test approves."""

    def __init__(self) -> None:
        self.known: dict[str, Login] = {}
        self.renews: Account | None = None
        self.fault: Exception | None = None

    def begin(self, kind: str, *, renews: Account | None, **said: str) -> Deferred[Login]:
        """One more."""
        if self.fault is not None:
            return fail(self.fault)
        self.renews = renews
        login = Login(
            id=f"login-{len(self.known)}",
            kind="idc",
            status="pending",
            user_code="ABCD-EFGH",
            verification_uri="https://login.example/",
            verification_uri_complete="https://login.example/?code=ABCD-EFGH",
            expires_at=600.0,
            group=said["group"],
            name=said["name"],
        )
        self.known[login.id] = login
        return succeed(login)

    def get(self, id: str) -> Login | None:
        """One of them."""
        return self.known.get(id)

    def all(self) -> tuple[Login, ...]:
        """All of them."""
        return tuple(self.known.values())

    def cancel(self, id: str) -> bool:
        """No more."""
        self.known[id] = msgspec.structs.replace(self.known[id], status="cancelled")
        return True


class LoginCase(AdminCase):
    """``self.logins`` begins, ``self.taker`` takes over."""

    def make_apis(self) -> dict[str, IResource]:
        """These beside the others."""
        self.email = ""
        self.email_fault: Exception | None = None
        self.logins = LoginsStub()
        self.taker = Taker(self.process.arrivals, self.email_of)
        logins: Any = self.logins
        api = LoginsApi(self.gate, logins, self.registry)
        return {**super().make_apis(), "logins": api.app.resource()}

    async def email_of(self, account: Account, credentials: Credentials) -> str:
        """As the test says."""
        if self.email_fault is not None:
            raise self.email_fault
        return self.email

    def approve(self, login_id: str, account: Account) -> None:
        """Somebody has approved it, and this came of it."""
        kept = self.successResultOf(Deferred.fromCoroutine(self.taker.found(account, FRESH)))
        self.logins.known[login_id] = msgspec.structs.replace(
            self.logins.known[login_id], status="done", account=kept.fingerprint
        )


def brought(token: str, name: str = "") -> Account:
    """What a login brings."""
    return Account(fingerprint("social", token, ""), name, "social")


class LoginsApiTests(LoginCase):
    """The routes below ``/api/logins``."""

    def test_begin(self) -> None:
        """The code, where to enter it, and until when; who began it is written down."""
        body = {"kind": "idc", "start_url": "https://x.awsapps.example/start", "name": "mine"}
        shown = self.good("POST", "/api/logins", body, 201)
        self.assertEqual(
            shown,
            {
                "id": "login-0",
                "kind": "idc",
                "status": "pending",
                "user_code": "ABCD-EFGH",
                "verification_uri": "https://login.example/",
                "verification_uri_complete": "https://login.example/?code=ABCD-EFGH",
                "expires_at": "1970-01-01T00:10:00+00:00",
                "group": "default",
                "name": "mine",
                "error": "",
                "account": "",
            },
        )
        self.assertEqual(self.good("GET", "/api/logins/login-0"), shown)
        self.assertEqual(self.good("GET", "/api/logins")["items"], [shown])
        self.assertEqual(self.actions(), [("admin", "login.begin")])

    def test_done(self) -> None:
        """The account is there, and the login says which it is."""
        self.good("POST", "/api/logins", {"kind": "social", "provider": "google"}, 201)
        self.approve("login-0", brought("token", "mine"))
        shown = self.good("GET", "/api/logins/login-0")
        self.assertEqual(shown["status"], "done")
        self.assertEqual(self.good("GET", f"/api/tokens/{shown['account']}")["name"], "mine")

    def test_replace(self) -> None:
        """The account keeps its name and group, gets the credentials and is asked again."""
        made = self.add(1, name="first")
        whole = self.fingerprint(made["id"])
        self.successResultOf(self.process.rows.park(whole, Parked("login")))
        self.successResultOf(Deferred.fromCoroutine(self.process.follow()))
        body = {"kind": "social", "provider": "google", "replace": made["id"]}
        self.good("POST", "/api/logins", body, 201)
        assert self.logins.renews is not None
        self.approve("login-0", self.logins.renews)
        self.assertEqual(self.good("GET", "/api/logins/login-0")["account"], made["id"])
        shown = self.good("GET", f"/api/tokens/{made['id']}")
        self.assertEqual((shown["name"], shown["status"]), ("first", "ready"))
        self.assertEqual(self.registry.credentials(whole), FRESH)

    def test_same_person(self) -> None:
        """Known by the e-mail address; the login then names that account."""
        made = self.add(1, name="first")
        whole = self.fingerprint(made["id"])
        self.successResultOf(self.process.rows.write_quota(whole, "", 1.0, "a@b.example"))
        self.successResultOf(Deferred.fromCoroutine(self.process.follow()))
        self.email = "A@b.example"
        self.good("POST", "/api/logins", {"kind": "social", "provider": "google"}, 201)
        self.approve("login-0", brought("another"))
        self.assertEqual(self.good("GET", "/api/logins/login-0")["account"], made["id"])
        self.assertEqual(len(self.lending.members), 1)

    def test_nameless(self) -> None:
        """An account is worth having though nobody can tell whose it is."""
        self.email_fault = UpstreamUnavailable("away")
        self.good("POST", "/api/logins", {"kind": "social", "provider": "google"}, 201)
        self.approve("login-0", brought("token"))
        self.assertEqual(len(self.lending.members), 1)

    def test_cancel(self) -> None:
        """Nobody waits any more."""
        self.good("POST", "/api/logins", {"kind": "builder_id"}, 201)
        self.good("DELETE", "/api/logins/login-0", status=204)
        self.assertEqual(self.good("GET", "/api/logins/login-0")["status"], "cancelled")

    def test_mistakes(self) -> None:
        """Named, whoever finds them."""
        for body, param in (
            ({}, "kind"),
            ({"kind": "idc", "group": "nowhere"}, "group"),
            ({"kind": "idc", "colour": 1}, "colour"),
        ):
            self.assertEqual(self.bad("POST", "/api/logins", body)["param"], param)
        self.bad("POST", "/api/logins", {"kind": "idc", "replace": "x"}, 404)
        self.logins.fault = RequestRejected("wrong", param="start_url")
        self.assertEqual(self.bad("POST", "/api/logins", {"kind": "idc"})["param"], "start_url")
        self.logins.fault = RequestRejected("too many", kind=Kind.RATE_LIMITED)
        self.bad("POST", "/api/logins", {"kind": "idc"}, 429)
        self.bad("GET", "/api/logins/x", status=404)
        self.bad("DELETE", "/api/logins/x", status=404)
        self.assertEqual(self.actions(), [])

    def test_permissions(self) -> None:
        """Administrators only, each for the groups of his key."""
        self.good("POST", "/api/logins", {"kind": "builder_id"}, 201)
        limited = self.limited("pro")
        for method, path in (
            ("POST", "/api/logins"),
            ("GET", "/api/logins/login-0"),
            ("DELETE", "/api/logins/login-0"),
        ):
            body = {"kind": "builder_id"} if method == "POST" else None
            for key, status in (("key", 403), ("", 401), (limited, 403)):
                self.assertEqual(self.call(method, path, body, key=key).status, status)
        self.assertEqual(self.call("GET", "/api/logins", key=limited).json["items"], [])
