"""Tests of Server-Sent Events."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.wire.sse import SSEDecoder, comment, encode


class EncodeTests(SynchronousTestCase):
    """Bytes of one event."""

    def test_with_and_without_a_name(self) -> None:
        """The name has its own line, and may be missing."""
        self.assertEqual(encode("ping", b"{}"), b"event: ping\ndata: {}\n\n")
        self.assertEqual(encode(None, b"[DONE]"), b"data: [DONE]\n\n")

    def test_text_of_several_lines(self) -> None:
        """Each line gets its own field, whatever ends it."""
        wanted = b"data: a\ndata: b\ndata: c\ndata: \n\n"
        self.assertEqual(encode(None, b"a\nb\r\nc\r"), wanted)

    def test_name_of_several_lines(self) -> None:
        """A name cannot smuggle in a field."""
        self.assertRaises(ValueError, encode, "a\ndata: b", b"")
        self.assertRaises(ValueError, encode, "a\rb", b"")

    def test_comment(self) -> None:
        """A comment is ignored by clients, in each of its lines."""
        self.assertEqual(comment("keep-alive"), b": keep-alive\n\n")
        self.assertEqual(comment("a\rdata: b\r\nc"), b": a\n: data: b\n: c\n\n")


class DecoderTests(SynchronousTestCase):
    """The reading side."""

    STREAM = (
        b"\xef\xbb\xbf: hello\n\nevent: a\r\ndata: 1\rdata:2\n\nid: 7\ndata\n\n"
        b"event: no data\n\nretry: 5\ndata: \xc3\xa4\r\n\r\nevent\ndata: x\n\ndata: unfinished\n"
    )
    EVENTS = [("a", b"1\n2"), (None, b""), (None, "ä".encode()), (None, b"x")]

    def test_every_split(self) -> None:
        """All field forms, line ends and a byte order mark, cut anywhere."""
        for cut in range(len(self.STREAM) + 1):
            decoder = SSEDecoder()
            events = decoder.feed(self.STREAM[:cut]) + decoder.feed(self.STREAM[cut:])
            self.assertEqual(events, self.EVENTS)
            self.assertEqual(decoder.comments, ["hello"])
            self.assertEqual(decoder.last_id, "7")

    def test_byte_by_byte(self) -> None:
        """One byte at a time."""
        decoder = SSEDecoder()
        events = []
        for at in range(len(self.STREAM)):
            events += decoder.feed(self.STREAM[at : at + 1])
        self.assertEqual(events, self.EVENTS)

    @settings(max_examples=100)
    @given(
        st.lists(
            st.tuples(
                st.none() | st.text("abc_.", min_size=1, max_size=5),
                st.text(max_size=30).map(
                    lambda text: text.replace("\r", "").encode("utf-8", "replace")
                ),
            )
        )
    )
    def test_round_trip(self, events: list[tuple[str | None, bytes]]) -> None:
        """What is encoded is what is read."""
        data = b"".join(encode(event, body) for event, body in events)
        self.assertEqual(SSEDecoder().feed(data), events)
