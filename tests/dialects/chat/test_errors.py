# -*- test-case-name: tests.dialects.chat.test_errors -*-
"""Tests of how failures look."""

import json

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.chat.errors import error_json, status
from kiro2api.errors import Kind, KiroError, RequestRejected, UpstreamRefused

REQUEST = "invalid_request_error"


class LookTests(SynchronousTestCase):
    """Every kind of failure has a status, a type and a code."""

    def test_table(self) -> None:
        """The whole table."""
        expected = {
            Kind.INVALID_REQUEST: (400, REQUEST, None),
            Kind.THREAD_UNSUPPORTED: (400, REQUEST, "thread_unsupported_request"),
            Kind.CONTEXT_OVERFLOW: (400, REQUEST, "context_length_exceeded"),
            Kind.UNAUTHENTICATED: (401, REQUEST, "invalid_api_key"),
            Kind.QUOTA_EXHAUSTED: (429, "insufficient_quota", "insufficient_quota"),
            Kind.FORBIDDEN: (403, "permission_error", "permission_denied"),
            Kind.NOT_FOUND: (404, REQUEST, "not_found"),
            Kind.MODEL_NOT_FOUND: (404, REQUEST, "model_not_found"),
            Kind.METHOD_NOT_ALLOWED: (405, REQUEST, "method_not_allowed"),
            Kind.TOO_LARGE: (413, REQUEST, "request_too_large"),
            Kind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
            Kind.OVERLOADED: (503, "server_error", "overloaded"),
            Kind.UNAVAILABLE: (503, "server_error", "unavailable"),
            Kind.TIMEOUT: (504, "server_error", "timeout"),
            Kind.INTERNAL: (500, "server_error", "server_error"),
        }
        self.assertEqual(set(Kind), set(expected))
        for kind, look in expected.items():
            error = KiroError("text", kind=kind)
            details = json.loads(error_json(error))["error"]
            self.assertEqual(look, (status(error), details["type"], details["code"]))


class ErrorJsonTests(SynchronousTestCase):
    """``error_json`` has all four keys, always."""

    def test_bytes(self) -> None:
        """The exact bytes."""
        self.assertEqual(
            b'{"error":{"message":"messages: \\"x\\"","type":"invalid_request_error",'
            b'"param":"messages","code":null}}',
            error_json(RequestRejected('messages: "x"', param="messages")),
        )

    def test_own_code(self) -> None:
        """A failure's own code shows where its kind has none, and never instead of one."""
        shown = json.loads(error_json(UpstreamRefused("no", code="TOOL_SCHEMA_INVALID")))
        self.assertEqual("TOOL_SCHEMA_INVALID", shown["error"]["code"])
        over = UpstreamRefused("no", kind=Kind.CONTEXT_OVERFLOW, code="CONTENT_LENGTH")
        self.assertEqual("context_length_exceeded", json.loads(error_json(over))["error"]["code"])
