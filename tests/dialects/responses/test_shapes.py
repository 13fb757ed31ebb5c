# -*- test-case-name: tests.dialects.responses.test_shapes -*-
"""Tests of the decoding of requests and of their parts."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.responses.shapes import (
    CHOICE,
    ITEM,
    Choice,
    Item,
    compact,
    decode,
    known,
    within,
)
from kiro2api.errors import RequestRejected


class DecodeTests(SynchronousTestCase):
    """Whole bodies."""

    def test_unknown_keys_and_nulls(self) -> None:
        """Neither is looked at."""
        body = decode(b'{"model":"m","input":null,"tools":null,"store":null,"new":{"a":[1]}}')
        self.assertEqual(("m", None, None), (body.model, body.input, body.store))

    def test_path(self) -> None:
        """A refusal names the field."""
        error = self.assertRaises(RequestRejected, decode, b'{"model":"m","include":[1]}')
        self.assertEqual("include[0]", error.param)

    def test_half_a_character(self) -> None:
        """A lone surrogate in an item becomes the replacement character."""
        body = decode(b'{"model":"m","input":[{"role":"user","content":"a\\ud83d"}]}')
        assert isinstance(body.input, list)
        item = within(ITEM, body.input[0], "input[0]")
        assert isinstance(item, Item)
        self.assertEqual(b'"a\\ufffd"', bytes(item.content))


class WithinTests(SynchronousTestCase):
    """Parts of a body."""

    def test_nothing(self) -> None:
        """What is absent decodes as null."""
        self.assertIs(None, within(CHOICE, msgspec.Raw(b""), "tool_choice"))

    def test_path(self) -> None:
        """The path of the part comes first."""
        for raw, param in (
            (b"5", "tool_choice"),
            (b'{"type":1}', "tool_choice.type"),
            (b'{"tools":[1]}', "tool_choice.tools[0]"),
        ):
            error = self.assertRaises(RequestRejected, within, CHOICE, raw, "tool_choice")
            self.assertEqual(param, error.param)

    def test_depth(self) -> None:
        """Nesting without end is refused, not suffered."""
        deep = b'{"tools":[' * 5000 + b"{}" + b"]}" * 5000
        error = self.assertRaises(RequestRejected, within, CHOICE, deep, "tool_choice")
        self.assertIn("too deeply", error.message)

    def test_known(self) -> None:
        """A value of an unknown type may look as it likes."""
        decoder = msgspec.json.Decoder(Choice)
        kinds = frozenset({"a", None})
        self.assertEqual(Choice("a"), known(decoder, b'{"type":"a"}', "x", kinds))
        self.assertIs(None, known(decoder, b'{"type":"b","name":1}', "x", kinds))
        for raw in (b'{"type":"a","name":1}', b'{"name":1}', b"5", b'{"type":5}'):
            self.assertRaises(RequestRejected, known, decoder, raw, "x", kinds)

    def test_compact(self) -> None:
        """One line, and nothing lost."""
        self.assertEqual(b'{"a":"b\\nc","d":[1,2]}', compact(b'{"a" :\n"b\\nc",\r\n"d":[1,\n2]}'))
