# -*- test-case-name: tests.conversation.test_question -*-
"""What a client asked, in no client's and no upstream's language.

Frozen values without behaviour. Must not know any dialect, the upstream, Twisted or the clock.
JSON that is only passed on (tool inputs, schemas) stays JSON text in ``bytes``: it is neither
decoded nor encoded again on its way.
"""

from typing import Literal, TypeAlias

import msgspec


class Text(msgspec.Struct, frozen=True):
    """A piece of text."""

    text: str


class Image(msgspec.Struct, frozen=True):
    """An image by value: ``data`` is base64 text as the client sent it, not yet checked."""

    media_type: str
    data: str


class Document(msgspec.Struct, frozen=True):
    """A document by value: ``data`` is base64 text; plain text documents arrive as ``Text``.

    ``text`` says what is in it, for a model that does not take the document itself; empty as long
    as nobody has read it.
    """

    media_type: str
    data: str
    name: str = ""
    text: str = ""


class Reference(msgspec.Struct, frozen=True):
    """An image or document that the client gave by URL or file id instead of by value."""

    what: Literal["image", "document"]
    target: str


class Thinking(msgspec.Struct, frozen=True):
    """Reasoning of an earlier answer that the client sent back, with the upstream's signature."""

    text: str
    signature: str = ""


class RedactedThinking(msgspec.Struct, frozen=True):
    """Reasoning that the model provider encrypted; ``data`` is base64 text."""

    data: str


class ToolUse(msgspec.Struct, frozen=True):
    """A call of a client's tool in an earlier answer; ``input`` is JSON text, any value."""

    id: str
    name: str
    input: bytes = b"{}"


ResultPart: TypeAlias = Text | Image | Document | Reference


class ToolResult(msgspec.Struct, frozen=True):
    """What the client's tool returned for the call with this id."""

    id: str
    parts: tuple[ResultPart, ...] = ()
    is_error: bool = False


Part: TypeAlias = (
    Text | Image | Document | Reference | Thinking | RedactedThinking | ToolUse | ToolResult
)

Role: TypeAlias = Literal["system", "user", "assistant"]


class Turn(msgspec.Struct, frozen=True):
    """One message. Any order of roles may occur; making it acceptable is the upstream side's.

    ``cache``: the client wants everything up to and with this message kept in a prompt cache.
    """

    role: Role
    parts: tuple[Part, ...]
    cache: bool = False


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool the model may call; ``schema`` is JSON text as the client sent it.

    ``freeform``: the client wants raw text as the call's input, which the model puts into the
    member ``input`` of a JSON object.
    """

    name: str
    description: str = ""
    schema: bytes = b"{}"
    freeform: bool = False


class ServerTool(msgspec.Struct, frozen=True):
    """A tool that the client wants the server to run by itself.

    ``name`` is the client's name for it, by which a ``ToolChoice`` may mean it. ``max_uses``
    counts within one answer. A domain stands for its subdomains too and may go on with a path.
    ``user_location`` is JSON text with the members ``city``, ``region``, ``country`` and
    ``timezone``, empty where the client gave none.
    """

    kind: Literal["web_search"]
    name: str = "web_search"
    max_uses: int | None = None
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    user_location: bytes = b""


class ToolChoice(msgspec.Struct, frozen=True):
    """Whether and which tool must be called; ``name`` only with mode ``named``."""

    mode: Literal["auto", "none", "any", "named"] = "auto"
    name: str = ""
    parallel: bool = True


class Sampling(msgspec.Struct, frozen=True):
    """How the answer is to be drawn; the upstream has no field for most of it."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()


class Reasoning(msgspec.Struct, frozen=True):
    """What the client said about thinking; ``mode`` None means it said nothing."""

    mode: Literal["enabled", "adaptive", "disabled"] | None = None
    budget_tokens: int | None = None
    effort: str | None = None
    display: str | None = None


class OutputFormat(msgspec.Struct, frozen=True):
    """A wanted JSON answer; ``schema`` is JSON text, empty for any JSON object."""

    kind: Literal["json_object", "json_schema"]
    schema: bytes = b""
    name: str = ""


class Conversation(msgspec.Struct, frozen=True):
    """The whole question.

    ``system`` holds the system texts in order. ``session`` is a stable key of the client's
    conversation where it gave one, else empty. ``cache_system``: the client wants the tools and
    the system texts kept in a prompt cache.
    """

    turns: tuple[Turn, ...]
    system: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    sampling: Sampling = Sampling()
    reasoning: Reasoning = Reasoning()
    output_format: OutputFormat | None = None
    session: str = ""
    server_tools: tuple[ServerTool, ...] = ()
    cache_system: bool = False
