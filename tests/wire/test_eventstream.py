"""Tests of the binary framing."""

from itertools import pairwise
from struct import pack
from typing import Any
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import ProtocolViolation, StreamTruncated
from kiro2api.wire.eventstream import (
    Frame,
    FrameDecoder,
    Headers,
    HeaderType,
    encode_frame,
    parse_headers,
)

GOLDEN = bytes.fromhex(
    "0000007c0000005c3bddcf780b3a6576656e742d74797065070016617373697374616e74526573706f6e7365"
    "4576656e740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d657373"
    "6167652d747970650700056576656e747b22636f6e74656e74223a224869227db02babdc"
)
GOLDEN_EXCEPTION = bytes.fromhex(
    "0000007500000053a672b0980d3a6d6573736167652d74797065070009657863657074696f6e0f3a65786365"
    "7074696f6e2d747970650700056572726f720d3a636f6e74656e742d747970650700106170706c6963617469"
    "6f6e2f6a736f6e7b226d657373616765223a22626f6f6d227dc82640a5"
)
EVENT = {":message-type": "event", ":event-type": "assistantResponseEvent"}


def frame_of(block: bytes, payload: bytes = b"", *, total: int | None = None) -> bytes:
    """A frame around any header block, with right checksums."""
    size = 16 + len(block) + len(payload) if total is None else total
    prelude = pack(">II", size, len(block))
    message = prelude + pack(">I", crc32(prelude)) + block + payload
    return message + pack(">I", crc32(message))


def decode(data: bytes, *cuts: int) -> list[Frame]:
    """All frames of ``data``, given in pieces."""
    decoder = FrameDecoder()
    frames = []
    edges = [0, *cuts, len(data)]
    for start, stop in pairwise(edges):
        frames += decoder.receive(data[start:stop])
    decoder.finish()
    return frames


class GoldenTests(SynchronousTestCase):
    """Frames made by others."""

    def test_event(self) -> None:
        """A real event frame is read whole."""
        (frame,) = decode(GOLDEN)
        self.assertEqual(frame.payload, b'{"content":"Hi"}')
        self.assertEqual(
            frame.headers,
            Headers(
                message_type="event",
                event_type="assistantResponseEvent",
                exception_type="",
                error_code="",
                error_message="",
                content_type="application/json",
                values={
                    ":event-type": "assistantResponseEvent",
                    ":content-type": "application/json",
                    ":message-type": "event",
                },
            ),
        )

    def test_exception(self) -> None:
        """A real exception frame is read whole."""
        (frame,) = decode(GOLDEN_EXCEPTION)
        self.assertEqual(frame.payload, b'{"message":"boom"}')
        self.assertEqual(frame.headers.message_type, "exception")
        self.assertEqual(frame.headers.exception_type, "error")

    def test_encoder_makes_the_same_bytes(self) -> None:
        """What we encode is what the others sent."""
        headers = {
            ":event-type": "assistantResponseEvent",
            ":content-type": "application/json",
            ":message-type": "event",
        }
        self.assertEqual(encode_frame(headers, b'{"content":"Hi"}'), GOLDEN)


