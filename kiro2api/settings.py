# -*- test-case-name: tests.test_settings -*-
"""The settings of the service, found in several places and checked.

Pure: texts and mappings come in, values go out; reading files and the environment is the
caller's. Must not know who uses a setting. What settings there are: ``settings_table``.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from kiro2api.errors import KiroError
from kiro2api.settings_dotenv import parse_dotenv
from kiro2api.settings_listen import loopback_only
from kiro2api.settings_table import TABLE, ExtraModel, Setting, Settings

__all__ = [
    "TABLE",
    "ConfigError",
    "ExtraModel",
    "Setting",
    "Settings",
    "config_path",
    "describe",
    "load",
    "loopback_only",
    "option_parameters",
    "redacted",
]


class ConfigError(KiroError):
    """The configuration cannot be used; the message is one line for the operator."""


_BY_ENV: Final = {setting.env: name for name, setting in TABLE.items()}
_IN_TOML: Final = frozenset(TABLE) - {"config"}
_ORIGINS: Final = {
    "the command line": "option",
    "the environment": "environment",
    ".env": "environment",
    "the TOML file": "file",
}
_IGNORED: Final = frozenset({"GIN_MODE"})


def load(
    options: Mapping[str, object],
    environment: Mapping[str, str],
    dotenv_text: str | None = None,
    toml_text: str | None = None,
) -> Settings:
    """The settings: options win over the environment, that over .env, over TOML, over defaults.

    :param options: by setting name, with ``-`` or ``_``; None means "not given", and keys that
        are no setting are left alone. A blank text anywhere means "not given".
    :raises ConfigError: naming the setting, the place of the bad value, and what is accepted.
    """
    notes: list[str] = []
    dotenv = _dotenv(dotenv_text)
    document = _toml(toml_text)
    models, aliases = _models(document.pop("models", {})), _aliases(document.pop("aliases", {}))
    places = (
        ("the command line", _from_options(options)),
        ("the environment", _from_environment(environment, "the environment", notes)),
        (".env", _from_environment(dotenv, ".env", notes)),
        ("the TOML file", _from_toml(document, notes)),
    )
    values: dict[str, object] = {}
    given: dict[str, str] = {}
    for name, setting in TABLE.items():
        for place, texts in places:
            if text := texts.get(name):
                values[name] = _read(setting, text, place)
                given[name] = _ORIGINS[place]
                break
        else:
            values[name] = _default(setting)
    if "listen" not in given:
        values["listen"] = str(values["listen"]).replace("{PORT}", str(values["port"]))
    elif "port" in given:
        notes.append("PORT has no effect because KIRO_LISTEN is given")
    return Settings(
        **values,  # type: ignore[arg-type]
        models=models,
        aliases=aliases,
        notes=tuple(notes),
        origins=given,
    )


def config_path(
    options: Mapping[str, object], environment: Mapping[str, str], dotenv_text: str | None
) -> tuple[str, bool]:
    """Path of the TOML file, and whether it was named and so must exist."""
    setting = TABLE["config"]
    for found in (
        _from_options(options).get("config"),
        environment.get(setting.env, "").strip(),
        _dotenv(dotenv_text).get(setting.env, "").strip(),
    ):
        if found:
            return found, True
    return str(_default(setting)), False


def option_parameters() -> list[tuple[str, None, None, str]]:
    """Rows for ``twisted.python.usage.Options.optParameters``.

    Secrets are left out: everybody on the machine can read a command line.
    """
    return [
        (name.replace("_", "-"), None, None, _sentence(setting))
        for name, setting in TABLE.items()
        if not setting.kind.secret
    ]


def describe() -> str:
    """All settings as a text for people: variable, default, meaning, what it accepts."""
    blocks = []
    for setting in TABLE.values():
        default = "not set" if setting.default is None else setting.default
        blocks.append(
            f"{setting.env} (default: {default}{' ' + setting.unit if setting.unit else ''})\n"
            f"    {setting.meaning}\n    Accepts {setting.kind.accepts}."
        )
    return "\n".join(blocks) + "\n"


def redacted(settings: Settings) -> dict[str, str | int | float | bool]:
    """The settings as scalars for a log; of a secret only whether it is set."""
    shown: dict[str, str | int | float | bool] = {}
    for name, setting in TABLE.items():
        value = getattr(settings, name)
        if setting.kind.secret:
            shown[name] = "set" if value else "not set"
        else:
            shown[name] = "not set" if value is None else value
    return shown


def _sentence(setting: Setting) -> str:
    unit = f" ({setting.unit})" if setting.unit else ""
    default = f" [default: {setting.default}]" if setting.default is not None else ""
    return setting.meaning.rstrip(".") + unit + default


def _default(setting: Setting) -> object:
    if setting.default is not None:
        return setting.kind.read(setting.default)
    return setting.kind.absent


def _read(setting: Setting, text: str, place: str) -> object:
    try:
        return setting.kind.read(text)
    except ValueError:
        # An @ may follow a password that somebody put into a URL where none belongs.
        private = setting.kind.secret or "@" in text
        shown = "the value" if private else repr(text[:100])
        raise ConfigError(
            f"{setting.env}: {shown} from {place} is not accepted;"
            f" it accepts {setting.kind.accepts}"
        ) from None


def _from_options(options: Mapping[str, object]) -> dict[str, str]:
    return {
        key.replace("-", "_"): str(value).strip()
        for key, value in options.items()
        if value is not None
    }


def _from_environment(variables: Mapping[str, str], place: str, notes: list[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for variable in sorted(variables):
        if variable in _BY_ENV:
            texts[_BY_ENV[variable]] = variables[variable].strip()
        elif variable in _IGNORED:
            notes.append(f"{variable} in {place} has no effect here")
        elif variable.startswith("KIRO_"):
            notes.append(f"{variable} in {place} is not a setting{_nearest(variable, _BY_ENV)}")
    return texts


def _from_toml(document: Mapping[str, object], notes: list[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, value in document.items():
        if key not in _IN_TOML:
            notes.append(f"{key!r} in the TOML file is not a setting{_nearest(key, _IN_TOML)}")
            continue
        many = TABLE[key].kind.absent == ()
        items = value if many and isinstance(value, list) else [value]
        if not all(isinstance(item, str | int | float) for item in items):
            raise ConfigError(
                f"{TABLE[key].env}: the value of {key!r} in the TOML file has the wrong type;"
                f" it accepts {TABLE[key].kind.accepts}"
            )
        texts[key] = ",".join(_written(item) for item in items).strip()
    return texts


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _nearest(name: str, known: Iterable[str]) -> str:
    # Only needed for a misspelt name, and not cheap to import.
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {found[0]}?" if found else ""


def _dotenv(text: str | None) -> dict[str, str]:
    try:
        return parse_dotenv(text or "")
    except ValueError as wrong:
        raise ConfigError(f".env: {wrong}") from None


def _toml(text: str | None) -> dict[str, object]:
    try:
        return tomllib.loads((text or "").removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError(f"the TOML file cannot be read: {wrong}") from None


def _models(tables: object) -> dict[str, ExtraModel]:
    try:
        return msgspec.convert(tables, dict[str, ExtraModel])
    except msgspec.ValidationError as wrong:
        raise ConfigError(f"[models.NAME] in the TOML file: {wrong}") from None


def _aliases(table: object) -> dict[str, str]:
    try:
        return msgspec.convert(table, dict[str, str])
    except msgspec.ValidationError as wrong:
        raise ConfigError(f"[aliases] in the TOML file: {wrong}") from None
