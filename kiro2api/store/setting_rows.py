# -*- test-case-name: tests.store.test_setting_rows -*-
"""Stored settings, changed together and written down as an operator's deed.

Must not know which settings there are or what they accept.
"""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from kiro2api.store.audit import wrote
from kiro2api.store.database import Database
from kiro2api.store.preferences import PreferenceRows


class SettingRows:
    """The preferences that are settings. :param now: epoch seconds, for the time stamps."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._preferences = PreferenceRows(database, now)
        self._now = now

    def load(self) -> Deferred[dict[str, str]]:
        """All preferences."""
        return self._preferences.load()

    def change(self, actor: str, texts: Mapping[str, str | None]) -> Deferred[dict[str, str]]:
        """Store some and forget others (None), all or nothing; all preferences afterwards."""
        now = self._now()

        def put(connection: Connection) -> None:
            for name, text in texts.items():
                wrote(connection, actor, "setting.change", name, {"value": text}, now)
            for name, text in texts.items():
                if text is None:
                    self._preferences.removed(connection, name)
                else:
                    self._preferences.put_in(connection, name, text)

        changing = self._database.run(put)
        return changing.addCallback(lambda _: self._preferences.load())
