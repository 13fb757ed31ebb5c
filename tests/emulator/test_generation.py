# -*- test-case-name: tests.emulator.test_generation -*-
"""Tests for the emulator's strictness and for the composition of answers."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.emulator import listings
from kiro2api.emulator.accounts import Accounts, EmulatedAccount, Member
from kiro2api.emulator.generation import Generation, decoded
from kiro2api.emulator.performance import Performance
from kiro2api.emulator.replies import Refused
from kiro2api.emulator.script import Script, ToolCall
from tests.emulator.caller import ARN, KEY, SOCIAL, question, tool


class GenerationTestCase(SynchronousTestCase):
    """A generation with one account."""

    def setUp(self) -> None:
        self.accounts = Accounts([SOCIAL, KEY], 0)
        self.generation = Generation(self.accounts, 0)
        self.member = self.accounts.member("first")

    def use(self, **changes: Any) -> None:
        """Change the account."""
        self.member = self.accounts.add(msgspec.structs.replace(SOCIAL, **changes))

    def compose(
        self, body: dict[str, Any], member: Member | None = None, **script: Any
    ) -> Performance:
        """An answer that the rules allow."""
        size = len(msgspec.json.encode(body))
        self.generation.admit(body, member or self.member, size)
        return self.generation.compose(body, member or self.member, Script(**script), size)

    def refused(self, body: Any, member: Member | None = None) -> tuple[int, str | None, str]:
        """Status, reason and message of the refusal."""
        size = len(msgspec.json.encode(body))
        error = self.assertRaises(Refused, self.generation.admit, body, member or self.member, size)
        told = msgspec.json.decode(error.reply.body)
        return error.reply.status, told["reason"], told["message"]


class AdmitTests(GenerationTestCase):
    """Who may ask what."""

    def test_rules(self) -> None:
        """The broken rule's place is told, with the upstream's usual words."""
        status, reason, message = self.refused(question(" "))
        self.assertEqual((status, reason), (400, "REQUEST_BODY_INVALID"))
        self.assertTrue(message.startswith("Improperly formed request."))
        self.assertIn("currentMessage.userInputMessage.content", message)

    def test_profile_required(self) -> None:
        """Where the account's plane demands the profile, it must be there."""
        self.use(profile="required")
        status, reason, message = self.refused(question())
        self.assertEqual((status, reason), (400, None))
        self.assertEqual(message, "profileArn is required for this request.")
        self.assertTrue(self.compose(question() | {"profileArn": ARN}).text)

    def test_models(self) -> None:
        """An account may be offered less than all; without a model the server picks."""
        self.use(models=("claude-haiku-4.5",))
        self.assertEqual(self.refused(question())[1], "INVALID_MODEL_ID")
        self.assertEqual(
            self.compose(question(modelId="claude-haiku-4.5")).model, "claude-haiku-4.5"
        )
        self.use()
        self.assertEqual(self.compose(question(modelId=None)).model, "auto")

    def test_extra_fields(self) -> None:
        """Each maker's models take their own fields, some none."""
        claude = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
        gpt = {"reasoning": {"effort": "high"}}
        for model, fields, words in (
            ("claude-opus-4.8", claude, ""),
            ("gpt-5.6-sol", gpt, ""),
            ("claude-opus-4.8", gpt, "property 'reasoning' is not defined in the schema"),
            ("gpt-5.6-sol", claude, "property 'thinking' is not defined"),
            ("claude-haiku-4.5", claude, "not supported for this model"),
            ("claude-haiku-4.5", {}, ""),
            ("claude-sonnet-4.6", {"output_config": {"effort": "xhigh"}}, "is not one of"),
            ("claude-opus-4.8", {"output_config": {"effort": "xhigh"}}, ""),
            ("claude-opus-4.6", {"thinking": {"display": "omitted"}}, "'display' is not defined"),
        ):
            sent = question(modelId=model) | {"additionalModelRequestFields": fields}
            if words:
                self.assertIn(words, self.refused(sent)[2])
            else:
                self.compose(sent)

    def test_cache_points(self) -> None:
        """A few on messages, for models that have a prompt cache; never among the tools."""
        point = {"cachePoint": {"type": "default"}}

        def sent(model: str, points: int, **context: Any) -> dict[str, Any]:
            history = [
                {"userInputMessage": {"content": "a", **point}}
                if index % 2 == 0
                else {"assistantResponseMessage": {"content": "b", **point}}
                for index in range(points)
            ]
            more: dict[str, Any] = {"userInputMessageContext": context} if context else {}
            return question(modelId=model, history=history, **more)

        self.compose(sent("claude-opus-5", 2))
        self.assertIn("At most 4", self.refused(sent("claude-opus-5", 6))[2])
        for model in ("claude-haiku-4.5", "gpt-5.6-sol"):
            self.compose(sent(model, 0))
            status, reason, message = self.refused(sent(model, 2))
            self.assertEqual((status, reason), (400, "REQUEST_BODY_INVALID"))
            self.assertIn("cachePoint", message)
        tools = [tool("look"), point]
        self.assertIn("in tools", self.refused(sent("claude-opus-5", 0, tools=tools))[2])

    def test_signatures(self) -> None:
        """Only reasoning that this account was given may come back."""
        sent = question(modelId="claude-opus-5")
        sent["additionalModelRequestFields"] = {"thinking": {"type": "adaptive"}}
        play = self.compose(sent)
        self.assertTrue(play.thinking and play.signature)

        def again(text: str, signature: str) -> dict[str, Any]:
            turn = {
                "content": "x",
                "reasoningContent": {"reasoningText": {"text": text, "signature": signature}},
            }
            history = [{"userInputMessage": {"content": "a"}}, {"assistantResponseMessage": turn}]
            return question(modelId="claude-opus-5", history=history)

        good = again(play.thinking, play.signature)
        self.assertTrue(self.compose(good).text)
        self.assertTrue(self.compose(again(play.thinking, "")).text)
        for body, member in (
            (again("other", play.signature), None),
            (again(play.thinking, "AAAA"), None),
            (good, self.accounts.member("third")),
        ):
            self.assertEqual(self.refused(body, member)[1], "THINKING_SIGNATURE_INVALID")

    def test_too_long(self) -> None:
        """What does not fit the window is refused; images are not counted."""
        status, reason, message = self.refused(question("x" * 900_000))
        self.assertEqual((status, message), (400, "Input is too long."))
        self.assertEqual(reason, "CONTENT_LENGTH_EXCEEDS_THRESHOLD")
        data = "iVBORw0KGgoA" + "A" * 900_000
        images = [{"format": "png", "source": {"bytes": data}}]
        self.assertLess(self.compose(question(images=images)).context_percent, 1)


