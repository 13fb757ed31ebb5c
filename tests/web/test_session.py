# -*- test-case-name: tests.web.test_session -*-
"""The conversation that headers name."""

from collections.abc import Mapping

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import UpstreamRefused
from kiro2api.web.session import NAMES, session_of
from tests.web.case import HELLO, WebCase


def named(headers: Mapping[bytes, bytes | str]) -> str:
    """What these headers say."""
    return session_of(headers.get)


class SessionOfTests(SynchronousTestCase):
    """What counts as a name."""

    def test_every_name(self) -> None:
        """Each of the headers is enough by itself."""
        for name in NAMES:
            self.assertEqual(named({name: b"abc"}), "abc", name)

    def test_order(self) -> None:
        """The first of several counts; one that is not usable counts as none."""
        both = {b"X-Conversation-ID": b"second", b"session-id": b"first"}
        self.assertEqual(named(both), "first")
        self.assertEqual(named({**both, b"session-id": b"  "}), "second")

    def test_nothing_said(self) -> None:
        """Without any of them there is no name."""
        self.assertEqual(named({b"X-Other": b"abc"}), "")

    def test_text(self) -> None:
        """Values may be text; spaces around them are not theirs."""
        self.assertEqual(named({b"session-id": " abc "}), "abc")

    def test_bounds(self) -> None:
        """128 printable characters are a name; one more, or another kind, is not."""
        self.assertEqual(named({b"session-id": b"a" * 128}), "a" * 128)
        for bad in (b"a" * 129, b"a\x07b", b"\xff", "\u00e9".encode()):
            self.assertEqual(named({b"session-id": bad}), "", bad)


class SessionTests(WebCase):
    """The name's effect on what is sent."""

    def sent_id(self, body: object = None, **headers: str) -> str:
        """The upstream's name of the conversation."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.client.results.append(UpstreamRefused("no"))
        self.ask("/v1/messages", body or HELLO, headers=more)
        sent = msgspec.json.decode(self.client.calls[-1][1])
        return str(sent["conversationState"]["conversationId"])

    def other(self, **more: object) -> dict[str, object]:
        """Another question."""
        return {**HELLO, "messages": [{"role": "user", "content": "something else"}], **more}

    def test_header_names_the_conversation(self) -> None:
        """Questions of one session share an id whatever they say, those of two never do."""
        one = self.sent_id(X_Session_Id="s1")
        self.assertEqual(self.sent_id(self.other(), X_Session_Id="s1"), one)
        self.assertNotEqual(self.sent_id(X_Session_Id="s2"), one)

    def test_body_goes_first(self) -> None:
        """A session in the body is not overruled by a header."""
        body = self.other(metadata={"user_id": '{"session_id":"inner"}'})
        self.assertEqual(self.sent_id(body, X_Session_Id="s1"), self.sent_id(body))

    def test_stable_without_any(self) -> None:
        """Time and connection do not matter."""
        one = self.sent_id()
        self.clock.advance(3600)
        self.assertEqual(self.sent_id(), one)
