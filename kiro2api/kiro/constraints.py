# -*- test-case-name: tests.kiro.test_rules -*-
"""The upstream's request shapes as data: members, lengths, patterns, enumerations.

Only what a proxy sends is spelled out; members that the upstream knows and we never fill are
accepted unread. Must not know how a body is walked (``rules``) or how one is built (``request``).

Wire: fields and required flags of the streaming service's newest published model (1.0.45),
lengths and patterns of the newest model that publishes them. The description of a tool is
optional there, but a tool without one was seen to be refused, so here it is required.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

INVALID: Final = "REQUEST_BODY_INVALID"
TOO_LONG: Final = "CONTENT_LENGTH_EXCEEDS_THRESHOLD"

MAX_CONTENT: Final = 10_000_000
"""Characters of one message content or one result text."""
MAX_IMAGES: Final = 10
"""Images of one message."""
MAX_IMAGE_BYTES: Final = 10_000_000
"""Decoded bytes of one image."""
MAX_NAME: Final = 64
"""Characters of a tool name and of a tool use id."""
MAX_DESCRIPTION: Final = 10_240
"""Characters of a tool description."""
IMAGE_FORMATS: Final = frozenset({"gif", "jpeg", "png", "webp"})
DOCUMENT_FORMATS: Final = frozenset(
    {"csv", "doc", "docx", "html", "md", "pdf", "txt", "xls", "xlsx"}
)


class Text(msgspec.Struct, frozen=True):
    """A string: length in characters, a pattern that must match it whole, allowed values."""

    low: int = 0
    high: int = 0
    pattern: re.Pattern[str] | None = None
    choices: frozenset[str] = frozenset()
    reason: str = INVALID
    reason_long: str = INVALID


class Blob(msgspec.Struct, frozen=True):
    """Bytes as base64 text: length in decoded bytes, 0 for no upper limit."""

    low: int = 0
    high: int = 0
    reason: str = INVALID


class Whole(msgspec.Struct, frozen=True):
    """An integer within bounds."""

    low: int
    high: int


class Flag(msgspec.Struct, frozen=True):
    """A boolean."""


class Json(msgspec.Struct, frozen=True):
    """Any JSON value; with ``object_only`` a JSON object."""

    object_only: bool = False


class Many(msgspec.Struct, frozen=True):
    """A list; ``high`` 0 means no published limit."""

    of: "Rule"
    high: int = 0
    reason: str = INVALID


class Shape(msgspec.Struct, frozen=True):
    """A JSON object: its members, those that must be there, or exactly one for a union."""

    name: str
    members: Mapping[str, "Rule"]
    required: tuple[str, ...] = ()
    union: bool = False


Rule: TypeAlias = Text | Blob | Whole | Flag | Json | Many | Shape

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_JSON = Json()
_ORIGINS = frozenset({
    "AI_EDITOR", "CHATBOT", "CLI", "CONSOLE", "DOCUMENTATION", "GITLAB", "IDE", "INLINE_CHAT",
    "KIRO_CLI", "KIRO_WEB", "MARKETING", "MD", "MD_CE", "MD_IDE", "MOBILE",
    "OPENSEARCH_DASHBOARD", "Q_DEV_BEXT", "SAGE_MAKER", "SERVICE_INTERNAL", "SM_AI_STUDIO_IDE",
    "UNIFIED_SEARCH", "UNKNOWN",
})  # fmt: skip
_INTENTS = frozenset({
    "APPLY_COMMON_BEST_PRACTICES", "CITE_SOURCES", "CODE_GENERATION", "EXPLAIN_CODE_SELECTION",
    "EXPLAIN_LINE_BY_LINE", "GENERATE_CLOUDFORMATION_TEMPLATE", "GENERATE_UNIT_TESTS",
    "IMPROVE_CODE", "SHOW_EXAMPLES", "SUGGEST_ALTERNATE_IMPLEMENTATION",
})  # fmt: skip

NAME: Final = Text(high=MAX_NAME, pattern=_ID)
MODEL_ID: Final = Text(
    low=1,
    high=1024,
    pattern=re.compile(r"[a-zA-Z0-9_:.-]+"),
    reason="INVALID_MODEL_ID",
    reason_long="INVALID_MODEL_ID",
)
PROFILE_ARN: Final = Text(
    high=950,
    pattern=re.compile(
        r"arn:aws:(codewhisperer|transform):[-.a-z0-9]{1,63}:\d{12}:profile/[a-zA-Z0-9]{12}"
    ),
)

_CACHE_POINT = Shape("CachePoint", {"type": Text(choices=frozenset({"default"}))}, ("type",))

_IMAGE = Shape(
    "ImageBlock",
    {
        "format": Text(choices=IMAGE_FORMATS, reason="IMAGE_FORMAT_UNSUPPORTED"),
        "source": Shape(
            "ImageSource",
            {"bytes": Blob(low=1, high=MAX_IMAGE_BYTES, reason="IMAGE_SIZE_EXCEEDED")},
            union=True,
        ),
    },
    ("format", "source"),
)

_DOCUMENT = Shape(
    "DocumentBlock",
    {
        "name": Text(),
        "format": Text(choices=DOCUMENT_FORMATS),
        "source": Shape("DocumentSource", {"bytes": Blob()}, union=True),
    },
    ("name", "format", "source"),
)

_TOOL = Shape(
    "Tool",
    {
        "toolSpecification": Shape(
            "ToolSpecification",
            {
                "name": NAME,
                "description": Text(low=1, high=MAX_DESCRIPTION),
                "inputSchema": Shape("ToolInputSchema", {"json": _JSON}),
            },
            ("inputSchema", "name", "description"),
        ),
        "cachePoint": _CACHE_POINT,
    },
    union=True,
)

_TOOL_RESULT = Shape(
    "ToolResult",
    {
        "toolUseId": NAME,
        "content": Many(
            Shape(
                "ToolResultContentBlock",
                {"text": Text(high=MAX_CONTENT, reason_long=TOO_LONG), "json": _JSON},
                union=True,
            )
        ),
        "status": Text(choices=frozenset({"error", "success"})),
        "toolName": Text(),
    },
    ("toolUseId", "content"),
)

_TOOL_USE = Shape(
    "ToolUse",
    {"toolUseId": NAME, "name": NAME, "input": Json(object_only=True)},
    ("toolUseId", "name", "input"),
)

_ENV_STATE = Shape(
    "EnvState",
    {
        "operatingSystem": Text(low=1, high=32, choices=frozenset({"macos", "linux", "windows"})),
        "currentWorkingDirectory": Text(low=1, high=256),
        "environmentVariables": Many(
            Shape(
                "EnvironmentVariable",
                {"key": Text(low=1, high=256), "value": Text(low=1, high=1024)},
            ),
            high=100,
        ),
        "timezoneOffset": Whole(-1440, 1440),
    },
)

_CONTEXT = Shape(
    "UserInputMessageContext",
    {
        "toolResults": Many(_TOOL_RESULT),
        "tools": Many(_TOOL),
        "envState": _ENV_STATE,
        **dict.fromkeys(
            (
                "editorState",
                "shellState",
                "gitState",
                "appStudioContext",
                "diagnostic",
                "consoleState",
                "userSettings",
                "additionalContext",
            ),
            _JSON,
        ),
    },
)

_USER = Shape(
    "UserInputMessage",
    {
        "content": Text(high=MAX_CONTENT, reason_long=TOO_LONG),
        "userInputMessageContext": _CONTEXT,
        "userIntent": Text(choices=_INTENTS),
        "origin": Text(choices=_ORIGINS),
        "images": Many(_IMAGE, high=MAX_IMAGES, reason="IMAGE_COUNT_EXCEEDED"),
        "documents": Many(_DOCUMENT),
        "modelId": MODEL_ID,
        "cachePoint": _CACHE_POINT,
        "clientCacheConfig": Shape("ClientCacheConfig", {"useClientCachingOnly": Flag()}),
    },
    ("content",),
)

_REASONING = Shape(
    "ReasoningContent",
    {
        "reasoningText": Shape("ReasoningText", {"text": Text(), "signature": Text()}, ("text",)),
        "redactedContent": Blob(),
    },
    union=True,
)

_ASSISTANT = Shape(
    "AssistantResponseMessage",
    {
        "content": Text(),
        "messageId": Text(high=128),
        "toolUses": Many(_TOOL_USE),
        "cachePoint": _CACHE_POINT,
        "reasoningContent": _REASONING,
        "supplementaryWebLinks": Many(_JSON, high=10),
        "references": Many(_JSON, high=10),
        "followupPrompt": _JSON,
    },
    ("content",),
)

_MESSAGE = Shape(
    "ChatMessage", {"userInputMessage": _USER, "assistantResponseMessage": _ASSISTANT}, union=True
)

_STATE = Shape(
    "ConversationState",
    {
        "currentMessage": _MESSAGE,
        "chatTriggerType": Text(choices=frozenset({"DIAGNOSTIC", "INLINE_CHAT", "MANUAL"})),
        "conversationId": Text(
            low=1,
            high=128,
            reason="INVALID_CONVERSATION_ID",
            reason_long="INVALID_CONVERSATION_ID",
        ),
        "workspaceId": Text(low=36, high=36),
        "history": Many(_MESSAGE),
        "customizationArn": Text(high=1224),
        "agentContinuationId": Text(low=36, high=36),
        "agentTaskType": Text(choices=frozenset({"spectask", "vibe"})),
    },
    ("currentMessage", "chatTriggerType"),
)

REQUEST: Final = Shape(
    "GenerateAssistantResponseRequest",
    {
        "conversationState": _STATE,
        "profileArn": PROFILE_ARN,
        "agentMode": Text(),
        "additionalModelRequestFields": Json(object_only=True),
    },
    ("conversationState",),
)
"""The body of GenerateAssistantResponse."""
