# -*- test-case-name: tests.dialects.chat.test_shapes -*-
"""Tests of the decoding of a request body."""

import msgspec
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.chat.shapes import decode, given, json_text, mend_surrogates
from kiro2api.errors import Kind, RequestRejected

USER = b'{"role":"user","content":"q"}'


def body(rest: bytes = b"", messages: bytes = USER) -> bytes:
    return b'{"model":"m","messages":[%b]%b}' % (messages, rest)


class DecodeTests(SynchronousTestCase):
    """``decode`` reads what is known and names what is wrong."""

    def rejected(self, octets: bytes) -> RequestRejected:
        error: RequestRejected = self.assertRaises(RequestRejected, decode, octets)
        self.assertIs(error.kind, Kind.INVALID_REQUEST)
        return error

    def test_unknown_keys(self) -> None:
        """Keys that nobody reads may hold anything, at every level."""
        decoded = decode(
            b'{"model":"m","n":3,"seed":"x","metadata":[],"messages":'
            b'[{"role":"user","content":[{"type":"text","text":"q","cache_control":1}],"z":{}}]}'
        )
        self.assertEqual("m", decoded.model)

    def test_nulls(self) -> None:
        """Every optional key may be null."""
        keys = [field.name for field in msgspec.structs.fields(type(decode(body())))[2:]]
        rest = b"".join(b',"%b":null' % key.encode() for key in keys)
        self.assertEqual(decode(body()), decode(body(rest)))

    def test_broken_json(self) -> None:
        """What is no JSON is said to be none, without a field."""
        for octets in (b"", b"{", b"nope", body() + b"x", body(b',"z":01'), body(b',"z":"\xff"')):
            error = self.rejected(octets)
            self.assertEqual("the request body is not valid JSON", error.message)
            self.assertIsNone(error.param)

    def test_bad_encoding_in_a_part_passed_on(self) -> None:
        """Tool inputs are passed on unread, so their encoding is checked with the body's."""
        self.rejected(body(messages=b'{"content":[{"type":"tool_use","input":"\xff"}]}'))

    def test_too_deep(self) -> None:
        """Nesting without end is refused, not a crash."""
        error = self.rejected(body(b',"z":' + b"[" * 100_000))
        self.assertEqual("the request body is nested too deeply", error.message)

    def test_not_an_object(self) -> None:
        """A body of another shape."""
        error = self.rejected(b"[]")
        self.assertEqual("the request body: expected object, got array", error.message)
        self.assertIsNone(error.param)

    def test_missing(self) -> None:
        """Missing keys are named."""
        for octets, param in ((b'{"messages":[]}', "model"), (b'{"model":"m"}', "messages")):
            error = self.rejected(octets)
            self.assertEqual(param, error.param)
            self.assertEqual(f"{param}: is required", error.message)

    def test_wrong_types(self) -> None:
        """The path of a value of a wrong type is given as the client would write it."""
        cases = [
            (body(b',"temperature":"hot"'), "temperature"),
            (body(b',"max_tokens":true'), "max_tokens"),
            (body(b',"stop":[1]'), "stop[0]"),
            (body(messages=USER + b",[]"), "messages[1]"),
            (body(messages=b'{"role":7}'), "messages[0].role"),
            (body(messages=b'{"content":[{"text":{}}]}'), "messages[0].content[0].text"),
            (body(messages=b'{"tool_calls":[{"id":1}]}'), "messages[0].tool_calls[0].id"),
            (body(b',"tools":[{"function":"f"}]'), "tools[0].function"),
            (b'{"model":1,"messages":[]}', "model"),
            (b'{"model":"m","messages":"q"}', "messages"),
        ]
        for octets, param in cases:
            error = self.rejected(octets)
            self.assertEqual(param, error.param)
            self.assertTrue(error.message.startswith(f"{param}: expected "), error.message)
            self.assertNotIn("`", error.message)

    def test_half_an_emoji(self) -> None:
        """A text that a client cut inside a surrogate pair does not break the session."""
        decoded = decode(body(messages=rb'{"content":"cut \ud83d"}'))
        self.assertEqual("cut �", decoded.messages[0].content)

    def test_half_an_emoji_and_a_wrong_type(self) -> None:
        """A mended body is still checked."""
        error = self.rejected(body(messages=rb'{"content":"cut \ud83d","role":1}'))
        self.assertEqual("messages[0].role", error.param)


class MendSurrogatesTests(SynchronousTestCase):
    """``mend_surrogates`` touches lone halves only."""

    def test_cases(self) -> None:
        """Pairs and what only looks like an escape stay."""
        for before, after in [
            (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
            (rb'"\uD83D"', rb'"\ufffd"'),
            (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
            (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
            (rb'"\\ud83d"', rb'"\\ud83d"'),
            (rb'"\\\ud83d"', rb'"\\\ufffd"'),
            (rb'"\u0041\n\"\/"', rb'"\u0041\n\"\/"'),
        ]:
            self.assertEqual(after, mend_surrogates(before))

    @settings(max_examples=100)
    @for_all(st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\\\", "\\n", "u", "d83d", "é"])))
    def test_always_decodable(self, pieces: list[str]) -> None:
        """Whatever stands beside them, no lone half is left."""
        msgspec.json.decode(mend_surrogates('"{}"'.format("".join(pieces)).encode()))


class JsonTextTests(SynchronousTestCase):
    """``json_text`` tells JSON from other text."""

    def test_values(self) -> None:
        """Any one JSON value passes as it is written."""
        for text in ('{"a": 1.50}', "[]", "1e3", '"x"', "null", '{"é":"\\ud83d\\ude00"}'):
            self.assertEqual(text.encode(), json_text(text))

    def test_space_around(self) -> None:
        """Space around the value goes."""
        self.assertEqual(b"{}", json_text(" {}\n"))

    def test_mended(self) -> None:
        """A cut emoji inside is mended."""
        self.assertEqual(rb'{"a":"\ufffd"}', json_text('{"a":"\\ud83d"}'))

    def test_others(self) -> None:
        """Everything else is no JSON text."""
        for text in ("", "{", "{}{}", "NaN", "{'a':1}", '{"a":"\n"}', "[" * 100_000):
            self.assertIsNone(json_text(text))


class GivenTests(SynchronousTestCase):
    """``given`` sees no difference between an absent key and null."""

    def test_cases(self) -> None:
        """Absent, null, and a value."""
        self.assertEqual(b"", given(msgspec.Raw(b"")))
        self.assertEqual(b"", given(msgspec.Raw(b"null")))
        self.assertEqual(b"{}", given(msgspec.Raw(b"{}")))
