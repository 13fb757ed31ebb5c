# -*- test-case-name: tests.web.test_listing -*-
"""What ``GET /v1/models`` shows: the catalogue, narrowed to what accounts were seen to be offered.

Never asks the upstream: clients give this list a few seconds. Must not know HTTP headers or how an
offer is fetched.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from kiro2api.accounts.account import Account
from kiro2api.dialects.dialect import Dialect
from kiro2api.dialects.listing import (
    ListedModel,
    anthropic_model,
    anthropic_models,
    openai_model,
    openai_models,
)
from kiro2api.errors import ModelNotFound
from kiro2api.kiro.models import Catalogue, Model
from kiro2api.upstream.interfaces import OfferedModel


class KnownOffers(Protocol):
    """What accounts were seen to be offered."""

    def known(self, account: Account) -> tuple[OfferedModel, ...] | None:
        """The last list, None while there is none."""


LOOKED_AT: Final = 50
"""Accounts of a group whose lists of models are put together, at most."""

Allowed = Callable[[str], bool]


def _everything(model: str) -> bool:
    return True


class ModelShelf:
    """The models of a group, in order and in either shape.

    :param members: gives the accounts of a group; raises NotFound for an unknown one.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        members: Callable[[str], Sequence[Account]],
        offers: KnownOffers,
        default_group: str,
    ) -> None:
        self._catalogue = catalogue
        self._members = members
        self._offers = offers
        self.default_group = default_group

    def entries(self, group: str, allowed: Allowed = _everything) -> list[ListedModel]:
        """The group's models: all of the catalogue while nothing is known of any account."""
        offered: dict[str, OfferedModel] = {}
        unknown = False
        # Each that is looked at may have its list renewed, and they hardly differ.
        for account in self._members(group or self.default_group)[:LOOKED_AT]:
            offer = self._offers.known(account)
            unknown = unknown or offer is None
            for entry in offer or ():
                offered.setdefault(entry.id, entry)
        shown: list[ListedModel] = []
        covered: set[str] = set()
        for public_id, model in self._catalogue.listed():
            covered.update(model.candidates)
            if unknown or not offered or not offered.keys().isdisjoint(model.candidates):
                shown.append(_listed(public_id, model))
        shown.extend(
            ListedModel(entry.id, entry.name or entry.id, 0, _owner(entry.id))
            for entry in offered.values()
            if entry.id not in covered
        )
        return [entry for entry in shown if allowed(entry.id)]

    def page(
        self, group: str, dialect: Dialect, query: dict[str, str], allowed: Allowed = _everything
    ) -> bytes:
        """The list; Anthropic's comes in pages."""
        entries = self.entries(group, allowed)
        if dialect.name != "anthropic":
            return openai_models(entries)
        limit = query.get("limit", "")
        return anthropic_models(
            entries,
            limit=int(limit) if limit.isascii() and limit.isdigit() else None,
            after_id=query.get("after_id") or None,
            before_id=query.get("before_id") or None,
        )

    def one(
        self, group: str, model_id: str, dialect: Dialect, allowed: Allowed = _everything
    ) -> bytes:
        """One model, by any name that is understood; raises ModelNotFound."""
        entries = {entry.id: entry for entry in self.entries(group, allowed)}
        entry = entries.get(model_id)
        if entry is None:
            model = self._catalogue.resolve(model_id)
            named = next((entries[name] for name in model.public if name in entries), None)
            if not model.known or named is None:
                raise ModelNotFound(
                    f"there is no model {model_id!r}; available are: {', '.join(entries)}",
                    param="model",
                )
            entry = ListedModel(model_id, named.display_name, named.created, named.owned_by)
        return anthropic_model(entry) if dialect.name == "anthropic" else openai_model(entry)


def _listed(public_id: str, model: Model) -> ListedModel:
    return ListedModel(public_id, model.display or public_id, model.created, _owner(public_id))


_OWNERS = {
    "claude": "anthropic",
    "gpt": "openai",
    "deepseek": "deepseek",
    "minimax": "minimax",
    "glm": "zhipu",
    "qwen3": "alibaba",
}


def _owner(model_id: str) -> str:
    return _OWNERS.get(model_id.split("-")[0], "kiro")


def query_of(request: Any) -> dict[str, str]:
    """The first value of each query parameter."""
    return {
        name.decode("utf-8", "replace"): values[0].decode("utf-8", "replace")
        for name, values in request.args.items()
    }
