"""A UDP port at a SOCKS 5 proxy (RFC 1928, 7): what is sent there goes out from the proxy, what comes to it comes here.

It lasts as long as a connection to the proxy, and is asked for again when that ends.
"""

import asyncio
import errno
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from ipaddress import ip_address
from typing import Final

from bittern.base.address import Address, is_alias
from bittern.base.errors import KrpcError, ProxyError
from bittern.wire.datagrams import UTP_HEADER_BYTES, Burst, Kind, datagrams_of, kind_of
from bittern.wire.krpc_reader import read_message
from bittern.wire.proxy.handshake import NOWHERE, Endpoint
from bittern.wire.proxy.socks import read_udp_header, udp_header
from bittern.wire.stream import Buffer

from .datagram_port import Sender
from .proxying import Proxying
from .route import Route
from .sorter import Receiver, Sorter
from .udp import UdpPort

FIRST_RETRY_SECONDS: Final = 1.0
MAX_RETRY_SECONDS: Final = 60.0
"""Between two tries to get a place at the proxy; twice as long after each, until a place lasts longer than that."""
MOST_HELD: Final = 64
"""Datagrams that wait for the first place."""
MOST_NAMED: Final = 256
"""Datagrams to names whose answers are awaited: they come from an address that nobody knew."""
_SYN: Final = 0x41  # BEP 29

_log = logging.getLogger("bittern.proxy")


