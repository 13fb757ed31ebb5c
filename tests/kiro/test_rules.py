# -*- test-case-name: tests.kiro.test_rules -*-
"""Tests for the upstream's rules."""

import base64
import copy
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro import constraints
from kiro2api.kiro.rules import Violation, check

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(22)).decode()
STATE = "conversationState"
CURRENT = f"{STATE}.currentMessage.userInputMessage"
TOOLS = f"{CURRENT}.userInputMessageContext.tools"


def user(content: str = "hello", **more: Any) -> dict[str, Any]:
    """A user turn; ``results`` are ids, everything else goes in as it is."""
    context: dict[str, Any] = {}
    if "results" in more:
        context["toolResults"] = [
            {"toolUseId": id, "content": [{"text": "ok"}], "status": "success"}
            for id in more.pop("results")
        ]
    if "tools" in more:
        context["tools"] = more.pop("tools")
    message = {"content": content, "origin": "AI_EDITOR", **more}
    if context:
        message["userInputMessageContext"] = context
    return {"userInputMessage": message}


def assistant(content: str = "hi", *uses: tuple[str, str]) -> dict[str, Any]:
    """An assistant turn; ``uses`` are (id, name)."""
    message: dict[str, Any] = {"content": content}
    if uses:
        message["toolUses"] = [{"toolUseId": id, "name": name, "input": {}} for id, name in uses]
    return {"assistantResponseMessage": message}


def tool(name: str = "look", **schema: Any) -> dict[str, Any]:
    """A tool as it is offered."""
    json = {"type": "object", "properties": {}} | schema
    return {
        "toolSpecification": {
            "name": name,
            "description": "Looks.",
            "inputSchema": {"json": json},
        }
    }


def body(current: dict[str, Any] | None = None, *history: dict[str, Any]) -> dict[str, Any]:
    """A whole request."""
    state = {
        "chatTriggerType": "MANUAL",
        "currentMessage": current or user(),
        "history": [*history],
    }
    return {"conversationState": state}


class RulesTestCase(SynchronousTestCase):
    """Assertions on violations."""

    def assert_good(self, sent: dict[str, Any]) -> None:
        """No rule is broken, and checking changes nothing."""
        before = copy.deepcopy(sent)
        self.assertEqual(check(sent), [])
        self.assertEqual(sent, before)

    def assert_broken(self, sent: dict[str, Any], *expected: tuple[str, str, str]) -> None:
        """Exactly these (rule, path, reason), each with a message."""
        found = check(sent)
        self.assertEqual([(v.rule, v.path, v.reason) for v in found], [*expected])
        self.assertTrue(all(v.message for v in found))


