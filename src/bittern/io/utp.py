"""uTP in the real world: the connections of each UDP port, in the turns of the loop (BEP 29).

HOT: bench/transfer.py
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Protocol

from bittern.base.address import Address
from bittern.engine.effects import Connect, GiveUp
from bittern.wire.datagrams import Kind
from bittern.wire.stream import Link, LinkLost, Stream
from bittern.wire.utp.mux import Mux
from bittern.wire.utp.settings import UtpSettings

from .datagram_port import DatagramPort
from .tcp import loss_of
from .turn import Turn
from .udp_ports import UdpPorts

if TYPE_CHECKING:
    from random import Random


class Hall(Protocol):
    """Who is told of connections; a Core is one."""

    def accepted(self, link: Link, now: float) -> Stream:
        """Somebody connected to us; the stream for it."""
        ...

    def turns_away(self, host: str) -> bool:
        """Whether nothing that comes from there is looked at."""
        ...

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """We are connected; the stream for it."""
        ...

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """We are not."""
        ...


class UtpPort:
    """The connections of one port.

    Args:
        loop: for the timer.
        turn: of that loop.
        port: that carries them.
        core: is told of them.
        rng: where their numbers come from.
        settings: of uTP.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        port: DatagramPort,
        core: Hall,
        rng: "Random",
        settings: UtpSettings,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._port = port
        self._core = core
        self._mux = Mux(settings, rng, self)
        self._timer: asyncio.TimerHandle | None = None
        self._due = inf
        self._flushing = False
        port.join(Kind.UTP, self)
        port.watch(self)

    def __len__(self) -> int:
        return len(self._mux)

    def connect(self, ticket: int, address: Address) -> None:
        """Call somebody; the core is told how it went."""
        self._mux.connect(ticket, address, self._turn.now())

    def give_up(self, ticket: int) -> None:
        """A call is not wanted any more."""
        self._mux.give_up(ticket)

    def close(self) -> None:
        """End all connections, and tell the others so. Nobody here is told."""
        now = self._turn.now()
        self._flushing = True  # for good
        if self._timer is not None:
            self._timer.cancel()
        self._mux.close(now)
        self._send()

    # --- what the mux asks for

    def accepted(self, link: Link, now: float) -> Stream:
        """See UtpHost."""
        return self._core.accepted(link, now)

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """See UtpHost."""
        return self._core.connected(ticket, link, now)

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """See UtpHost."""
        self._core.connect_failed(ticket, reason, now)
        self._turn.soon()

    def wake(self) -> None:
        """See UtpHost."""
        if not self._flushing:
            self._turn.send_later(self)

    # --- what the port tells

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """See Receiver."""
        if self._core.turns_away(source.host):
            return
        try:
            self._mux.receive(data, segment, source, now)
        except Exception as error:  # noqa: BLE001 - reported; the connections after this one are to hear, too
            self._broke(error, now)

    def caught_up(self, now: float) -> None:
        """See Receiver."""
        self._each(self._mux.deliver, now)
        self._turn.send_later(self)

    def writable(self, now: float) -> None:
        """See Sender."""
        self._turn.send_later(self)

    def refused(self, address: Address, now: float) -> None:
        """See Sender."""
        self._mux.refused(address, now)

    def too_big(self, address: Address, size: int, now: float) -> None:
        """See Sender."""
        self._mux.too_big(address, size, now)

    # --- the end of a turn

    def flush(self, now: float) -> None:
        """Send what is to be sent, and wait for what is to happen then."""
        self._flushing = True
        self._each(self._mux.flush, now)
        self._send()
        self._flushing = False
        due = self._mux.next_deadline()
        if due is not None and due < self._due:
            self._due = due
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(max(0.0, due - now), self._tick)

    def _each(self, work: Callable[[float], None], now: float) -> None:
        """Do what asks one stream after the other; a bug of ours in one of them costs its connection and no other."""
        while True:
            try:
                work(now)
            except Exception as error:  # noqa: BLE001 - reported; the streams after this one are to be asked, too
                if self._broke(error, now):
                    continue
            return

    def _broke(self, error: Exception, now: float) -> bool:
        about = {"message": f"a connection at {self._port.address} broke", "exception": error}
        self._loop.call_exception_handler(about)
        return self._mux.abort(now)

    def _send(self) -> None:
        mux, send = self._mux, self._port.send_burst
        while bursts := mux.take_bursts():
            for at, burst in enumerate(bursts):
                if not send(burst):
                    for held in bursts[at:]:
                        mux.held(held)
                    return

    def _tick(self) -> None:
        self._timer, self._due = None, inf
        self._mux.advance(self._turn.now())
        self._turn.send_later(self)


class UtpNet:
    """The connections of all ports of a process.

    Args:
        loop: of the ports.
        turn: of that loop.
        udp: the ports; all that others know can be called.
        core: is told.
        rng_for: gives an own stream of numbers to each port.
        settings: of uTP.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        udp: UdpPorts,
        core: Hall,
        rng_for: "Callable[[str, bytes], Random]",
        settings: UtpSettings | None = None,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._udp = udp
        self._core = core
        self._rng_for = rng_for
        self._settings = settings or UtpSettings()
        self._ports: dict[DatagramPort, UtpPort] = {}
        for port in udp.ports:
            self._speaking(port)

    def __len__(self) -> int:
        return sum(map(len, self._ports.values()))

    def connect(self, wish: Connect) -> None:
        """See ports.Net."""
        try:
            port = self._speaking(self._udp.towards(wish.address))
        except OSError as error:
            self._loop.call_soon(self._failed, wish.ticket, loss_of(error))
        else:
            port.connect(wish.ticket, wish.address)

    def give_up(self, wish: GiveUp) -> None:
        """See ports.Net."""
        for port in self._ports.values():
            port.give_up(wish.ticket)

    def cut(self) -> None:
        """The ports that nobody knows are closed (UdpPorts.cut): nothing is kept of them. Nobody is told."""
        for port in [port for port in self._ports if port not in self._udp.ports]:
            self._ports.pop(port).close()

    def close(self) -> None:
        """End all connections."""
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    def _speaking(self, port: DatagramPort) -> UtpPort:
        if port not in self._ports:
            rng = self._rng_for("utp", str(port.address).encode())
            self._ports[port] = UtpPort(self._loop, self._turn, port, self._core, rng, self._settings)
        return self._ports[port]

    def _failed(self, ticket: int, reason: LinkLost) -> None:
        self._core.connect_failed(ticket, reason, self._turn.now())
        self._turn.soon()
