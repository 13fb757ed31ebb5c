# -*- test-case-name: tests.accounts.test_registry_groups -*-
"""Everything an operator does to groups of accounts.

Must not know how it is asked for. A group with accounts in it exists without having been made;
its policy is then the usual one.
"""

from collections.abc import Callable

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import DEFAULT_GROUP
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_changes import (
    GroupPatch,
    changed_policy,
    keep_default,
    new_group_name,
)
from kiro2api.accounts.registry_store import Said
from kiro2api.errors import Conflict


class GroupRegistry:
    """Makes, changes, renames and removes groups."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.keys_changed: Callable[[], object] = lambda: None
        """Called when the groups that client keys are for may be called differently."""

    def all(self) -> tuple[GroupPolicy, ...]:
        """Every group, the default one first, then by name."""
        policies = self._registry.roll.policies.values()
        return tuple(sorted(policies, key=lambda each: (each.name != DEFAULT_GROUP, each.name)))

    def policy(self, name: str) -> GroupPolicy:
        """One group; raises NotFound."""
        return self._registry.roll.policy(name)

    def create(self, actor: str, name: str, patch: GroupPatch) -> Deferred[GroupPolicy]:
        """A new group; fails with RequestRejected, or with Conflict if it is there."""
        return self._registry.order.run(self._create(actor, name, patch))

    def change(self, actor: str, name: str, patch: GroupPatch) -> Deferred[GroupPolicy]:
        """Change what is given; takes effect with the next choice."""
        return self._registry.order.run(self._change(actor, name, patch))

    def rename(self, actor: str, name: str, new: str) -> Deferred[GroupPolicy]:
        """Call it differently; its accounts, and the keys that are for it, follow."""
        return self._registry.order.run(self._rename(actor, name, new))

    def remove(self, actor: str, name: str) -> Deferred[int]:
        """Forget it; how many accounts went to the default group."""
        return self._registry.order.run(self._remove(actor, name))

    async def _create(self, actor: str, name: str, patch: GroupPatch) -> GroupPolicy:
        new_group_name(name, "name")
        self._must_be_new(name, "name")
        policy = changed_policy(GroupPolicy(name), patch)
        return await self._put(policy, Said(actor, "group.create", name, _detail(patch)))

    async def _change(self, actor: str, name: str, patch: GroupPatch) -> GroupPolicy:
        before = self.policy(name)
        policy = changed_policy(before, patch)
        if policy == before:
            return policy
        return await self._put(policy, Said(actor, "group.change", name, _detail(patch)))

    async def _rename(self, actor: str, name: str, new: str) -> GroupPolicy:
        registry = self._registry
        before = self.policy(name)
        keep_default(name, "renamed")
        if new == name:
            return before
        new_group_name(new, "new_name")
        self._must_be_new(new, "new_name")
        policy = msgspec.structs.replace(before, name=new)
        said = Said(actor, "group.rename", name, {"new_name": new})
        await registry.store.rename_group(name, policy, said)
        registry.roll.policies[new] = policy
        registry.pool.set_group(policy)
        self._move(name, new)
        self.keys_changed()
        return policy

    async def _remove(self, actor: str, name: str) -> int:
        registry = self._registry
        self.policy(name)
        keep_default(name, "removed")
        moved = len(registry.roll.members(name))
        await registry.store.remove_group(
            name, Said(actor, "group.remove", name, {"moved_accounts": moved})
        )
        self._move(name, DEFAULT_GROUP)
        self.keys_changed()
        return moved

    async def _put(self, policy: GroupPolicy, said: Said) -> GroupPolicy:
        await self._registry.store.put_group(policy, said)
        self._registry.roll.policies[policy.name] = policy
        self._registry.pool.set_group(policy)
        return policy

    def _move(self, old: str, new: str) -> None:
        """Everybody, at once, so that the old group can go."""
        registry = self._registry
        for card in registry.roll.members(old):
            account = msgspec.structs.replace(card.account, group=new)
            moved = msgspec.structs.replace(card, account=account)
            registry.apply(moved, registry.credentials(account.fingerprint))
        registry.roll.policies.pop(old, None)
        registry.pool.drop_group(old)

    def _must_be_new(self, name: str, param: str) -> None:
        if name in self._registry.roll.policies:
            raise Conflict(f"there is a group {name!r} already", param=param)


def _detail(patch: GroupPatch) -> dict[str, object]:
    return {
        field: value
        for field in patch.__struct_fields__
        if (value := getattr(patch, field)) is not msgspec.UNSET
    }
