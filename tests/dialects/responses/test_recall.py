# -*- test-case-name: tests.dialects.responses.test_recall -*-
"""Tests of what a request refers to."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.held import Wanted
from kiro2api.dialects.responses.recall import wanted


def of(**body: Any) -> Wanted:
    """What a body refers to."""
    return wanted(msgspec.json.encode(body))


class WantedTests(SynchronousTestCase):
    """Ids in a body."""

    def test_previous(self) -> None:
        """The response before, if any."""
        self.assertEqual(Wanted("resp_1"), of(previous_response_id="resp_1", input="a"))
        self.assertEqual(Wanted(), of(previous_response_id=None))
        self.assertEqual(Wanted(), of(input="a"))

    def test_items(self) -> None:
        """References with and without a type, and nothing that is an item by itself."""
        items = [
            {"type": "item_reference", "id": "msg_1"},
            {"id": "msg_2"},
            {"type": "message", "id": "msg_3", "role": "user", "content": "a"},
            {"role": "user", "id": "msg_4"},
            {"id": "msg_5", "content": "a"},
            {"type": "item_reference"},
            "text",
        ]
        self.assertEqual(Wanted("", ("msg_1", "msg_2")), of(input=items))

    def test_unreadable(self) -> None:
        """What is wrong with a body is told by whoever serves it."""
        for body in (
            b'{"previous_response_id":',
            b'{"previous_response_id":5}',
            b'{"previous_response_id":"\xff"}',
            b'{"input":[{"type":"item_reference","id":5}]}',
            b'"item_reference"',
        ):
            self.assertEqual(Wanted(), wanted(body))

    @given(st.binary(max_size=30))
    def test_anything(self, body: bytes) -> None:
        """Nothing raises."""
        wanted(b'{"previous_response_id":' + body)
