# -*- test-case-name: tests.test_wiring_live -*-
"""What takes effect at once when an operator changes a setting.

Whatever is not subscribed here needs a new start.
"""

from typing import Any

import msgspec

from kiro2api.metering_writer import RecordPruner
from kiro2api.settings import Settings
from kiro2api.settings_live import LiveSettings


def subscribe(
    live: LiveSettings, gate: Any, exchanges: Any, serving: Any, pruner: RecordPruner
) -> None:
    """Connect settings with those who follow them."""

    def attempts(now: Settings) -> None:
        exchanges.attempts = now.attempts

    def manner(now: Settings) -> None:
        exchanges.manner.first_event_seconds = now.first_event_timeout_seconds
        exchanges.manner.tool_description_limit = now.max_tool_description_length
        exchanges.manner.replay_thinking = now.replay_thinking
        exchanges.manner.enforce_max_tokens = now.enforce_max_tokens

    def timeouts(now: Settings) -> None:
        serving.timeouts = msgspec.structs.replace(
            serving.timeouts,
            ping=now.ping_seconds,
            silence=now.upstream_silence_seconds,
            stall=now.client_stall_seconds,
        )

    def records(now: Settings) -> None:
        pruner.days = now.records_days
        pruner.megabytes = now.records_max_megabytes

    live.subscribe(["max_concurrent"], lambda now: gate.set_limit(now.max_concurrent))
    live.subscribe(["session_hours"], lambda now: None)  # asked for with each new session
    live.subscribe(["attempts"], attempts)
    live.subscribe(
        [
            "first_event_timeout_seconds",
            "max_tool_description_length",
            "replay_thinking",
            "enforce_max_tokens",
        ],
        manner,
    )
    live.subscribe(["ping_seconds", "upstream_silence_seconds", "client_stall_seconds"], timeouts)
    live.subscribe(["records_days", "records_max_megabytes"], records)
