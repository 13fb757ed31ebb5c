"""Logging in and out, and what a session may do."""

import re
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail

from kiro2api.errors import Unauthorized
from kiro2api.store.database import StoreError
from kiro2api.store.sessions import SessionRows
from kiro2api.web.rates import FREE_FAILURES
from kiro2api.web.sessions import FRESH_SECONDS, Sessions
from tests.web.admin.keyed import CLIENT, NOON, ROOT, KeyedCase
from tests.web.case import Reply


class SessionCase(KeyedCase):
    """With somebody who logs in."""

    def log_in(self, key: str = ROOT, **headers: str) -> Reply:
        """The answer to a login."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", "/api/session", {"key": key}, key="", headers=sent)

    def cookie(self, reply: Reply) -> str:
        """What the browser sends from then on."""
        return reply.headers["set-cookie"].partition(";")[0]

    def browse(self, method: str, path: str, cookie: str, **headers: str) -> Reply:
        """A request with a cookie instead of a key."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(method, path, key="", headers={"Cookie": cookie, **sent})


class LogInTests(SessionCase):
    """The route ``/api/session``."""

    def test_log_in(self) -> None:
        """Any key is good; the answer tells who it is, the cookie is for the browser only."""
        for key, name, role in ((ROOT, "admin", "admin"), (CLIENT, "client-1", "client")):
            reply = self.log_in(key)
            self.assertEqual(reply.status, 201)
            self.assertEqual((reply.json["name"], reply.json["role"]), (name, role))
            self.assertEqual(reply.json["expires_at"], "2024-10-05T00:00:00+00:00")
            self.assertEqual(
                re.sub("=token-[0-9]+", "=X", reply.headers["set-cookie"]),
                "kiro2api_session=X; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict",
            )
            self.assertNotIn(reply.json["csrf"], reply.headers["set-cookie"])
            who = self.browse("GET", "/api/who", self.cookie(reply))
            self.assertEqual(who.json, {"name": name, "role": role})

    def test_by_tls(self) -> None:
        """Where the browser sees https the cookie never travels otherwise."""
        for reply in (
            self.log_in(Origin="https://gateway:8080"),
            self.log_in(X_Forwarded_Proto="https"),
        ):
            self.assertTrue(reply.headers["set-cookie"].startswith("__Host-kiro2api_session="))
            self.assertTrue(reply.headers["set-cookie"].endswith("; Secure"))
            self.assertEqual(self.browse("GET", "/api/who", self.cookie(reply)).status, 200)
        plain = self.log_in(Origin="http://gateway:8080", X_Forwarded_Proto="https")
        self.assertNotIn("Secure", plain.headers["set-cookie"])

    def test_wrong_key(self) -> None:
        """401, and after many of them 429; a good key is let in all the same."""
        for _ in range(FREE_FAILURES):
            reply = self.log_in("wrong")
            self.assertEqual(reply.status, 401)
            self.assertNotIn("set-cookie", reply.headers)
        slowed = self.log_in("wrong")
        self.assertEqual(slowed.status, 429)
        self.assertGreater(int(slowed.headers["retry-after"]), 0)
        self.assertEqual(self.log_in().status, 201)
        elsewhere = self.ask("POST", "/api/session", {"key": "wrong"}, key="", address="10.9.9.9")
        self.assertEqual(elsewhere.status, 401)

    def test_wrong_body(self) -> None:
        """Names the field."""
        for body, param in (({}, "key"), ({"key": 5}, "key"), ({"key": "x", "a": 1}, "a")):
            reply = self.ask("POST", "/api/session", body, key="")
            self.assertEqual((reply.status, reply.json["error"]["param"]), (400, param))

    def test_another_sites_page(self) -> None:
        """Cannot log anybody in."""
        self.assertEqual(self.log_in(Origin="https://evil.example").status, 403)
        self.assertEqual(self.log_in(Sec_Fetch_Site="cross-site").status, 403)

    def test_show(self) -> None:
        """Who is logged in, with what changes need; with a key there is no session to show."""
        reply = self.log_in()
        shown = self.browse("GET", "/api/session", self.cookie(reply))
        self.assertEqual((shown.status, shown.json), (200, reply.json))
        self.assertEqual(shown.headers["cache-control"], "no-store")
        by_key = self.ask("GET", "/api/session", key=CLIENT).json
        self.assertEqual((by_key["name"], by_key["csrf"]), ("client-1", ""))

    def test_show_nobody(self) -> None:
        """A page asks before anybody has logged in, which is no mistake; a wrong key is one."""
        nobody = self.ask("GET", "/api/session", key="")
        self.assertEqual((nobody.status, nobody.json["role"], nobody.json["name"]), (200, "", ""))
        self.assertEqual(self.ask("GET", "/api/session", key="wrong").status, 401)

    def test_log_out(self) -> None:
        """The session is over, and the browser forgets both cookies."""
        reply = self.log_in()
        cookie = self.cookie(reply)
        refused = self.browse("DELETE", "/api/session", cookie)
        self.assertEqual(refused.status, 403)
        ended = self.browse("DELETE", "/api/session", cookie, X_CSRF_Token=reply.json["csrf"])
        self.assertEqual(ended.status, 204)
        self.assertIn("Max-Age=0", ended.headers["set-cookie"])
        again = self.browse("GET", "/api/who", cookie)
        self.assertEqual(again.status, 401)
        self.assertIn("log in again", again.json["error"]["message"])

    def test_log_out_without_a_session(self) -> None:
        """Is no mistake of who shows a key."""
        self.assertEqual(self.ask("DELETE", "/api/session").status, 204)
        self.assertEqual(self.ask("DELETE", "/api/session", key="").status, 401)


