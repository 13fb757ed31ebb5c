# -*- test-case-name: tests.dialects.responses.test_inputs -*-
"""Tests of the list of items that a response was asked with."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.responses.inputs import page
from kiro2api.errors import RequestRejected


def listed(items: list[Any], **query: str) -> Any:
    """One page."""
    return json.loads(page("resp_ab", [json.dumps(item).encode() for item in items], query))


CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
} | {"status": "completed"}
SAID = {"type": "message", "id": "msg_1", "role": "assistant", "content": []} | {
    "status": "completed"
}


class PageTests(SynchronousTestCase):
    """Pages of items."""

    def test_whole(self) -> None:
        """Items are shown as they came, newest first, with ids to go on from."""
        self.assertEqual(
            {
                "object": "list",
                "data": [CALL, SAID],
                "first_id": "fc_1",
                "last_id": "msg_1",
                "has_more": False,
            },
            listed([SAID, CALL]),
        )

    def test_completed(self) -> None:
        """What a client may leave out is filled in as OpenAI does, the same every time."""
        items = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello", "id": None, "status": "incomplete"},
            "bare",
            {"type": "function_call_output", "call_id": "c", "output": "x", "status": None},
            {"type": "reasoning", "id": "rs_1", "summary": []},
        ]
        found = listed(items, order="asc")
        self.assertEqual(
            [
                {
                    "status": "completed",
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Hi"}],
                    "id": "msg_abi00",
                },
                {
                    "status": "incomplete",
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
                    "id": "msg_abi01",
                },
                {
                    "status": "completed",
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "bare"}],
                    "id": "msg_abi02",
                },
                {
                    "status": "completed",
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": "x",
                    "id": "msg_abi03",
                },
                {"type": "reasoning", "id": "rs_1", "summary": []},
            ],
            found["data"],
        )
        self.assertEqual(found["data"][::-1], listed(items)["data"])

    def test_nothing(self) -> None:
        """A response may have been asked with no item at all."""
        self.assertEqual(
            {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False},
            listed([]),
        )

    def test_refused(self) -> None:
        """Each parameter is named when it is wrong."""
        for name, values in (
            ("limit", ("0", "101", "x", "-1", "٣", "9" * 5000)),
            ("order", ("up",)),
            ("after", ("msg_gone",)),
        ):
            for value in values:
                error = self.assertRaises(RequestRejected, listed, [SAID], **{name: value})
                self.assertEqual(name, error.param)

    @given(st.integers(0, 30), st.integers(1, 100), st.sampled_from(["", "asc", "desc"]))
    def test_pages_join(self, count: int, limit: int, order: str) -> None:
        """All pages together are the list, each item once."""
        items = [{"role": "user", "content": str(number)} for number in range(count)]
        found: list[Any] = []
        after = ""
        while True:
            some = listed(items, limit=str(limit), order=order, after=after)
            found += some["data"]
            after = some["last_id"]
            if not some["has_more"]:
                break
        said = [item["content"][0]["text"] for item in found]
        wanted = [str(number) for number in range(count)]
        self.assertEqual(wanted if order == "asc" else wanted[::-1], said)
