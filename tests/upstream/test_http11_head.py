"""Tests of heads."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.upstream.http11_head import (
    Head,
    HeadReader,
    MalformedResponse,
    parse_head,
    request_head,
)

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"X-Empty:\r\n"
    b"X-Text: \t gr\xc3\xbc\xc3\x9fe, x \r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
)


def parsed(*lines: bytes, method: bytes = b"POST", status: bytes = b"HTTP/1.1 200 OK") -> Head:
    """The head with these fields."""
    return parse_head(b"\r\n".join([status, *lines]), method)


class ReaderTests(SynchronousTestCase):
    """Collecting a head."""

    def test_every_split(self) -> None:
        """Cut anywhere, also between the octets of its end; what follows is given back."""
        data = HEAD + b"hello"
        whole = HeadReader().receive(data, b"GET")
        assert whole is not None
        self.assertEqual(whole[1], b"hello")
        self.assertEqual(whole[0].fields[2], (b"X-Text", b"gr\xc3\xbc\xc3\x9fe, x"))
        for cut in range(len(data)):
            reader = HeadReader()
            got = reader.receive(data[:cut], b"GET")
            if cut < len(HEAD):
                self.assertIsNone(got)
                self.assertEqual(reader.begun, cut > 0)
                got = reader.receive(data[cut:], b"GET")
                assert got is not None
                self.assertEqual(got, whole)
            else:
                assert got is not None
                self.assertEqual((got[0], got[1] + data[cut:]), whole)
            self.assertFalse(reader.begun)

    @settings(max_examples=100)
    @given(st.lists(st.integers(min_value=1, max_value=len(HEAD) - 1), max_size=8))
    def test_random_splits(self, cuts: list[int]) -> None:
        """Any pieces."""
        reader = HeadReader()
        edges = [0, *sorted(set(cuts)), len(HEAD)]
        got = [reader.receive(HEAD[a:b], b"GET") for a, b in pairwise(edges)]
        self.assertEqual([one is None for one in got], [True] * (len(edges) - 2) + [False])

    def test_two_heads(self) -> None:
        """A reader may read the next head as well."""
        reader = HeadReader()
        got = reader.receive(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD, b"GET")
        assert got is not None
        self.assertEqual((got[0].code, got[1]), (100, HEAD))

    def test_limit(self) -> None:
        """A head of the limit is fine, one octet more is not, whole or in pieces."""
        self.assertIsNotNone(HeadReader(len(HEAD)).receive(HEAD, b"GET"))
        for size in (len(HEAD), 1):
            reader = HeadReader(len(HEAD) - 1)
            with self.assertRaises(MalformedResponse):
                for at in range(0, len(HEAD), size):
                    reader.receive(HEAD[at : at + size], b"GET")
        reader = HeadReader(10)
        self.assertRaises(MalformedResponse, reader.receive, b"x" * 11, b"GET")


class ParseTests(SynchronousTestCase):
    """What a head says."""

    def test_status(self) -> None:
        """Version, code and phrase; the phrase may be missing, with or without its space."""
        head = parsed(status=b"HTTP/1.0 404 Not Found at all")
        self.assertEqual(head.version, (b"HTTP", 1, 0))
        self.assertEqual((head.code, head.phrase), (404, b"Not Found at all"))
        self.assertEqual(parsed(status=b"HTTP/1.1 200").phrase, b"")
        self.assertEqual(parsed(status=b"HTTP/1.1 200 ").phrase, b"")

    def test_malformed_status(self) -> None:
        """Anything else is no response."""
        for status in (
            b"",
            b"HTTP/1.1",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 099 OK",
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1 200OK",
            b"HTTP/2.0 200 OK",
            b"HTTP/1.2 200 OK",
            b"http/1.1 200 OK",
            b" HTTP/1.1 200 OK",
            b"\r\nHTTP/1.1 200 OK",
            b"SSH-2.0-OpenSSH_9.2",
        ):
            self.assertRaises(MalformedResponse, parsed, status=status)

    def test_malformed_fields(self) -> None:
        """Lines that are no field, and controls anywhere."""
        for line in (
            b"no colon",
            b": no name",
            b"space : x",
            b" continued: x",
            b"\tcontinued: x",
            b"n\xc3\xa4me: x",
            b"a(b): x",
            b"",
            b"x: a\x00b",
            b"x: a\rb",
            b"x: a\nb: c",
            b"x: a\x7fb",
            b"x: a\x0bb",
        ):
            with self.assertRaises(MalformedResponse, msg=repr(line)):
                parsed(b"good: x", line, b"also-good: x")

    def test_number_of_fields(self) -> None:
        """There is a limit."""
        lines = [b"a: b"] * 200
        self.assertEqual(len(parsed(*lines).fields), 200)
        self.assertRaises(MalformedResponse, parsed, *lines, b"a: b")


class FramingTests(SynchronousTestCase):
    """Where the body ends."""

    def test_clear(self) -> None:
        """Length, chunks, or the end of the connection."""
        for lines, length, chunked in (
            ((b"content-length: 5",), 5, False),
            ((b"Content-Length: 5", b"Content-Length: 5"), 5, False),
            ((b"Content-Length: 5 , 5",), 5, False),
            ((b"Content-Length: 0",), 0, False),
            ((b"Transfer-Encoding: Chunked",), None, True),
            ((b"Transfer-Encoding: ,chunked",), None, True),
            ((), None, False),
        ):
            head = parsed(*lines)
            self.assertEqual((head.length, head.chunked), (length, chunked), lines)

    def test_unclear(self) -> None:
        """What two readers could understand differently is refused."""
        for lines in (
            (b"Content-Length: 5", b"Content-Length: 6"),
            (b"Content-Length: 5, 6",),
            (b"Content-Length: -5",),
            (b"Content-Length: +5",),
            (b"Content-Length: 5x",),
            (b"Content-Length: 0x5",),
            (b"Content-Length:",),
            (b"Content-Length: 5,",),
            (b"Content-Length: \xb2",),
            (b"Content-Length: " + b"1" * 16,),
            (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
            (b"Transfer-Encoding: gzip",),
            (b"Transfer-Encoding: gzip, chunked",),
            (b"Transfer-Encoding: chunked, identity",),
            (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            (b"Transfer-Encoding: xchunked",),
            (b"Transfer-Encoding:",),
        ):
            with self.assertRaises(MalformedResponse, msg=repr(lines)):
                parsed(*lines)
        self.assertRaises(
            MalformedResponse, parsed, b"Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK"
        )

    def test_no_body(self) -> None:
        """Some responses have none, whatever their fields say."""
        lines = (b"Content-Length: 5",)
        self.assertEqual(parsed(*lines, method=b"HEAD").length, 0)
        for code in (b"100", b"103", b"204", b"304"):
            head = parsed(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 " + code)
            self.assertEqual((head.length, head.chunked), (0, False))
        self.assertEqual(parsed(*lines, method=b"head").length, 5)

    def test_keep_alive(self) -> None:
        """Usual in 1.1 unless refused, never assumed in 1.0."""
        self.assertTrue(parsed().keep_alive)
        self.assertTrue(parsed(b"Connection: keep-alive").keep_alive)
        self.assertFalse(parsed(b"Connection: x, Close").keep_alive)
        self.assertFalse(parsed(b"Connection: keep-alive", b"connection: close").keep_alive)
        old = parsed(b"Connection: keep-alive", status=b"HTTP/1.0 200 OK")
        self.assertFalse(old.keep_alive)


class RequestTests(SynchronousTestCase):
    """Heads of requests."""

    def head(self, *fields: tuple[bytes, list[bytes]], **options: object) -> bytes:
        given = {"method": b"POST", "length": None, "close": False, "target": b"/p?q", **options}
        return request_head(host=b"h", fields=fields, **given)  # type: ignore[arg-type]

    def test_usual(self) -> None:
        """Host first, the caller's fields, then what we say of body and connection."""
        head = self.head((b"A", [b"1", b"2"]), (b"B", [b""]), length=7, close=True)
        self.assertEqual(
            head,
            b"POST /p?q HTTP/1.1\r\nHost: h\r\nA: 1\r\nA: 2\r\nB: \r\n"
            b"Content-Length: 7\r\nConnection: close\r\n\r\n",
        )

    def test_ours(self) -> None:
        """The caller does not decide on the length or the connection, but may name the host."""
        head = self.head(
            (b"Content-Length", [b"99"]),
            (b"Transfer-Encoding", [b"chunked"]),
            (b"Connection", [b"keep-alive"]),
            (b"Host", [b"other"]),
            method=b"GET",
        )
        self.assertEqual(head, b"GET /p?q HTTP/1.1\r\nHost: other\r\n\r\n")
        self.assertIn(b"Host: h\r\n", self.head((b"Host", [])))

    def test_no_body(self) -> None:
        """Methods that expect a body say that there is none."""
        self.assertIn(b"Content-Length: 0\r\n", self.head())
        self.assertNotIn(b"Content-Length", self.head(method=b"GET"))

    def test_injection(self) -> None:
        """Nothing becomes a second line."""
        for wrong in (
            {"method": b"GET /\r\n"},
            {"method": b""},
            {"target": b"/a b"},
            {"target": b"/\r\nX: y"},
            {"target": b""},
        ):
            self.assertRaises(ValueError, self.head, **wrong)
        for value in (b"a\r\nB: c", b"a\nb", b"a\rb", b"a\x00b"):
            self.assertRaises(ValueError, self.head, (b"A", [value]))
