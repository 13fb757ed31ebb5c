"""What is left of a failed request."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.metering_capture import MOST_OCTETS, capture, redacted, scrubbed
from tests.test_metering import record

KEYS = (
    "sk-ant-api03-abcdefghijklmnop",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sflKxwRJSMeKKF2QT4",
    "aorAAAAAGabcdefghijkl",
    "ghp_abcdefghijklmnopqrstuvwxyz0123",
    "AKIAABCDEFGHIJKLMNOP",
    "someone@mail.example.com",
    "0123456789abcdef0123456789abcdef01234567",
)


def kept(body: object, **more: Any) -> dict[str, Any]:
    """A capture, decoded."""
    given_: dict[str, Any] = {
        "path": "/v1/messages",
        "headers": [("User-Agent", "tests/1"), ("Authorization", "Bearer sk-secret-secret-1")],
        "error": {"kind": "invalid_request", "message": "no"},
        "body": body if isinstance(body, bytes) else msgspec.json.encode(body),
    }
    content = capture(record(), **(given_ | more))
    assert len(content) <= MOST_OCTETS
    decoded: dict[str, Any] = msgspec.json.decode(content)
    return decoded


class CaptureTests(SynchronousTestCase):
    """Structure stays, contents go."""

    def test_structure(self) -> None:
        """What a mistake is found by is still there."""
        found = kept(
            {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
        )
        self.assertEqual(
            found["body"],
            {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]},
        )
        self.assertEqual(found["record"]["request_id"], "r1")
        self.assertEqual(found["error"]["message"], "no")
        self.assertEqual(found["headers"], {"user-agent": "tests/1"})

    def test_secrets_in_texts(self) -> None:
        """Keys, tokens and addresses go, wherever they are, the text around them stays."""
        for secret in KEYS:
            for text in (secret, f"use {secret} please", f'{{"k": "{secret}"}}'):
                shown = msgspec.json.encode(kept({"messages": [{"content": text}]})).decode()
                self.assertNotIn(secret, shown)
        self.assertEqual(scrubbed("key = value", 99), "key = value")
        self.assertEqual(scrubbed("token=abcdefgh, then", 99), "<removed>, then")
        self.assertEqual(scrubbed("Bearer abcdefghijklmnop", 99), "<removed>")

    def test_secret_names(self) -> None:
        """What is called a secret goes, whatever it looks like."""
        names = ("password", "apiKey", "refresh_token", "X-Api-Key", "email", "user_id", "Cookie")
        body = dict.fromkeys(names, "short") | {"max_tokens": 3, "author": "x"}
        found = kept(body)["body"]
        self.assertEqual({name: found[name] for name in names}, dict.fromkeys(names, "<removed>"))
        self.assertEqual((found["max_tokens"], found["author"]), (3, "x"))

    def test_attachments(self) -> None:
        """Data is told by its length."""
        data = "iVBORw0KGgo" * 5000
        found = kept({"source": {"data": data, "url": f"data:image/png;base64,{data}"}})
        self.assertEqual(found["body"]["source"]["data"], f"<{len(data)} characters of data>")
        self.assertNotIn("iVBORw0", str(found))

    def test_long_things(self) -> None:
        """Long texts and lists are cut, and it is said how much was there."""
        found = kept({"text": "word " * 1000, "list": list(range(1000))})["body"]
        self.assertTrue(found["text"].endswith("… <5000 characters>"), found["text"])
        self.assertEqual(len(found["list"]), 101)
        self.assertEqual((found["list"][0], found["list"][-1]), (0, 999))

    def test_size(self) -> None:
        """However large a request is, what is kept of it is not."""
        deep: object = "x"
        for _ in range(100):
            deep = {"a": deep}
        for body in (
            {str(n): {str(m): "some words " * 30 for m in range(50)} for n in range(90)},
            [[["some words " * 9] * 90] * 90] * 90,
            {"x" * 1000 + str(n): deep for n in range(200)},
        ):
            self.assertIn("body", kept(body))

    def test_nothing_fits(self) -> None:
        """What is too large however it is cut is only said to be."""
        name = "some " * 20
        huge: object = "x"
        for _ in range(5):
            huge = {f"{name}{n}": huge for n in range(8)}
        self.assertEqual(kept(huge)["body"], "<too large>")

    def test_no_json(self) -> None:
        """A body that is none is only measured."""
        self.assertEqual(kept(b"\xff\xfesecret")["body"], "<no JSON, 8 octets>")

    @settings(max_examples=60, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(0, 99) | st.text(max_size=300),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
            ),
            max_leaves=12,
        )
    )
    def test_anything(self, value: object) -> None:
        """No JSON value is too odd; twice is as once."""
        once = redacted(value, 40, 10)
        self.assertEqual(msgspec.json.decode(msgspec.json.encode(once)), once)
