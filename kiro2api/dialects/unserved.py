# -*- test-case-name: tests.dialects.test_unserved -*-
"""Tools that a client asks for and nobody here can run: the model is told, so that it says so.

Must not know how a dialect names its tools.
"""

from collections.abc import Iterable


def note(tools: Iterable[str]) -> tuple[str, ...]:
    """A system text about these tools, the same whatever their order; none without them."""
    names = ", ".join(sorted(set(tools)))
    if not names:
        return ()
    return (
        f"These tools were asked for but are not available here: {names}. Do not act as if you "
        "had used one of them; where one would be needed, say that it is not available.",
    )
