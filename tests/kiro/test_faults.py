"""Tests of what refusals mean."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    Kind,
    ModelOverloaded,
    QuotaExhausted,
    Scope,
    Throttled,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.kiro.faults import (
    MAX_MESSAGE,
    classify,
    from_error_frame,
    from_exception_frame,
    from_invalid_state,
)
from tests.kiro.frames import error, exception

NOW = 1_790_000_000.0


def judged(status: int, body: object = b"", name: str = "", **headers: str) -> UpstreamFault:
    """The fault of one answer; ``body`` bytes or something for JSON."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    fields = {key.replace("_", "-"): value for key, value in headers.items()}
    if name:
        fields["x-amzn-errortype"] = name
    return classify(status, fields, data, NOW)


class MeaningTests(SynchronousTestCase):
    """Class, scope, kind and code of each answer that is known."""

    def check(
        self,
        fault: UpstreamFault,
        cls: type[UpstreamFault],
        code: str | None = None,
        kind: Kind | None = None,
        scope: Scope | None = None,
    ) -> None:
        self.assertIs(type(fault), cls)
        self.assertEqual(fault.code, code)
        self.assertIs(fault.kind, kind or cls.default_kind)
        self.assertIs(fault.scope, scope or cls.default_scope)

    def test_reasons(self) -> None:
        """A reason says most, whatever the status and name."""
        overflow = {"kind": Kind.CONTEXT_OVERFLOW}
        lacking = {"kind": Kind.MODEL_NOT_FOUND, "scope": Scope.ACCOUNT_MODEL}
        cases: list[tuple[str, type[UpstreamFault], dict[str, Any]]] = [
            ("CONTENT_LENGTH_EXCEEDS_THRESHOLD", UpstreamRefused, overflow),
            ("PROMPT_TOO_LONG", UpstreamRefused, overflow),
            ("INVALID_MODEL_ID", UpstreamRefused, lacking),
            ("CONVERSATION_LIMIT_EXCEEDED", UpstreamRefused, {"scope": Scope.REQUEST}),
            ("INSUFFICIENT_MODEL_CAPACITY", ModelOverloaded, {"scope": Scope.MODEL}),
            ("MODEL_TEMPORARILY_UNAVAILABLE", ModelOverloaded, {}),
            ("MONTHLY_REQUEST_COUNT", QuotaExhausted, {"scope": Scope.ACCOUNT}),
            ("DAILY_REQUEST_COUNT", QuotaExhausted, {}),
            ("OVERAGE_REQUEST_LIMIT_EXCEEDED", QuotaExhausted, {}),
            ("TEMPORARILY_SUSPENDED", AccountSuspended, {}),
        ]
        for reason, cls, expected in cases:
            for status, name in ((400, "ValidationException"), (429, "ThrottlingError"), (500, "")):
                fault = judged(status, {"message": "m", "reason": reason}, name)
                self.check(fault, cls, reason, **expected)
                self.assertEqual(fault.status, status)

    def test_names(self) -> None:
        """With either suffix, with a namespace and a link; the status may be another one."""
        cases = [
            ("Throttling", Throttled),
            ("ServiceQuotaExceeded", QuotaExhausted),
            ("ExpiredToken", CredentialsRejected),
            ("UnrecognizedClient", CredentialsRejected),
            ("AccessDenied", AccessRefused),
            ("Validation", UpstreamRefused),
            ("ResourceNotFound", UpstreamRefused),
            ("Conflict", UpstreamRefused),
            ("InternalServer", UpstreamUnavailable),
            ("ServiceUnavailable", UpstreamUnavailable),
        ]
        for base, cls in cases:
            for suffix in ("Exception", "Error"):
                name = base + suffix
                self.check(judged(400, {"message": "m"}, f"{name}:http://x/y"), cls, name)
                body = {"__type": f"com.amazon.aws#{name}", "Message": "m"}
                self.check(judged(400, body), cls, name)
                self.check(judged(500, {"code": name, "message": None}), cls, name)

    def test_where_the_name_is_looked_for(self) -> None:
        """The header stands above ``__type``, that above ``code``."""
        body = {"__type": "ConflictException", "code": "ValidationException"}
        self.assertEqual(judged(400, body, "ThrottlingException").code, "ThrottlingException")
        self.assertEqual(judged(400, body).code, "ConflictException")
        self.assertEqual(judged(400, {"code": "ValidationError"}).code, "ValidationError")

    def test_statuses(self) -> None:
        """Without any better sign the status decides."""
        cases = [
            (400, UpstreamRefused),
            (401, CredentialsRejected),
            (402, QuotaExhausted),
            (403, AccessRefused),
            (404, UpstreamRefused),
            (408, UpstreamUnavailable),
            (409, UpstreamRefused),
            (418, UpstreamUnavailable),
            (422, UpstreamRefused),
            (429, Throttled),
            (500, UpstreamUnavailable),
            (502, UpstreamUnavailable),
            (524, UpstreamUnavailable),
            (204, UpstreamUnavailable),
            (302, UpstreamUnavailable),
        ]
        for status, cls in cases:
            self.check(judged(status, {}), cls)
        self.check(judged(413, {}), UpstreamRefused, kind=Kind.TOO_LARGE)

    def test_a_401_is_about_the_token(self) -> None:
        """Whatever it is called."""
        fault = judged(401, {"message": "m"}, "AccessDeniedException")
        self.check(fault, CredentialsRejected, "AccessDeniedException")

    def test_observed_answers(self) -> None:
        """Answers as they were seen on the wire."""
        denied = "AccessDeniedException"
        invalid = {"message": "The bearer token included in the request is invalid."}
        self.check(judged(403, invalid, denied), CredentialsRejected, denied)
        expired = {"message": "The bearer token has expired."}
        self.check(judged(403, expired), CredentialsRejected)
        self.check(judged(400, {"message": "Invalid profileArn."}), AccessRefused)
        missing = {"message": "profileArn is required for this request."}
        self.check(
            judged(400, missing, "ValidationException"), AccessRefused, "ValidationException"
        )
        self.check(
            judged(400, {"message": "Improperly formed request.", "reason": None}),
            UpstreamRefused,
        )
        self.check(
            judged(500, {"message": "Input is too long."}),
            UpstreamRefused,
            kind=Kind.CONTEXT_OVERFLOW,
        )
        load = "Encountered unexpectedly high load when processing the request, please try again."
        self.check(judged(500, {"message": load}), ModelOverloaded)
        self.check(judged(400, {"message": load}), UpstreamRefused)
        locked = "Your account is suspended: we have locked your account as a precaution."
        self.check(judged(403, {"message": locked}), AccountSuspended)
        self.check(judged(403, {"message": "We locked your account."}), AccessRefused)
        self.check(
            judged(403, {"message": "x", "reason": "FEATURE_NOT_SUPPORTED"}, denied),
            AccessRefused,
            "FEATURE_NOT_SUPPORTED",
        )
        self.check(judged(400, {"message": "got MONTHLY_REQUEST_COUNT"}), QuotaExhausted)

    def test_bodies_that_are_no_json(self) -> None:
        """A page of a proxy says nothing about the account, but may hold a known phrase."""
        page = b"<html><body>Request blocked.</body></html>"
        self.check(judged(403, page), AccessRefused, scope=Scope.SERVICE)
        self.check(judged(502, page), UpstreamUnavailable)
        self.check(judged(503, b"\xff\xfe INSUFFICIENT_MODEL_CAPACITY"), ModelOverloaded)
        self.assertNotIn("blocked.", judged(403, page).message)
        self.check(judged(500, b"[" * 100_000), UpstreamUnavailable)
        self.check(judged(400, b'["a"]'), UpstreamRefused)

    def test_unexpected_field_types(self) -> None:
        """A wrong type of one field does not hide the others."""
        fault = judged(400, {"message": 5, "reason": "INVALID_MODEL_ID", "code": 7})
        lacking = Scope.ACCOUNT_MODEL
        self.check(fault, UpstreamRefused, "INVALID_MODEL_ID", Kind.MODEL_NOT_FOUND, lacking)

    def test_request_id(self) -> None:
        """Kept for the provider's support, unless it is something strange."""
        self.assertEqual(judged(500, x_amzn_requestid="ab-12").request_id, "ab-12")
        self.assertIsNone(judged(500, x_amzn_requestid="a b").request_id)
        self.assertIsNone(judged(500).request_id)


