# -*- test-case-name: tests.kiro.test_wording -*-
"""Every sentence that we put into a prompt ourselves, in one place.

They are dull on purpose: a model repeats striking placeholders. Must not know where they are
used.
"""

from typing import Final

from kiro2api.conversation.question import Document, Reference, ToolChoice, ToolUse

ACKNOWLEDGED: Final = "Understood. I will work by these instructions."
OPENING: Final = "Let us begin."
CONTINUE: Final = "Please continue."
LOOK: Final = "Please look at what is attached."
SILENT: Final = " "
"""An assistant turn without text, or a tool result without content: never empty, says nothing."""
INTERRUPTED: Final = "no result: the call was interrupted"
ATTACHED: Final = "[an image of this result is attached to the message]"
TOOL_UNAVAILABLE: Final = "Was called earlier in this conversation; not available now."
LONG_DESCRIPTIONS: Final = "# Full descriptions of tools\n\nShortened where the tools are listed."
ANY_TOOL: Final = "Answer this by calling one of the tools."
ANY_JSON: Final = "Answer with one JSON object and nothing else: no comment, no code fence."
SCHEMA_JSON: Final = (
    "Answer with JSON and nothing else: no comment, no code fence. It must be valid by this "
    "JSON Schema:"
)


def document_note(document: Document) -> str:
    """What is in a document, or in its place that it cannot be passed on."""
    if document.text:
        return document.text
    name = f" {document.name}" if document.name else ""
    return f"[document{name} ({document.media_type}) left out: its format is not passed on]"


def reference_note(reference: Reference) -> str:
    """In place of something given by URL or file id."""
    return f"[{reference.what} at {reference.target}: not fetched]"


def image_note(media_type: str, reason: str) -> str:
    """In place of an image that was not sent."""
    return f"[image ({media_type}) left out: {reason}]"


def misplaced_call(use: ToolUse) -> str:
    """A tool call that the client put into a user's turn."""
    arguments = use.input.decode("utf-8", "replace")
    return f"[call {use.id} of the tool {use.name}]\n{arguments}"


def orphan_result(id: str, is_error: bool, text: str) -> str:
    """A tool result whose call is not in the turn before."""
    what = "error" if is_error else "result"
    return f"[{what} of the earlier tool call {id}]\n{text}"


def tool_heading(name: str, description: str) -> str:
    """A description that was too long for its place."""
    return f"## {name}\n\n{description}"


def named_tool(name: str) -> str:
    """For a client that demands the call of one tool."""
    return f"Answer this by calling the tool {name}."


def repaired_choice(choice: ToolChoice) -> str:
    """For an answer without the call that the client demands."""
    which = f"the tool {choice.name}" if choice.mode == "named" else "one of the tools"
    return f"This needs a tool call, and your answer has none that fits. Call {which} now."


def repaired_format(problem: str) -> str:
    """For an answer that is not the JSON that the client demands."""
    return (
        f"Your answer cannot be used: {problem}. Give the whole answer again as valid JSON and "
        "nothing else."
    )


def cut_call(name: str) -> str:
    """For the turn after an answer that ended inside a call of this tool."""
    return (
        f"Your last call of the tool {name} was cut off before it was complete, so it was not "
        "carried out. Make it again in smaller pieces, each short enough to be completed."
    )
