"""One turn of the loop: everything that came is taken in, then settled once, then sent."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Protocol
from weakref import WeakSet

_AFTER_ERROR_SECONDS = 1.0


class Sender(Protocol):
    """Who has something to send at the end of a turn."""

    def flush(self, now: float) -> None:
        """Send it; raises nothing, for others come after it."""
        ...


class Departing(Protocol):
    """What ends when our address at its end is gone."""

    def host_gone(self, hosts: Collection[str], now: float) -> bool:
        """See TcpLink."""
        ...


class Turn:
    """Runs `settle` once after any number of arrivals, then lets who has something send, and keeps one timer.

    Args:
        loop: whose turns these are.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._settle: Callable[[float], float | None] | None = None
        self._unsettled: Callable[[], bool] = bool
        self._now: float | None = None
        self._scheduled = False
        self._senders: dict[Sender, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.links: WeakSet[Departing] = WeakSet()
        """All connections over TCP, for who has to look at each."""

    def start(self, settle: Callable[[float], float | None], unsettled: Callable[[], bool]) -> None:
        """From now on `settle(now)` ends each turn; it returns when the next is due at the latest.

        `unsettled()` says whether sending made something possible that the next turn should see to.
        """
        self._settle = settle
        self._unsettled = unsettled
        self.soon()

    def close(self) -> None:
        """No more turns."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def now(self) -> float:
        """Monotonic seconds, the same throughout a turn."""
        if self._closed:
            return time.monotonic()
        if self._now is None:
            self._now = time.monotonic()
            self.soon()  # whose end forgets it
        return self._now

    def soon(self) -> None:
        """Something came: settle at the end of this turn."""
        if not self._scheduled and not self._closed:
            self._scheduled = True
            self._loop.call_soon(self._end)

    def send_later(self, sender: Sender) -> None:
        """`sender` has something to send when the turn is settled."""
        self._senders[sender] = None
        self.soon()

    def _end(self) -> None:
        self._scheduled = False
        if self._closed or self._settle is None:
            self._now = None
            return
        if self._now is None:
            self._now = time.monotonic()
        now = self._now
        try:
            due = self._settle(now)
        except Exception as error:  # noqa: BLE001 - reported; else one bug would stop the clock of everything
            self._loop.call_exception_handler({"message": "a turn broke off", "exception": error})
            due = now + _AFTER_ERROR_SECONDS
        while self._senders:
            senders, self._senders = self._senders, {}
            for sender in senders:
                sender.flush(now)
        if self._unsettled():
            self.soon()
        self._now = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None and not self._scheduled:
            self._timer = self._loop.call_later(max(0.0, due - now), self.soon)
