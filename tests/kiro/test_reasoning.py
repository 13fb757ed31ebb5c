"""Tests of the fields about reasoning."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Reasoning
from kiro2api.kiro.reasoning import (
    Abilities,
    Ability,
    ability_of,
    nearest,
    request_fields,
    takes_tags,
)

OPUS = ability_of("claude-opus-4.7")
OLDER = ability_of("claude-opus-4.6")
GPT = ability_of("gpt-5.6-sol")

# As the upstream delivers it, abridged.
SCHEMA = msgspec.json.encode(
    {
        "type": "object",
        "properties": {
            "thinking": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": ["adaptive", "disabled"]},
                    "display": {"type": "string", "enum": ["summarized", "omitted"]},
                },
                "required": ["type"],
            },
            "output_config": {
                "type": "object",
                "properties": {
                    "effort": {"enum": ["low", "medium", "high", "xhigh", "max"]},
                },
            },
        },
        "additionalProperties": False,
    }
)


class AbilityTests(SynchronousTestCase):
    """What a model takes."""

    def test_by_schema(self) -> None:
        """The model's own word counts, for names unknown to us too."""
        self.assertEqual(ability_of("whoever-1", SCHEMA), OPUS)
        self.assertEqual(ability_of("claude-opus-4.7", b'{"properties":{}}'), Ability())

    def test_by_family(self) -> None:
        """Without a schema the family decides."""
        for name in ("claude-opus-5", "claude-fable-5.1", "claude-sonnet-5", "claude-opus-4.8"):
            self.assertEqual(ability_of(name), OPUS, name)
        for name in ("claude-sonnet-4.6", "claude-opus-4.6-1m"):
            self.assertEqual(ability_of(name), OLDER, name)
        for name in ("gpt-5.6-terra", "gpt-6"):
            self.assertEqual(ability_of(name), GPT, name)
        for name in (
            "claude-haiku-4.5",
            "claude-sonnet-4",
            "claude-sonnet-4-20250514",
            "CLAUDE_SONNET_4_20250514_V1_0",
            "claude-3.7-sonnet",
            "gpt-4.1",
            "deepseek-3.2",
            "auto",
        ):
            self.assertFalse(ability_of(name), name)

    def test_odd_schemas(self) -> None:
        """What is no JSON tells nothing; what has an odd shape allows nothing."""
        self.assertEqual(ability_of("claude-opus-4.7", b"{nonsense"), OPUS)
        for odd in (
            b"[]",
            b'{"properties":[]}',
            b'{"properties":{"thinking":1,"reasoning":{"properties":{"effort":{"enum":1}}}}}',
        ):
            self.assertFalse(ability_of("claude-opus-4.7", odd), odd)

    def test_constants(self) -> None:
        """A single value may be written as a constant, a budget as a number."""
        told = ability_of(
            "m",
            b'{"properties":{"thinking":{"properties":{"type":{"const":"enabled"},'
            b'"budget_tokens":{"type":"integer"}}}}}',
        )
        self.assertEqual(told, Ability(thinking=("enabled",), budget=True))

    def test_remembered(self) -> None:
        """The same answer without reading the schema again, for a bounded number of models."""
        known = Abilities(capacity=2)
        self.assertEqual(known.of("m", SCHEMA), OPUS)
        self.assertIs(known.of("m", SCHEMA), known.of("m", SCHEMA))
        for name in ("gpt-5.6-sol", "claude-opus-4.6", "claude-opus-4.7"):
            self.assertEqual(known.of(name, b""), ability_of(name))
        self.assertLessEqual(len(known._known), 2)

    def test_tags(self) -> None:
        """Only Claude models know the tags; the upstream's own choice is one mostly."""
        self.assertTrue(takes_tags("claude-haiku-4.5"))
        self.assertTrue(takes_tags("CLAUDE_SONNET_4_5_20250929_V1_0"))
        self.assertTrue(takes_tags("auto"))
        self.assertFalse(takes_tags("deepseek-3.2"))


