# -*- test-case-name: tests.bench.test_smoke -*-
"""The measurements in this process: parts of kiro2api by themselves, in CPU time.

The yardstick of a conversion is what Python's own json needs to read the same body and write it
again: no proxy that looks into a request can do much less.
"""

import gc
import json
import time
from collections.abc import Callable
from statistics import median

from twisted.internet.task import Clock

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import End, Lease, Outcome, Parked
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.dialects.anthropic.dialect import ANTHROPIC
from kiro2api.dialects.dialect import Opening
from kiro2api.kiro.interpret import Interpreter
from kiro2api.kiro.request import Prepared, prepare
from kiro2api.kiro.tools import SchemaCache
from kiro2api.redaction import Secret
from kiro2api.wire.eventstream import FrameDecoder
from tests.bench import wire
from tests.bench.bodies import large_body
from tests.bench.cases import Sizes
from tests.fakes.store import MemoryStore

_ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEFGHIJKL"
_BATCHES = 5
_FRAMES = 1000

Readings = dict[str, tuple[float, float | None]]
"""By name: what it costs, and what the yardstick costs."""


def measure(sizes: Sizes) -> Readings:
    """Everything once: conversions in milliseconds, the rest in microseconds."""
    found: Readings = {}
    for name, messages, tools, size in (
        ("217 KB", 101, 20, 217_000),
        ("1 MB", 301, 24, 1_050_000),
    ):
        found |= _conversion(name, large_body(messages, tools, size), sizes.body_turns)
    found |= _stream(sizes.body_turns)
    for count in (10, 10_000):
        found[f"choose and return, {count:,} accounts"] = (_pool(count, sizes.pool_cycles), None)
    return found


def _conversion(name: str, body: bytes, turns: int) -> Readings:
    conversation = ANTHROPIC.parse(body).conversation
    schemas = SchemaCache()

    def prepared() -> Prepared:
        return prepare(
            conversation,
            conversation_id="c" * 36,
            continuation_id="d" * 36,
            tool_description_limit=10_000,
            schemas=schemas,
        )

    ready = prepared()

    def stdlib() -> None:
        json.dumps(json.loads(body)).encode()

    parse = _timed(lambda: ANTHROPIC.parse(body), turns) / 1e6
    middle = _timed(prepared, turns) / 1e6
    last = _timed(lambda: ready.body("claude-sonnet-4.5", _ARN), turns) / 1e6
    return {
        f"convert, {name}": (parse + middle + last, _timed(stdlib, turns) / 1e6),
        f"convert, {name}: parse": (parse, None),
        f"convert, {name}: prepare": (middle, None),
        f"convert, {name}: body": (last, None),
    }


def _stream(turns: int) -> Readings:
    """The frames of an answer to the client's events, as one read and as a read per event."""
    frames = [wire.marked(number) for number in range(_FRAMES)]
    whole = b"".join(frames)
    batches = [whole[at : at + 16_384] for at in range(0, len(whole), 16_384)]

    def decode() -> None:
        FrameDecoder().receive(whole)

    def relay(reads: list[bytes]) -> None:
        receive = FrameDecoder().receive
        feed = Interpreter(window=200_000, input_estimate=10, names={}).feed
        write = ANTHROPIC.writer(
            Opening(id="f" * 24, model="claude-sonnet-4-5", created=0, input_tokens=10)
        ).write
        for read in reads:
            write(feed(receive(read)))

    return {
        "decode a frame": (_timed(decode, turns) / 1e3 / _FRAMES, None),
        "frame to event, 16 KB reads": (
            _timed(lambda: relay(batches), turns) / 1e3 / _FRAMES,
            None,
        ),
        "frame to event, a read each": (_timed(lambda: relay(frames), turns) / 1e3 / _FRAMES, None),
    }


def _pool(count: int, cycles: int) -> float:
    """Microseconds to choose an account and give it back; the first half of them rest."""
    accounts = [
        Account(f"{number:032x}", f"account-{number}", "api_key", order=number)
        for number in range(count)
    ]
    credentials = Credentials(access_token=Secret("bench"), refresh_token=Secret(""))
    keyring = Keyring({account.fingerprint: credentials for account in accounts})
    clock, store = Clock(), MemoryStore()
    renewal = RefreshOnce({}, store, keyring, clock)
    ledger = Ledger(accounts)
    for account in accounts[: count // 2]:
        ledger.restore(account.fingerprint, Parked("suspended"), clock.seconds())
    pool = AccountPool(ledger, keyring, store, renewal, clock, jitter=lambda: 0.0)
    pool.start()
    nobody: frozenset[str] = frozenset()
    served = Outcome(End.SERVED)
    leases: list[Lease] = []

    def cycle() -> None:
        for _ in range(cycles):
            pool.acquire("default", nobody).addCallback(leases.append)
            leases.pop().settle(served)

    return _timed(cycle, 1) / 1e3 / cycles


def _timed(work: Callable[[], object], turns: int) -> float:
    """Nanoseconds of CPU time for one turn: the median of some batches."""
    work()
    gc.collect()
    batches = []
    for _ in range(_BATCHES):
        began = time.process_time_ns()
        for _ in range(turns):
            work()
        batches.append((time.process_time_ns() - began) / turns)
    return median(batches)
