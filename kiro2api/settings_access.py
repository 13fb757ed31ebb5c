# -*- test-case-name: tests.test_settings -*-
"""Who may use the service, where it listens and what it logs: a part of the settings.

Pure. Must not know where values come from or who uses them.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from kiro2api.redaction import Secret
from kiro2api.settings_declared import Setting
from kiro2api.settings_kinds import choice, endpoint, hidden, hidden_list, plain, seconds, whole

MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class AccessSettings:
    """Who may use the service, where it listens and what it logs."""

    client_token: Annotated[
        tuple[Secret, ...],
        Setting(
            "KIRO_CLIENT_TOKEN",
            hidden_list("one key, or several separated by commas"),
            None,
            "Keys with which clients may ask the model; without one only this machine is served.",
        ),
    ]
    admin_token: Annotated[
        Secret | None,
        Setting(
            "KIRO_ADMIN_TOKEN",
            hidden("one key"),
            None,
            "Key for the operator's own pages and calls.",
        ),
    ]
    port: Annotated[int, Setting("PORT", whole(1, 65535), "8080", "TCP port of the service.")]
    listen: Annotated[
        str,
        Setting(
            "KIRO_LISTEN",
            endpoint(),
            "tcp:{PORT}:interface=127.0.0.1:backlog=1024",
            "Where to listen, as a Twisted endpoint string; given, it overrides PORT.",
        ),
    ]
    workers: Annotated[
        int,
        Setting(
            "KIRO_WORKERS",
            whole(1, 64),
            "1",
            "How many processes serve together; about one per core.",
            "processes",
        ),
    ]
    max_concurrent: Annotated[
        int,
        Setting(
            "KIRO_MAX_CONCURRENT",
            whole(0, 1_000_000),
            "0",
            "Requests served at the same time; 0 sets no limit.",
            "requests",
        ),
    ]
    max_body_bytes: Annotated[
        int,
        Setting(
            "KIRO_MAX_BODY_BYTES",
            whole(32_000_000, 1024 * MIB),
            str(64 * MIB),
            "The largest request body that is read.",
            "bytes",
        ),
    ]
    client_stall_seconds: Annotated[
        float,
        Setting(
            "KIRO_CLIENT_STALL_SECONDS",
            seconds(1, 86400),
            "300",
            "How long a client may stop reading before it is cut off.",
            "seconds",
        ),
    ]
    drain_seconds: Annotated[
        float,
        Setting(
            "KIRO_DRAIN_SECONDS",
            seconds(0, 3600),
            "30",
            "How long running answers may continue after the service was told to stop.",
            "seconds",
        ),
    ]
    ping_seconds: Annotated[
        float,
        Setting(
            "KIRO_PING_SECONDS",
            seconds(1, 600),
            "15",
            "Silence after which a waiting client is sent a sign of life.",
            "seconds",
        ),
    ]
    log_level: Annotated[
        str,
        Setting(
            "LOG_LEVEL",
            choice("trace", "debug", "info", "warn", "error", warning="warn"),
            "info",
            "The least important lines that are still logged.",
        ),
    ]
    log_format: Annotated[
        str, Setting("LOG_FORMAT", choice("text", "json"), "text", "How a log line is written.")
    ]
    config: Annotated[
        str,
        Setting(
            "KIRO_CONFIG",
            plain("the path of a file"),
            "kiro2api.toml",
            "The TOML file to read; the default one may be missing.",
        ),
    ]
    session_hours: Annotated[
        int,
        Setting(
            "KIRO_SESSION_HOURS",
            whole(1, 8760),
            "12",
            "How long a login to the console lasts.",
            "hours",
        ),
    ]
    metrics_listen: Annotated[
        str | None,
        Setting(
            "KIRO_METRICS_LISTEN",
            endpoint(),
            None,
            "Where /metrics is also served without a key, as a Twisted endpoint string.",
        ),
    ]
    records_days: Annotated[
        int,
        Setting(
            "KIRO_RECORDS_DAYS",
            whole(1, 3650),
            "30",
            "How long records of requests are kept.",
            "days",
        ),
    ]
    records_max_megabytes: Annotated[
        int,
        Setting(
            "KIRO_RECORDS_MAX_MEGABYTES",
            whole(0, 1_000_000),
            "512",
            "About how much room they may take, the oldest going first; 0 sets no limit.",
            "megabytes",
        ),
    ]