class ShapeTests(RulesTestCase):
    """Members, lengths, patterns, enumerations, unions."""

    def test_smallest(self) -> None:
        """The least that is a request."""
        sent = body()
        del sent["conversationState"]["history"]
        self.assert_good(sent)

    def test_everything(self) -> None:
        """A request with every kind of content is good."""
        sent = body(
            user(
                "",
                results=["u1", "u2"],
                tools=[tool("look"), tool("write-it"), {"cachePoint": {"type": "default"}}],
                modelId="claude-sonnet-4.5",
                images=[{"format": "png", "source": {"bytes": PNG}}],
                documents=[{"name": "a", "format": "pdf", "source": {"bytes": "AAAA"}}],
                userIntent="SHOW_EXAMPLES",
                clientCacheConfig={"useClientCachingOnly": True},
                cachePoint={"type": "default"},
            ),
            user("be brief"),
            assistant("I will."),
            user("look"),
            assistant(" ", ("u1", "look"), ("u2", "write-it")),
        )
        state = sent["conversationState"]
        state["conversationId"] = "c1"
        state["agentContinuationId"] = "0" * 36
        state["agentTaskType"] = "vibe"
        context = state["currentMessage"]["userInputMessage"]["userInputMessageContext"]
        context["toolResults"][0]["content"] = [{"text": "a"}, {"json": {"b": None}}]
        context["editorState"] = {"anything": 1}
        context["envState"] = {
            "operatingSystem": "linux",
            "currentWorkingDirectory": "/work",
            "environmentVariables": [{"key": "A", "value": "b"}],
            "timezoneOffset": -60,
        }
        message = state["history"][3]["assistantResponseMessage"]
        message["messageId"] = "m1"
        message["reasoningContent"] = {"reasoningText": {"text": "hm", "signature": "c2ln"}}
        message["references"] = [{}]
        sent["profileArn"] = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEFGHIJKL"
        sent["additionalModelRequestFields"] = {"thinking": {"type": "adaptive"}}
        sent["agentMode"] = None
        self.assert_good(sent)

    def test_not_an_object(self) -> None:
        """A body that is no object, or holds none where one belongs."""
        self.assert_broken([], ("type", "", "REQUEST_BODY_INVALID"))  # type: ignore[arg-type]
        self.assert_broken({"conversationState": 1}, ("type", STATE, "REQUEST_BODY_INVALID"))

    def test_required(self) -> None:
        """A missing member is named, also when it is null."""
        self.assert_broken({}, ("required", STATE, "REQUEST_BODY_INVALID"))
        sent = body()
        sent["conversationState"]["chatTriggerType"] = None
        self.assert_broken(sent, ("required", f"{STATE}.chatTriggerType", "REQUEST_BODY_INVALID"))

    def test_unknown_member(self) -> None:
        """A member the upstream does not know is named."""
        sent = body()
        sent["inferenceConfig"] = {}
        self.assert_broken(sent, ("unknown_member", "inferenceConfig", "REQUEST_BODY_INVALID"))

    def test_wrong_types(self) -> None:
        """Each kind of member refuses the other JSON types."""
        for key, value in (
            ("content", 1),
            ("images", {}),
            ("userInputMessageContext", []),
            ("clientCacheConfig", {"useClientCachingOnly": "yes"}),
        ):
            sent = body()
            sent["conversationState"]["currentMessage"]["userInputMessage"][key] = value
            [violation] = check(sent)
            self.assertEqual(violation.rule, "type")
            self.assertTrue(violation.path.startswith(f"{CURRENT}.{key}"))

    def test_environment(self) -> None:
        """Numbers are bounded, and a boolean is none."""
        for value, rule in ((1441, "range"), (True, "type"), (1.5, "type")):
            message = user(userInputMessageContext={"envState": {"timezoneOffset": value}})
            path = f"{CURRENT}.userInputMessageContext.envState.timezoneOffset"
            self.assert_broken(body(message), (rule, path, "REQUEST_BODY_INVALID"))

    def test_enumeration(self) -> None:
        """Only the published values."""
        sent = body()
        sent["conversationState"]["chatTriggerType"] = "AUTO"
        self.assert_broken(sent, ("enum", f"{STATE}.chatTriggerType", "REQUEST_BODY_INVALID"))

    def test_lengths(self) -> None:
        """Too short and too long, with the reason that fits."""
        sent = body()
        sent["conversationState"]["agentContinuationId"] = "short"
        path = f"{STATE}.agentContinuationId"
        self.assert_broken(sent, ("length", path, "REQUEST_BODY_INVALID"))
        sent = body()
        sent["conversationState"]["conversationId"] = "c" * 129
        path = f"{STATE}.conversationId"
        self.assert_broken(sent, ("length", path, "INVALID_CONVERSATION_ID"))
        sent = body(user("x" * (constraints.MAX_CONTENT + 1)))
        path = f"{CURRENT}.content"
        self.assert_broken(sent, ("length", path, "CONTENT_LENGTH_EXCEEDS_THRESHOLD"))

    def test_model_id(self) -> None:
        """A model id with other characters is a model that does not exist."""
        for id in ("claude sonnet", "", "m" * 1025):
            rule = "pattern" if " " in id else "length"
            self.assert_broken(
                body(user(modelId=id)), (rule, f"{CURRENT}.modelId", "INVALID_MODEL_ID")
            )

    def test_profile(self) -> None:
        """The profile's ARN must look like one."""
        sent = body() | {"profileArn": "arn:aws:iam::123456789012:role/x"}
        self.assert_broken(sent, ("pattern", "profileArn", "REQUEST_BODY_INVALID"))

    def test_union(self) -> None:
        """A turn is one of two kinds, never both and never neither; null does not count."""
        at = f"{STATE}.history[0]"
        for turn in ({}, user() | assistant(), {"userInputMessage": None}):
            self.assert_broken(body(user(), turn), ("union", at, "REQUEST_BODY_INVALID"))

    def test_names(self) -> None:
        """Tool names and ids: at most 64 of the allowed characters."""
        for name, rule in (("a" * 65, "length"), ("my.tool", "pattern"), ("", "pattern")):
            path = f"{TOOLS}[0].toolSpecification.name"
            self.assert_broken(body(user(tools=[tool(name)])), (rule, path, "REQUEST_BODY_INVALID"))
        sent = body(user(results=["a|b"], tools=[tool()]), user(), assistant("x", ("a|b", "look")))
        self.assert_broken(
            sent,
            (
                "pattern",
                f"{CURRENT}.userInputMessageContext.toolResults[0].toolUseId",
                "REQUEST_BODY_INVALID",
            ),
            (
                "pattern",
                f"{STATE}.history[1].assistantResponseMessage.toolUses[0].toolUseId",
                "REQUEST_BODY_INVALID",
            ),
        )

    def test_description(self) -> None:
        """A description must be there, hold something and not be too long."""
        for text, rule in (("", "length"), ("d" * 10_241, "length"), (None, "required")):
            spec = tool()
            spec["toolSpecification"]["description"] = text
            path = f"{TOOLS}[0].toolSpecification.description"
            self.assert_broken(body(user(tools=[spec])), (rule, path, "REQUEST_BODY_INVALID"))

    def test_tool_input(self) -> None:
        """The input of a tool use is an object, not its text."""
        turn = assistant("x", ("u1", "look"))
        turn["assistantResponseMessage"]["toolUses"][0]["input"] = "{}"
        sent = body(user("", results=["u1"], tools=[tool()]), user(), turn)
        path = f"{STATE}.history[1].assistantResponseMessage.toolUses[0].input"
        self.assert_broken(sent, ("type", path, "REQUEST_BODY_INVALID"))

    def test_several_at_once(self) -> None:
        """Every broken shape is told, in the order of the body."""
        sent = body(user(modelId="a b", origin="ME"))
        self.assertEqual([v.path for v in check(sent)], [f"{CURRENT}.origin", f"{CURRENT}.modelId"])

    def test_no_text_of_the_conversation(self) -> None:
        """A message about a value does not repeat it."""
        sent = body(user(modelId="secret words", origin="PRIVATE"))
        self.assertFalse(any("secret" in v.message or "PRIVATE" in v.message for v in check(sent)))

    def test_violation_is_a_value(self) -> None:
        """Frozen, comparable, with the general reason by default."""
        self.assertEqual(Violation("r", "p", "m").reason, "REQUEST_BODY_INVALID")
        self.assertRaises(AttributeError, setattr, Violation("r", "p", "m"), "rule", "x")


