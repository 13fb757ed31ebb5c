# -*- test-case-name: tests.kiro -*-
"""Hypothesis strategies for questions of any shape, hostile ones included."""

import base64

from hypothesis import strategies as st

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    OutputFormat,
    RedactedThinking,
    Reference,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(25)).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(20)).decode()

words = st.one_of(
    st.sampled_from(
        ["", " ", "\n\t", "hello", "two\nlines", "{}", '"quoted"', "\N{SNOWMAN}", "\0"]
    ),
    st.text(max_size=12),
)
names = st.one_of(
    st.sampled_from(
        ["read", "Read", "", " ", "a" * 64, "a" * 65, "a" * 66, "b|c", "mcp__x__y", "\u00fc", "b_c"]
    ),
    st.text(max_size=6),
)
ids = st.one_of(
    st.sampled_from(["", "a", "b", "c", "call_1\nfc_1", "x" * 64, "x" * 65, "call|1"]),
    st.text(max_size=3),
)
json_texts = st.one_of(
    st.sampled_from(
        [
            b"{}",
            b'{"path": "x", "n": [1, 2.5, null]}',
            b'{"a": 1, "a": 2}',
            b"[1]",
            b'"text"',
            b"null",
            b"",
            b" ",
            b"{",
            b"nonsense",
            b'{"a":"\\ud800"}',
            b'{"a":"\xff"}',
            b'{"a":1e999}',
            b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
            b"[" * 5000 + b"]" * 5000,
        ]
    ),
    st.binary(max_size=8),
)
images = st.builds(
    Image,
    media_type=st.sampled_from(["image/png", "image/jpeg", "text/html", ""]),
    data=st.sampled_from([PNG, JPEG, PNG[:-1], "", "!!", "AAAA"]),
)
documents = st.builds(Document, media_type=words, data=st.just("AAAA"), name=words)
references = st.builds(Reference, what=st.sampled_from(["image", "document"]), target=words)
texts = st.builds(Text, text=words)
result_parts = st.one_of(texts, images, documents, references)
results = st.builds(
    ToolResult,
    id=ids,
    parts=st.lists(result_parts, max_size=3).map(tuple),
    is_error=st.booleans(),
)
uses = st.builds(ToolUse, id=ids, name=names, input=json_texts)
thinking = st.one_of(
    st.builds(Thinking, text=words, signature=words),
    st.builds(RedactedThinking, data=st.sampled_from(["", "AAAA", "!!", "AAA"])),
)
parts = st.one_of(texts, texts, uses, results, images, documents, references, thinking)
roles = st.sampled_from(["system", "user", "user", "assistant", "assistant"])
turns = st.builds(Turn, role=roles, parts=st.lists(parts, max_size=5).map(tuple))

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["object", "OBJECT", "string", "#/$defs/a", "#/$defs/b", "#", "x"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "not",
                    "$ref", "$defs", "a", "b", "enum", "minimum", "exclusiveMinimum", "maxLength",
                    "multipleOf", "description", "additionalProperties", "patternProperties",
                    "default", "$schema", "prefixItems", "const",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=25,
)  # fmt: skip

schemas = st.one_of(json_texts, st.sampled_from([b'{"type":"object"}', b"true"]))
specs = st.builds(
    ToolSpec,
    name=names,
    description=st.one_of(words, st.just("long " * 20)),
    schema=schemas,
)
choices = st.builds(
    ToolChoice,
    mode=st.sampled_from(["auto", "none", "any", "named"]),
    name=names,
    parallel=st.booleans(),
)
formats = st.one_of(
    st.none(),
    st.builds(
        OutputFormat,
        kind=st.sampled_from(["json_object", "json_schema"]),
        schema=st.sampled_from([b"", b'{"type": "array"}', b"\xff"]),
    ),
)
conversations = st.builds(
    Conversation,
    turns=st.lists(turns, max_size=8).map(tuple),
    system=st.lists(words, max_size=3).map(tuple),
    tools=st.lists(specs, max_size=4).map(tuple),
    tool_choice=choices,
    output_format=formats,
    session=words,
)
