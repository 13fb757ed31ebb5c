# -*- test-case-name: tests.kiro.test_instructions -*-
"""What the upstream has no field for, said to the model in words.

Must not know messages. The sentences go behind the newest text of the user: in front of it they
would change the prompt that the upstream's cache knows.
"""

from kiro2api.conversation.question import OutputFormat, ToolChoice
from kiro2api.kiro.naming import Names
from kiro2api.kiro.wording import (
    ANY_JSON,
    ANY_TOOL,
    SCHEMA_JSON,
    named_tool,
)


def choice_instruction(choice: ToolChoice, offered: bool, names: Names) -> str:
    """The sentence for a tool choice; "" where nothing needs saying.

    :param offered: whether any tool is on offer at all.
    """
    if choice.mode == "any" and offered:
        return ANY_TOOL
    if choice.mode == "named" and offered and choice.name in names:
        return named_tool(names.upstream(choice.name))
    return ""


def format_instruction(wanted: OutputFormat | None) -> str:
    """The sentence, and the schema, for a wanted answer format; "" where none is wanted."""
    if wanted is None:
        return ""
    if wanted.kind == "json_object" or not wanted.schema.strip():
        return ANY_JSON
    return SCHEMA_JSON + "\n" + wanted.schema.decode("utf-8", "replace")
