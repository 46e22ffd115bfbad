"""Where others come in: sockets that are listened on, and the UDP ports with them. They can be shut, and moved."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from bittern.wire.stream import Link, Stream

from .datagram_port import DatagramPort
from .tcp import Listener
from .turn import Turn
from .udp import UdpPort


class Doors:
    """Those of one process. The UDP ports stay the same objects, whatever sockets they have; they are closed by others.

    Args:
        loop: that watches them.
        turn: of that loop.
        sockets: bound ones to listen on, or to be kept from others where there is no TCP; owned from now on.
        ports: for datagrams, that others know.
        accepted: gives the stream for a new connection.
        tcp: whether anybody may connect.

    Attributes:
        hosts: addresses that are listened on.
        port: their number; 0 for none.
        tcp: likewise.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        sockets: Sequence[socket.socket],
        ports: Sequence[DatagramPort],
        accepted: Callable[[Link, float], Stream],
        *,
        tcp: bool,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._accepted = accepted
        self.tcp = tcp
        self._ports = [port for port in ports if isinstance(port, UdpPort)]
        self._sockets: Sequence[socket.socket] = ()
        self._listeners: list[Listener] = []
        self.hosts: tuple[str, ...] = tuple(str(sock.getsockname()[0]) for sock in sockets)
        self.port: int = 0
        self._listen(sockets)

    @property
    def local(self) -> bool:
        """Whether only this machine can come in, or nobody."""
        return all(ip_address(host).is_loopback for host in self.hosts)

    @property
    def datagram_hosts(self) -> tuple[str, ...]:
        """Addresses that datagrams come to."""
        return tuple(port.address.host for port in self._ports)

    @property
    def datagram_port(self) -> int:
        """The number for datagrams; 0 for none."""
        return self._ports[0].address.port if self._ports else 0

    @property
    def are_open(self) -> bool:
        """Whether anybody could come in, or send a datagram."""
        return bool(self._sockets) or any(port.is_open for port in self._ports)

    def shut(self) -> None:
        """Let nobody in, and no datagram in or out, until `open`."""
        self.close()
        for port in self._ports:
            port.rebind(None)

    def open(self, sockets: Sequence[socket.socket], datagrams: Sequence[socket.socket]) -> None:
        """Others come in here from now on, and nowhere else.

        Args:
            sockets: as for the constructor.
            datagrams: one for each of the UDP ports, bound, in the order of `datagram_hosts`; owned from now on.
        """
        self.close()
        self._listen(sockets)
        for port, sock in zip(self._ports, datagrams, strict=True):
            port.rebind(sock)

    def close(self) -> None:
        """Let nobody in any more."""
        for listener in self._listeners:
            listener.close()
        for sock in self._sockets:
            sock.close()
        self._listeners, self._sockets = [], ()

    def _listen(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets
        self.port = int(sockets[0].getsockname()[1]) if sockets else 0
        if self.tcp:
            self._listeners = [Listener(self._loop, self._turn, sock, self._accepted) for sock in sockets]
