# -*- test-case-name: tests.test_settings -*-
"""Every setting of the service, declared once: name, variable, type, unit, default, meaning.

Pure. Must not know where values come from or who uses them.

A setting has one name in three spellings: ``KIRO_PING_SECONDS`` in the environment and in
``.env``, ``ping_seconds`` in TOML and as the attribute, ``--ping-seconds`` on the command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, get_type_hints

import msgspec

from kiro2api.settings_access import AccessSettings
from kiro2api.settings_accounts import AccountSettings
from kiro2api.settings_declared import Setting
from kiro2api.settings_fidelity import FidelitySettings
from kiro2api.settings_upstream import UpstreamSettings

__all__ = ["TABLE", "ExtraModel", "Setting", "Settings"]


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


@dataclass(frozen=True)
class Settings(FidelitySettings, UpstreamSettings, AccountSettings, AccessSettings):
    """All settings, checked. ``notes`` are lines for the log, none of which is an error.

    ``origins``: of each setting that was given, whether as an ``option``, in the ``environment``
    (or ``.env``) or in the ``file``.
    """

    models: Mapping[str, ExtraModel]
    aliases: Mapping[str, str]
    notes: tuple[str, ...]
    origins: Mapping[str, str] = field(default_factory=dict)


def _table() -> dict[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


TABLE: Final[Mapping[str, Setting]] = _table()
"""Every setting by its name (the attribute of ``Settings``), in the order of their declaration."""
