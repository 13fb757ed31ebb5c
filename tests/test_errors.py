"""Tests of the failure tree."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api import errors
from kiro2api.errors import (
    CredentialsRejected,
    Kind,
    KiroError,
    NoAccountAvailable,
    RequestRejected,
    Scope,
    Throttled,
    UpstreamFault,
)


def classes() -> list[type[KiroError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, KiroError)
    ]


class TreeTests(SynchronousTestCase):
    """What each failure says about itself."""

    def test_one_root(self) -> None:
        """Whatever is named in the module can be caught by its root, and says its message."""
        for kind in classes():
            self.assertEqual(str(kind("what happened")), "what happened")
            self.assertEqual(kind("what happened").message, "what happened")

    def test_kinds(self) -> None:
        """Each class has its kind; one failure may have another."""
        expected = {
            "KiroError": Kind.INTERNAL,
            "RequestRejected": Kind.INVALID_REQUEST,
            "Unauthorized": Kind.UNAUTHENTICATED,
            "Forbidden": Kind.FORBIDDEN,
            "NotFound": Kind.NOT_FOUND,
            "MethodNotAllowed": Kind.METHOD_NOT_ALLOWED,
            "ModelNotFound": Kind.MODEL_NOT_FOUND,
            "Conflict": Kind.INVALID_REQUEST,
            "BodyTooLarge": Kind.TOO_LARGE,
            "NoAccountAvailable": Kind.RATE_LIMITED,
            "ShuttingDown": Kind.UNAVAILABLE,
            "UpstreamFault": Kind.INTERNAL,
            "Throttled": Kind.RATE_LIMITED,
            "QuotaExhausted": Kind.QUOTA_EXHAUSTED,
            "AccountSuspended": Kind.FORBIDDEN,
            "CredentialsRejected": Kind.UNAVAILABLE,
            "AccessRefused": Kind.FORBIDDEN,
            "ModelOverloaded": Kind.OVERLOADED,
            "UpstreamRefused": Kind.INVALID_REQUEST,
            "UpstreamUnavailable": Kind.UNAVAILABLE,
            "ProtocolViolation": Kind.UNAVAILABLE,
            "StreamTruncated": Kind.UNAVAILABLE,
            "StreamStalled": Kind.TIMEOUT,
        }
        for kind in classes():
            self.assertIs(kind("m").kind, expected[kind.__name__], kind)
            self.assertIs(kind("m", kind=Kind.TOO_LARGE).kind, Kind.TOO_LARGE)

    def test_scopes(self) -> None:
        """Whom a fault of the upstream concerns; one fault may concern another."""
        special = {
            "Throttled": Scope.ACCOUNT,
            "QuotaExhausted": Scope.ACCOUNT,
            "AccountSuspended": Scope.ACCOUNT,
            "AccessRefused": Scope.ACCOUNT,
            "CredentialsRejected": Scope.CREDENTIALS,
            "ModelOverloaded": Scope.MODEL,
            "UpstreamRefused": Scope.REQUEST,
        }
        for kind in classes():
            if issubclass(kind, UpstreamFault):
                expected = special.get(kind.__name__, Scope.SERVICE)
                self.assertIs(kind("m").scope, expected, kind)
                self.assertIs(kind("m", scope=Scope.MODEL).scope, Scope.MODEL)

    def test_extras(self) -> None:
        """What else is known travels along; what is not is empty."""
        bare = KiroError("m")
        self.assertEqual((bare.retry_after, bare.param, bare.code), (None, None, None))
        self.assertEqual(bare.details, {})
        self.assertEqual(NoAccountAvailable("m", retry_after=2.5).retry_after, 2.5)
        refusal = RequestRejected("m", param="a[0]", code="c", details={"k": 1})
        self.assertEqual((refusal.param, refusal.code), ("a[0]", "c"))
        self.assertEqual(refusal.details, {"k": 1})
        fault = Throttled("m", status=429, request_id="r", code="c", retry_after=1.0)
        self.assertEqual((fault.status, fault.request_id, fault.code), (429, "r", "c"))
        self.assertEqual(fault.retry_after, 1.0)
        self.assertIsNone(CredentialsRejected("m").status)
        self.assertIsNone(CredentialsRejected("m").request_id)

    def test_no_shared_details(self) -> None:
        """Two failures never share what they have not been given."""
        self.assertIsNot(KiroError("m").details, KiroError("m").details)
