# -*- test-case-name: tests.web.test_gate_models -*-
"""Which models a key is for: names in any spelling, and patterns such as ``claude-sonnet-*``.

Must not know keys.
"""

import re
from fnmatch import translate
from typing import Final, Protocol

from kiro2api.kiro.models import Catalogue

_REMEMBERED: Final = 256
_LONGEST: Final = 200


class Naming(Protocol):
    """What names of models mean; names are compared in lower case."""

    def asked(self, name: str) -> tuple[str, ...]:
        """All names of the model that a client gets for this one, its own name first."""

    def meant(self, name: str) -> str:
        """The own name of the model that an operator means by this one."""


class PlainNaming:
    """Every name means itself."""

    def asked(self, name: str) -> tuple[str, ...]:
        """Itself."""
        return (name.lower(),)

    def meant(self, name: str) -> str:
        """Itself."""
        return name.lower()


class CatalogueNaming:
    """Names as the catalogue knows them, so that no alias and no spelling leads around a rule."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def asked(self, name: str) -> tuple[str, ...]:
        """The model's own name and those it is listed under, also for a stand-in."""
        model = self._catalogue.resolve(name)
        return (model.name.lower(), *(public.lower() for public in model.public))

    def meant(self, name: str) -> str:
        """Without the stand-in for unknown models: a misspelt name must not allow that one."""
        model = self._catalogue.find(name)
        return model.name.lower() if model is not None else name.lower()


class ModelRule:
    """The models that some patterns allow; no patterns allow all."""

    def __init__(self, patterns: tuple[str, ...], naming: Naming) -> None:
        self._naming = naming
        globs = [each.lower() for each in patterns if any(mark in each for mark in "*?[")]
        self._all = not patterns
        self._named = {naming.meant(each) for each in patterns if each.lower() not in globs}
        self._glob = re.compile("|".join(map(translate, globs))) if globs else None
        self._known: dict[str, bool] = {}

    def allows(self, model: str) -> bool:
        """Whether a client may ask for this name; the latest names are remembered."""
        if self._all:
            return True
        allowed = self._known.get(model)
        if allowed is None:
            allowed = self._allows(model)
            if len(self._known) < _REMEMBERED and len(model) <= _LONGEST:
                self._known[model] = allowed
        return allowed

    def _allows(self, model: str) -> bool:
        names = self._naming.asked(model)
        if names[0] in self._named:
            return True
        return self._glob is not None and any(map(self._glob.match, names))