class RelayPort:
    """A port at the proxy (see DatagramPort). Nothing is ever sent another way.

    Args:
        route: makes the socket to the proxy.
        proxying: asks it.
    """

    def __init__(self, route: Route, proxying: Proxying) -> None:
        self._route = route
        self._proxying = proxying
        self._sorter = Sorter()
        self._sender: Sender | None = None
        self._inner: UdpPort | None = None
        self._relay = Address("", 0)
        self._held: deque[tuple[bytes, Address]] = deque(maxlen=MOST_HELD)
        self._named: dict[bytes, str] = {}  # aliases, by what an answer must contain
        self._refusal: str | None = None
        self._towards: Address | None = None  # of the burst that is being sent
        self.clock: Callable[[], float] = time.monotonic
        self.address = Address("0.0.0.0", 0)  # noqa: S104 - not bound to: nobody can tell how others see it
        self._keeping = asyncio.get_running_loop().create_task(self._keep(), name="place for datagrams at the proxy")

    def reaches(self, address: Address) -> bool:
        """See DatagramPort."""
        return True

    def join(self, kind: Kind, receiver: Receiver) -> None:
        """See DatagramPort."""
        self._sorter.join(kind, receiver)

    def leave(self, kind: Kind) -> None:
        """See DatagramPort."""
        if not self._sorter.leave(kind):
            self.close()

    def watch(self, sender: Sender) -> None:
        """See DatagramPort."""
        self._sender = sender

    def send(self, data: bytes, address: Address) -> None:
        """See DatagramPort. While there is no place at the proxy yet, the last datagrams are kept for it."""
        if self._inner is not None:
            self._inner.send(self._header(address, data) + data, self._relay)
        elif self._refusal is not None:
            raise OSError(errno.ENETUNREACH, self._refusal)
        else:
            self._held.append((data, address))

    def send_burst(self, burst: Burst) -> bool:
        """See DatagramPort."""
        if self._inner is None:
            if self._refusal is not None and self._sender is not None:
                self._sender.refused(burst.address, self.clock())
            return True  # as if it were lost on the way
        header = self._header(burst.address, burst.buffers[0])
        buffers = [part for datagram in datagrams_of(burst) for part in (header, *datagram)]
        self._towards = burst.address
        sent = self._inner.send_burst(Burst(self._relay, buffers, burst.segment + len(header), burst.cut))
        self._towards = None
        return sent

    def close(self) -> None:
        """See DatagramPort."""
        self._keeping.cancel()
        self._held.clear()
        if self._inner is not None:
            self._inner.close()
            self._inner = None

    # --- what the socket tells: see Receiver and Sender

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """Something came from the proxy; what comes from anybody else is none of ours."""
        found = read_udp_header(data) if source == self._relay else None
        if found is not None:
            (host, port), begin = found
            payload = data[begin:]
            self._sorter.came(payload, len(payload), Address(self._alias_of(payload, port) or host, port), now)

    def caught_up(self, now: float) -> None:
        """See Receiver."""
        self._sorter.caught_up(now)

    def writable(self, now: float) -> None:
        """See Sender."""
        if self._sender is not None:
            self._sender.writable(now)

    def refused(self, address: Address, now: float) -> None:
        """The proxy takes no datagrams any more: its connection, too, will say so."""

    def too_big(self, address: Address, size: int, now: float) -> None:
        """See Sender: of what is being sent it is known whom it was for."""
        if self._sender is not None and self._towards is not None:
            self._sender.too_big(self._towards, size - len(self._header(self._towards, b"")), now)

    # --- the place at the proxy

    async def _keep(self) -> None:
        wait = FIRST_RETRY_SECONDS
        while True:
            try:
                control, place = await self._proxying.associate(NOWHERE)
            except (ProxyError, OSError) as error:
                if str(error) not in (self._refusal, self._proxying.trouble):
                    _log.warning("no UDP: %s", error)
                self._refusal = str(error)
                self._refuse_held()
            else:
                began = self.clock()
                with control, suppress(OSError):  # of a connection that is gone already, or of a network that is
                    await self._use(control, place)
                if self.clock() - began >= wait:  # else it is as good as none
                    wait = FIRST_RETRY_SECONDS
                _log.info("the proxy ended the place for datagrams")
            await asyncio.sleep(wait)
            wait = min(2 * wait, MAX_RETRY_SECONDS)

    async def _use(self, control: socket.socket, place: Endpoint) -> None:
        """Send and receive for as long as the connection lasts that goes with the place.

        Datagrams go to the proxy's own host whatever it says: many name an address that only they can reach, and none
        is to have us send to somebody else.
        """
        _keep_alive(control)
        self._relay = Address(Address.of(str(control.getpeername()[0]), 0).host, place.port)
        sock = self._route.to_proxy(self._relay.host, socket.SOCK_DGRAM)
        if ip_address(self._relay.host).is_link_local:
            host, _, *link = control.getsockname()
            with suppress(OSError):  # the route has bound it
                sock.bind((host, 0, *link))
        with closing(UdpPort(sock, self._now)) as inner:
            inner.watch(self)
            inner.join(Kind.TRACKER, self)  # as which headers of SOCKS look, three zeros at their beginning
            self._inner, self._refusal = inner, None
            try:
                held, self._held = self._held, deque(maxlen=MOST_HELD)
                for data, address in held:
                    with suppress(OSError):
                        self.send(data, address)
                loop = asyncio.get_running_loop()
                with suppress(OSError):
                    while await loop.sock_recv(control, 64):
                        pass
            finally:
                self._inner = None

    def _refuse_held(self) -> None:
        held, self._held = self._held, deque(maxlen=MOST_HELD)
        if self._sender is not None:
            for _, address in held:
                self._sender.refused(address, self.clock())

    def _now(self) -> float:
        return self.clock()  # that of now: others set it

    # --- names

    def _header(self, address: Address, data: Buffer) -> bytes:
        if not is_alias(address.host):
            return udp_header(Endpoint(*address))
        key = _question(bytes(data), address.port)
        if key is not None:
            self._named[key] = address.host
            if len(self._named) > MOST_NAMED:
                del self._named[next(iter(self._named))]
        return udp_header(Endpoint(self._proxying.aliases.name(address.host), address.port))

    def _alias_of(self, payload: memoryview, port: int) -> str | None:
        """Of an answer to what was sent to a name: the address that stands for the name."""
        if not self._named:
            return None
        key = _answer(payload, port)
        alias = self._named.pop(key, None) if key is not None else None
        if key is not None and alias is not None:
            self._named[key] = alias  # the last to be forgotten
        return alias


def _keep_alive(control: socket.socket) -> None:
    """Have the system find out within a minute or two that the proxy is gone without a word."""
    control.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            control.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _question(data: bytes, port: int) -> bytes | None:
    """What an answer to this must contain, and no stranger knows."""
    if len(data) >= UTP_HEADER_BYTES and data[0] == _SYN:
        return b"u%b%d" % (data[2:4], port)  # BEP 29: the connection id, which the other end repeats
    if len(data) >= 16 and data[8:11] == bytes(3):
        return b"t" + data[12:16]  # BEP 15: the transaction id, behind connection id and action
    return _transaction(data)


def _answer(data: memoryview, port: int) -> bytes | None:
    kind = kind_of(data)
    if kind is Kind.UTP:
        return b"u%b%d" % (data[2:4].tobytes(), port)
    if kind is Kind.TRACKER:
        return b"t" + data[4:8].tobytes()
    return _transaction(data.tobytes())


def _transaction(data: bytes) -> bytes | None:
    if kind_of(data) is not Kind.DHT:
        return None
    try:
        return b"d" + read_message(data).transaction
    except KrpcError as error:
        return b"d" + error.transaction if error.transaction is not None else None
