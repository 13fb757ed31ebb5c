"""Tests of bodies' ends."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.upstream.http11_body import (
    MAX_CHUNK,
    MAX_SIZE_LINE,
    MAX_TRAILER,
    BodyReader,
    ChunkedBody,
    EndlessBody,
    KnownBody,
    reader_for,
)
from kiro2api.upstream.http11_head import parse_head

CHUNKED = (
    b"5\r\nhello\r\n"
    b'00A ;ext="1"\r\n, world\r\n!\r\n'
    b"1;\r\n.\r\n"
    b"0\r\nX-Trailer: yes\r\nX-More: \r\n\r\n"
)
CONTENT = b"hello, world\r\n!."


def read(body: BodyReader, data: bytes, *cuts: int) -> bytes:
    """What the pieces of ``data`` hold; stops at the end or at a defect as a connection does."""
    content = b""
    for start, stop in pairwise([0, *cuts, len(data)]):
        if body.done or body.error is not None:
            body.excess += data[start:stop]
            continue
        content += body.receive(data[start:stop])
    return content


class ChunkTests(SynchronousTestCase):
    """Chunks."""

    def test_every_split(self) -> None:
        """Cut anywhere, once and twice in a row: extensions, empty and CRLF-like contents."""
        data = CHUNKED + b"next"
        for cut in range(len(data) + 1):
            for also in (cut, min(cut + 1, len(data))):
                body = ChunkedBody()
                self.assertEqual(read(body, data, cut, also), CONTENT)
                self.assertTrue(body.done)
                self.assertIsNone(body.error)
                self.assertEqual(body.excess, b"next")

    def test_byte_by_byte(self) -> None:
        """One octet at a time; the end is seen with the last one."""
        body = ChunkedBody()
        content = b""
        for at in range(len(CHUNKED)):
            self.assertFalse(body.done)
            content += body.receive(CHUNKED[at : at + 1])
        self.assertEqual((content, body.done, body.excess), (CONTENT, True, b""))

    @settings(max_examples=100)
    @given(
        st.lists(st.binary(min_size=1, max_size=300), max_size=8),
        st.lists(st.integers(min_value=0, max_value=3000), max_size=10),
    )
    def test_random(self, chunks: list[bytes], cuts: list[int]) -> None:
        """Any chunks at any cuts."""
        data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        body = ChunkedBody()
        content = read(body, data, *sorted(min(cut, len(data)) for cut in cuts))
        self.assertEqual((content, body.done), (b"".join(chunks), True))

    def test_one_piece_per_read(self) -> None:
        """All chunks of one read come out together, a single one is not copied around."""
        body = ChunkedBody()
        self.assertEqual(body.receive(b"1\r\na\r\n" * 1000), b"a" * 1000)
        self.assertEqual(body.receive(b"3\r\nabc"), b"abc")
        self.assertEqual(body.receive(b"\r\n"), b"")
        self.assertFalse(body.done)

    def test_sizes(self) -> None:
        """Digits of either case, leading zeros."""
        for line, size in ((b"a", 10), (b"A", 10), (b"0000000000000010", 16), (b"0b1", 177)):
            body = ChunkedBody()
            self.assertEqual(body.receive(line + b"\r\n" + b"x" * size + b"\r\n"), b"x" * size)
            self.assertIsNone(body.error)

    def test_malformed(self) -> None:
        """Each defect, cut at every position: what was good before it is given."""
        for defect in (
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b" 1\r\n",
            b"0x1\r\n",
            b"0X1\r\n",
            b"1_0\r\n",
            b"1 1\r\n",
            b"\xb2\r\n",
            b"1;\x00\r\n",
            b";a\r\n",
            b"1\nabc\r\n",
            b"%x\r\n" % (MAX_CHUNK + 1),
            b"0" * 16 + b"1\r\n",
            b"f" * 17 + b"\r\n",
            b"1" * MAX_SIZE_LINE,
            b"1;" + b"x" * MAX_SIZE_LINE + b"\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"0\r\na: b\r\nc d: e\r\n\r\n",
        ):
            data = b"3\r\nabc\r\n" + defect
            for cut in {*range(min(len(data), 40)), len(data) - 1, len(data)}:
                body = ChunkedBody()
                self.assertEqual(read(body, data, cut), b"abc", defect)
                self.assertIsNotNone(body.error, defect)
                self.assertFalse(body.done)

    def test_missing_crlf(self) -> None:
        """A chunk that is longer than it said."""
        for data in (b"3\r\nabcd\r\n", b"3\r\nabc\rd", b"3\r\nabc\n\r", b"3\r\nabc3\r\n"):
            for cut in range(len(data) + 1):
                body = ChunkedBody()
                self.assertEqual(read(body, data, cut), b"abc")
                self.assertIsNotNone(body.error)

    def test_long_trailer(self) -> None:
        """A trailer of the limit is fine, a longer one is not, whole or in pieces."""
        field = b"a: " + b"x" * (MAX_TRAILER - 3)
        for size, good in ((0, True), (1, False)):
            data = b"0\r\n" + field + b"x" * size + b"\r\n\r\n"
            for cut in (0, 1, 3, MAX_TRAILER, *range(len(data) - 6, len(data))):
                body = ChunkedBody()
                read(body, data, cut)
                self.assertEqual((body.done, body.error is None), (good, good), (size, cut))
        body = ChunkedBody()
        body.receive(b"0\r\n" + b"x" * (MAX_TRAILER + 4))
        self.assertIsNotNone(body.error)


class OtherTests(SynchronousTestCase):
    """Bodies with a length, and without any end."""

    def test_known(self) -> None:
        """So many octets and no more, at every split."""
        for cut in range(9):
            body = KnownBody(5)
            self.assertEqual(read(body, b"hellonext"[:9], cut), b"hello")
            self.assertEqual((body.done, body.excess), (True, b"next"))
        body = KnownBody(5)
        self.assertEqual(body.receive(b"hell"), b"hell")
        self.assertFalse(body.done)

    def test_none(self) -> None:
        """A body of no octets ends at once."""
        body = KnownBody(0)
        self.assertTrue(body.done)
        self.assertEqual((body.receive(b"next"), body.excess), (b"", b"next"))

    def test_endless(self) -> None:
        """Everything is content."""
        body = EndlessBody()
        self.assertEqual(read(body, b"0\r\n\r\n", 2), b"0\r\n\r\n")
        self.assertFalse(body.done)

    def test_choice(self) -> None:
        """The head decides."""
        for line, kind in (
            (b"Transfer-Encoding: chunked", ChunkedBody),
            (b"Content-Length: 5", KnownBody),
            (b"X: y", EndlessBody),
        ):
            head = parse_head(b"HTTP/1.1 200 OK\r\n" + line, b"GET")
            self.assertIsInstance(reader_for(head), kind)
