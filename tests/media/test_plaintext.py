"""Which bytes are text, and which text they are."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.media.plaintext import decoded, is_text

CHINESE = "合同第一条规定甲方应当在三十日内付款。"


class PlaintextTests(SynchronousTestCase):
    """Encodings."""

    def test_is_text(self) -> None:
        """Control characters other than those of texts give other files away."""
        for data in (b"", b"a\tb\r\n\x0c\x1b[0m", CHINESE.encode(), CHINESE.encode("gb18030"),
                     CHINESE.encode("utf-16")):  # fmt: skip
            self.assertTrue(is_text(data), data)
        for data in (b"\x7fELF\x02", b"MZ\x90\x00", b"a\x00b", b"\x1f\x8b\x08"):
            self.assertFalse(is_text(data), data)

    def test_encodings(self) -> None:
        """Marks, charsets and looks."""
        for data, said, text in (
            (CHINESE.encode(), "", CHINESE),
            (CHINESE.encode("utf-8-sig"), "text/csv", CHINESE),
            (CHINESE.encode("utf-16"), "", CHINESE),
            (b"\xfe\xff" + CHINESE.encode("utf-16-be"), "", CHINESE),
            (CHINESE.encode("gb18030"), "", CHINESE),
            (CHINESE.encode("big5", "ignore"), "text/plain; charset=big5",
             CHINESE.encode("big5", "ignore").decode("big5")),
            ("Größe: 5 €, fünf Bücher".encode("cp1252"), "", "Größe: 5 €, fünf Bücher"),
            (b"caf\xe9", 'text/plain; charset="ISO-8859-1"', "café"),
            (b"plain", "text/plain; charset=no-such", "plain"),
            (b"plain", "text/plain; charset=rot13", "plain"),
            (b"plain", "text/plain; charset=utf8-nonsense", "plain"),
            (b"plain", "text/plain; charset=cp99999", "plain"),
            (b"", "", ""),
        ):  # fmt: skip
            self.assertEqual(decoded(data, said), text)

    def test_stray_bytes(self) -> None:
        """A few bad bytes do not make UTF-8 something else."""
        text = "naïve café déjà vu — " * 10
        self.assertEqual(decoded(text.encode() + b"\xff"), text + "\ufffd")

    def test_even_runs_that_are_not_chinese(self) -> None:
        """High bytes in pairs that are no Chinese text do not fail."""
        self.assertIsInstance(decoded(b"x\xff\xffy"), str)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=200), st.text(max_size=40))
    def test_never_fails(self, data: bytes, said: str) -> None:
        """Any bytes, any declaration."""
        self.assertIsInstance(decoded(data, f"text/plain; charset={said}"), str)

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=200))
    def test_utf_8_round_trip(self, text: str) -> None:
        """UTF-8 comes out as it went in, but for a mark at its start."""
        self.assertEqual(decoded(text.encode()), text.removeprefix("\ufeff"))
