"""A proxy at the far end of lines: its answers are prepared, or else good; and the one way out, which leads there."""

import asyncio
import errno
import os
import socket
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from enum import IntEnum
from typing import Any, Final

from bittern.base.address import Address
from bittern.io.proxying import Proxied, Proxying
from bittern.io.route import Route
from bittern.io.sockets import UDP_SEGMENT
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.server import ProxyKind, ProxyServer
from bittern.wire.stream import Buffer
from fuzz.lines import Near, Place

PLACES: Final = ("192.0.2.7", "2001:db8::7")
"""Where the proxy is."""
TAIL: Final = b"what the other end says first"
"""Follows each good answer at once."""
_PORT: Final = 1080
_NO_WAY: Final = "2001:db8::bad"
_WORDS_UPTO: Final = 250


class Does(IntEnum):
    """What happens in an act."""

    CONNECT = 0  # a connection is asked for
    OPEN = 1  # a port at the proxy is made, in place of the last
    SEND = 2  # a datagram is sent there
    BURST = 3  # or some
    WAIT = 4
    LOSE = 5  # all connections to the proxy end
    FROM = 6  # this comes from the place for datagrams
    BACK = 7  # or this, behind a header
    STRANGER = 8  # or from somebody else
    TROUBLE = 9  # the next datagram cannot be sent
    RAW = 10  # the next connection is answered with these bytes before it has said anything
    REFUSE = 11  # it is refused with a code
    GIVE = 12  # it is granted with these words
    DRIP = 13  # it is answered well, in pieces, slowly
    HALF = 14  # so many bytes of a good answer come, and then the end, or nothing
    UNREACHED = 15  # it cannot be made


class _Line(Near):
    """Our end, as far as those ask who speak through proxies."""

    place: Place = ("", 0)
    speaks: socket.AddressFamily | None = None

    @property
    def family(self) -> socket.AddressFamily:
        """That of datagrams is asked for."""
        return self.speaks if self.speaks is not None else super().family

    def connect(self, address: Place) -> None:  # type: ignore[override]  # as that of Near
        """Be there."""
        self.place = address
        super().connect(address)

    def getpeername(self) -> Place:
        """Where that is."""
        super().getpeername()
        return self.place

    def getsockname(self) -> Place:
        """Here."""
        return ("192.0.2.1", 5000)

    def recvmsg(self, *_: object) -> Any:
        """Nobody complains."""
        raise BlockingIOError

    def recvmsg_into(self, buffers: Iterable[Any], *_: object) -> Any:
        """A datagram, and where it came from."""
        return super().recvmsg_into(buffers)[0], (), 0, self.sources.popleft()

    def sendmsg(  # type: ignore[override]  # as `sendto`
        self,
        buffers: Iterable[Buffer],
        told: Iterable[tuple[int, int, bytes]] = (),
        flags: int = 0,
        to: Place = ("", 0),
    ) -> int:
        """Send one datagram, or several."""
        data = b"".join(buffers)
        assert not flags
        segment = len(data) or 1
        for _, option, value in told:
            assert option == UDP_SEGMENT
            segment = int.from_bytes(value, "little")
        for at in range(0, len(data), segment):
            self.sent(data[at : at + segment], to)
        return len(data)


class _Asking(Proxying):
    """Asks, and keeps what was granted."""

    places: dict[str, int]

    async def associate(self, here: Endpoint) -> tuple[socket.socket, Endpoint]:
        """See Proxying."""
        control, place = await super().associate(here)
        with suppress(OSError):
            self.places[control.getpeername()[0]] = place.port
        return control, place


