"""A network that has one router, which is asked by all protocols and both families of addresses."""

import errno
from collections import deque
from collections.abc import Callable
from typing import Final

from bittern.engine.nat.lease import Wish
from bittern.io.nat.gateways import Gateway
from fuzz.lines import Near, Place
from fuzz.routers import DatagramRouter, HttpRouter

ROUTER_SECONDS: Final = 0.004
"""That a router takes for an answer."""
PORTS: Final = (4321, 4322)
"""Ours; the first of them is taken on some routers."""


class Asking(Near):
    """A socket that questions are sent by.

    Attributes:
        here: our address, as the system tells it.
        asked: is told of questions.
        nobody: whether the next thing that comes is news that nobody listens.
    """

    here: str
    asked: Callable[[bytes], None]
    nobody: bool

    def getsockname(self) -> Place:
        """Where we are."""
        return self.here, 5000

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]  # that of the base class takes more
        """Ask."""
        self.asked(bytes(data))
        return len(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What the router said."""
        data = super().recv(size, flags)
        if self.nobody:
            self.nobody = False
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
        return data


class Network:
    """A router by both families, and what it says next.

    Args:
        number: of the network.
        flags: what the router is like.

    Attributes:
        gateway: the router.
        ours: our address in its network.
        gateway6: the router by IPv6.
        ours6: our address of the whole world.
        by_datagram: what it says there, by its address.
        by_http: what it says there.
        mute: whether it answers no datagram.
        scripts: how the next questions by datagram are answered.
        honest: whether all was answered rightly since it was switched on.
    """

    def __init__(self, number: int, flags: int) -> None:
        self.gateway = Gateway(f"192.168.{number}.1", "lan")
        self.ours = f"192.168.{number}.20"
        self.gateway6 = Gateway(f"fe80::{number}%7" if flags & 1 else f"2a00::{number}:1", "lan")
        self.ours6 = f"2a00::{number}:20"
        self.by_datagram = {self.gateway.host: DatagramRouter(), self.gateway6.host: DatagramRouter()}
        self.by_http = HttpRouter(self.gateway.host, self.ours, self.gateway6.host, self.ours6)
        self.by_http.seconds = ROUTER_SECONDS
        self.by_http.permanent = bool(flags & 2)
        self.by_http.taken = {PORTS[0], 999} if flags & 64 else set()
        self.by_http.found_by_none = bool(flags & 4)
        self.mute = bool(flags & 8)
        for each in self.by_datagram.values():
            each.speaks_pcp = not flags & 16
        self.scripts: deque[tuple[int, bytes]] = deque()
        self.honest = True

    def forget(self, now: float) -> None:
        """It was switched off and on, and is honest from now on."""
        for prepared in (self.scripts, self.by_http.scripts, self.by_http.found, self.by_http.descriptions):
            prepared.clear()
        for each in self.by_datagram.values():
            each.held.clear()
            each.born = now
        self.by_http.held.clear()
        self.by_http.pinholes.clear()
        self.honest = True

    def lets_in(self, wish: Wish) -> bool:
        """Whether others come in, by whichever family and protocol."""
        key = (wish.carrier, wish.port)
        ports = [port for (carrier, _), port in self.by_http.held.items() if carrier == wish.carrier.name]
        return wish.port in ports or any(key in each.held for each in self.by_datagram.values())

    @property
    def held(self) -> list[object]:
        """All that it lets in."""
        return [*self.by_http.held, *[key for each in self.by_datagram.values() for key in each.held]]
