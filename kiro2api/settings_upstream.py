# -*- test-case-name: tests.test_settings -*-
"""How the upstream is reached and how long it may take: a part of the settings.

Pure. Must not know where values come from or who uses them.
"""

from dataclasses import dataclass
from typing import Annotated

from kiro2api.redaction import Secret
from kiro2api.settings_declared import Setting
from kiro2api.settings_kinds import choice, proxy_url, seconds, url


@dataclass(frozen=True)
class UpstreamSettings:
    """How the upstream is reached and how long it may take."""

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
    upstream_client: Annotated[
        str,
        Setting(
            "KIRO_UPSTREAM_CLIENT",
            choice("own", "twisted"),
            "own",
            "Which HTTP client fetches answers: the built-in fast one or Twisted's Agent.",
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
