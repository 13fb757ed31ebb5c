"""The web search as clients see it, and what the upstream is asked on the way."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.interfaces import End
from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    TextDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import AccessRefused, UpstreamUnavailable
from kiro2api.wire.sse import SSEDecoder
from tests.dialects.anthropic.grammar import Replay
from tests.dialects.chat.checker import read
from tests.fakes.answers import END, USAGE, FakeStream
from tests.fakes.upstream import event, metered, said
from tests.web.case import HELLO, Reply, WebCase
from tests.web.test_enforced import CHAT, MESSAGES, TOOL, EnforcedCase, called

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
CALLED = Ended(StopReason.TOOL_USE)


def searched(id: str, query: str = "news") -> bytes:
    """The frames of a call of the search."""
    head = {"toolUseId": id, "name": "web_search"}
    json = msgspec.json.encode({"query": query}).decode()
    return event("toolUseEvent", **head, input=json) + event("toolUseEvent", **head, stop=True)


class MessagesTests(EnforcedCase):
    """Anthropic Messages over real frames."""

    def both(self, body: dict[str, Any], *answers: bytes) -> Any:
        """The message, which is the same streamed and whole."""
        whole = self.reply(MESSAGES, body, *answers)
        self.assertEqual(whole.status, 200, whole.body)
        replay = Replay(self.reply(MESSAGES, {**body, "stream": True}, *answers).body)
        self.assertTrue(replay.complete)
        self.assertEqual(replay.message | {"id": ""}, whole.json | {"id": ""})
        return whole.json

    def test_search(self) -> None:
        """Two rounds on one account become one message."""
        message = self.both(
            {"tools": [SEARCH]},
            said("I look. ") + searched("tooluse_1") + metered(),
            said("All is well.") + metered(),
        )
        kinds = [block["type"] for block in message["content"]]
        self.assertEqual(kinds, ["text", "server_tool_use", "web_search_tool_result", "text"])
        _, call, result, text = message["content"]
        self.assertEqual(call["input"], {"query": "news"})
        self.assertEqual(result["tool_use_id"], call["id"])
        (page,) = result["content"]
        self.assertEqual(
            (page["url"], page["title"], page["page_age"]),
            ("https://a.example/", "A", "May 1, 2026"),
        )
        self.assertEqual(text["text"], "All is well.")
        self.assertEqual(message["stop_reason"], "end_turn")
        self.assertEqual(message["usage"]["server_tool_use"], {"web_search_requests": 1})
        self.assertEqual(self.frames.searches, [("a", "news")] * 2)
        self.assertEqual({name for name, _ in self.frames.calls}, {"a"})

    def test_what_the_upstream_is_asked(self) -> None:
        """An ordinary tool first, then the call with its result as well."""
        self.reply(
            MESSAGES, {"tools": [SEARCH, TOOL]}, searched("tooluse_1") + metered(), said("x")
        )
        first, second = (self.frames.sent(n)["conversationState"] for n in (0, 1))
        self.assertEqual(first["conversationId"], second["conversationId"])
        for state in (first, second):
            context = state["currentMessage"]["userInputMessage"]["userInputMessageContext"]
            names = [tool["toolSpecification"]["name"] for tool in context["tools"]]
            self.assertEqual(names, ["look", "web_search"])
        (use,) = second["history"][-1]["assistantResponseMessage"]["toolUses"]
        self.assertEqual((use["name"], use["input"]), ("web_search", {"query": "news"}))
        (result,) = context["toolResults"]
        self.assertEqual((result["toolUseId"], result["status"]), ("tooluse_1", "success"))
        self.assertIn("About news.", result["content"][0]["text"])

    def test_next_turn(self) -> None:
        """What the client sends back becomes the same call and the same result again."""
        message = self.reply(
            MESSAGES, {"tools": [SEARCH]}, searched("tooluse_1") + metered(), said("x")
        ).json
        turns = [*HELLO["messages"], {"role": "assistant", "content": message["content"]}]
        turns.append({"role": "user", "content": "And now?"})
        self.reply(MESSAGES, {"tools": [SEARCH], "messages": turns}, said("y"))
        history = self.frames.sent(2)["conversationState"]["history"]
        (use,) = history[1]["assistantResponseMessage"]["toolUses"]
        self.assertEqual(use["input"], {"query": "news"})
        (result,) = history[2]["userInputMessage"]["userInputMessageContext"]["toolResults"]
        self.assertEqual(result["toolUseId"], use["toolUseId"])
        self.assertIn("About news.", result["content"][0]["text"])
        self.assertEqual(history[3]["assistantResponseMessage"]["content"], "x")

    def test_next_turn_without_the_tool(self) -> None:
        """A client that offers it no more gets no such tool, and what was found stays as text."""
        content = [
            {"type": "server_tool_use", "id": "i", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "i", "content": []},
        ]
        turns = [*HELLO["messages"], {"role": "assistant", "content": content}]
        turns.append({"role": "user", "content": "And now?"})
        self.reply(MESSAGES, {"messages": turns}, said("y"))
        body = self.frames.calls[0][1]
        self.assertNotIn(b"toolSpecification", body)
        self.assertIn(b"No pages were found.", body)

    def test_mixed(self) -> None:
        """With a call for the client in it the answer ends; the client sends both back."""
        message = self.both(
            {"tools": [SEARCH, TOOL]}, searched("tooluse_1") + called("tooluse_2", "{}") + metered()
        )
        kinds = [block["type"] for block in message["content"]]
        self.assertEqual(kinds, ["server_tool_use", "web_search_tool_result", "tool_use"])
        self.assertEqual(message["stop_reason"], "tool_use")
        turns = [
            *HELLO["messages"],
            {"role": "assistant", "content": message["content"]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": message["content"][2]["id"]}],
            },
        ]
        self.reply(MESSAGES, {"tools": [SEARCH, TOOL], "messages": turns}, said("x"))
        state = self.frames.sent(2)["conversationState"]
        uses = [
            use["name"]
            for turn in state["history"]
            for use in turn.get("assistantResponseMessage", {}).get("toolUses", ())
        ]
        self.assertEqual(uses, ["web_search", "look"])

    def test_demanded(self) -> None:
        """A search that the client demands is demanded once."""
        choice = {"type": "tool", "name": "web_search"}
        message = self.both(
            {"tools": [SEARCH], "tool_choice": choice},
            said("No need.") + metered(),
            searched("tooluse_1") + metered(),
            said("Found.") + metered(),
        )
        kinds = [block["type"] for block in message["content"]]
        self.assertEqual(kinds, ["server_tool_use", "web_search_tool_result", "text"])

    def test_refused(self) -> None:
        """An account that cannot search is told as it is; the answer goes on."""
        self.frames.found = AccessRefused("no")
        message = self.both(
            {"tools": [SEARCH]}, searched("tooluse_1") + metered(), said("I cannot.") + metered()
        )
        self.assertEqual(
            message["content"][1]["content"],
            {"type": "web_search_tool_result_error", "error_code": "unavailable"},
        )
        self.assertNotIn("server_tool_use", message["usage"])
        self.assertEqual(self.pool.leases[0].outcomes[0].end, End.SERVED)

    def test_client_tool_of_that_name(self) -> None:
        """Nobody's own tool is taken away, nor is anybody given one."""
        tool = {**TOOL, "name": "web_search"}
        message = self.both({"tools": [tool]}, searched("tooluse_1") + metered())
        self.assertEqual([block["type"] for block in message["content"]], ["tool_use"])
        self.assertEqual(message["stop_reason"], "tool_use")
        self.assertEqual(self.frames.searches, [])

    def test_limits_of_later_rounds(self) -> None:
        """Stop sequences count in every round."""
        message = self.both(
            {"tools": [SEARCH], "stop_sequences": ["STOP"]},
            searched("tooluse_1") + metered(),
            said("one ST") + said("OP two") + metered(),
        )
        self.assertEqual(message["content"][-1]["text"], "one ")
        self.assertEqual(message["stop_reason"], "stop_sequence")


