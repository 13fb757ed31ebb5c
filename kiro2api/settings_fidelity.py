# -*- test-case-name: tests.test_settings -*-
"""How questions are put to the upstream and what is done to answers: a part of the settings.

Pure. Must not know where values come from or who uses them.
"""

from dataclasses import dataclass
from typing import Annotated

from kiro2api.settings_declared import Setting
from kiro2api.settings_kinds import plain, whole, yes_or_no


@dataclass(frozen=True)
class FidelitySettings:
    """How questions are put to the upstream and what is done to answers."""

    max_tool_description_length: Annotated[
        int,
        Setting(
            "MAX_TOOL_DESCRIPTION_LENGTH",
            whole(1, 10240),
            "10000",
            "Longer descriptions of tools are moved out of the tool list or cut.",
            "characters",
        ),
    ]
    fallback_model: Annotated[
        str | None,
        Setting(
            "KIRO_FALLBACK_MODEL",
            plain("the name of a model"),
            None,
            "Model that answers in place of one nobody offers.",
        ),
    ]
    replay_thinking: Annotated[
        bool,
        Setting(
            "KIRO_REPLAY_THINKING",
            yes_or_no(),
            "true",
            "Send signed reasoning of earlier answers upstream again.",
        ),
    ]
    enforce_max_tokens: Annotated[
        bool,
        Setting(
            "KIRO_ENFORCE_MAX_TOKENS",
            yes_or_no(),
            "false",
            "Cut answers where an estimate of their tokens reaches the client's max_tokens.",
        ),
    ]
    image_max_side: Annotated[
        int,
        Setting(
            "KIRO_IMAGE_MAX_SIDE",
            whole(200, 8000),
            "2000",
            "Larger images are made smaller: the longer side of one.",
            "pixels",
        ),
    ]
    image_max_bytes: Annotated[
        int,
        Setting(
            "KIRO_IMAGE_MAX_BYTES",
            whole(50_000, 10_000_000),
            "3750000",
            "Larger images are compressed or made smaller.",
            "bytes",
        ),
    ]
    fetch_urls: Annotated[
        bool,
        Setting(
            "KIRO_FETCH_URLS",
            yes_or_no(),
            "false",
            "Fetch images and documents that clients give as https addresses.",
        ),
    ]
