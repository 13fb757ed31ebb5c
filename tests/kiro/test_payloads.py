"""Tests of reading payloads."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import ProtocolViolation
from kiro2api.kiro.halves import Halves
from kiro2api.kiro.payloads import Content, ContextUsage, ToolFragment, is_cut_short, read

CONTENT = msgspec.json.Decoder(Content)


class ReadTests(SynchronousTestCase):
    """One payload."""

    def test_unknown_keys(self) -> None:
        """Keys in any order, unknown ones among them."""
        payload = b'{"modelId":"m","extra":{"a":[1]},"content":"hi"}'
        self.assertEqual(read(CONTENT, payload, Halves()).content, "hi")

    def test_whole_numbers_are_numbers(self) -> None:
        """A percentage may come without a fraction."""
        decoder = msgspec.json.Decoder(ContextUsage)
        self.assertEqual(read(decoder, b'{"contextUsagePercentage":7}', Halves()).percent, 7.0)

    def test_violations(self) -> None:
        """Not JSON, or not of this shape."""
        for payload in (
            b"",
            b"{",
            b"[]",
            b'{"content":5}',
            b'{"content":"\xff"}',
            b"[" * 50_000,
            b'{"content":"\\ud800","content":5}',
            b'{"a":' * 50_000,
        ):
            self.assertRaises(ProtocolViolation, read, CONTENT, payload, Halves())

    def test_half_a_surrogate_pair(self) -> None:
        """Is left where it is, for whoever joins it with the other half, and told of."""
        halves = Halves()
        self.assertEqual(
            read(CONTENT, b'{"content":"\\ud83d\\ude00"}', halves).content, "\U0001f600"
        )
        self.assertFalse(halves.met)
        self.assertEqual(read(CONTENT, b'{"content":"a\\ud83d"}', halves).content, "a\ud83d")
        self.assertTrue(halves.met)

    def test_half_a_surrogate_pair_elsewhere(self) -> None:
        """Costs a character, not the answer; an object stays an object."""
        decoder, halves = msgspec.json.Decoder(ToolFragment), Halves()
        payload = b'{"toolUseId":"a","name":"n","input":{"p":"x\\ud83d"},"stop":true}'
        fragment = read(decoder, payload, halves)
        self.assertFalse(halves.met)
        self.assertEqual((fragment.id, fragment.name, fragment.stop), ("a", "n", True))
        assert isinstance(fragment.input, dict)
        self.assertEqual(msgspec.json.decode(fragment.input["p"]), "x\ufffd")


class CutShortTests(SynchronousTestCase):
    """Whether JSON text ends too early."""

    def test_every_prefix(self) -> None:
        """Each proper prefix of an object is cut short, the whole is not."""
        text = '{"a":[1,true,"x\\n\\u00e4"],"b":{"c":null}}'
        for size in range(1, len(text)):
            self.assertTrue(is_cut_short(text[:size]), text[:size])
        self.assertFalse(is_cut_short(text))

    def test_wrong_is_not_cut(self) -> None:
        """Text that could never become JSON is for the client to judge; so is half an emoji."""
        for text in ('{"a":1}{', "{]", '{"a":"\\ud83d"}', '{"a":"x\ny"}', "[" * 50_000):
            self.assertFalse(is_cut_short(text), text[:20])