class FieldsTests(SynchronousTestCase):
    """What is sent."""

    def sent(self, ability: Ability, *args: Any, **fields: Any) -> Any:
        """The decoded fields, None for none."""
        encoded = request_fields(Reasoning(*args, **fields), ability)
        return msgspec.json.decode(encoded) if encoded else None

    def test_nothing_said(self) -> None:
        """Then nothing is sent."""
        for ability in (OPUS, OLDER, GPT, Ability()):
            self.assertIsNone(self.sent(ability))

    def test_no_ability(self) -> None:
        """Older models get nothing, whatever is wanted."""
        for mode in ("enabled", "adaptive", "disabled"):
            self.assertIsNone(self.sent(Ability(), mode, 5000, "high", "omitted"))

    def test_claude(self) -> None:
        """Mode, effort and display each where the model has them."""
        shown = {"type": "adaptive", "display": "summarized"}
        self.assertEqual(self.sent(OPUS, "adaptive"), {"thinking": shown})
        self.assertEqual(
            self.sent(OPUS, "adaptive", None, "xhigh", "omitted"),
            {
                "thinking": {"type": "adaptive", "display": "omitted"},
                "output_config": {"effort": "xhigh"},
            },
        )
        self.assertEqual(
            self.sent(OPUS, "adaptive", display="nonsense"), {"thinking": {"type": "adaptive"}}
        )
        self.assertEqual(
            self.sent(OLDER, "adaptive", None, "xhigh", "omitted"),
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        )

    def test_disabled(self) -> None:
        """Said as such; the effort of the answer is another matter."""
        self.assertEqual(self.sent(OPUS, "disabled"), {"thinking": {"type": "disabled"}})
        self.assertEqual(
            self.sent(OPUS, "disabled", 9000, "low"),
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
        )
        self.assertIsNone(self.sent(Ability(thinking=("adaptive",)), "disabled"))

    def test_effort_alone(self) -> None:
        """A client may want less effort without a word about thinking."""
        self.assertEqual(self.sent(OPUS, effort="low"), {"output_config": {"effort": "low"}})
        self.assertIsNone(self.sent(OPUS, effort="nonsense"))

    def test_budgets(self) -> None:
        """A budget becomes an effort, unless one is given."""
        for budget, effort in (
            (1024, "low"),
            (4096, "medium"),
            (10_000, "medium"),
            (16_000, "high"),
            (31_999, "high"),
            (32_001, "xhigh"),
            (100_000, "max"),
        ):
            sent = self.sent(OPUS, "enabled", budget)
            self.assertEqual(sent["output_config"], {"effort": effort}, budget)
            self.assertEqual(sent["thinking"]["type"], "adaptive")
        self.assertEqual(
            self.sent(OPUS, "enabled", 100_000, "low")["output_config"], {"effort": "low"}
        )

    def test_budgets_as_they_are(self) -> None:
        """A model that takes budgets is given them."""
        told = Ability(thinking=("enabled",), budget=True)
        self.assertEqual(
            self.sent(told, "enabled", 5000),
            {"thinking": {"type": "enabled", "budget_tokens": 5000}},
        )
        self.assertEqual(self.sent(told, "adaptive"), {"thinking": {"type": "enabled"}})
        self.assertIsNone(self.sent(Ability(thinking=("other",)), "enabled"))

    def test_gpt(self) -> None:
        """One field for everything."""
        for args, effort in (
            (("adaptive",), "medium"),
            (("adaptive", None, "high"), "high"),
            (("adaptive", None, "minimal"), "low"),
            (("enabled", 31_999), "high"),
            (("disabled",), "none"),
            ((None, None, "none"), "none"),
        ):
            self.assertEqual(self.sent(GPT, *args), {"reasoning": {"effort": effort}}, args)
        self.assertIsNone(self.sent(GPT, "adaptive", None, "nonsense"))
        self.assertIsNone(self.sent(Ability(reasoning=("low", "high")), "disabled"))

    def test_nearest(self) -> None:
        """The closest, the higher of two equally close."""
        for effort, known, expected in (
            ("XHigh", ("low", "xhigh"), "xhigh"),
            ("xhigh", ("low", "medium", "high", "max"), "max"),
            ("medium", ("low", "high"), "high"),
            ("minimal", ("none", "low"), "low"),
            ("max", ("low",), "low"),
            ("high", (), ""),
            ("high", ("strange",), ""),
            ("strange", ("strange",), "strange"),
            ("odd", ("low",), ""),
        ):
            self.assertEqual(nearest(effort, known), expected, (effort, known))