class ChatTests(EnforcedCase):
    """Chat completions."""

    def test_search(self) -> None:
        """The client sees the answer, with the pages that it names."""
        body: dict[str, Any] = {"web_search_options": {}}
        answers = (searched("tooluse_1") + metered(), said("See https://a.example/.") + metered())
        choice = self.reply(CHAT, body, *answers).json["choices"][0]
        self.assertEqual(choice["finish_reason"], "stop")
        message = choice["message"]
        self.assertEqual(message["content"], "See https://a.example/.")
        self.assertNotIn("tool_calls", message)
        (annotation,) = message["annotations"]
        self.assertEqual(annotation["url_citation"]["url"], "https://a.example/")
        streamed = read(self.reply(CHAT, {**body, "stream": True}, *answers).body)
        self.assertEqual(streamed.content, message["content"])
        self.assertEqual(streamed.annotations, message["annotations"])
        self.assertEqual((streamed.finish_reason, streamed.calls), ("stop", []))


class StreamTests(WebCase):
    """Searches that take their time."""

    def setUp(self) -> None:
        super().setUp()
        self.cancelled: list[bool] = []
        self.found: Deferred[tuple[SearchHit, ...]] = Deferred(
            lambda _: self.cancelled.append(True)
        )
        self.client.found = self.found
        self.first, self.second = FakeStream(self.clock), FakeStream(self.clock)
        self.client.results += [self.first, self.second]
        self.channel, self.wire = self.start(MESSAGES, {**HELLO, "stream": True, "tools": [SEARCH]})

    def call(self) -> None:
        """The first round, whole."""
        self.first.push(
            ToolBegun("s", "web_search"),
            ToolInputDelta("s", '{"query":"news"}'),
            ToolEnded("s"),
            USAGE,
            CALLED,
        )
        self.first.end()

    def shown(self) -> list[str]:
        """Types of the blocks so far."""
        found = (
            msgspec.json.decode(d) for _, d in SSEDecoder().feed(Reply(self.wire.value()).body)
        )
        return [
            told["content_block"]["type"] for told in found if told["type"] == "content_block_start"
        ]

    def test_as_it_happens(self) -> None:
        """The call is shown when it is made, the result when it is there."""
        self.call()
        self.assertEqual(self.shown(), ["text", "server_tool_use"])
        self.clock.advance(5)
        self.clock.advance(5)
        self.assertTrue(self.wire.value().endswith(b'data: {"type":"ping"}\n\n\r\n'))
        self.found.callback((SearchHit("https://a.example/"),))
        self.assertEqual(self.shown()[2:], ["web_search_tool_result", "text"])
        self.second.push(TextDelta("lo"), USAGE, END)
        self.second.end()
        replay = Replay(Reply(self.wire.value()).body)
        self.assertTrue(replay.complete)
        self.assertEqual(replay.message["usage"]["input_tokens"], 20)
        (record,) = self.meter.recent
        self.assertEqual((record.outcome, record.input_tokens), ("served", 20))
        self.assertEqual(self.timers(), [])

    def test_slow_search(self) -> None:
        """It is given up in time, and is never taken for the upstream's silence."""
        self.clock.advance(55)
        self.call()
        self.clock.pump([5] * 6)
        self.assertEqual(self.cancelled, [True])
        self.assertEqual(self.shown()[2:], ["web_search_tool_result", "text"])
        self.clock.pump([10] * 5)
        self.second.push(USAGE, END)
        self.second.end()
        replay = Replay(Reply(self.wire.value()).body)
        self.assertEqual(replay.message["content"][2]["content"]["error_code"], "unavailable")
        self.assertTrue(replay.complete)
        self.assertEqual(self.timers(), [])

    def test_client_leaves_in_a_search(self) -> None:
        """The search is cancelled, no round follows, the account is not blamed."""
        self.call()
        self.hang_up(self.channel)
        self.assertEqual(self.cancelled, [True])
        self.assertEqual(len(self.client.calls), 1)
        self.assertEqual(self.pool.leases[0].outcomes[0].end, End.ABANDONED)
        self.assertEqual(self.timers(), [])
        self.assertEqual(self.serving.active, set())

    def test_client_leaves_in_an_opening(self) -> None:
        """Neither is the next round opened for nobody."""
        opened: list[bool] = []
        self.client.results[0] = Deferred(lambda _: opened.append(False))
        self.call()
        self.found.callback(())
        self.hang_up(self.channel)
        self.assertEqual(opened, [False])
        self.assertEqual(self.pool.leases[0].outcomes[0].end, End.ABANDONED)
        self.assertEqual(self.timers(), [])

    def test_next_round_fails(self) -> None:
        """It is told in the stream, as every late failure; no other account is tried."""
        self.client.results[0] = UpstreamUnavailable("gone")
        self.call()
        self.found.callback(())
        replay = Replay(Reply(self.wire.value()).body)
        assert replay.error is not None
        self.assertFalse(replay.complete)
        self.assertEqual(len(self.client.calls), 2)
        (outcome,) = self.pool.leases[0].outcomes
        self.assertEqual(outcome.end, End.FAILED)
        self.assertEqual(self.meter.recent[0].input_tokens, 10)
        self.assertEqual(self.timers(), [])
