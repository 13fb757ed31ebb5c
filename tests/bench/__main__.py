# -*- test-case-name: tests.bench.test_smoke -*-
"""``python -m tests.bench``: measure kiro2api on this machine, beside a pass-through.

Exit status: 0, 1 if an event was lost or an answer left open, 2 if the benchmark cannot run.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.cases import QUICK, Sizes
from tests.bench.programs import Broken
from tests.bench.report import as_json, shown
from tests.bench.session import CHOICES, hold


def main(words: Sequence[str] | None = None) -> int:
    """Run it as the words say; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often all is done (3)")
    parser.add_argument("--quick", action="store_true", help="shorter measurements, fewer streams")
    parser.add_argument("--only", default="", help=f"some of {','.join(CHOICES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there as well")
    options = parser.parse_args(words)
    only = options.only.split(",") if options.only else list(CHOICES)
    if unknown := set(only) - set(CHOICES):
        parser.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(CHOICES)}")
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if sys.platform != "linux":
        parser.error("it needs Linux: epoll, and CPU times from /proc")
    try:
        outcome = hold(
            QUICK if options.quick else Sizes(),
            rounds=options.rounds,
            only=only,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except Broken as error:
        print(f"tests.bench: {error}", file=sys.stderr)
        return 2
    print(shown(outcome))
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(outcome), indent=1) + "\n", "utf-8")
    return 1 if outcome.defects else 0


if __name__ == "__main__":
    sys.exit(main())