class RetryAfterTests(SynchronousTestCase):
    """Wire: seconds or a date, often absent."""

    def test_forms(self) -> None:
        """Each form, and what is none."""
        cases = {
            "": None,
            "7": 7.0,
            " 0 ": 0.0,
            "-3": None,
            "soon": None,
            "9" * 12: None,
            "Mon, 21 Sep 2026 14:13:50 GMT": 30.0,
            "Mon, 21 Sep 2020 14:13:50 GMT": 0.0,
            "Wed, 21 Oct 99999999 07:28:00 GMT": None,
            "²": None,
        }
        for value, seconds in cases.items():
            self.assertEqual(judged(429, {}, retry_after=value).retry_after, seconds, value)


class MessageTests(SynchronousTestCase):
    """What of the upstream's text may be shown."""

    def test_own_words_first(self) -> None:
        """Ours, then the upstream's."""
        fault = judged(429, {"message": "Slow down."})
        self.assertTrue(fault.message.endswith(": Slow down."))
        self.assertNotIn(":", judged(429).message)

    def test_cut_and_cleaned(self) -> None:
        """At most 500 characters, no controls."""
        fault = judged(400, {"message": "a\r\nb\x00c\u2028" + "word " * 1000})
        self.assertTrue(fault.message.isprintable())
        shown = fault.message.partition(": ")[2]
        self.assertEqual(len(shown), MAX_MESSAGE)
        self.assertTrue(shown.startswith("a  b c "))

    def test_secrets_and_content(self) -> None:
        """Tokens and values of the request that the upstream quotes are left out."""
        for secret in ("aoaAAAAAG" + "x1" * 60, "ksk_short-one", "eyJhbGciOi.J9", "A" * 40):
            self.assertNotIn(secret, judged(403, {"message": f"token {secret} bad"}).message)
        message = "Bearer abcdefghijklmnop1 refused"
        self.assertNotIn("abcdefghijklmnop1", judged(403, {"message": message}).message)
        quoted = "1 validation error: Value 'my dear\ndiary' at 'state' failed"
        fault = judged(400, {"message": quoted})
        self.assertNotIn("diary", fault.message)
        self.assertIn("at 'state' failed", fault.message)

    def test_code_is_a_word(self) -> None:
        """A reason or name that is no single word is not passed on."""
        self.assertIsNone(judged(400, {"reason": "a b"}, "x y").code)
        self.assertEqual(judged(400, {"reason": "a\r\nb"}, "FooException").code, "FooException")

    @settings(max_examples=100)
    @given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=80), st.text())
    def test_never_fails(self, status: int, body: bytes, name: str, message: str) -> None:
        """Any answer gets a fault with a short, printable message."""
        for data in (body, msgspec.json.encode({"message": message.encode("utf-8", "replace")})):
            fault = judged(status, data, name)
            self.assertTrue(fault.message.isprintable())
            self.assertLess(len(fault.message), MAX_MESSAGE + 100)


