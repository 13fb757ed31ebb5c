# -*- test-case-name: tests.web.admin.test_tokens_recent -*-
"""How the accounts stand, looked at again only after a moment or a change.

Must not know what is shown of it. With many accounts, or several processes, a look at all of them
costs more than a page of them, and pages are turned faster than anything changes by itself.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from kiro2api.web.overview import Overview

SECONDS: Final = 0.5


class Recent:
    """Remembers an overview for ``seconds``.

    :param look: gives a new one.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[Overview]],
        clock: IReactorTime,
        seconds: float = SECONDS,
    ) -> None:
        self._look = look
        self._clock = clock
        self._seconds = seconds
        self._known: Overview | None = None
        self._until = 0.0
        self._changes = 0

    async def overview(self) -> Overview:
        """One that is new enough for a list."""
        if self._known is None or self._clock.seconds() >= self._until:
            return await self.fresh()
        return self._known

    async def fresh(self) -> Overview:
        """A new one."""
        changes = self._changes
        found = await self._look()
        if changes == self._changes:
            self._known, self._until = found, self._clock.seconds() + self._seconds
        return found

    def forget(self, account_id: str = "") -> None:
        """Something was changed: the next look is a new one."""
        self._changes += 1
        self._known = None
