"""How long-running commands run, and how Ctrl-C ends them."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .exit_codes import ExitCode
from .output import note

T = TypeVar("T")

_SHOW_CURSOR = "\x1b[?25h"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, on the standard event loop (ADR 2)."""
    # What was imported is never garbage; collections stop the loop, for less long where they need not look at it.
    gc.freeze()
    try:
        return asyncio.run(work)
    finally:
        gc.unfreeze()


@contextmanager
def interrupts(farewell: str, tell: Callable[[str], None] = note) -> Iterator[asyncio.Event]:
    """An event that SIGINT, SIGTERM and the end of the terminal (SIGHUP) set; a second one ends the process at once.

    SIGHUP counts only once, for it may come from several sides, and not where it is ignored (nohup) or means something
    else.

    Args:
        farewell: said at the first one.
        tell: how.
    """
    loop, hang_up = asyncio.get_running_loop(), getattr(signal, "SIGHUP", None)
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set() and number == hang_up:
            return
        if stop.is_set():
            if sys.stderr.isatty():
                sys.stderr.write(_SHOW_CURSOR)
            note("bittern: interrupted twice")
            sys.stderr.flush()
            os._exit(ExitCode.INTERRUPTED)
        stop.set()
        if farewell:
            tell(farewell)

    signals = [signal.SIGINT, signal.SIGTERM]
    if hang_up is not None and signal.getsignal(hang_up) is signal.SIG_DFL:
        signals.append(hang_up)
    before = [signal.getsignal(number) for number in signals]
    for number in signals:
        # Not loop.add_signal_handler, which Windows lacks.
        signal.signal(number, lambda number, _: loop.call_soon_threadsafe(on_signal, number))
    try:
        yield stop
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
