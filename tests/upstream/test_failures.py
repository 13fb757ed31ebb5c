"""Tests for kiro2api.upstream.failures."""

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    DNSLookupError,
    TCPTimedOutError,
)
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)

from kiro2api.upstream.failures import FOREIGN, fault_of, was_cancelled, went_stale
from kiro2api.upstream.tunnel import ProxyRefused


def never(*reasons: BaseException) -> ResponseNeverReceived:
    """As the Agent wraps what befell a request."""
    return ResponseNeverReceived([Failure(reason) for reason in reasons])


class FaultTests(SynchronousTestCase):
    """Foreign errors as ours."""

    def test_codes(self) -> None:
        """Each has one code, plain or wrapped, and none of its own words remains."""
        for error, code in (
            (ConnectError(string="10.0.0.1"), "connect_failed"),
            (DNSLookupError("some.host"), "connect_failed"),
            (TCPTimedOutError(), "connect_failed"),
            (ConnectTimeout(), "timeout"),
            (TLSError([("a", "b", "c")]), "tls_failed"),
            (VerificationError(errors=[]), "tls_failed"),
            (ConnectionDone(), "connection_lost"),
            (ConnectionLost("10.0.0.1"), "connection_lost"),
        ):
            for seen in (error, never(error), ResponseFailed([Failure(never(error))])):
                self.assertIsInstance(seen, FOREIGN)
                fault = fault_of(seen)
                self.assertEqual(fault.code, code, seen)
                self.assertNotIn("10.0.0.1", str(fault))
                self.assertNotIn("some.host", str(fault))

    def test_ours_stays(self) -> None:
        """What a proxy on the way said is kept."""
        refused = ProxyRefused("no")
        self.assertIs(fault_of(never(refused)), refused)

    def test_nothing_known(self) -> None:
        """A wrapper without reasons is a lost connection."""
        self.assertEqual(fault_of(never()).code, "connection_lost")


class CancelledTests(SynchronousTestCase):
    """Cancelling comes back in several guises."""

    def test_guises(self) -> None:
        """Plain, of a connection being made, wrapped."""
        for error in (
            CancelledError(),
            ConnectingCancelledError(None),
            never(CancelledError()),
        ):
            self.assertTrue(was_cancelled(error))
        self.assertFalse(was_cancelled(never(ConnectionDone())))


class StaleTests(SynchronousTestCase):
    """A connection closed before the first byte of an answer."""

    def test_stale(self) -> None:
        """Closed cleanly or not, while sending or while waiting."""
        self.assertTrue(went_stale(never(ConnectionDone())))
        self.assertTrue(went_stale(never(ConnectionLost(), ConnectionDone())))
        self.assertTrue(went_stale(RequestTransmissionFailed([Failure(ConnectionLost())])))

    def test_other(self) -> None:
        """An answer that began, TLS, cancelling, nothing at all: none of them is that."""
        for error in (
            never(),
            never(CancelledError()),
            never(ConnectionDone(), TLSError([])),
            ResponseFailed([Failure(ConnectionDone())]),
            ConnectionDone(),
        ):
            self.assertFalse(went_stale(error), error)

    def test_aborted(self) -> None:
        """A connection that we ourselves aborted did not grow stale."""
        self.assertFalse(went_stale(never(ConnectionAborted())))
