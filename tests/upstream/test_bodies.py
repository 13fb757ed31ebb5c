"""Tests for kiro2api.upstream.bodies."""

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from kiro2api.errors import UpstreamUnavailable
from kiro2api.upstream.bodies import BodyTooLong, BytesBody, discard, read_bounded
from tests.fakes.upstream import FakeResponse


class BytesBodyTests(SynchronousTestCase):
    """A request body that is there already."""

    def test_sends_at_once(self) -> None:
        """Everything is written before startProducing returns, and the length is announced."""
        body = BytesBody(b"question")
        verifyObject(IBodyProducer, body)
        transport = StringTransport()
        self.assertIsNone(self.successResultOf(body.startProducing(transport)))
        self.assertEqual((transport.value(), body.length), (b"question", 8))

    def test_tolerates_control(self) -> None:
        """A transport may pause, resume and stop it; the data is not shown by repr."""
        body = BytesBody(b"question")
        body.pauseProducing()
        body.resumeProducing()
        body.stopProducing()
        self.assertNotIn("question", repr(body))


class DiscardTests(SynchronousTestCase):
    """A response that nobody reads."""

    def test_closes(self) -> None:
        """Its connection is closed the moment the body is connected; what comes is ignored."""
        response = FakeResponse(403)
        discard(response)
        self.assertTrue(response.transport.stopped)
        response.give(b"late")
        response.cut()
        self.assertEqual(response.transport.calls, ["stop"])


class ReadBoundedTests(SynchronousTestCase):
    """A whole body within bounds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.response = FakeResponse()
        self.reading = read_bounded(self.response, 10, self.clock, 3.0)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_joins(self) -> None:
        """The chunks are joined at the end, up to exactly the limit."""
        self.response.give(b"01234")
        self.response.give(b"56789")
        self.assertNoResult(self.reading)
        self.response.end()
        self.assertEqual(self.successResultOf(self.reading), b"0123456789")
        self.assertEqual(self.response.transport.calls, [])

    def test_without_length(self) -> None:
        """A body that only the connection's end delimits counts as whole."""
        self.response.give(b"{}")
        self.response.end(PotentialDataLoss())
        self.assertEqual(self.successResultOf(self.reading), b"{}")

    def test_too_long(self) -> None:
        """One byte more closes the connection and fails with what fits; the rest is ignored."""
        self.response.give(b"01234")
        self.response.give(b"56789x")
        fault = self.failureResultOf(self.reading, BodyTooLong).value
        self.assertEqual(fault.partial, b"0123456789")
        self.assertNotIn("0123", str(fault))
        self.assertTrue(self.response.transport.stopped)
        self.response.give(b"more")
        self.response.cut()

    def test_cut(self) -> None:
        """A broken connection is a fault of ours, without the library's words."""
        self.response.give(b"0")
        self.response.end(ResponseFailed([Failure(ConnectionLost("10.0.0.1 went away"))]))
        fault = self.failureResultOf(self.reading, UpstreamUnavailable).value
        self.assertEqual(fault.code, "connection_lost")
        self.assertNotIn("10.0.0.1", str(fault))

    def test_silence(self) -> None:
        """The timer counts from the latest chunk, and closes the connection."""
        self.clock.advance(2.9)
        self.response.give(b"0")
        self.clock.advance(2.9)
        self.assertNoResult(self.reading)
        self.clock.advance(0.2)
        fault = self.failureResultOf(self.reading, UpstreamUnavailable).value
        self.assertEqual(fault.code, "timeout")
        self.assertTrue(self.response.transport.stopped)

    def test_cancel(self) -> None:
        """Cancelling really closes the connection."""
        self.response.give(b"0")
        self.reading.cancel()
        self.failureResultOf(self.reading, CancelledError)
        self.assertTrue(self.response.transport.stopped)
        self.response.give(b"1")
        self.response.cut()

    def test_complete_already(self) -> None:
        """A body that arrived with the head is read at once and its connection is left alone."""
        response = FakeResponse.whole(200, b"all")
        self.assertEqual(self.successResultOf(read_bounded(response, 10, self.clock, 3.0)), b"all")
        self.assertEqual(response.transport.calls, [])
        self.response.end()
        self.successResultOf(self.reading)
