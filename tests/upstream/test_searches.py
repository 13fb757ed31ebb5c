"""Tests for kiro2api.upstream.searches."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.search import SearchHit
from kiro2api.errors import (
    AccessRefused,
    ProtocolViolation,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.upstream.searches import MAX_HITS, MAX_SNIPPET, parse_search, search_body


def found(*pages: object, **more: object) -> bytes:
    """An answer with these pages."""
    text = msgspec.json.encode({"results": pages, "totalResults": len(pages), **more}).decode()
    result = {"content": [{"type": "text", "text": text}], "isError": False}
    return msgspec.json.encode({"id": "1", "jsonrpc": "2.0", "result": result})


def refused(code: int, message: str) -> bytes:
    """A JSON-RPC error."""
    return msgspec.json.encode(
        {"error": {"code": code, "message": message}, "id": "1", "jsonrpc": "2.0"}
    )


class BodyTests(SynchronousTestCase):
    """What is sent."""

    def test_body(self) -> None:
        """A call of the one tool, with the query as it is."""
        self.assertEqual(
            search_body('the "ü"', "i-1"),
            '{"id":"i-1","jsonrpc":"2.0","method":"tools/call","params":'
            '{"name":"web_search","arguments":{"query":"the \\"ü\\""}}}'.encode(),
        )


class ParseTests(SynchronousTestCase):
    """What comes back."""

    def test_pages(self) -> None:
        """Address, title, excerpt and day of each page."""
        body = found(
            {
                "title": "T",
                "url": "https://a",
                "snippet": "S",
                "publishedDate": 1_700_000_000_000,
                "id": "x",
                "domain": "a",
                "maxVerbatimWordLimit": 30,
                "publicDomain": False,
            },
            {"url": "https://b", "title": None, "snippet": None, "publishedDate": None},
        )
        self.assertEqual(
            parse_search(body),
            (SearchHit("https://a", "T", "S", "November 14, 2023"), SearchHit("https://b")),
        )

    def test_days(self) -> None:
        """A text is passed on; what makes no sense is unknown."""
        for published, shown in (
            ("2 days ago", "2 days ago"),
            ("x" * 99, "x" * 40),
            (0, ""),
            (1e300, ""),
            ([1], ""),
            (1_709_164_800_000, "February 29, 2024"),
        ):
            (hit,) = parse_search(found({"url": "u", "publishedDate": published}))
            self.assertEqual(hit.page_age, shown)

    def test_nothing(self) -> None:
        """No pages are an answer, in whatever shape they are not there."""
        for body in (
            found(),
            found(error=None),
            b'{"result":{"content":[]}}',
            b'{"result":{"content":[{"type":"image"}]}}',
            b'{"result":{"content":[{"text":"{\\"results\\":null}"}]}}',
        ):
            self.assertEqual(parse_search(body), ())

    def test_bounds(self) -> None:
        """Odd pages are left out, long ones cut, too many dropped."""
        self.assertEqual(
            parse_search(found(7, {"title": "T"}, {"url": ""}, {"url": "u" * 3000}, {"url": "u"})),
            (SearchHit("u"),),
        )
        pages = [{"url": "u", "snippet": "s" * 9999, "title": "t" * 9999}] * 99
        hits = parse_search(found(*pages))
        self.assertEqual(len(hits), MAX_HITS)
        self.assertEqual(len(hits[0].snippet), MAX_SNIPPET)
        self.assertEqual(len(hits[0].title), 2000)

    def test_refusals(self) -> None:
        """Each is told apart, none shows the other side's text."""
        for body, kind, code in (
            (refused(-32602, "Tool not found: secret"), AccessRefused, "no_web_search"),
            (refused(-32602, "secret"), UpstreamRefused, "invalid_query"),
            (refused(-32603, "secret"), UpstreamUnavailable, "search_failed"),
            (b'{"error":{}}', UpstreamUnavailable, "search_failed"),
            (b'{"result":{"content":[],"isError":true}}', UpstreamUnavailable, "search_failed"),
            (found(error="secret"), UpstreamUnavailable, "search_failed"),
            (b"{}", ProtocolViolation, "unexpected_json"),
            (b"<secret>", ProtocolViolation, "unexpected_json"),
            (
                b'{"result":{"content":[{"text":"secret"}]}}',
                ProtocolViolation,
                "unexpected_json",
            ),
        ):
            fault = self.assertRaises(UpstreamFault, parse_search, body)
            self.assertIsInstance(fault, kind)
            self.assertEqual(fault.code, code)
            self.assertNotIn("secret", str(fault))

    def test_pages_beside_an_error(self) -> None:
        """What was found counts."""
        self.assertEqual(parse_search(found({"url": "u"}, error="partial")), (SearchHit("u"),))

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=40))
    def test_any_bytes(self, body: bytes) -> None:
        """Pages or a fault, nothing else."""
        try:
            parse_search(body)
        except UpstreamFault:
            pass