class ComposeTests(GenerationTestCase):
    """What the answer consists of."""

    def test_scripted(self) -> None:
        """Every part of an answer can be ordered."""
        play = self.compose(
            question(),
            text="Ordered.",
            thinking="Hm.",
            signature="c2ln",
            redacted="cmVk",
            calls=(
                ToolCall("a", msgspec.Raw(b'{"x":1}'), "my-id"),
                ToolCall("b", raw_input='{"broken'),
            ),
            context_percent=42.0,
            credits=3.0,
        )
        self.assertEqual((play.text, play.thinking, play.signature), ("Ordered.", "Hm.", "c2ln"))
        self.assertEqual((play.redacted, play.context_percent, play.credits), ("cmVk", 42.0, 3.0))
        self.assertEqual((play.parts[0].id, play.parts[0].input), ("my-id", '{"x":1}'))
        self.assertEqual((play.parts[1].name, play.parts[1].input), ("b", '{"broken'))
        self.assertTrue(play.parts[1].id.startswith("tooluse_"))

    def test_ids(self) -> None:
        """Calls have different ids, unless ordered otherwise; the upstream's rules hold."""
        sent = question("call look\ncall look", tools=[tool("look")])
        one, two = self.compose(sent).parts
        self.assertNotEqual(one.id, two.id)
        self.assertRegex(one.id, r"^[a-zA-Z0-9_-]{1,64}$")
        one, two = self.compose(sent, same_ids=True).parts
        self.assertEqual(one.id, two.id)

    def test_ordered_text_without_calls(self) -> None:
        """An ordered empty list of calls suppresses the emulator's own."""
        sent = question("call look", tools=[tool("look")])
        self.assertEqual(self.compose(sent, calls=()).parts, ())

    def test_context_grows(self) -> None:
        """A longer question fills more of the window and costs more."""
        short, long = self.compose(question()), self.compose(question("x" * 10_000))
        self.assertGreater(long.context_percent, short.context_percent)
        self.assertGreater(long.credits, short.credits)
        self.assertAlmostEqual(long.context_percent, 10_200 / 4 / 200_000 * 100, 2)

    def test_charged(self) -> None:
        """The account pays."""
        play = self.compose(question())
        self.assertEqual(self.member.used, play.credits)


class DecodedTests(SynchronousTestCase):
    """Bodies that may be anything."""

    def test_json(self) -> None:
        """JSON of any kind, None for everything else."""
        self.assertEqual(decoded(b'{"a": 1}'), {"a": 1})
        self.assertEqual(decoded(b"[1]"), [1])
        for raw in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
            self.assertIsNone(decoded(raw))


class ListingTests(SynchronousTestCase):
    """The control plane's answers."""

    def test_only_own_models(self) -> None:
        """An account sees what it is offered, also models that the table does not know."""
        account = EmulatedAccount("x", models=("claude-opus-5", "brand-new"))
        page = listings.models(account, 0, 50)
        self.assertEqual([m["modelId"] for m in page["models"]], ["claude-opus-5", "brand-new"])
        self.assertEqual(page["defaultModel"], {"modelId": "claude-opus-5"})
        limits = page["models"][0]["tokenLimits"]
        self.assertEqual(limits, {"maxInputTokens": 1_000_000, "maxOutputTokens": 128_000})

    def test_inputs(self) -> None:
        """Models that see no images say so."""
        page = listings.models(EmulatedAccount("x", models=("glm-5",)), 0, 50)
        self.assertEqual(page["models"][0]["supportedInputTypes"], ["TEXT"])

    def test_no_profile(self) -> None:
        """An account without a profile lists none."""
        self.assertEqual(listings.profiles(EmulatedAccount("x", profile_arn="")), {"profiles": []})

    def test_secrets_are_not_shown(self) -> None:
        """An account prints as its name."""
        self.assertEqual(repr(SOCIAL), "EmulatedAccount('first', 'social')")