class ImageTests(RulesTestCase):
    """Images: number, size, format."""

    def images(self, *data: str, kind: str = "png") -> dict[str, Any]:
        """A request with these images."""
        return body(user(images=[{"format": kind, "source": {"bytes": one}} for one in data]))

    def test_count(self) -> None:
        """Ten per message."""
        self.assert_good(self.images(*[PNG] * 10))
        self.assert_broken(
            self.images(*[PNG] * 11), ("count", f"{CURRENT}.images", "IMAGE_COUNT_EXCEEDED")
        )

    def test_size(self) -> None:
        """At least one byte, at most ten million, counted decoded."""
        path = f"{CURRENT}.images[0].source.bytes"
        self.assert_broken(self.images(""), ("length", path, "IMAGE_SIZE_EXCEEDED"))
        most = base64.b64encode(b"\x89PNG\r\n\x1a\n".ljust(10_000_000, b"\0")).decode()
        self.assert_good(self.images(most))
        self.assert_broken(self.images(most + "AAAA"), ("length", path, "IMAGE_SIZE_EXCEEDED"))

    def test_base64(self) -> None:
        """Text that cannot be base64."""
        path = f"{CURRENT}.images[0].source.bytes"
        for data in ("AAA", "ééé=", 7):
            sent = self.images(data)  # type: ignore[arg-type]
            self.assert_broken(sent, ("base64", path, "REQUEST_BODY_INVALID"))

    def test_format(self) -> None:
        """Only four formats, and the bytes must be of the one that is named."""
        path = f"{CURRENT}.images[0]"
        self.assert_broken(
            self.images(PNG, kind="bmp"), ("enum", f"{path}.format", "IMAGE_FORMAT_UNSUPPORTED")
        )
        self.assert_broken(
            self.images(PNG, kind="jpeg"), ("image_format", path, "IMAGE_MIME_MISMATCH")
        )
        self.assert_broken(self.images("AAAA"), ("image_format", path, "IMAGE_FORMAT_UNSUPPORTED"))

    def test_in_history(self) -> None:
        """The images of earlier turns count as well."""
        turn = user(images=[{"format": "gif", "source": {"bytes": PNG}}])
        path = f"{STATE}.history[0].userInputMessage.images[0]"
        self.assert_broken(
            body(user(), turn, assistant()), ("image_format", path, "IMAGE_MIME_MISMATCH")
        )


