# -*- test-case-name: tests.emulator.test_credits -*-
"""The invented accounts of a demonstration: one of each sort, as an operator might have them.

Pure. Their tokens open nothing but the emulator.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from kiro2api.emulator.accounts import DEMO, EmulatedAccount
from kiro2api.emulator.credits import Bonus, Plan

_ARN: Final = "arn:aws:codewhisperer:us-east-1:000000000000:profile/"

CAST: Final = (
    DEMO,
    EmulatedAccount(
        name="grace",
        method="idc",
        refresh_token="demo-refresh-grace",  # noqa: S106
        client_id="demo-client-grace",
        client_secret="demo-secret-grace",  # noqa: S106
        profile_arn=f"{_ARN}EMULATEDGRCE",
        rotates=False,
        plan=Plan(
            used=1_742.5,
            credits=2_000.0,
            bonuses=(Bonus(limit=500.0, used=61.25),),
            subscription="KIRO PRO+",
            email="grace.hopper@example.com",
        ),
    ),
    EmulatedAccount(
        name="alan",
        refresh_token="demo-refresh-alan",  # noqa: S106
        profile_arn=f"{_ARN}EMULATEDALAN",
        rotates=False,
        plan=Plan(
            used=50.0,
            credits=50.0,
            trial=500.0,
            trial_used=212.0,
            subscription="KIRO FREE",
            email="alan.turing@example.org",
        ),
    ),
    EmulatedAccount(
        name="katherine",
        method="api_key",
        api_key="ksk_demo_katherine",
        profile_arn="",
        plan=Plan(
            used=10_310.0,
            credits=10_000.0,
            overage=True,
            subscription="KIRO POWER",
            email="katherine.johnson@example.com",
        ),
    ),
    EmulatedAccount(
        name="edsger",
        refresh_token="demo-refresh-edsger",  # noqa: S106
        profile_arn=f"{_ARN}EMULATEDEDSG",
        rotates=False,
        plan=Plan(
            used=1_000.0, credits=1_000.0, subscription="KIRO PRO", email="edsger@example.net"
        ),
    ),
)
"""The first is the one that is there when nothing else is configured; the last has spent all."""


def cast(now: float) -> tuple[EmulatedAccount, ...]:
    """The same accounts, with credits that are reset on the first of next month.

    :param now: epoch seconds.
    """
    today = datetime.fromtimestamp(now, UTC)
    year, month = divmod(today.year * 12 + today.month, 12)
    reset = datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
    return tuple(
        msgspec.structs.replace(account, plan=msgspec.structs.replace(account.plan, reset_at=reset))
        for account in CAST
    )


def entries(accounts: Iterable[EmulatedAccount]) -> list[dict[str, str]]:
    """KIRO_AUTH_TOKEN, as objects, for these accounts."""
    return [
        {
            "auth": account.method,
            "name": account.name,
            "refreshToken": account.refresh_token,
            "clientId": account.client_id,
            "clientSecret": account.client_secret,
            "apiKey": account.api_key,
        }
        for account in accounts
    ]