class SplitTests(SynchronousTestCase):
    """Cuts never matter."""

    def test_every_position(self) -> None:
        """Two cuts anywhere in two frames, one of them right after the other."""
        data = GOLDEN + GOLDEN_EXCEPTION
        whole = decode(data)
        self.assertEqual(len(whole), 2)
        for cut in range(len(data) + 1):
            self.assertEqual(decode(data, cut), whole)
            self.assertEqual(decode(data, cut, min(cut + 1, len(data))), whole)

    def test_byte_by_byte(self) -> None:
        """One byte at a time, frames come out at their last byte."""
        decoder = FrameDecoder()
        data = GOLDEN * 3
        counts = [len(decoder.receive(data[at : at + 1])) for at in range(len(data))]
        done = [at + 1 for at, count in enumerate(counts) if count]
        self.assertEqual(done, [len(GOLDEN), 2 * len(GOLDEN), 3 * len(GOLDEN)])
        self.assertEqual(sum(counts), 3)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.binary(max_size=300), max_size=6),
        st.lists(st.integers(min_value=0, max_value=2000), max_size=8),
    )
    def test_random_cuts(self, payloads: list[bytes], cuts: list[int]) -> None:
        """Any payloads at any cuts."""
        data = b"".join(encode_frame(EVENT, payload) for payload in payloads)
        frames = decode(data, *sorted(min(cut, len(data)) for cut in cuts))
        self.assertEqual([frame.payload for frame in frames], payloads)

    def test_large_frame_in_small_pieces_is_linear(self) -> None:
        """A frame of 4 MB in pieces of 100 bytes grows one buffer, which is copied once."""
        data = encode_frame(EVENT, b"x" * 4_000_000) + GOLDEN
        decoder = FrameDecoder()
        frames = []
        for at in range(0, len(data), 100):
            frames += decoder.receive(data[at : at + 100])
        decoder.finish()
        self.assertEqual([len(frame.payload) for frame in frames], [4_000_000, 16])

    def test_checksum_bytes_that_look_like_json(self) -> None:
        """Braces and quotes inside checksums are just bytes."""
        for wanted in (0x7B, 0x7D, 0x22):
            found = 0
            for number in range(20_000):
                payload = b'{"content":"%d"}' % number
                data = encode_frame(EVENT, payload)
                if wanted in data[-4:]:
                    found += 1
                    frames = decode(data + GOLDEN, len(data) - 2)
                    self.assertEqual([f.payload for f in frames], [payload, b'{"content":"Hi"}'])
                    if found == 5:
                        break
            self.assertEqual(found, 5)

    def test_empty_payload_and_no_headers(self) -> None:
        """The smallest frame there can be has 16 bytes."""
        (frame,) = decode(frame_of(b""))
        self.assertEqual((frame.payload, frame.headers.values), (b"", {}))


class CorruptionTests(SynchronousTestCase):
    """Anything wrong is noticed, and stays wrong."""

    def test_each_byte(self) -> None:
        """A flipped bit in any byte is a violation at once."""
        for at in range(len(GOLDEN)):
            data = bytearray(GOLDEN)
            data[at] ^= 0x01
            decoder = FrameDecoder()
            with self.assertRaises(ProtocolViolation):
                decoder.receive(bytes(data))

    def test_error_is_sticky(self) -> None:
        """After a violation good bytes are refused too, and so is the end."""
        decoder = FrameDecoder()
        with self.assertRaises(ProtocolViolation) as first:
            decoder.receive(b"HTTP/1.1 200 OK")
        with self.assertRaises(ProtocolViolation) as second:
            decoder.receive(GOLDEN)
        self.assertIs(first.exception, second.exception)
        self.assertRaises(ProtocolViolation, decoder.finish)

    def test_frames_before_a_defect_are_given(self) -> None:
        """The same frames come out whether or not the defect arrives in the same read."""
        for cut in range(len(GOLDEN) + 1):
            decoder = FrameDecoder()
            data = GOLDEN + b"garbage that is no frame"
            frames = decoder.receive(data[:cut]) if cut else []
            try:
                frames += decoder.receive(data[cut:])
            except ProtocolViolation:
                self.assertEqual(cut, len(GOLDEN))
            self.assertEqual(len(frames), 1)
            self.assertIsInstance(decoder.error, ProtocolViolation)
            self.assertRaises(ProtocolViolation, decoder.receive, b"")

    def test_truncated(self) -> None:
        """The end inside a frame, at any position, is a truncation; between frames it is not."""
        for size in range(1, len(GOLDEN)):
            decoder = FrameDecoder()
            decoder.receive(GOLDEN + GOLDEN[:size])
            self.assertRaises(StreamTruncated, decoder.finish)
        decoder = FrameDecoder()
        decoder.finish()

    def test_limits(self) -> None:
        """Sizes are refused at the prelude, before any more bytes are collected."""
        cases: list[tuple[bytes, dict[str, Any]]] = [
            (pack(">II", 15, 0), {}),
            (pack(">II", 24 * 1024 * 1024 + 1, 0), {}),
            (pack(">II", 1_000_000, 128 * 1024 + 1), {}),
            (pack(">II", 100, 85), {}),
            (pack(">II", 1001, 0), {"max_frame": 1000}),
            (pack(">II", 1000, 101), {"max_headers": 100}),
        ]
        for start, limits in cases:
            decoder = FrameDecoder(**limits)
            with self.assertRaises(ProtocolViolation):
                decoder.receive(start + pack(">I", crc32(start)))

    def test_largest_allowed(self) -> None:
        """A limit itself is allowed."""
        block = b"\x01a\x00"
        data = frame_of(block, b"p" * 81)
        decoder = FrameDecoder(max_frame=100, max_headers=3)
        self.assertEqual(len(decoder.receive(data)), 1)

    def test_wrong_frame_checksum(self) -> None:
        """The second checksum covers the payload."""
        decoder = FrameDecoder()
        error = self.assertRaises(ProtocolViolation, decoder.receive, GOLDEN[:-1] + b"\0")
        self.assertIn("checksum", error.message)


