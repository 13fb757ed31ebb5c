# -*- test-case-name: tests.accounts.test_expiry -*-
"""The ways in which other tools write when a token expires.

Pure. Must not know what expires.

Wire: RFC 3339 with "Z" or an offset and 0 to 9 fractional digits; epoch seconds; epoch
milliseconds; each of the numbers also as text.
"""

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Final

# Seconds reach this in the year 5138, milliseconds passed it in 1973.
_MILLISECONDS_FROM: Final = 1e11
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def parse_expiry(value: object) -> float:
    """Epoch seconds; None and an empty text give 0, "unknown".

    :raises ValueError: the value is none of the known forms. The message does not repeat it.
    """
    if value is None or value == "":
        return 0.0
    if isinstance(value, str):
        return _number(float(value)) if _NUMBER.fullmatch(value) else _moment(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(float(value))
    raise ValueError("must be a time")


def _number(value: float) -> float:
    if not isfinite(value) or value < 0:
        raise ValueError("must be a time in this era")
    return value / 1000 if value >= _MILLISECONDS_FROM else value


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("must be a time as in 2026-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Some tools write the first moment of the calendar for "none".
    return max(moment.timestamp(), 0.0)
