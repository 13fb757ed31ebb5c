# -*- test-case-name: tests.test_settings_live -*-
"""The settings as they are now: some may change while the service runs.

Pure. What was given explicitly (option, environment, file) stays; what an operator has stored
comes next, then the default. A setting can be changed if and only if somebody applies it: there
is no list beside the subscriptions that could promise more. Must not know where texts are stored
or who asks.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, get_type_hints

import msgspec

from kiro2api.errors import Conflict, RequestRejected
from kiro2api.redaction import Secret
from kiro2api.settings_table import TABLE, Setting, Settings

_KINDS: Final[Mapping[object, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
}
_HINTS: Final = get_type_hints(Settings)


class Described(msgspec.Struct, frozen=True):
    """One setting for an operator.

    ``value`` is null for none; of a secret it is whether there is one. ``source``: ``option``,
    ``environment``, ``file``, ``stored`` or ``default``. ``live``: it takes effect at once, else
    with the next start. ``locked``: it was given explicitly, so that it cannot be stored.
    ``kind``: ``boolean``, ``integer``, ``number``, ``choice``, ``text`` or ``secret``.
    """

    name: str
    env: str
    value: bool | int | float | str | None
    default: bool | int | float | str | None
    source: str
    unit: str
    meaning: str
    live: bool
    locked: bool
    kind: str
    accepts: str
    choices: tuple[str, ...] = ()


Callback = Callable[[Settings], object]


class LiveSettings:
    """The settings, and who is told when some of them change.

    :param settings: as they were found at the start.
    """

    def __init__(self, settings: Settings) -> None:
        self._given = settings
        self._stored: dict[str, str] = {}
        self._subscribers: list[tuple[frozenset[str], Callback]] = []
        self._live: frozenset[str] = frozenset()
        self.current = settings

    def subscribe(self, names: Iterable[str], callback: Callback) -> None:
        """From now on ``callback`` is called with the settings when one of ``names`` changed.

        :raises ValueError: for a name that is no setting, or that of a secret.
        """
        wanted = frozenset(names)
        for name in wanted:
            if name not in TABLE or TABLE[name].kind.secret:
                raise ValueError(f"{name!r} cannot change while the service runs")
        self._subscribers.append((wanted, callback))
        self._live |= wanted

    def apply(self, stored: Mapping[str, str]) -> frozenset[str]:
        """These are the stored texts now; what has changed by that, after everybody was told.

        A text that is not accepted (any more) counts as not stored, like that of a setting which
        was given explicitly, and like one that is not live.
        """
        values: dict[str, Any] = {}
        self._stored = {}
        for name, text in stored.items():
            if name not in self._live or name in self._given.origins:
                continue
            try:
                values[name] = TABLE[name].kind.read(text)
            except ValueError:
                continue
            self._stored[name] = text
        before = self.current
        self.current = dataclasses.replace(self._given, **values)
        changed = frozenset(
            name for name in self._live if getattr(before, name) != getattr(self.current, name)
        )
        if changed:
            for names, callback in self._subscribers:
                if names & changed:
                    callback(self.current)
        return changed

    def checked(self, name: str, value: object) -> str | None:
        """The text to store for a value as JSON has it; None to store none any more.

        :raises RequestRejected: for what is no setting or not accepted.
        :raises Conflict: for what cannot be changed now.
        """
        setting = TABLE.get(name)
        if setting is None:
            raise RequestRejected("this is not a setting", param=name)
        origin = self._given.origins.get(name)
        if name in self._live and origin is not None:
            raise Conflict(
                f"this was given explicitly ({origin}), which wins: change {setting.env} there",
                param=name,
            )
        if name not in self._live:
            raise Conflict(
                f"this needs a new start: set {setting.env} in the environment or in the file",
                param=name,
            )
        text = _text(value)
        if not text:
            return None
        try:
            setting.kind.read(text)
        except ValueError:
            raise RequestRejected(f"this accepts {setting.kind.accepts}", param=name) from None
        return text

    def described(self) -> list[Described]:
        """Every setting, in the order of their declaration."""
        return [self._described(name, setting) for name, setting in TABLE.items()]

    def _described(self, name: str, setting: Setting) -> Described:
        kind = setting.kind
        default = kind.absent if setting.default is None else kind.read(setting.default)
        live = name in self._live
        return Described(
            name=name,
            env=setting.env,
            value=_shown(setting, getattr(self.current, name)),
            default=_shown(setting, default),
            source=self._given.origins.get(name)
            or ("stored" if name in self._stored else "default"),
            unit=setting.unit,
            meaning=setting.meaning,
            live=live,
            locked=live and name in self._given.origins,
            kind=_kind(name, setting),
            accepts=kind.accepts,
            choices=kind.choices,
        )


def _kind(name: str, setting: Setting) -> str:
    if setting.kind.secret:
        return "secret"
    if setting.kind.choices:
        return "choice"
    return _KINDS.get(_HINTS[name], "text")


def _shown(setting: Setting, value: Any) -> bool | int | float | str | None:
    if setting.kind.secret or isinstance(value, Secret):
        return bool(value)
    shown: bool | int | float | str | None = value
    return shown


def _text(value: object) -> str:
    """A JSON value as an operator would write it; empty for none, or what no kind accepts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value).strip()
    # Read by no kind, since none accepts a control character.
    return "\0"
