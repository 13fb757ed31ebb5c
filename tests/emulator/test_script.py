# -*- test-case-name: tests.emulator.test_script -*-
"""Tests for the orders to the emulator."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.emulator.script import GENERATE, NO_SCRIPT, Queue, Script, decode


class DecodeTests(SynchronousTestCase):
    """Orders as JSON."""

    def test_one_and_many(self) -> None:
        """An object is one order, a list several."""
        self.assertEqual(decode(b'{"status": 500}'), [Script(status=500)])
        self.assertEqual(decode(b'[{}, {"text": "a"}]'), [Script(), Script(text="a")])

    def test_calls(self) -> None:
        """The input of an ordered call is any JSON."""
        [script] = decode(b'{"calls": [{"name": "look", "input": {"a": [1]}}]}')
        assert script.calls is not None
        self.assertEqual(bytes(script.calls[0].input), b'{"a": [1]}')

    def test_mistakes(self) -> None:
        """An unknown field or a wrong type is told, not ignored."""
        for body in (b'{"stats": 1}', b'{"status": "500"}', b"7", b"{"):
            self.assertRaises(msgspec.DecodeError, decode, body)


class QueueTests(SynchronousTestCase):
    """First come, first served."""

    def setUp(self) -> None:
        self.queue = Queue()

    def test_empty(self) -> None:
        """Without an order all is as always."""
        self.assertIs(self.queue.take(GENERATE, "a"), NO_SCRIPT)

    def test_order(self) -> None:
        """Orders are carried out in their order, each once."""
        one, two = Script(status=500), Script(status=503)
        self.queue.add([one, two])
        self.assertEqual(len(self.queue), 2)
        taken = [self.queue.take(GENERATE, "a") for _ in range(3)]
        self.assertEqual(taken, [one, two, NO_SCRIPT])

    def test_meant_for_others(self) -> None:
        """An order for another path or account stays and is passed over."""
        elsewhere, hers, any_path = Script(path="/mcp"), Script(account="b"), Script(path="")
        self.queue.add([elsewhere, hers, any_path])
        self.assertIs(self.queue.take(GENERATE, "a"), any_path)
        self.assertIs(self.queue.take(GENERATE, "a"), NO_SCRIPT)
        self.assertIs(self.queue.take(GENERATE, "b"), hers)
        self.assertIs(self.queue.take("/mcp", "a"), elsewhere)
        self.assertEqual(len(self.queue), 0)

    def test_times(self) -> None:
        """An order may hold several times, without losing its place."""
        self.queue.add([Script(status=500, times=2), Script(status=503)])
        taken = [self.queue.take(GENERATE, "").status for _ in range(4)]
        self.assertEqual(taken, [500, 500, 503, 0])

    def test_clear(self) -> None:
        """All orders can be taken back."""
        self.queue.add([Script(status=500)])
        self.queue.clear()
        self.assertIs(self.queue.take(GENERATE, ""), NO_SCRIPT)
