"""What one step costs: CPU time against a control, memory, open files, tasks, and how long it holds up the loop."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

MIB = 1 << 20
_PROBE_SECONDS = 0.005
_COUNT_EVERY = 20  # probes between two counts of files and tasks
_TRIES = 3
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_PEAK = "5"  # resets the peak


@dataclass(frozen=True, slots=True)
class Step:
    """What a step has cost, or may cost.

    Attributes:
        controls: CPU time of the whole process, in units of the control: much the same number on every machine.
        grown_mib: memory at its peak, above what the process had before the first step.
        files: open at a time.
        tasks: of asyncio at a time.
        held_up: the longest stretch of work on the loop's thread in one go, in the same units as `controls`.
    """

    controls: float
    grown_mib: float
    files: int = 0
    tasks: int = 0
    held_up: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A step that was taken.

    Attributes:
        name: of the step.
        seconds: by the clock on the wall: for readers, too much depends on what else the machine does.
        cpu_seconds: of the whole process.
        cost: what is held against the limits.
    """

    name: str
    seconds: float
    cpu_seconds: float
    cost: Step


def control() -> float:
    """CPU seconds that a fixed piece of work takes here: a bit of Python, a bit of hashing."""
    return min(_worked() for _ in range(_TRIES))


class Meter:
    """Measures steps of this process, one after the other."""

    def __init__(self) -> None:
        self.steps: list[Measured] = []
        self._base = _memory("VmRSS:")
        self.unit = control()
        """CPU seconds of the control."""
        self._files = self._tasks = 0
        self._longest = self._since = 0.0
        self._watching = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what happens inside, under this name."""
        _CLEAR.write_text(_PEAK)
        self._files = self._tasks = 0
        self._longest, self._since = 0.0, time.thread_time()
        wall, cpu = time.monotonic(), time.process_time()
        yield
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        self._look()
        self._count()
        grown = (_memory("VmHWM:") - self._base) / MIB
        cost = Step(cpu / self.unit, grown, self._files, self._tasks, self._longest / self.unit)
        self.steps.append(Measured(name, wall, cpu, cost))

    async def watch(self) -> None:
        """Measure for ever how long callbacks hold up the loop that this task is on."""
        self._watching, self._since = True, time.thread_time()
        try:
            await self._watch()
        finally:
            self._watching = False

    async def _watch(self) -> None:
        while True:
            for _ in range(_COUNT_EVERY):
                self._since = time.thread_time()
                await asyncio.sleep(_PROBE_SECONDS)
                self._look()
            self._count()

    def _look(self) -> None:
        """How long the loop has worked since somebody else had a turn."""
        if self._watching:
            self._longest = max(self._longest, time.thread_time() - self._since)

    def _count(self) -> None:
        self._files = max(self._files, len(os.listdir("/proc/self/fd")) - 1)  # noqa: PTH208 - names are enough
        try:
            tasks = len(asyncio.all_tasks())
        except RuntimeError:  # no loop runs
            return
        self._tasks = max(self._tasks, tasks)


def _worked() -> float:
    began = time.thread_time()
    table = {number: (number, str(number)) for number in range(50_000)}
    total = sum(number for number, text in sorted(table.values(), key=lambda pair: pair[1]) if len(text) > 3)
    digest = sha1(bytes(8 * MIB)).digest()
    assert total
    assert digest
    return time.thread_time() - began


def _memory(name: str) -> int:
    return int(_STATUS.read_text().partition(name)[2].split()[0]) << 10
