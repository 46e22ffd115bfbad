"""Whether bytes come: what a download that runs says of itself."""

import time

from drill.row import demand
from tests.faults.rigs.program import Program
from tests.interop.rigs.process import wait_until


def done_bytes(job: Program) -> int:
    """What it has, as it says.

    Raises:
        UnmetError: it has ended.
    """
    demand(job.running.exit_code is None, f"it has ended: {job.lines[-3:]}")
    return max((int(event["done_bytes"]) for event in job.events("progress")), default=0)


def comes_within(job: Program, seconds: float) -> bool:
    """Whether more comes than it has now."""
    before = done_bytes(job)
    return wait_until(lambda: done_bytes(job) > before, seconds)


def comes(job: Program, seconds: float) -> float:
    """Wait until it has more than now; how many seconds that took.

    Raises:
        UnmetError: that took longer than `seconds`.
    """
    began = time.monotonic()
    demand(comes_within(job, seconds), f"nothing came for {seconds:g} s: {job.lines[-3:]}")
    return round(time.monotonic() - began, 1)
