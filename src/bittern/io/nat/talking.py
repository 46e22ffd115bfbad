"""PCP and NAT-PMP over a real socket: a PortControl and its router."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from secrets import token_bytes
from typing import Final

from bittern.engine.nat.control import PortControl
from bittern.engine.nat.lease import Lease, Wish
from bittern.io.sockets import place_of
from bittern.wire.pcp import MAX_DATAGRAM, PORT

from .gateways import Gateway

_AT_ONCE: Final = 16
_MOST_SLEEP: Final = 60.0


class Talking:
    """Asks a router for ports until it is closed.

    Args:
        sock: a UDP socket of the router's family; owned from now on.
        gateway: the router.
        ours: our address as it sees it.
        wishes: what is asked for.
        changed: is called when other ports are let in than before.
        port: of the router.

    Raises:
        OSError: the router cannot be reached.
    """

    def __init__(
        self,
        sock: socket.socket,
        gateway: Gateway,
        ours: str,
        wishes: Sequence[Wish],
        changed: Callable[[], None],
        port: int = PORT,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        try:
            # A connected socket: what others send does not even arrive (RFC 6887 8.3).
            sock.connect(place_of(gateway.host, port))
            self.control = PortControl(ours.partition("%")[0], wishes, token_bytes, self._loop.time())
        except OSError:
            sock.close()
            raise
        self._changed = changed
        self._leases: tuple[Lease, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._released: asyncio.Event | None = None
        self.unreachable = False
        """Whether the router said that nobody listens there."""
        self._loop.add_reader(sock, self._readable)
        self._tick()

    @property
    def leases(self) -> tuple[Lease, ...]:
        """What the router lets in."""
        return self._leases

    async def close(self, seconds: float) -> None:
        """Take everything back, as far as the router says so within so many seconds."""
        try:
            self._released = asyncio.Event()
            self.control.release(self._loop.time())
            self._settle()
            with suppress(TimeoutError):  # the router forgets it by itself when the time of the lease is over
                async with asyncio.timeout(seconds):
                    await self._released.wait()
        finally:
            self.stop()

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                datagram = self._sock.recv(MAX_DATAGRAM + 1)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self.unreachable = not self.control.answered
                break
            self.control.receive(datagram, self._loop.time())
        self._settle()

    def _tick(self) -> None:
        self._timer = None
        self.control.advance(self._loop.time())
        self._settle()

    def _settle(self) -> None:
        for datagram in self.control.take_datagrams():
            try:
                self._sock.send(datagram)
            except OSError:
                continue  # as if it was lost; news of one before, or no route just now
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.control.next_deadline()
        if due < inf:
            wait = min(max(0.0, due - self._loop.time()), _MOST_SLEEP)
            self._timer = self._loop.call_later(wait, self._tick)
        leases = self.control.leases
        if leases != self._leases:
            self._leases = leases
            self._changed()
        if self._released is not None and not leases:
            self._released.set()