class TlsTests(SessionCase):
    """Where TLS ends in this process."""

    tls = True

    def test_cookie(self) -> None:
        """Never travels otherwise."""
        self.assertIn("; Secure", self.log_in().headers["set-cookie"])


class SessionTests(SessionCase):
    """What a session is good for."""

    def setUp(self) -> None:
        super().setUp()
        reply = self.log_in()
        self.mine, self.csrf = self.cookie(reply), reply.json["csrf"]

    def test_not_at_the_model_apis(self) -> None:
        """A page must not be able to spend what a person is logged in with."""
        self.assertEqual(self.browse("GET", "/v1/models", self.mine).status, 401)
        self.assertEqual(self.browse("GET", "/pro/v1/models", self.mine).status, 401)
        self.assertEqual(self.browse("GET", "/models", self.mine).status, 401)

    def test_changes_need_the_token(self) -> None:
        """Reading does not; a wrong one is as good as none."""
        self.assertEqual(self.browse("GET", "/api/who", self.mine).status, 200)
        self.assertEqual(self.browse("HEAD", "/api/who", self.mine).status, 200)
        for headers in ({}, {"X_CSRF_Token": ""}, {"X_CSRF_Token": "x"}, {"X_CSRF_Token": "é"}):
            reply = self.browse("POST", "/api/who", self.mine, **headers)
            self.assertEqual((reply.status, reply.json["error"]["type"]), (403, "permission_error"))
        good = self.browse("POST", "/api/who", self.mine, X_CSRF_Token=self.csrf)
        self.assertEqual(good.status, 200)

    def test_changes_come_from_our_own_page(self) -> None:
        """What the browser says about the page counts; the proxy's Host may be another."""
        for headers, status in (
            ({"Origin": "http://gateway:8080"}, 200),
            ({"Origin": "http://GATEWAY:8080"}, 200),
            ({"Origin": "http://gateway:8081"}, 403),
            ({"Origin": "null"}, 403),
            ({"Sec_Fetch_Site": "same-origin", "Origin": "https://public.example"}, 200),
            ({"Sec_Fetch_Site": "same-site", "Origin": "http://gateway:8080"}, 403),
            ({"Sec_Fetch_Site": "none"}, 403),
        ):
            reply = self.browse("POST", "/api/who", self.mine, X_CSRF_Token=self.csrf, **headers)
            self.assertEqual(reply.status, status, headers)

    def test_key_needs_no_token(self) -> None:
        """Programs send keys; a cookie beside it neither helps nor hurts."""
        headers = {"Cookie": self.mine}
        for key, status in ((CLIENT, 200), ("wrong", 401)):
            reply = self.ask("POST", "/api/who", key=key, headers=headers)
            self.assertEqual(reply.status, status)

    def test_ends_by_itself(self) -> None:
        """After its hours."""
        self.clock.advance(12 * 3600 - 1)
        self.assertEqual(self.browse("GET", "/api/who", self.mine).status, 200)
        self.clock.advance(1)
        self.assertEqual(self.browse("GET", "/api/who", self.mine).status, 401)

    def test_invented_cookies(self) -> None:
        """Are no sessions."""
        for cookie in (
            "kiro2api_session=" + "x" * 43,
            "kiro2api_session=short",
            "kiro2api_session=",
            "other=" + self.mine.partition("=")[2],
            "xkiro2api_session=" + self.mine.partition("=")[2],
            self.mine + "x",
            "\u00e9",
        ):
            self.assertEqual(self.browse("GET", "/api/who", cookie).status, 401, cookie)
        among = f"a=b; {self.mine}; c=d"
        self.assertEqual(self.browse("GET", "/api/who", among).status, 200)

    def test_cookie_is_not_stored(self) -> None:
        """Only digests, and nothing of the key that could be guessed at."""
        from sqlalchemy import select

        from kiro2api.store.keys import digest_of
        from kiro2api.store.schema import SESSIONS

        row = self.result_of(self.database.run(lambda c: c.execute(select(SESSIONS)).one()))
        self.assertNotIn(self.mine.partition("=")[2], str(row))
        self.assertNotEqual(row.binding, digest_of(ROOT))

    def test_other_processes_know_it(self) -> None:
        """A session begun here is good there, and its end is known there soon."""
        other = Sessions(
            SessionRows(self.database), self.clock.seconds, hours=lambda: 12, new_token=str
        )
        self.gate.accept(other)
        self.door._settle = other.settle
        self.assertEqual(self.browse("GET", "/api/who", self.mine).status, 200)
        self.browse("DELETE", "/api/session", self.mine, X_CSRF_Token=self.csrf)
        self.clock.advance(FRESH_SECONDS)
        self.assertEqual(self.browse("GET", "/api/who", self.mine).status, 401)

    def test_read_while_it_ends(self) -> None:
        """What the store said just before the end is not believed after it."""
        self.clock.advance(FRESH_SECONDS)
        reading = self.start("GET", "/api/who", key="", headers={"Cookie": self.mine})
        mine = SimpleNamespace(getHeader={b"cookie": self.mine.encode()}.get)
        self.result_of(Deferred.fromCoroutine(self.sessions.end(mine)))
        self.assertTrue(reading.value())
        self.assertEqual(self.browse("GET", "/api/who", self.mine).status, 401)

    def test_restart(self) -> None:
        """Sessions outlive the process, unless the configured key is another one then."""
        from kiro2api.redaction import Secret
        from kiro2api.store.keys import digest_of
        from kiro2api.web.gate import Gate
        from tests.web.test_gate import Headers

        request = Headers(cookie=self.mine)
        for admin, good in ((ROOT, True), ("another-key", False), ("", False)):
            gate = Gate(digest_of, now=self.clock.seconds)
            gate.configure([], Secret(admin) if admin else None)
            find = gate._known
            if good:
                self.assertEqual(self.sessions.caller(request, find).name, "admin")
            else:
                self.assertRaises(Unauthorized, self.sessions.caller, request, find)

    def test_ends_with_its_key(self) -> None:
        """Switched off, expired or deleted: the session of a stored key goes with it."""
        made = self.make_key(role="admin", expires_at="2024-10-04T13:00:00Z")
        cookie = self.cookie(self.log_in(made["key"]))
        path = f"/api/keys/{made['id']}"
        self.assertEqual(self.browse("GET", "/api/who", cookie).json["name"], "laptop")
        self.ask("PATCH", path, {"role": "client", "name": "renamed"})
        self.assertEqual(
            self.browse("GET", "/api/who", cookie).json, {"name": "renamed", "role": "client"}
        )
        self.assertEqual(self.browse("GET", "/api/keys", cookie).status, 403)
        self.ask("PATCH", path, {"enabled": False})
        self.assertEqual(self.browse("GET", "/api/who", cookie).status, 401)
        self.ask("PATCH", path, {"enabled": True})
        self.assertEqual(self.browse("GET", "/api/who", cookie).status, 200)
        self.clock.advance(3600)
        self.assertEqual(self.browse("GET", "/api/who", cookie).status, 401)
        self.ask("DELETE", path)
        self.assertEqual(self.browse("GET", "/api/who", cookie).status, 401)

    def test_memory_is_bounded(self) -> None:
        """Invented cookies do not fill it."""
        from kiro2api.web import sessions

        for number in range(sessions._MOST + 10):
            self.sessions._remember(b"%d" % number, None)
        self.assertEqual(len(self.sessions._read), sessions._MOST)
        self.assertEqual(self.browse("GET", "/api/who", self.mine).status, 200)
        self.assertEqual(self.clock.seconds(), NOON)