class Proxy(Route):
    """Answers as was prepared, or else well; and the one way out, which leads there."""

    def __init__(self, server: ProxyServer) -> None:
        super().__init__(proxied=Proxied(server))
        self.places: dict[str, int] = {}  # the last that was granted at each host
        self.proxying = _Asking(server, self.to_proxy, self._named)
        self.proxying.on_trouble = readable
        self.proxying.places = self.places
        self.server = server
        self.scripts: deque[tuple[int, bytes]] = deque()
        self.troubles: deque[int] = deque()
        self.wanted: Counter[bytes] = Counter()  # datagrams that are to be sent
        self.arrived: list[bytes] = []
        self.broken: list[str] = []
        self.connections = 0
        self.granted = False
        self.lines: list[tuple[_Line, socket.socket]] = []
        self._serving: set[asyncio.Task[None]] = set()

    async def _named(self, host: str, port: int) -> list[Address]:
        assert (host, port) == self.server.place
        return [Address(each, port) for each in (_NO_WAY, *PLACES)]

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """See Route."""
        self._demand(f"a socket of family {family} that is not for the proxy", holds=False)
        return super().open(family, kind, protocol)

    def to_proxy(self, host: str, kind: int) -> socket.socket:
        """See Route."""
        if host == _NO_WAY:
            raise OSError(errno.EAFNOSUPPORT, "no address of ours in this family")
        self._demand(f"{host} is asked", holds=host in PLACES)
        near, far = _Line.pair(kind)
        self.lines.append((near, far))
        if kind == socket.SOCK_DGRAM:
            near.speaks = socket.AF_INET6 if ":" in host else socket.AF_INET
            near.sent = self._take
        else:
            near.connected = lambda place: self._connect(place, far)
        return near

    def _demand(self, otherwise: str, *, holds: bool) -> None:
        if not holds:
            self.broken.append(otherwise)  # raised again at the end: here, it may end a task that nobody hears of
            raise AssertionError(otherwise)

    def _take(self, data: bytes, place: Place) -> None:
        if self.troubles:
            code = self.troubles.popleft()
            raise OSError(code, os.strerror(code))
        self._demand(f"{place} is sent datagrams", holds=place[1] == self.places.get(place[0]))
        if not place[1]:
            raise OSError(errno.EINVAL, "there is no such port")
        self._demand(f"{data!r} is sent that was not to be", holds=self.wanted[data] > 0)
        self.wanted[data] -= 1
        self.arrived.append(data)

    def _connect(self, place: Place, far: socket.socket) -> None:
        self._demand(f"{place} is connected to", holds=place[0] in PLACES and place[1] == _PORT)
        self.connections += 1
        kind, said = self.scripts.popleft() if self.scripts else (-1, b"")
        if kind == Does.UNREACHED:
            far.close()
            code = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)[sum(said[:1]) % 3]
            raise OSError(code, os.strerror(code))
        serving = asyncio.get_running_loop().create_task(self._serve(kind, said, far))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, kind: int, said: bytes, far: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        left = int.from_bytes(said[:2]) % 64 if kind == Does.HALF else 1 << 20
        step, pause = (1 + sum(said[:1]) % 16, sum(said[1:2]) / 50) if kind == Does.DRIP else (1 << 20, 0.0)
        with suppress(OSError):
            if kind == Does.RAW:
                await loop.sock_sendall(far, said)
                return
            for whole in self._answers(kind, said):
                asked = await loop.sock_recv(far, 4096)
                self._demand(f"{len(asked)} bytes are said", holds=len(asked) < 1100)
                self.granted |= kind in (-1, Does.DRIP) and whole.endswith(TAIL)
                answer = whole
                if asked[:2] == b"\5\3":
                    answer = whole.removesuffix(TAIL)
                for at in range(0, len(answer[:left]), step):
                    await loop.sock_sendall(far, answer[:left][at : at + step])
                    await asyncio.sleep(pause)
                left -= len(answer)
                if left <= 0:
                    break
        if kind == Does.HALF and not sum(said[2:3]) % 2:
            far.close()

    def _answers(self, kind: int, said: bytes) -> list[bytes]:
        code = sum(said[:1])
        if self.server.kind is ProxyKind.HTTP:
            last = b"HTTP/1.1 200 Go on\r\nVia: a\r\n\r\n"
            if kind == Does.REFUSE:
                last = b"HTTP/1.1 %d X\r\n\r\n" % int.from_bytes(said[:2])
        elif self.server.kind is ProxyKind.SOCKS4A:
            last = bytes((0, code if kind == Does.REFUSE else 90)) + bytes(6)
        else:
            last = bytes((5, code if kind == Does.REFUSE else 0)) + b"\0\1\x0a\0\0\1\x1a\xe1"
        if kind == Does.GIVE:
            last = said
        before = []
        if self.server.kind is ProxyKind.SOCKS5:
            before = [b"\5\2", b"\1\0"] if self.server.user is not None else [b"\5\0"]
        return [*before, last + TAIL]

    def say(self, data: bytes, source: Place | None) -> bool:
        """Send a datagram to who has a place; from it, or from somewhere else."""
        for near, far in self.lines:
            if near.speaks is not None and near.fileno() >= 0:
                host = PLACES[near.speaks == socket.AF_INET6]
                with suppress(BlockingIOError):
                    far.send(data)
                    near.sources.append(source or (host, self.places.get(host, 0)))
                    return True
        return False

    def lose(self) -> None:
        """End all connections."""
        for near, far in self.lines:
            if near.speaks is None and far.fileno() >= 0:
                with suppress(OSError):
                    far.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """End all."""
        for serving in list(self._serving):
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for _, far in self.lines:
            far.close()


def readable(text: str) -> None:
    """Demand that it is one line of words."""
    assert text.isprintable()
    assert len(text) < _WORDS_UPTO
