# -*- test-case-name: tests.bench.test_smoke -*-
"""What a process has used, as the kernel counts it, and on which cores it runs. Linux only."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_DESCRIPTORS = 16_384


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far: to the nanosecond if the kernel counts so."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            spent += int((task / "schedstat").read_text().split()[0])
        except OSError:
            return _ticks(pid) / _TICKS
    return spent / 1e9 if spent else _ticks(pid) / _TICKS


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident_bytes(pid: int) -> int:
    """The memory that is in use now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def raise_descriptors() -> None:
    """As many open sockets as are allowed; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def on_separate_cores(wanted: bool) -> Iterator[tuple[int | None, int | None, int | None]]:
    """This process on one core for as long as it lasts.

    Gives the cores of the proxies, of this process and of the upstream, None where the system
    shall choose. With two cores the upstream shares ours: the proxy has its own.
    """
    before = os.sched_getaffinity(0)
    cores = sorted(before)
    if not wanted or len(cores) < 2:
        yield None, None, None
        return
    ours = cores[1]
    os.sched_setaffinity(0, {ours})
    try:
        yield cores[0], ours, cores[2] if len(cores) > 2 else ours
    finally:
        os.sched_setaffinity(0, before)