class TurnTests(RulesTestCase):
    """The order of turns and what they must hold."""

    def test_alternation(self) -> None:
        """User and assistant take turns."""
        self.assert_good(body(user(), user(), assistant(), user(), assistant()))
        at = f"{STATE}.history[1].userInputMessage"
        self.assert_broken(
            body(user(), user(), user(), assistant()),
            ("alternating", at, "REQUEST_BODY_INVALID"),
        )
        at = f"{STATE}.history[2].assistantResponseMessage"
        self.assert_broken(
            body(user(), user(), assistant(), assistant()),
            ("alternating", at, "REQUEST_BODY_INVALID"),
        )

    def test_history_ends_with_assistant(self) -> None:
        """A user turn right before the current message is one too many."""
        self.assert_broken(body(user(), user()), ("alternating", CURRENT, "REQUEST_BODY_INVALID"))

    def test_starts_with_user(self) -> None:
        """The assistant cannot open a conversation."""
        at = f"{STATE}.history[0].assistantResponseMessage"
        self.assert_broken(
            body(user(), assistant()), ("starts_with_user", at, "REQUEST_BODY_INVALID")
        )

    def test_ends_with_user(self) -> None:
        """The current message is the user's: no prefill."""
        at = f"{STATE}.currentMessage.assistantResponseMessage"
        self.assert_broken(
            body(assistant(), user()), ("ends_with_user", at, "REQUEST_BODY_INVALID")
        )
        self.assert_broken(body(assistant()), ("ends_with_user", at, "REQUEST_BODY_INVALID"))

    def test_first_turn_has_no_results(self) -> None:
        """Results in the first turn answer nothing."""
        path = "userInputMessageContext.toolResults[0].toolUseId"
        self.assert_broken(
            body(user(), user(results=["u1"]), assistant()),
            (
                "tool_result_orphan",
                f"{STATE}.history[0].userInputMessage.{path}",
                "TOOL_USE_RESULT_MISMATCH",
            ),
        )

    def test_blank_user(self) -> None:
        """A user turn says something or brings results; blanks do only in history."""
        for text in ("", " \n"):
            self.assert_broken(
                body(user(text)),
                ("user_content_empty", f"{CURRENT}.content", "REQUEST_BODY_INVALID"),
            )
        self.assert_good(body(user(), user(" "), assistant()))
        self.assert_broken(
            body(user(), user(""), assistant()),
            (
                "user_content_empty",
                f"{STATE}.history[0].userInputMessage.content",
                "REQUEST_BODY_INVALID",
            ),
        )
        results = user("", results=["u1"], tools=[tool()])
        self.assert_good(body(results, user(), assistant("x", ("u1", "look"))))

    def test_empty_assistant(self) -> None:
        """An assistant turn is never empty; a blank will do."""
        self.assert_broken(
            body(user(), user(), assistant("")),
            (
                "assistant_content_empty",
                f"{STATE}.history[1].assistantResponseMessage.content",
                "REQUEST_BODY_INVALID",
            ),
        )
        self.assert_good(body(user(), user(), assistant(" ")))


