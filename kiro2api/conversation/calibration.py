# -*- test-case-name: tests.conversation.test_calibration -*-
"""How far the estimate of a question's tokens is off, by model, learnt from what the upstream
counted.

Pure and bounded. Must not know what was estimated, nor by what formula.
"""

from typing import Final

import msgspec

LEAST: Final = 0.6
MOST: Final = 1.8
"""Bounds of the correction. Beyond them something else than the estimate is wrong."""
WORTH: Final = 2000
"""Tokens of the smallest estimate that teaches: in a small question what the upstream adds of its
own outweighs what was asked."""
MODELS: Final = 256
"""How many models are kept; the longest known is forgotten first."""

_FIRST_STEP: Final = 0.10
_LAST_STEP: Final = 0.005
_HABIT: Final = 20


class _Learnt(msgspec.Struct):
    factor: float = 1.0
    lessons: int = 0


class Calibration:
    """A factor per model that follows the middle of what was seen.

    Every lesson moves it one small step towards what was seen, never beyond it and however far
    away that is: so a few odd answers change next to nothing, and half of all answers lie on
    either side of it in the end. The steps get smaller as lessons grow more.
    """

    def __init__(self) -> None:
        self._learnt: dict[str, _Learnt] = {}

    def corrected(self, model: str, estimate: int) -> int:
        """The estimate as the upstream would probably count it."""
        learnt = self._learnt.get(model)
        return estimate if learnt is None else round(estimate * learnt.factor)

    def learn(self, model: str, estimate: int, exact: int) -> None:
        """What was estimated at ``estimate`` tokens was counted as ``exact``."""
        if estimate < WORTH or exact <= 0:
            return
        learnt = self._learnt.get(model)
        if learnt is None:
            if len(self._learnt) >= MODELS:
                del self._learnt[next(iter(self._learnt))]
            learnt = self._learnt[model] = _Learnt()
        seen = min(max(exact / estimate, LEAST), MOST)
        step = max(_LAST_STEP, _FIRST_STEP * _HABIT / (_HABIT + 10 * learnt.lessons))
        learnt.lessons += 1
        learnt.factor = min(max(seen, learnt.factor * (1 - step)), learnt.factor * (1 + step))
