"""Tests for kiro2api.upstream.headers."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from kiro2api.upstream import headers as module
from kiro2api.upstream.headers import RequestHeaders, is_event_stream, plain, request_id_of
from tests.fakes.upstream import an_account, its_credentials


class RequestHeadersTests(SynchronousTestCase):
    """What is kept between requests."""

    def setUp(self) -> None:
        self.headers = RequestHeaders("9", lambda: "u")
        self.credentials = its_credentials()

    def test_owned(self) -> None:
        """What a caller does to its headers does not reach the next one."""
        first = self.headers.answering(an_account(), self.credentials)
        first.setRawHeaders("authorization", ["spoilt"])
        second = self.headers.answering(an_account(), self.credentials)
        self.assertEqual(second.getRawHeaders("authorization"), ["Bearer token-one"])

    def test_one_line(self) -> None:
        """A credential with a line end cannot add a header."""
        credentials = its_credentials("a\r\nx-evil: 1")
        made = self.headers.answering(an_account(), credentials)
        self.assertEqual(made.getRawHeaders("authorization"), ["Bearer a x-evil: 1"])

    def test_forget(self) -> None:
        """A removed account leaves nothing behind."""
        self.headers.answering(an_account(), self.credentials)
        self.headers.forget(an_account())
        self.headers.forget(an_account())
        self.assertEqual(self.headers._prepared, {})

    def test_bounded(self) -> None:
        """However many accounts pass by, what is kept has a bound."""
        for number in range(module._REMEMBERED + 10):
            self.headers.answering(an_account(name=str(number)), self.credentials)
        self.assertLessEqual(len(self.headers._prepared), module._REMEMBERED)

    def test_control(self) -> None:
        """The control plane gets a content type only with a body."""
        for body, expected in ((True, ["application/json"]), (False, None)):
            made = self.headers.asking(an_account("api_key"), self.credentials, body=body)
            self.assertEqual(made.getRawHeaders("content-type"), expected)
            self.assertEqual(made.getRawHeaders("tokentype"), ["API_KEY"])


class ReadTests(SynchronousTestCase):
    """What we read of an answer's headers."""

    def test_request_id(self) -> None:
        """Letters, digits and hyphens, at most 64; anything else is none."""
        for value, expected in (
            ("Ab-9", "Ab-9"),
            ("a" * 64, "a" * 64),
            ("a" * 65, ""),
            ("a_b", ""),
            ("", ""),
        ):
            headers = Headers({"X-Amzn-RequestId": [value]})
            self.assertEqual(request_id_of(headers), expected)
        self.assertEqual(request_id_of(Headers()), "")

    def test_event_stream(self) -> None:
        """The type, with or without parameters, in any case, or none at all."""
        for value, expected in (
            ("application/vnd.amazon.eventstream", True),
            ("APPLICATION/vnd.amazon.eventstream ; x=1", True),
            ("application/json", False),
            ("application/vnd.amazon.eventstreams", False),
        ):
            self.assertIs(is_event_stream(Headers({"content-type": [value]})), expected)
        self.assertTrue(is_event_stream(Headers()))

    def test_plain(self) -> None:
        """Lower-case names, first values, any bytes."""
        headers = Headers({b"X-B": [b"1", b"2"], b"x-c": [b"\xff"]})
        headers.setRawHeaders(b"x-d", [])
        self.assertEqual(plain(headers), {"x-b": "1", "x-c": "\xff"})