class PairingTests(RulesTestCase):
    """Tool uses and their results."""

    USES = f"{STATE}.history[1].assistantResponseMessage.toolUses"
    RESULTS = f"{CURRENT}.userInputMessageContext.toolResults"

    def sent(self, ids: list[str], *uses: tuple[str, str]) -> dict[str, Any]:
        """A request whose current message answers ``uses`` with ``ids``."""
        return body(user("x", results=ids, tools=[tool()]), user(), assistant("y", *uses))

    def test_paired(self) -> None:
        """Any order of results will do."""
        self.assert_good(self.sent(["b", "a"], ("a", "look"), ("b", "look")))

    def test_unanswered(self) -> None:
        """Each use needs its result in the very next user turn."""
        self.assert_broken(
            self.sent(["a"], ("a", "look"), ("b", "look")),
            ("tool_use_unanswered", f"{self.USES}[1]", "TOOL_USE_RESULT_MISMATCH"),
        )

    def test_unanswered_before_an_assistant(self) -> None:
        """An assistant turn in between answers nothing."""
        found = check(
            body(
                user("x", results=["b"], tools=[tool()]),
                user(),
                assistant("y", ("a", "look")),
                assistant("z", ("b", "look")),
            )
        )
        self.assertEqual([v.rule for v in found], ["alternating", "tool_use_unanswered"])

    def test_unanswered_at_the_end(self) -> None:
        """A current message of the assistant leaves its uses unanswered."""
        found = check(body(assistant("y", ("a", "look")), user()))
        rules = [v.rule for v in found]
        self.assertEqual(rules, ["ends_with_user", "tool_config_missing", "tool_use_unanswered"])

    def test_orphan(self) -> None:
        """A result without its use."""
        self.assert_broken(
            self.sent(["a", "c"], ("a", "look")),
            ("tool_result_orphan", f"{self.RESULTS}[1].toolUseId", "TOOL_USE_RESULT_MISMATCH"),
        )

    def test_duplicates(self) -> None:
        """An id stands for one use and one result in a turn."""
        self.assert_broken(
            self.sent(["a"], ("a", "look"), ("a", "look")),
            ("tool_id_duplicate", f"{self.USES}[1].toolUseId", "TOOL_USE_RESULT_MISMATCH"),
        )
        self.assert_broken(
            self.sent(["a", "a"], ("a", "look")),
            ("tool_id_duplicate", f"{self.RESULTS}[1].toolUseId", "TOOL_USE_RESULT_MISMATCH"),
        )

    def test_same_id_in_two_turns(self) -> None:
        """Another turn may use an id again."""
        self.assert_good(
            body(
                user("x", results=["a"], tools=[tool()]),
                user(),
                assistant("y", ("a", "look")),
                user("", results=["a"]),
                assistant("y", ("a", "look")),
            )
        )

    def test_tool_not_offered(self) -> None:
        """A tool of the history must be among the current ones."""
        expected = ("tool_config_missing", f"{self.USES}[0].name", "TOOL_CONFIG_MISSING")
        self.assert_broken(self.sent(["a"], ("a", "Look")), expected)
        sent = body(user("x", results=["a"]), user(), assistant("y", ("a", "look")))
        self.assert_broken(sent, expected)


