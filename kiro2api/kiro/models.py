# -*- test-case-name: tests.kiro.test_models -*-
"""From the model name a client asks for to the id the upstream knows.

A closed list serves for listing; names outside it are passed on, because new models appear
faster than releases and the upstream is the judge of its own ids. Must not know who offers a
model at the moment: that comes in as an argument.

Wire: ids are dotted (``claude-sonnet-4.5``) where client-side ids are dashed and dated; older
accounts know some models by upper-case ids; the list an account is offered is the authority.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

DEFAULT_WINDOW: Final = 200_000
"""Tokens, where neither the table nor the upstream says more."""
DEFAULT_OUTPUT: Final = 64_000

AUTO: Final = "auto"
"""Lets the upstream pick the model."""

_REMEMBERED: Final = 1000
_LONGEST: Final = 200

_MILLION: Final = 1_000_000
_K200: Final = DEFAULT_WINDOW


class Model(msgspec.Struct, frozen=True):
    """One model of the upstream.

    ``name`` is the dotted id, ``public`` the ids listed to clients, ``candidates`` the upstream
    ids in the order of preference. ``window`` and ``max_output`` are in tokens, ``created`` in
    epoch seconds. ``known`` is False for a name that is only passed on.
    """

    name: str
    public: tuple[str, ...]
    candidates: tuple[str, ...]
    window: int = DEFAULT_WINDOW
    max_output: int = DEFAULT_OUTPUT
    images: bool = True
    created: int = 0
    display: str = ""
    known: bool = True


def _claude(
    name: str,
    public: str,
    display: str,
    created: int,
    window: int = _K200,
    *older: str,
    max_output: int = DEFAULT_OUTPUT,
) -> Model:
    return Model(name, (public,), (name, *older), window, max_output, True, created, display)


def _other(
    name: str, display: str, created: int, window: int, max_output: int, images: bool = False
) -> Model:
    return Model(name, (name,), (name,), window, max_output, images, created, display)


# Creation times are the days on which the models were published, as far as known.
BUILT_IN: Final[tuple[Model, ...]] = (
    _claude("claude-opus-5", "claude-opus-5", "Claude Opus 5", 1784851200, _MILLION,
            max_output=128_000),
    _claude("claude-fable-5", "claude-fable-5", "Claude Fable 5", 1782864000, _MILLION),
    _claude("claude-sonnet-5", "claude-sonnet-5", "Claude Sonnet 5", 1780272000, _MILLION),
    _claude("claude-opus-4.8", "claude-opus-4-8", "Claude Opus 4.8", 1779235200, _MILLION),
    _claude("claude-opus-4.7", "claude-opus-4-7", "Claude Opus 4.7", 1776297600, _MILLION),
    _claude("claude-opus-4.6", "claude-opus-4-6", "Claude Opus 4.6", 1770249600, _MILLION,
            "claude-opus-4.6-1m"),
    _claude("claude-sonnet-4.6", "claude-sonnet-4-6", "Claude Sonnet 4.6", 1771286400, _MILLION,
            "claude-sonnet-4.6-1m"),
    _claude("claude-opus-4.5", "claude-opus-4-5-20251101", "Claude Opus 4.5", 1761955200),
    _claude("claude-sonnet-4.5", "claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", 1759104000,
            _K200, "CLAUDE_SONNET_4_5_20250929_V1_0", "claude-sonnet-4.5-1m"),
    _claude("claude-haiku-4.5", "claude-haiku-4-5", "Claude Haiku 4.5", 1759276800, _K200,
            AUTO),
    _claude("claude-sonnet-4", "claude-sonnet-4-20250514", "Claude Sonnet 4", 1747180800,
            _K200, "CLAUDE_SONNET_4_20250514_V1_0"),
    _claude("claude-3.7-sonnet", "claude-3-7-sonnet-20250219", "Claude Sonnet 3.7", 1739923200,
            _K200, "CLAUDE_3_7_SONNET_20250219_V1_0"),
    _other(AUTO, "Auto", 1740787200, _K200, DEFAULT_OUTPUT, True),
    _other("gpt-5.6-sol", "GPT-5.6 Sol", 1783987200, 272_000, 128_000, True),
    _other("gpt-5.6-terra", "GPT-5.6 Terra", 1783987200, 272_000, 128_000, True),
    _other("gpt-5.6-luna", "GPT-5.6 Luna", 1783987200, 272_000, 128_000, True),
    _other("deepseek-3.2", "DeepSeek 3.2", 1764547200, 128_000, 8_000),
    _other("minimax-m2.5", "MiniMax M2.5", 1770854400, 196_000, 8_000),
    _other("minimax-m2.1", "MiniMax M2.1", 1766448000, 196_000, 8_000),
    _other("glm-5", "GLM 5", 1770768000, 200_000, 8_000),
    _other("qwen3-coder-next", "Qwen3 Coder Next", 1769990400, 256_000, 8_000),
)  # fmt: skip

# Names of models that this upstream never had, which the predecessor documented with a stand-in.
# Only exactly these: anything else unknown is passed on and left to the upstream's judgement.
STAND_INS: Final[Mapping[str, str]] = {
    "claude-sonnet-4-0": "claude-sonnet-4",
    "claude-3-5-haiku-20241022": "claude-haiku-4.5",
    "claude-opus-4-1": "claude-opus-4.5",
    "claude-opus-4-1-20250805": "claude-opus-4.5",
    "claude-opus-4-0": "claude-opus-4.5",
    "claude-opus-4-20250514": "claude-opus-4.5",
}

# A router's or another cloud's way to write the maker in front of a Claude name.
_MAKER = re.compile(r"^(?:[a-z0-9_-]+/)*(?:(?:us|eu|apac|ap|jp|au|global)\.)?(?:anthropic[./])?")
_REVISION = re.compile(r"(?:-v\d+(?::\d+)?|@\d{8})$")
_DATE = re.compile(r"-20\d{6}$")
_SUFFIX = re.compile(r"(?:-latest|-thinking|\[1m\]|-1m|-(?:minimal|low|medium|high|xhigh|max))$")
_VERSION = re.compile(r"(?<=[a-z0-9]-)(\d{1,2})-(\d{1,2})(?=-|$)")


def normalised(name: str) -> str:
    """The dotted form of a client's way to write a model: case, maker, date and suffixes gone.

    Only ever takes away or replaces punctuation, so one version never turns into another.
    """
    short = name.strip().lower().removeprefix("models/")
    if "claude" in short:
        short = _MAKER.sub("", short, count=1)
    while True:
        shorter = _SUFFIX.sub("", _DATE.sub("", _REVISION.sub("", short)))
        if shorter == short or not shorter:
            break
        short = shorter
    return _VERSION.sub(r"\1.\2", short)


class Catalogue:
    """The models that clients may be shown and how their names are understood.

    :param models: the models listed, in the order of listing; a later one replaces an earlier
        one of the same name.
    :param aliases: the operator's own names for models, exact; they come before everything else.
    :param fallback: the model that serves unknown names; empty: they are passed on unchanged.
    """

    def __init__(
        self,
        models: Iterable[Model] = BUILT_IN,
        aliases: Mapping[str, str] = {},
        fallback: str = "",
    ) -> None:
        self._models = {model.name: model for model in models}
        self._public = {id: model for model in self._models.values() for id in model.public}
        self._by_name: dict[str, Model] = {}
        for model in self._models.values():
            for name in (*model.candidates, *model.public):
                if name != AUTO:  # a candidate of several, the name of one
                    self._by_name.setdefault(normalised(name), model)
        self._by_name.update(self._models)
        self._aliases = dict(STAND_INS) | {key.lower(): value for key, value in aliases.items()}
        self._fallback = fallback
        self._resolved_names: dict[str, Model] = {}

    def resolve(self, name: str) -> Model:
        """The model of that name: see ``_resolved``; the latest names are remembered."""
        model = self._resolved_names.get(name)
        if model is None:
            model = self._resolved(name)
            # Clients choose these names, so they are bounded in number and length.
            if len(self._resolved_names) < _REMEMBERED and len(name) <= _LONGEST:
                self._resolved_names[name] = model
        return model

    def _resolved(self, name: str) -> Model:
        """The model meant by a client's name for it. Never fails: see ``Model.known``."""
        meant = self._unaliased(name)
        model = self._named(meant)
        if model is None and self._fallback:
            meant = self._unaliased(self._fallback)
            model = self._named(meant)
        return _passed_on(meant) if model is None else model

    def listed(self) -> tuple[tuple[str, Model], ...]:
        """What clients are shown: public ids with their models, in a stable order."""
        return tuple(self._public.items())

    def find(self, public_id: str) -> Model | None:
        """The model of a listed id, also in another of its spellings; None if unknown."""
        return self._named(self._unaliased(public_id))

    def _unaliased(self, name: str) -> str:
        # An alias may lead to another alias, but not in circles.
        for _ in range(len(self._aliases) + 1):
            target = self._aliases.get(name.strip().lower())
            if target is None:
                break
            name = target
        return name

    def _named(self, name: str) -> Model | None:
        # An exact name comes first: two models of the operator may differ in a suffix only.
        return (
            self._models.get(name) or self._public.get(name) or self._by_name.get(normalised(name))
        )


def _passed_on(name: str) -> Model:
    """A model of which nothing is known but its name.

    Claude names are tried as the upstream would write them, then as given; others as given.
    """
    dotted = normalised(name) if "claude-" in name.lower() else name
    candidates = tuple(dict.fromkeys((dotted, name)))
    return Model(name=dotted, public=(), candidates=candidates, display=name, known=False)


def choose_upstream_id(model: Model, offered: Collection[str] | None) -> str:
    """The id to send: the first candidate that the account is offered, else the preferred one.

    ``offered`` None means that the account's list is not known.
    """
    for candidate in model.candidates:
        if offered is not None and candidate in offered:
            return candidate
    return model.candidates[0]