class FrameTests(SynchronousTestCase):
    """Faults inside an answer."""

    def test_modelled_error(self) -> None:
        """``error`` is the name of the union's member and stands for an internal error."""
        fault = from_exception_frame(exception("error", {"message": "boom"}))
        self.assertIs(type(fault), UpstreamUnavailable)
        self.assertIn("boom", fault.message)
        self.assertIsNone(fault.status)

    def test_more_precise_payload(self) -> None:
        """A reason or a type in the payload says more."""
        reason = {"message": "m", "reason": "MODEL_TEMPORARILY_UNAVAILABLE"}
        self.assertIs(type(from_exception_frame(exception("error", reason))), ModelOverloaded)
        typed = {"__type": "a#ThrottlingException"}
        self.assertIs(type(from_exception_frame(exception("error", typed))), Throttled)
        coded = {"code": "AccessDeniedException", "message": "bearer token is invalid"}
        self.assertIs(type(from_exception_frame(exception("", coded))), CredentialsRejected)

    def test_named_exceptions(self) -> None:
        """Names mean what they mean outside a stream."""
        cases = {
            "ThrottlingException": Throttled,
            "ValidationException": UpstreamRefused,
            "AccessDeniedException": AccessRefused,
            "ServiceUnavailableException": UpstreamUnavailable,
            "SomethingNewException": UpstreamUnavailable,
        }
        for name, cls in cases.items():
            fault = from_exception_frame(exception(name, b""))
            self.assertIs(type(fault), cls)
            self.assertEqual(fault.code, name)

    def test_high_load(self) -> None:
        """The phrase counts inside a stream too."""
        payload = {"message": "Encountered unexpectedly high load when processing"}
        self.assertIs(type(from_exception_frame(exception("error", payload))), ModelOverloaded)

    def test_error_frame(self) -> None:
        """Code and message come from the headers."""
        fault = from_error_frame(error("ThrottlingError", "slow"))
        self.assertIs(type(fault), Throttled)
        self.assertTrue(fault.message.endswith(": slow"))
        self.assertIs(type(from_error_frame(error("internal", ""))), UpstreamUnavailable)

    def test_invalid_state(self) -> None:
        """The request's conversation is at fault, not the account."""
        fault = from_invalid_state("INVALID_TASK_ASSIST_PLAN", "no plan")
        self.assertIs(fault.scope, Scope.REQUEST)
        self.assertEqual(fault.code, "INVALID_TASK_ASSIST_PLAN")
        self.assertIn("no plan", fault.message)
