# -*- test-case-name: tests.test_settings -*-
"""Every setting of the service, declared once: name, variable, type, unit, default, meaning.

Pure. Must not know where values come from or who uses them.

A setting has one name in three spellings: ``KIRO_PING_SECONDS`` in the environment and in
``.env``, ``ping_seconds`` in TOML and as the attribute, ``--ping-seconds`` on the command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_type_hints

import msgspec

from kiro2api.redaction import Secret
from kiro2api.settings_kinds import (
    Kind,
    choice,
    endpoint,
    hidden,
    hidden_list,
    plain,
    proxy_url,
    seconds,
    url,
    whole,
    yes_or_no,
)

MIB: Final = 1024 * 1024


class ExtraModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model from a ``[models.NAME]`` table.

    ``public``: ids listed to clients (default: NAME), ``candidates``: upstream ids in order of
    preference (default: NAME), ``window`` and ``max_output`` in tokens.
    """

    public: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    window: Annotated[int, msgspec.Meta(ge=1000)] = 200_000
    max_output: Annotated[int, msgspec.Meta(ge=1)] = 64_000
    images: bool = True
    display: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is said about one setting, beside its name and its type.

    ``default`` is text as an operator would write it, None where there is no value.
    """

    env: str
    kind: Kind[Any]
    default: str | None
    meaning: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. ``notes`` are lines for the log, none of which is an error."""

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
    upstream_url: Annotated[
        str | None,
        Setting(
            "KIRO_UPSTREAM_URL",
            url(),
            None,
            "Replaces the model service's address, which otherwise follows from the account.",
        ),
    ]
    social_auth_url: Annotated[
        str | None,
        Setting(
            "KIRO_SOCIAL_AUTH_URL",
            url(),
            None,
            "Replaces the login service's address for social accounts.",
        ),
    ]
    oidc_url: Annotated[
        str | None,
        Setting(
            "KIRO_OIDC_URL",
            url(),
            None,
            "Replaces the login service's address for Identity Center accounts.",
        ),
    ]
    proxy: Annotated[
        Secret | None,
        Setting(
            "KIRO_PROXY",
            proxy_url(),
            None,
            "Proxy (HTTP CONNECT) through which all connections to the upstream are tunnelled.",
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
    connect_timeout_seconds: Annotated[
        float,
        Setting(
            "KIRO_CONNECT_TIMEOUT_SECONDS",
            seconds(0.5, 300),
            "10",
            "How long a connection to the upstream may take.",
            "seconds",
        ),
    ]
    headers_timeout_seconds: Annotated[
        float,
        Setting(
            "KIRO_HEADERS_TIMEOUT_SECONDS",
            seconds(1, 3600),
            "120",
            "How long the head of the upstream's answer may take, connecting included.",
            "seconds",
        ),
    ]
    first_event_timeout_seconds: Annotated[
        float,
        Setting(
            "KIRO_FIRST_EVENT_TIMEOUT_SECONDS",
            seconds(1, 3600),
            "180",
            "How long the first event of an answer may take after its head.",
            "seconds",
        ),
    ]
    upstream_silence_seconds: Annotated[
        float,
        Setting(
            "KIRO_UPSTREAM_SILENCE_SECONDS",
            seconds(1, 3600),
            "180",
            "How long an answer that has begun may stay silent.",
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
    upstream_client: Annotated[
        str,
        Setting(
            "KIRO_UPSTREAM_CLIENT",
            choice("own", "twisted"),
            "own",
            "Which HTTP client fetches answers: the built-in fast one or Twisted's Agent.",
        ),
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
    models: Mapping[str, ExtraModel]
    aliases: Mapping[str, str]
    notes: tuple[str, ...]


def _table() -> dict[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


TABLE: Final[Mapping[str, Setting]] = _table()
"""Every setting by its name (the attribute of ``Settings``), in the order of their declaration."""
