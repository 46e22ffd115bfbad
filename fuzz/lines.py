"""The code of `io` without a network: a loop that skips the time in which nothing happens, and sockets to the input."""

import asyncio
import selectors
import socket
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Self

from bittern.wire.stream import Buffer

Place = tuple[str, int]


class _Skipping(selectors.DefaultSelector):
    """Waits for nothing: what is not there yet never comes before the time is over."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "something is waited for that never comes"
            self.now += max(0.0, timeout)
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """Its time is its own."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Seconds since it began."""
        return self._skipping.now


@cache
def runner() -> asyncio.Runner:
    """One such loop for all inputs: a new one costs more than most inputs."""
    return asyncio.Runner(loop_factory=SkippingLoop)


class Near(socket.socket):
    """Our end of a line: it is anywhere that it is to be, and knows no network.

    Attributes:
        connected: is asked when a connection is made; OSError where it fails.
        sources: where datagrams come from, in turn.
        sent: is told of datagrams.
    """

    connected: Callable[[Place], None]
    sources: deque[Place]
    sent: Callable[[bytes, Place], None]

    @classmethod
    def pair(cls, kind: int) -> tuple[Self, socket.socket]:
        """A line: our end, and that of the input."""
        one, far = socket.socketpair(socket.AF_UNIX, kind)
        near = cls(fileno=one.detach())
        near.connected = lambda _: None
        near.sources = deque()
        near.sent = lambda *_: None
        for each in (near, far):
            each.setblocking(False)
        return near, far

    def connect(self, address: Place) -> None:  # type: ignore[override]  # that of the base class takes anything
        """Be there."""
        self.connected(address)

    def bind(self, address: object) -> None:
        """Be here."""

    def setsockopt(self, *_: object) -> None:
        """All is well."""

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Place]:
        """A datagram, and where it came from."""
        return self.recv(size, flags), self.sources.popleft()

    def sendto(self, data: Buffer, address: Place) -> int:  # type: ignore[override]  # likewise
        """Send nowhere."""
        self.sent(bytes(data), address)
        return len(data)
