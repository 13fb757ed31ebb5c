# -*- test-case-name: tests.test_workers -*-
"""Which worker processes there should be: who is started, ended or replaced, and when.

Pure: it decides and performs nothing; the time (seconds of any clock) is an argument. Must not
know processes, signals or sockets.
"""

from enum import Enum
from math import inf
from typing import Final, TypeAlias

import msgspec

FIRST_REST: Final = 1.0
LONGEST_REST: Final = 30.0
GOOD_LIFE: Final = 60.0
"""A worker that lived so long died of something new: its successor does not wait longer."""

START_LIMIT: Final = 90.0
"""Seconds in which a worker must be serving."""

END_LIMIT: Final = 30.0
"""Seconds that a worker gets to end, beyond those for its answers."""


class Start(msgspec.Struct, frozen=True):
    """Start a process in the place ``number``, and call it ``serial`` from then on."""

    serial: int
    number: int


class Drain(msgspec.Struct, frozen=True):
    """Tell a process to end when its answers are delivered."""

    serial: int


class Kill(msgspec.Struct, frozen=True):
    """End a process at once."""

    serial: int


class Rest(msgspec.Struct, frozen=True):
    """Nothing to do but to tell the operator: the place stays empty for so many seconds."""

    number: int
    seconds: float


class Abandon(msgspec.Struct, frozen=True):
    """Nothing to do but to tell the operator: the new worker of a reload could not start."""

    number: int


Action: TypeAlias = Start | Drain | Kill | Rest | Abandon


class Phase(Enum):
    """Where in its life a worker is."""

    STARTING = "starting"
    SERVING = "serving"
    ENDING = "ending"


class _Worker(msgspec.Struct):
    serial: int
    number: int
    generation: int
    born: float
    phase: Phase = Phase.STARTING
    deadline: float = inf
    """When it is killed."""


class _Place(msgspec.Struct):
    failures: int = 0
    again: float = 0.0
    """Not before then is it filled."""


class Plan:
    """Keeps ``count`` places filled.

    A reload replaces the workers one after another: each is told to end only once its successor
    serves. Each method returns what is to be done now, in order.
    """

    def __init__(self, count: int, drain_seconds: float) -> None:
        """:param drain_seconds: how long a worker's answers may take to be delivered."""
        self._count = count
        self._drain_seconds = drain_seconds
        self._workers: dict[int, _Worker] = {}
        self._places: dict[int, _Place] = {}
        self._generation = 0
        self._last_serial = 0
        self._stopping = False

    @property
    def finished(self) -> bool:
        """Whether it was told to stop, and everybody has ended."""
        return self._stopping and not self._workers

    @property
    def count(self) -> int:
        """How many workers there should be."""
        return self._count

    def due(self, now: float) -> float | None:
        """In how many seconds to call ``look``; None if nothing waits for time to pass."""
        moments = [worker.deadline for worker in self._workers.values() if worker.deadline < inf]
        if not self._stopping:
            moments += [self._place(n).again for n in self._empty()]
        return max(min(moments) - now, 0.0) if moments else None

    # ── what happened ────────────────────────────────────────────────────────

    def look(self, now: float) -> list[Action]:
        """Time has passed; also the very first call."""
        return self._settled(now)

    def serves(self, serial: int, now: float) -> list[Action]:
        """A worker has begun to serve."""
        worker = self._workers.get(serial)
        if worker is None or worker.phase is not Phase.STARTING:
            return []
        worker.phase, worker.deadline = Phase.SERVING, inf
        predecessors = [
            other
            for other in self._in_place(worker.number)
            if other.serial < serial and other.phase is not Phase.ENDING
        ]
        ending = [self._end(other, now) for other in predecessors]
        return [*ending, *self._settled(now)]

    def ended(self, serial: int, now: float) -> list[Action]:
        """A process is gone, whatever the reason."""
        worker = self._workers.pop(serial, None)
        if worker is None:
            return []
        said: list[Action] = []
        if worker.phase is not Phase.ENDING and not self._stopping:
            others = [o for o in self._in_place(worker.number) if o.phase is not Phase.ENDING]
            if not others:
                said.append(self._failed(worker, now))
            elif worker.phase is Phase.STARTING:
                # The old ones go on as they are: better than nobody.
                said.append(Abandon(worker.number))
                for other in self._workers.values():
                    other.generation = self._generation
        return [*said, *self._settled(now)]

    def reload(self, count: int, drain_seconds: float, now: float) -> list[Action]:
        """Replace everybody, by ``count`` workers."""
        self._count, self._drain_seconds = count, drain_seconds
        self._generation += 1
        self._places.clear()
        return self._settled(now)

    def stop(self, now: float) -> list[Action]:
        """End everybody and start nobody."""
        self._stopping = True
        return self._settled(now)

    # ── what follows ─────────────────────────────────────────────────────────

    def _settled(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for worker in self._workers.values():
            if worker.deadline <= now:
                worker.deadline = inf
                actions.append(Kill(worker.serial))
        if self._stopping:
            living = [w for w in self._workers.values() if w.phase is not Phase.ENDING]
            return actions + [self._end(worker, now) for worker in living]
        empty = [number for number in self._empty() if self._place(number).again <= now]
        actions += [self._start(number, now) for number in empty]
        if any(worker.phase is Phase.STARTING for worker in self._workers.values()):
            return actions
        serving = [w for w in self._workers.values() if w.phase is Phase.SERVING]
        outdated = [w for w in serving if w.generation < self._generation]
        wanted = sorted(w.number for w in outdated if w.number <= self._count)
        if wanted:
            actions.append(self._start(wanted[0], now))
        else:
            surplus = [w for w in serving if w.number > self._count]
            actions += [self._end(worker, now) for worker in surplus]
        return actions

    def _start(self, number: int, now: float) -> Start:
        self._last_serial += 1
        self._workers[self._last_serial] = _Worker(
            self._last_serial, number, self._generation, now, deadline=now + START_LIMIT
        )
        return Start(self._last_serial, number)

    def _end(self, worker: _Worker, now: float) -> Drain:
        worker.phase = Phase.ENDING
        worker.deadline = now + self._drain_seconds + END_LIMIT
        return Drain(worker.serial)

    def _failed(self, worker: _Worker, now: float) -> Rest:
        place = self._place(worker.number)
        if now - worker.born >= GOOD_LIFE:
            place.failures = 0
        rest = min(FIRST_REST * 2.0 ** min(place.failures, 10), LONGEST_REST)
        place.failures += 1
        place.again = now + rest
        return Rest(worker.number, rest)

    def _place(self, number: int) -> _Place:
        return self._places.setdefault(number, _Place())

    def _in_place(self, number: int) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.number == number]

    def _empty(self) -> list[int]:
        filled = {w.number for w in self._workers.values() if w.phase is not Phase.ENDING}
        return [number for number in range(1, self._count + 1) if number not in filled]
