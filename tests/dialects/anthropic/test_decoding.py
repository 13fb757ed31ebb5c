"""Tests of decoding with refusals that name the field."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.anthropic.decoding import compact, decode, decode_body, json_text
from kiro2api.errors import Kind, RequestRejected


class Inner(msgspec.Struct):
    name: str


class Outer(msgspec.Struct):
    size: int = 0
    inner: list[Inner] = []
    text: str = ""
    rest: msgspec.Raw = msgspec.Raw(b"null")


DECODER = msgspec.json.Decoder(Outer)


class DecodeTests(SynchronousTestCase):
    """Paths and messages of refusals."""

    def refused(self, body: bytes, where: str = "") -> RequestRejected:
        refusal: RequestRejected = self.assertRaises(RequestRejected, decode, DECODER, body, where)
        return refusal

    def test_good(self) -> None:
        """Unknown keys are ignored."""
        self.assertEqual(decode(DECODER, b'{"size":3,"other":[1]}').size, 3)

    def test_wrong_type(self) -> None:
        """The path goes down to the element, and stands before the reason."""
        refusal = self.refused(b'{"inner":[{"name":"a"},{"name":1}]}')
        self.assertEqual(refusal.param, "inner[1].name")
        self.assertEqual(refusal.message, "inner[1].name: Expected `str`, got `int`")
        self.assertIs(refusal.kind, Kind.INVALID_REQUEST)

    def test_below_a_place(self) -> None:
        """The path begins where the caller was."""
        self.assertEqual(self.refused(b'{"size":"x"}', "a[2]").param, "a[2].size")
        self.assertEqual(self.refused(b"[]", "a[2]").param, "a[2]")

    def test_missing(self) -> None:
        """A missing field is named as if it were there."""
        refusal = self.refused(b'{"inner":[{}]}', "top")
        self.assertEqual(refusal.param, "top.inner[0].name")
        self.assertEqual(refusal.message, "top.inner[0].name: this field is required")

    def test_no_place(self) -> None:
        """A body of the wrong shape has no field to name."""
        refusal = self.refused(b"[]")
        self.assertIsNone(refusal.param)
        self.assertIn("wrong shape", refusal.message)


class BodyTests(SynchronousTestCase):
    """Whole bodies."""

    def test_not_json(self) -> None:
        """Anything that is no JSON is refused without a field."""
        for body in (b"", b"{", b'{"size":1} x', b"\xef\xbb\xbf{}", b'{"text":"\x01"}'):
            refusal = self.assertRaises(RequestRejected, decode_body, DECODER, body)
            self.assertIsNone(refusal.param)
            self.assertIn("not valid JSON", refusal.message)

    def test_half_a_surrogate_pair(self) -> None:
        """Half a pair is replaced, whole pairs and escaped backslashes are left alone."""
        for written, read in (
            (rb"a\ud83d", "a\ufffd"),
            (rb"\ude00b", "\ufffdb"),
            (rb"\ud83d\ud83d\ude00", "\ufffd😀"),
            (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
            (rb"\\\ud83dx", "\\\ufffdx"),
            (rb"\uD83D\u0041", "\ufffdA"),
        ):
            self.assertEqual(decode_body(DECODER, b'{"text":"%s"}' % written).text, read)

    def test_wrong_type_behind_half_a_pair(self) -> None:
        """A mended body is judged like any other."""
        refusal = self.assertRaises(
            RequestRejected, decode_body, DECODER, rb'{"text":"\ud83d","size":"x"}'
        )
        self.assertEqual(refusal.param, "size")


class RawTests(SynchronousTestCase):
    """JSON that is passed on."""

    def raw(self, body: bytes) -> msgspec.Raw:
        return decode_body(DECODER, body).rest

    def test_text(self) -> None:
        """The bytes stay as they came."""
        self.assertEqual(
            json_text(self.raw('{"rest": {"a" : "ü"} }'.encode())), b'{"a" : "\xc3\xbc"}'
        )

    def test_not_utf8(self) -> None:
        """Bytes that are no text do not get through unseen."""
        raw = self.raw(b'{"rest":"\xff"}')
        self.assertRaises(UnicodeDecodeError, json_text, raw)
        self.assertRaises(UnicodeDecodeError, compact, raw)

    def test_compact(self) -> None:
        """One line, without blanks between tokens."""
        self.assertEqual(compact(self.raw(b'{"rest":{"a" : [1,\n 2]}}')), '{"a":[1,2]}')
