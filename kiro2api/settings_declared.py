# -*- test-case-name: tests.test_settings -*-
"""How a setting is declared.

Pure. Must not know which settings there are.
"""

from dataclasses import dataclass
from typing import Any

from kiro2api.settings_kinds import Kind


@dataclass(frozen=True, slots=True)
class Setting:
    """What is said about one setting, beside its name and its type.

    ``default`` is text as an operator would write it, None where there is no value.
    """

    env: str
    kind: Kind[Any]
    default: str | None
    meaning: str
    unit: str = ""