class HeaderTests(SynchronousTestCase):
    """The header block."""

    def test_all_types(self) -> None:
        """Each of the ten types goes there and back."""
        data = encode_frame(
            {
                "yes": True,
                "no": False,
                "byte": (HeaderType.BYTE, -5),
                "short": (HeaderType.SHORT, -300),
                "integer": (HeaderType.INTEGER, 70_000),
                "long": 2**40,
                "bytes": b"\x00\xff",
                "text": "grüße",
                "when": (HeaderType.TIMESTAMP, 1_700_000_000_123),
                "id": (HeaderType.UUID, "01234567-89ab-cdef-0123-456789abcdef"),
            },
            b"",
        )
        (frame,) = decode(data)
        self.assertEqual(
            frame.headers.values,
            {
                "yes": True,
                "no": False,
                "byte": -5,
                "short": -300,
                "integer": 70_000,
                "long": 2**40,
                "bytes": b"\x00\xff",
                "text": "grüße",
                "when": 1_700_000_000_123,
                "id": "01234567-89ab-cdef-0123-456789abcdef",
            },
        )
        self.assertEqual(frame.headers.message_type, "")

    def test_malformed_blocks(self) -> None:
        """Whatever can be wrong with a header block."""
        good = b"\x01a\x07\x00\x02hi"
        blocks = {
            "unknown type": b"\x01a\x0a",
            "empty name": b"\x00\x00",
            "repeated name": good + good,
            "name is not UTF-8": b"\x01\xff\x00",
            "value is not UTF-8": b"\x01a\x07\x00\x01\xff",
            "value too long": b"\x01a\x06\x80\x00" + b"x" * 0x8000,
            "too many": b"".join(b"\x04%04d\x00" % number for number in range(1025)),
            "event type is no text": b"\x0b:event-type\x00",
        }
        blocks |= {f"cut at {size}": good[:size] for size in range(1, len(good))}
        for kind, size in ((2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)):
            blocks[f"short value of type {kind}"] = b"\x01a" + bytes([kind]) + b"x" * (size - 1)
        for name, block in blocks.items():
            with self.assertRaises(ProtocolViolation, msg=name):
                FrameDecoder().receive(frame_of(block))

    def test_as_many_as_allowed(self) -> None:
        """1024 headers and a value of 32767 bytes are fine."""
        block = b"".join(b"\x04%04d\x00" % number for number in range(1023))
        block += b"\x01a\x06\x7f\xff" + b"x" * 0x7FFF
        self.assertEqual(len(parse_headers(block).values), 1024)

    def test_blocks_are_remembered(self) -> None:
        """An equal block is decoded once, also by another decoder that shares the memory."""
        known: dict[bytes, Headers] = {}
        (first,) = FrameDecoder(known=known).receive(GOLDEN)
        (second,) = FrameDecoder(known=known).receive(GOLDEN)
        self.assertIs(first.headers, second.headers)
        (other,) = FrameDecoder().receive(GOLDEN)
        self.assertIsNot(first.headers, other.headers)

    def test_memory_is_bounded(self) -> None:
        """Neither many nor large blocks pile up."""
        known: dict[bytes, Headers] = {}
        decoder = FrameDecoder(known=known)
        for number in range(1000):
            decoder.receive(encode_frame({"n": number}, b""))
        self.assertLessEqual(len(known), 128)
        size = len(known)
        decoder.receive(encode_frame({"large": "x" * 1000}, b""))
        self.assertEqual(len(known), size)

    def test_what_cannot_be_encoded(self) -> None:
        """The encoder refuses what the wire has no place for."""
        for value in (
            1.5,
            None,
            "x" * 40_000,
            (HeaderType.BYTES, "text"),
            (HeaderType.STRING, 5),
            (HeaderType.UUID, 5),
            (HeaderType.LONG, "5"),
        ):
            self.assertRaises(ValueError, encode_frame, {"a": value}, b"")

    def test_typed_flags(self) -> None:
        """A flag may be spelled with its type too."""
        (frame,) = decode(encode_frame({"a": (HeaderType.FALSE, None)}, b""))
        self.assertEqual(frame.headers.values, {"a": False})