class ToolTests(RulesTestCase):
    """Names and schemas of the tools offered."""

    SCHEMA = f"{TOOLS}[0].toolSpecification.inputSchema.json"

    def assert_schema(self, schema: Any, *paths: str) -> None:
        """The schema is broken exactly at these paths below it."""
        spec = tool()
        spec["toolSpecification"]["inputSchema"]["json"] = schema
        found = check(body(user(tools=[spec])))
        self.assertEqual([v.path.removeprefix(self.SCHEMA) for v in found], [*paths])
        for violation in found:
            self.assertEqual(violation.rule, "tool_schema")
            self.assertEqual(violation.reason, "TOOL_SCHEMA_INVALID")

    def test_duplicate_names(self) -> None:
        """Two tools of one name."""
        self.assert_broken(
            body(user(tools=[tool("a"), tool("b"), tool("a")])),
            ("tool_name_duplicate", f"{TOOLS}[2].toolSpecification.name", "TOOL_DUPLICATE"),
        )

    def test_good_schemas(self) -> None:
        """What real tools bring."""
        self.assert_schema({"type": "object"})
        self.assert_schema(
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["a"],
                "properties": {
                    "a": {"type": ["string", "null"], "enum": ["x", None]},
                    "b": {"type": "array", "items": {"type": "integer"}},
                    "c": {"anyOf": [{"type": "string"}, {}]},
                    "properties": {"type": "object", "properties": {"required": {}}},
                    "d": {"items": True, "oneOf": "odd but harmless"},
                },
            }
        )

    def test_no_object(self) -> None:
        """Only an object schema."""
        self.assert_schema(True, "")
        self.assert_schema(None, "")
        self.assert_schema({}, ".type")
        self.assert_schema({"type": "OBJECT"}, ".type", ".type")
        self.assert_schema({"type": "string"}, ".type")

    def test_combinators_at_the_top(self) -> None:
        """No choice between schemas at the top."""
        for key in ("anyOf", "oneOf", "allOf"):
            self.assert_schema({"type": "object", key: [{}]}, f".{key}")

    def test_properties(self) -> None:
        """Properties are an object of objects."""
        self.assert_schema({"type": "object", "properties": None}, ".properties")
        self.assert_schema({"type": "object", "properties": []}, ".properties")
        self.assert_schema({"type": "object", "properties": {"a": True}}, ".properties.a")

    def test_required(self) -> None:
        """Required is a list of strings."""
        for value in (None, "a", True, [1]):
            self.assert_schema({"type": "object", "required": value}, ".required")

    def test_inside(self) -> None:
        """The same holds at every depth."""
        self.assert_schema(
            {
                "type": "object",
                "properties": {
                    "a": {"type": "array", "items": {"type": "STRING"}},
                },
            },
            ".properties.a.items.type",
        )
        self.assert_schema(
            {"type": "object", "properties": {"a": {"anyOf": [{}, {"required": None}, 1]}}},
            ".properties.a.anyOf[2]",
            ".properties.a.anyOf[1].required",
        )
        self.assert_schema(
            {"type": "object", "properties": {"a": {"type": 7}}}, ".properties.a.type"
        )


class CostTests(RulesTestCase):
    """The rules run on every request."""

    def test_text_is_not_walked(self) -> None:
        """Texts a hundred times as long take about as long to check."""

        def duration(size: int) -> float:
            turns = []
            for n in range(20):
                turns.append(user("x" * size, results=[f"u{n - 1}"] if n else []))
                turns.append(assistant("y" * size, (f"u{n}", "look")))
            del turns[0]["userInputMessage"]["userInputMessageContext"]
            sent = body(user("z", results=["u19"], tools=[tool()]), *turns)
            self.assert_good(sent)
            times = []
            for _ in range(9):
                begun = time.perf_counter()
                check(sent)
                times.append(time.perf_counter() - begun)
            return min(times)

        self.assertLess(duration(100_000), duration(1_000) * 5 + 0.001)
