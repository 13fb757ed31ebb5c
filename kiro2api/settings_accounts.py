# -*- test-case-name: tests.test_settings -*-
"""Where accounts are kept and how they are chosen: a part of the settings.

Pure. Must not know where values come from or who uses them.
"""

from dataclasses import dataclass
from typing import Annotated

from kiro2api.redaction import Secret
from kiro2api.settings_declared import Setting
from kiro2api.settings_kinds import database_url, hidden, hidden_list, plain, seconds, whole


@dataclass(frozen=True)
class AccountSettings:
    """Where accounts and what is known of them are kept, and how they are chosen."""

    auth_token: Annotated[
        Secret | None,
        Setting(
            "KIRO_AUTH_TOKEN",
            hidden("JSON, or the path of a JSON file"),
            None,
            "The accounts: a JSON array of credentials, or the path of a file that holds one.",
        ),
    ]
    db_path: Annotated[
        str,
        Setting(
            "KIRO_DB_PATH",
            plain("the path of a file"),
            "./data/kiro2api.db",
            "The SQLite file that keeps rotated credentials.",
        ),
    ]
    db_url: Annotated[
        Secret | None,
        Setting(
            "KIRO_DB_URL",
            database_url(),
            None,
            "The PostgreSQL database to use instead of the file KIRO_DB_PATH.",
        ),
    ]
    secret_key: Annotated[
        tuple[Secret, ...],
        Setting(
            "KIRO_SECRET_KEY",
            hidden_list("one key of 16 characters or more, or several separated by commas", 16),
            None,
            "Encrypts stored credentials: the first key encrypts, all decrypt.",
        ),
    ]
    attempts: Annotated[
        int,
        Setting(
            "KIRO_ATTEMPTS",
            whole(1, 100),
            "3",
            "How many accounts one request may try before its first byte.",
            "accounts",
        ),
    ]
    cooldown_seconds: Annotated[
        float,
        Setting(
            "KIRO_COOLDOWN_SECONDS",
            seconds(1, 86400),
            "30",
            "How long a throttled account rests at first, where the upstream names no time.",
            "seconds",
        ),
    ]
    refresh_ahead_seconds: Annotated[
        float,
        Setting(
            "KIRO_REFRESH_AHEAD_SECONDS",
            seconds(0, 3000),
            "600",
            "How long before its end an access token is renewed.",
            "seconds",
        ),
    ]
    queue_limit: Annotated[
        int,
        Setting(
            "KIRO_QUEUE_LIMIT",
            whole(0, 100_000),
            "100",
            "How many requests of a group may wait while all accounts are at their limits.",
            "requests",
        ),
    ]
    queue_seconds: Annotated[
        float,
        Setting(
            "KIRO_QUEUE_SECONDS",
            seconds(0, 3600),
            "30",
            "How long each of them waits at most.",
            "seconds",
        ),
    ]
    quota_check_seconds: Annotated[
        float,
        Setting(
            "KIRO_QUOTA_CHECK_SECONDS",
            seconds(0, 604800),
            "3600",
            "How often the credits of each account are read; 0 for never.",
            "seconds",
        ),
    ]
