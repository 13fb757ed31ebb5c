# -*- test-case-name: tests.store.test_groups -*-
"""Groups of accounts and their policies, as rows.

Must not know how a policy works. A group exists also without a row here, as soon as an account is
in it; what it then does is the default.
"""

import time
from collections.abc import Callable, Iterable

import msgspec
from sqlalchemy import Connection, delete, select, update
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import DEFAULT_GROUP
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.store.changes import note, note_all
from kiro2api.store.database import Database
from kiro2api.store.database_portable import put_missing
from kiro2api.store.schema import ACCOUNTS, CLIENT_KEYS, GROUPS


class GroupRows:
    """The table ``groups``. :param now: epoch seconds, for time stamps.

    ``put_in``, ``renamed`` and ``removed`` work inside a transaction of the caller's.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def load(self) -> Deferred[dict[str, GroupPolicy]]:
        """All groups that have a row, by name."""

        def load(connection: Connection) -> dict[str, GroupPolicy]:
            rows = connection.execute(select(GROUPS).order_by(GROUPS.c.name)).mappings()
            known = GroupPolicy.__struct_fields__
            return {
                row["name"]: GroupPolicy(**{field: row[field] for field in known}) for row in rows
            }

        return self._database.run(load)

    def put(self, policy: GroupPolicy) -> Deferred[None]:
        """Make the group, or change it."""
        return self._database.run(lambda connection: self.put_in(connection, policy))

    def rename(self, old: str, new: str) -> Deferred[tuple[str, ...]]:
        """Call it differently, for its accounts and in the lists of client keys, too.

        The fingerprints of its accounts. Fails with ValueError if there is a group of the new
        name, or if the default group is to be renamed.
        """
        return self._database.run(lambda connection: self.renamed(connection, old, new))

    def remove(self, name: str) -> Deferred[tuple[str, ...]]:
        """Forget it; its accounts go to the default group. Their fingerprints.

        A key that was limited to this group alone stays so: an empty list would allow all.
        Fails with ValueError for the default group.
        """
        return self._database.run(lambda connection: self.removed(connection, name))

    def put_in(self, connection: Connection, policy: GroupPolicy) -> None:
        """``put`` inside a transaction."""
        values = msgspec.structs.asdict(policy)
        now = self._now()
        if not put_missing(connection, GROUPS, {**values, "created_at": now}):
            connection.execute(update(GROUPS).where(GROUPS.c.name == policy.name).values(values))
        note(connection, "group", policy.name, now)

    def renamed(self, connection: Connection, old: str, new: str) -> tuple[str, ...]:
        """``rename`` inside a transaction."""
        if old == DEFAULT_GROUP:
            raise ValueError("the default group keeps its name")
        if _exists(connection, new):
            raise ValueError("there is a group of that name")
        connection.execute(update(GROUPS).where(GROUPS.c.name == old).values(name=new))
        moved = _move(connection, old, new)
        keys = _listed(
            connection, old, lambda names: [new if name == old else name for name in names]
        )
        self._note(connection, (old, new), moved, keys)
        return moved

    def removed(self, connection: Connection, name: str) -> tuple[str, ...]:
        """``remove`` inside a transaction."""
        if name == DEFAULT_GROUP:
            raise ValueError("the default group cannot be removed")
        connection.execute(delete(GROUPS).where(GROUPS.c.name == name))
        moved = _move(connection, name, DEFAULT_GROUP)
        keys = _listed(
            connection, name, lambda names: [one for one in names if one != name] or names
        )
        self._note(connection, (name,), moved, keys)
        return moved

    def _note(
        self,
        connection: Connection,
        names: Iterable[str],
        moved: Iterable[str],
        keys: Iterable[int],
    ) -> None:
        now = self._now()
        note_all(connection, "group", names, now)
        note_all(connection, "account", moved, now)
        note_all(connection, "key", map(str, keys), now)


def _exists(connection: Connection, name: str) -> bool:
    rows = select(GROUPS.c.name).where(GROUPS.c.name == name)
    members = select(ACCOUNTS.c.fingerprint).where(ACCOUNTS.c.group_name == name).limit(1)
    return connection.execute(rows).first() is not None or (
        connection.execute(members).first() is not None
    )


def _move(connection: Connection, old: str, new: str) -> tuple[str, ...]:
    members = select(ACCOUNTS.c.fingerprint).where(ACCOUNTS.c.group_name == old)
    found = connection.execute(members.order_by(ACCOUNTS.c.fingerprint).with_for_update())
    moved = tuple(found.scalars())
    connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.group_name == old).values(group_name=new))
    return moved


def _listed(
    connection: Connection, name: str, changed: Callable[[list[str]], list[str]]
) -> list[int]:
    """The ids of the client keys whose list of groups was changed."""
    keys = []
    limited = select(CLIENT_KEYS.c.id, CLIENT_KEYS.c.groups).where(CLIENT_KEYS.c.groups != "")
    # In one order, as whoever else changes several keys at once.
    for row in connection.execute(limited.order_by(CLIENT_KEYS.c.id).with_for_update()).all():
        names = msgspec.json.decode(row.groups, type=list[str])
        after = changed(names)
        if name in names and after != names:
            text = msgspec.json.encode(after).decode("utf-8")
            mine = CLIENT_KEYS.c.id == row.id
            connection.execute(update(CLIENT_KEYS).where(mine).values(groups=text))
            keys.append(row.id)
    return keys
