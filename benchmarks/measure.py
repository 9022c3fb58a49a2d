"""How things are measured: CPU clocks, alternated chunks, processes pinned to a core."""

import os
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
CHUNK_SECONDS = 0.015
URGENCY = -15
SERVER_CORE, CLIENT_CORE = 0, (os.cpu_count() or 1) - 1


def cpu_micros(
    works: Mapping[str, Callable[[], object]], rounds: int = 11, chunk: float = CHUNK_SECONDS
) -> dict[str, float]:
    """µs of this thread's CPU time per call, alternated in chunks; medians over rounds."""
    calls = {name: _calls_in(chunk, work) for name, work in works.items()}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(_thread_seconds(work, calls[name]) / calls[name] * 1e6)
    return {name: statistics.median(many) for name, many in times.items()}


def _calls_in(seconds: float, work: Callable[[], object]) -> int:
    calls = 1
    while (took := _thread_seconds(work, calls)) < seconds / 4:
        calls *= 4
    return max(1, round(calls * seconds / took))


def _thread_seconds(work: Callable[[], object], calls: int) -> float:
    began = time.thread_time_ns()
    for _ in range(calls):
        work()
    return (time.thread_time_ns() - began) / 1e9


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time used so far by processes and their children, all threads, dead ones too."""
    return sum(time.clock_gettime((~pid << 3) | 2) for root in pids for pid in _family(root))


def _family(pid: int) -> list[int]:
    return [pid, *(each for child in _children(pid) for each in _family(child))]


def tree_seconds(pid: int) -> float:
    """CPU time used so far by a process and all below it, those that have ended included."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    total = sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
    for child in _children(pid):
        with suppress(OSError):  # it has ended meanwhile: its parent's next number holds it
            total += tree_seconds(child)
    return total


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread may end at any time, and its process go on
            found += map(int, (task / "children").read_text().split())
    return found


def tree_bytes(pid: int) -> int:
    """Memory that a process and all below it hold now; what several share, in equal parts."""
    held = 0
    for each in _family(pid):
        with suppress(OSError):
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
            held += int(text.partition("\nPss:")[2].split()[0]) << 10
    return held


def isolated(
    work: Callable[..., T],
    *args: Any,
    core: int | Collection[int] = SERVER_CORE,
    urgent: bool = False,
) -> T:
    """The result of a module's function, called in a fresh process that is pinned to a core.

    Several cores may be named. An urgent process goes before whatever else this machine does, where
    we may say so.
    """
    cores = {core} if isinstance(core, int) else set(core)
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_settle, initargs=(cores, urgent)
    ) as pool:
        return pool.submit(work, *args).result(timeout=900)


def may_be_urgent() -> bool:
    """Whether we may go before others."""
    return os.geteuid() == 0


def hurry(pid: int) -> None:
    """Let a session leader's threads go before whatever else this machine does, if we may."""
    group = Path(f"/proc/{pid}/autogroup")
    if may_be_urgent():
        os.setpriority(os.PRIO_PROCESS, pid, URGENCY)
        if group.exists():  # then only the niceness of the whole session counts against others
            group.write_text(str(URGENCY))


def _settle(cores: set[int], urgent: bool) -> None:
    os.sched_setaffinity(0, cores)
    if urgent:
        os.setsid()
        hurry(os.getpid())


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
