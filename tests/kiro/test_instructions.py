# -*- test-case-name: tests.kiro.test_instructions -*-
"""Tests of what is said to the model in words."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import OutputFormat, ToolChoice
from kiro2api.kiro.instructions import choice_instruction, format_instruction
from kiro2api.kiro.naming import Names
from kiro2api.kiro.wording import ANY_JSON, ANY_TOOL


class ChoiceInstructionTests(SynchronousTestCase):
    """Tool choices."""

    def test_table(self) -> None:
        """Only a call that is demanded and possible is asked for."""
        names = Names(["ls", "b|c"])
        for choice, offered, wanted in (
            (ToolChoice(), True, ""),
            (ToolChoice("none"), True, ""),
            (ToolChoice("any"), True, ANY_TOOL),
            (ToolChoice("any"), False, ""),
            (ToolChoice("named", "ls"), True, "Answer this by calling the tool ls."),
            (ToolChoice("named", "ls"), False, ""),
            (ToolChoice("named", "rm"), True, ""),
        ):
            self.assertEqual(choice_instruction(choice, offered, names), wanted, choice)
        said = choice_instruction(ToolChoice("named", "b|c"), True, names)
        self.assertIn(names.upstream("b|c"), said)


class FormatInstructionTests(SynchronousTestCase):
    """Answer formats."""

    def test_table(self) -> None:
        """Any JSON, or JSON by a schema, which is quoted as it is."""
        for wanted, text in (
            (None, ""),
            (OutputFormat("json_object"), ANY_JSON),
            (OutputFormat("json_schema"), ANY_JSON),
            (OutputFormat("json_schema", b" "), ANY_JSON),
        ):
            self.assertEqual(format_instruction(wanted), text)
        said = format_instruction(OutputFormat("json_schema", b'{"type": "array"}'))
        self.assertTrue(said.endswith('\n{"type": "array"}'))
