# -*- test-case-name: tests.commands.test_accounts -*-
"""Accounts as the service tells of them: all, some, or the one that is meant."""

from typing import Any, Final

from kiro2api.commands.calling import Api
from kiro2api.commands.finding import one

PATH: Final = "/api/tokens"


async def every(api: Api, **filters: str) -> list[dict[str, Any]]:
    """All accounts that match; raises CommandFailed."""
    return await api.everything(PATH, "tokens", **filters)


async def the_account(api: Api, wanted: str) -> dict[str, Any]:
    """The account of that id or name; raises CommandFailed."""
    return one(await every(api, q=wanted), wanted, "account", "kiro2api accounts list")
