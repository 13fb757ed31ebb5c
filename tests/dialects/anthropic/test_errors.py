"""Tests of failures as clients see them."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.anthropic.errors import error_body, event_body, status
from kiro2api.errors import Kind, KiroError, ModelNotFound, RequestRejected, UpstreamRefused


def shown(error: KiroError) -> Any:
    return json.loads(error_body(error, "req_1"))["error"]


class ErrorTests(SynchronousTestCase):
    """Status, type and message."""

    def test_table(self) -> None:
        """Every kind has its status and its type."""
        expected = {
            Kind.INVALID_REQUEST: (400, "invalid_request_error"),
            Kind.THREAD_UNSUPPORTED: (400, "invalid_request_error"),
            Kind.CONTEXT_OVERFLOW: (400, "invalid_request_error"),
            Kind.UNAUTHENTICATED: (401, "authentication_error"),
            Kind.QUOTA_EXHAUSTED: (402, "billing_error"),
            Kind.FORBIDDEN: (403, "permission_error"),
            Kind.NOT_FOUND: (404, "not_found_error"),
            Kind.MODEL_NOT_FOUND: (404, "not_found_error"),
            Kind.METHOD_NOT_ALLOWED: (405, "invalid_request_error"),
            Kind.TOO_LARGE: (413, "request_too_large"),
            Kind.RATE_LIMITED: (429, "rate_limit_error"),
            Kind.OVERLOADED: (529, "overloaded_error"),
            Kind.UNAVAILABLE: (503, "api_error"),
            Kind.TIMEOUT: (504, "timeout_error"),
            Kind.INTERNAL: (500, "api_error"),
        }
        for kind in Kind:
            error = KiroError("m", kind=kind)
            self.assertEqual((status(error), shown(error)["type"]), expected[kind])

    def test_body(self) -> None:
        """The whole body, exactly."""
        self.assertEqual(
            error_body(ModelNotFound('no model "x"'), "req_1"),
            b'{"type":"error","error":{"type":"not_found_error","message":"no model \\"x\\""},'
            b'"request_id":"req_1"}',
        )

    def test_within_a_stream(self) -> None:
        """There an unavailable upstream has the one name that clients retry."""
        for kind, name in (
            (Kind.UNAVAILABLE, "overloaded_error"),
            (Kind.INTERNAL, "api_error"),
            (Kind.INVALID_REQUEST, "invalid_request_error"),
        ):
            data = json.loads(event_body(KiroError("m", kind=kind), "req_1"))
            self.assertEqual(
                data,
                {
                    "type": "error",
                    "error": {"type": name, "message": "m"},
                    "request_id": "req_1",
                },
            )

    def test_param(self) -> None:
        """The bad field is named once."""
        self.assertEqual(shown(RequestRejected("is bad", param="a.b"))["message"], "a.b: is bad")
        self.assertEqual(
            shown(RequestRejected("a.b: is bad", param="a.b"))["message"], "a.b: is bad"
        )

    def test_too_long(self) -> None:
        """An overflow begins with the words that make a client compact."""
        for message, details, expected in (
            ("m", {"tokens": 9, "maximum": 5}, "prompt is too long: 9 tokens > 5 maximum"),
            ("m", {"tokens": 9}, "prompt is too long: m"),
            ("m", {"maximum": 9}, "prompt is too long: m"),
            ("prompt is too long, sorry", {}, "prompt is too long, sorry"),
        ):
            error = UpstreamRefused(message, kind=Kind.CONTEXT_OVERFLOW, details=details)
            self.assertEqual(shown(error)["message"], expected)

    def test_thread(self) -> None:
        """The details that make a client send its history; no other failure shows details."""
        details = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        error = RequestRejected("m", kind=Kind.THREAD_UNSUPPORTED, details=details)
        self.assertEqual(
            shown(error), {"type": "invalid_request_error", "message": "m", "details": details}
        )
        self.assertNotIn("details", shown(RequestRejected("m", details=details)))