class DoorTests(SessionCase):
    """Requests that wait for the store."""

    def test_left_while_waiting(self) -> None:
        """Nothing is answered to somebody who has gone."""
        waiting: Deferred[None] = Deferred()
        self.door._settle = lambda request: waiting
        wire = self.start("GET", "/api/who", headers={"Cookie": "a=b"})
        self.assertEqual(wire.value(), b"")
        (channel,) = self.site.connections
        from twisted.internet.error import ConnectionDone
        from twisted.python.failure import Failure

        channel.connectionLost(Failure(ConnectionDone()))
        waiting.callback(None)
        self.assertEqual(wire.value(), b"")

    def test_store_fails(self) -> None:
        """At once or later: 503, in JSON, and nobody is logged out."""
        self.door._settle = lambda request: fail(StoreError("locked"))
        reply = self.ask("GET", "/api/who", headers={"Cookie": "a=b"})
        self.assertEqual((reply.status, reply.json["type"]), (503, "error"))
        waiting: Deferred[None] = Deferred()
        self.door._settle = lambda request: waiting
        wire = self.start("GET", "/api/who", headers={"Cookie": "a=b"})
        waiting.errback(StoreError("locked"))
        self.assertEqual(Reply(wire.value()).status, 503)

    def test_model_apis_never_wait(self) -> None:
        """Whatever cookie comes along, and neither does anybody without one."""
        self.door._settle = lambda request: Deferred()
        reply = self.ask("GET", "/v1/models", headers={"Cookie": "kiro2api_session=" + "x" * 43})
        self.assertEqual(reply.status, 200)
        self.assertEqual(self.ask("GET", "/api/who").status, 200)
