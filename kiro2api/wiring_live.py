# -*- test-case-name: tests.test_wiring_live -*-
"""What takes effect at once when an operator changes a setting.

Whatever is not subscribed here needs a new start.
"""

from typing import Any

import msgspec

from kiro2api.metering_writer import RecordPruner
from kiro2api.settings import Settings
from kiro2api.settings_live import LiveSettings
from kiro2api.wiring_accounts import AccountWiring


def subscribe(
    live: LiveSettings,
    accounts: AccountWiring,
    gate: Any,
    exchanges: Any,
    serving: Any,
    pruner: RecordPruner,
) -> None:
    """Connect settings with those who follow them."""

    def cooldown(now: Settings) -> None:
        accounts.ledger.cooldown = now.cooldown_seconds

    def queue(now: Settings) -> None:
        accounts.pool.turnstile.limit = now.queue_limit
        accounts.pool.turnstile.seconds = now.queue_seconds

    def renewal(now: Settings) -> None:
        accounts.keeper.ahead = now.refresh_ahead_seconds
        accounts.keeper.spread = now.refresh_ahead_seconds / 2

    def quotas(now: Settings) -> None:
        accounts.quotas.every = now.quota_check_seconds

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
    # Asked for when they are needed.
    live.subscribe(["session_hours", "drain_seconds"], lambda now: None)
    live.subscribe(["cooldown_seconds"], cooldown)
    live.subscribe(["queue_limit", "queue_seconds"], queue)
    live.subscribe(["refresh_ahead_seconds"], renewal)
    live.subscribe(["quota_check_seconds"], quotas)
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
