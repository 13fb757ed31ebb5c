"""Tests of kept connections."""

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.upstream.http11_connection import Connection
from kiro2api.upstream.http11_pool import IdleConnections
from tests.upstream.wires import Wire, order


class PoolTests(SynchronousTestCase):
    """Keeping, giving and dropping."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.idle = IdleConnections(self.clock, max_per_key=2, seconds=40.0)

    def connection(self, key: str = "a") -> Connection:
        connection = Connection(self.idle, key)
        connection.makeConnection(Wire())
        return connection

    def closed(self, connection: Connection) -> bool:
        wire = connection.transport
        assert isinstance(wire, StringTransport)
        return wire.disconnecting

    def test_last_in_first_out(self) -> None:
        """The freshest is the least likely to be stale; keys do not mix."""
        first, second, other = self.connection(), self.connection(), self.connection("b")
        for connection in (first, other, second):
            self.idle.free(connection)
        self.assertIs(self.idle.take("a"), second)
        self.assertIs(self.idle.take("a"), first)
        self.assertIsNone(self.idle.take("a"))
        self.assertIs(self.idle.take("b"), other)
        self.assertIsNone(self.idle.take("c"))

    def test_room_is_bounded(self) -> None:
        """The one that has waited longest gives way."""
        connections = [self.connection() for _ in range(3)]
        for connection in connections:
            self.idle.free(connection)
        self.assertEqual([self.closed(c) for c in connections], [True, False, False])
        self.assertIs(self.idle.take("a"), connections[2])
        self.assertIs(self.idle.take("a"), connections[1])
        self.assertIsNone(self.idle.take("a"))

    def test_time_is_bounded(self) -> None:
        """Each is closed when its own time is over; one timer serves all."""
        first, second, other = self.connection(), self.connection(), self.connection("b")
        self.idle.free(first)
        self.clock.advance(15.0)
        self.idle.free(second)
        self.clock.advance(15.0)
        self.idle.free(other)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(10.0)
        self.assertEqual([self.closed(c) for c in (first, second, other)], [True, False, False])
        self.clock.advance(14.5)
        self.assertFalse(self.closed(second))
        self.clock.advance(0.5)
        self.assertEqual([self.closed(c) for c in (second, other)], [True, False])
        self.clock.advance(15.0)
        self.assertTrue(self.closed(other))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_used_meanwhile(self) -> None:
        """The time starts anew with each return."""
        connection = self.connection()
        self.idle.free(connection)
        self.clock.advance(30.0)
        self.assertIs(self.idle.take("a"), connection)
        self.idle.free(connection)
        self.clock.advance(30.0)
        self.assertFalse(self.closed(connection))
        self.clock.advance(10.0)
        self.assertTrue(self.closed(connection))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_taken_ones_are_not_closed(self) -> None:
        """The timer finds nothing to do."""
        connection = self.connection()
        self.idle.free(connection)
        self.idle.take("a")
        self.clock.advance(100.0)
        self.assertFalse(self.closed(connection))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_while_kept(self) -> None:
        """A connection that the other side closed is not given, and no timer stays for it."""
        first, second, third = self.connection(), self.connection(), self.connection()
        self.idle.free(first)
        self.idle.free(second)
        first.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        second.dataReceived(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        self.assertTrue(self.closed(second))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.idle.take("a"))
        third.connectionLost(Failure(ConnectionDone()))

    def test_unusable_ones_are_passed_over(self) -> None:
        """Should one be kept that is in use, it is not given."""
        good, used = self.connection(), self.connection()
        self.idle.free(good)
        self.idle.free(used)
        answered = used.send(order())
        self.assertIs(self.idle.take("a"), good)
        used.connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.failureResultOf(answered))

    def test_keeping_none(self) -> None:
        """With no room every connection is closed after its use."""
        idle = IdleConnections(self.clock, max_per_key=0, seconds=40.0)
        connection = self.connection()
        idle.free(connection)
        self.assertTrue(self.closed(connection))
        self.assertIsNone(idle.take("a"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close(self) -> None:
        """All are closed at once; whoever waits is told when the last is gone."""
        first, second, used = self.connection(), self.connection("b"), self.connection()
        self.idle.free(first)
        self.idle.free(second)
        waiting = [self.idle.close(), self.idle.close()]
        self.assertEqual([self.closed(c) for c in (first, second)], [True, True])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        first.connectionLost(Failure(ConnectionDone()))
        for waiter in waiting:
            self.assertNoResult(waiter)
        second.connectionLost(Failure(ConnectionDone()))
        for waiter in waiting:
            self.successResultOf(waiter)
        self.idle.free(used)
        self.assertTrue(self.closed(used))
        self.assertIsNone(self.idle.take("a"))
        self.successResultOf(self.idle.close())
