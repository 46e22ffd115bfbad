# Invariant: whatever a proxy answers, cut anywhere or never whole, only ProxyError and OSError escape, soon; nothing is
# said to anybody but the proxy, and no byte read that is the other end's; what strangers send is not heard; no socket
# stays open; it is asked again ever more seldom, and once it is a good one, connections and datagrams go through it.
"""Fuzz target: a proxy, whole: what it answers to who wants connections, and its place for datagrams."""

import asyncio
import errno
import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from enum import IntEnum
from typing import Any, Final
from unittest.mock import patch

from bittern.base.address import Address
from bittern.base.errors import ProxyError
from bittern.io import capabilities
from bittern.io.proxying import Proxied, Proxying, Purpose
from bittern.io.relay import MOST_HELD, RelayPort
from bittern.io.route import Route
from bittern.io.sockets import UDP_SEGMENT
from bittern.wire.datagrams import Burst, Kind
from bittern.wire.krpc import Ping, Query
from bittern.wire.proxy.handshake import NOWHERE, Endpoint
from bittern.wire.proxy.server import ProxyKind, ProxyServer
from bittern.wire.proxy.socks import udp_header
from bittern.wire.stream import Buffer
from fuzz.driver import Target
from fuzz.lines import Near, Place, runner
from fuzz.plays import act, acts, play_edit
from fuzz.target_proxy import TARGET as PROXY

_LOG: Final = logging.getLogger("bittern.proxy")
_HEAD: Final = 1
_PORT: Final = 1080
_PLACES: Final = ("192.0.2.7", "2001:db8::7")
_NO_WAY: Final = "2001:db8::bad"
_MOST_SECONDS: Final = 65.0
"""For each of the proxy's places, and what it says there."""
_TAIL: Final = b"what the other end says first"
_WORDS_UPTO: Final = 250
_NAMED: Final = "tracker.example"
_SERVERS: Final = tuple(
    map(
        ProxyServer.parse,
        (
            f"socks5://{_PLACES[0]}",
            f"socks5://user:secret@[{_PLACES[1]}]",
            "socks5://proxy.example",
            f"socks4a://{_PLACES[0]}",
            "http://user:secret@proxy.example:1080",
            f"http://{_PLACES[0]}:1080",
        ),
    )
)


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
    TROUBLE = 9  # the next datagram can not be sent
    RAW = 10  # the next connection is answered with these bytes before it has said anything
    REFUSE = 11  # it is refused with a code
    GIVE = 12  # it is granted with these words
    DRIP = 13  # it is answered well, in pieces, slowly
    HALF = 14  # so many bytes of a good answer come, and then the end, or nothing
    UNREACHED = 15  # it can not be made


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


class _Proxy(Route):
    """Answers as was prepared, or else well; and the one way out, which leads there."""

    def __init__(self, server: ProxyServer) -> None:
        super().__init__(proxied=Proxied(server))
        self.places: dict[str, int] = {}  # the last that was granted at each host
        self.proxying = _Asking(server, self.to_proxy, self._named)
        self.proxying.on_trouble = _readable
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
        return [Address(each, port) for each in (_NO_WAY, *_PLACES)]

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """See Route."""
        self._demand(f"a socket of family {family} that is not for the proxy", holds=False)
        return super().open(family, kind, protocol)

    def to_proxy(self, host: str, kind: int) -> socket.socket:
        """See Route."""
        if host == _NO_WAY:
            raise OSError(errno.EAFNOSUPPORT, "no address of ours in this family")
        self._demand(f"{host} is asked", holds=host in _PLACES)
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
        self._demand(f"{place} is connected to", holds=place[0] in _PLACES and place[1] == _PORT)
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
                self.granted |= kind in (-1, Does.DRIP) and whole.endswith(_TAIL)
                answer = whole
                if asked[:2] == b"\5\3":
                    answer = whole.removesuffix(_TAIL)
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
        return [*before, last + _TAIL]

    def say(self, data: bytes, source: Place | None) -> bool:
        """Send a datagram to who has a place; from it, or from somewhere else."""
        for near, far in self.lines:
            if near.speaks is not None and near.fileno() >= 0:
                host = _PLACES[near.speaks == socket.AF_INET6]
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


def _readable(text: str) -> None:
    assert text.isprintable()
    assert len(text) < _WORDS_UPTO


class _Scene:
    """One proxy, and what is asked of it."""

    def __init__(self, server: ProxyServer) -> None:
        self.proxy = _Proxy(server)
        self.port: RelayPort | None = None
        self.said: Counter[bytes] = Counter()  # by the place for datagrams
        self.heard: list[tuple[bytes, Address]] = []
        self.most_attempts = 0.0
        self.before = 0

    # --- who receives and sends

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """See Receiver."""
        assert segment == len(data)
        assert Address.of(*source) == source, f"{source} is no address of a sender"
        whole = next((each for each, count in self.said.items() if count and each.endswith(data)), None)
        assert whole is not None, f"{data.tobytes()!r} is heard, which the proxy did not say"
        self.said[whole] -= 1
        self.heard.append((data.tobytes(), source))

    def caught_up(self, now: float) -> None:
        """See Receiver."""

    def writable(self, now: float) -> None:
        """See Sender."""

    def refused(self, address: Address, now: float) -> None:
        """See Sender."""
        assert address in self.targets(), f"{address} is refused, whom nobody asked"

    def too_big(self, address: Address, size: int, now: float) -> None:
        """See Sender."""
        assert address in self.targets()
        assert 0 <= size <= 70_000

    def targets(self) -> tuple[Address, ...]:
        """Those who are spoken to."""
        alias = self.proxy.proxying.aliases.alias(_NAMED) if self.proxy.proxying is not None else ""
        return Address(alias, 80), Address("198.51.100.9", 6881), Address("2001:db8::9", 6881), Address(alias, 81)

    # --- acts

    async def connect(self, said: bytes) -> bool:
        """Ask for a connection; whether it was made."""
        loop, proxy = asyncio.get_running_loop(), self.proxy
        began, before = loop.time(), proxy.connections
        proxy.granted = False
        try:
            sock = await proxy.connect(self.targets()[sum(said[:1]) % 3], Purpose.PEERS)
        except OSError as error:
            _readable(str(error))
            return False
        except ProxyError as error:
            _readable(str(error))
            assert proxy.proxying is not None
            assert proxy.proxying.trouble is None or str(proxy.server) in proxy.proxying.trouble
            return False
        finally:
            assert loop.time() - began < _MOST_SECONDS
            assert proxy.connections - before <= len(_PLACES) + 2  # the port's among them
        with sock:
            if proxy.granted and self.port is None:
                came = b""
                while len(came) < len(_TAIL) and (some := await loop.sock_recv(sock, 99)):
                    came += some
                assert came == _TAIL, "what was the other end's is read"
        return True

    def open(self) -> None:
        """Make a port."""
        self.close()
        proxy = self.proxy
        assert proxy.proxying is not None
        self.port = RelayPort(proxy, proxy.proxying)
        for kind in Kind:
            self.port.join(kind, self)
        self.port.watch(self)
        self.port.clock = asyncio.get_running_loop().time
        self.most_attempts += 1

    def close(self) -> None:
        """Have no port any more."""
        if self.port is not None:
            self.port.close()
            self.port = None

    def send(self, kind: int, said: bytes) -> None:
        """Send datagrams."""
        if self.port is None:
            return
        target, data = self.targets()[sum(said[:1]) % 4], said[1:]
        if kind == Does.SEND:
            self._want([data], target)
            with suppress(OSError):
                self.port.send(data, target)
            return
        size = 20 + sum(said[1:2])
        parts = [data[at : at + size] for at in range(0, len(data), size)][:64]
        if parts:
            self._want(parts, target)
            self.port.send_burst(Burst(target, parts, size))

    def _want(self, parts: list[bytes], target: Address) -> None:
        assert self.proxy.proxying is not None
        header = udp_header(Endpoint(self.proxy.proxying.aliases.name(target.host), target.port))
        self.proxy.wanted.update(header + part for part in parts)

    def say(self, data: bytes) -> None:
        """The place for datagrams says something."""
        if self.proxy.say(data, None):
            self.said[data] += 1

    async def ends(self) -> None:
        """The proxy is honest from now on."""
        proxy = self.proxy
        proxy.scripts.clear()
        proxy.troubles.clear()
        proxy.lose()
        await asyncio.sleep(200.0)
        connected = await self.connect(b"\0")
        assert connected, "no connection is made though the proxy is good"
        assert proxy.proxying is not None
        assert proxy.proxying.trouble is None, "it still is in trouble"
        if proxy.server.has_udp and self.port is not None:
            proxy.arrived.clear()
            self.heard.clear()
            await self._speaks()
        self.close()
        await asyncio.sleep(1.0)
        assert all(near.fileno() < 0 for near, _ in proxy.lines), "a socket stays open"

    async def _speaks(self) -> None:
        self.send(Does.SEND, b"\1ping")
        await asyncio.sleep(1.0)
        asked = udp_header(Endpoint(*self.targets()[1])) + b"ping"
        assert asked in self.proxy.arrived, "the datagram does not arrive"
        self.say(asked)
        await asyncio.sleep(1.0)
        assert (b"ping", self.targets()[1]) in self.heard, "the answer is not heard"


def check(data: bytes) -> bool:
    """Play a play."""
    if len(data) < _HEAD:
        return False
    # Batches ask the system, past our end of a line; what is logged is for nobody here.
    with patch.object(capabilities, "BATCHES", new=False), patch.object(_LOG, "disabled", new=True):
        return runner().run(_play(_SERVERS[data[0] % len(_SERVERS)], data[_HEAD:]))


async def _play(server: ProxyServer, play: bytes) -> bool:
    scene, good, loop = _Scene(server), False, asyncio.get_running_loop()
    escaped: list[object] = []
    loop.set_exception_handler(lambda _, context: escaped.append(context.get("exception", context)))
    began = loop.time()
    try:
        for kind, said in acts(play):
            asked = scene.proxy.connections
            good |= await _perform(scene, kind % 16, said)
            scene.before += (scene.proxy.connections - asked) if kind % 16 == Does.CONNECT else 0
            await asyncio.sleep(0.01)
            # Ever more seldom: so many tries until it waits for a minute each time, again after each place that held.
            attempts = scene.proxy.connections - scene.before
            most = 2 * (8 * scene.most_attempts + (loop.time() - began) / 60)
            assert attempts <= most, f"{attempts} tries for a place in {loop.time() - began:g} s"
        await scene.ends()
        assert not escaped, f"{escaped[0]!r} escaped"
        assert not scene.proxy.broken, scene.proxy.broken[0]
    finally:
        scene.close()
        await scene.proxy.close()
        loop.set_exception_handler(None)
    return good or bool(scene.heard)


async def _perform(scene: _Scene, kind: int, said: bytes) -> bool:
    proxy = scene.proxy
    match kind:
        case Does.CONNECT:
            return await scene.connect(said)
        case Does.OPEN:
            scene.open()
        case Does.SEND | Does.BURST:
            scene.send(kind, said)
        case Does.WAIT:
            await asyncio.sleep(sum(said[:4]))
        case Does.LOSE:
            proxy.lose()
            scene.most_attempts += 1
        case Does.FROM:
            scene.say(said)
        case Does.BACK:
            target = (*scene.targets(), NOWHERE)[sum(said[:1]) % 5]
            scene.say(udp_header(Endpoint(*target)) + said[1:])
        case Does.STRANGER:
            place = (_PLACES[sum(said[:1]) % 2], 9) if said[:1] < b"\x80" else ("203.0.113.5", _PORT)
            proxy.say(said[1:], place if place[1] not in proxy.places.values() else ("203.0.113.5", 1))
        case Does.TROUBLE:
            codes = (errno.EAGAIN, errno.EMSGSIZE, errno.ECONNREFUSED, errno.ENETUNREACH, errno.EPERM, errno.ENOBUFS)
            proxy.troubles.append(codes[sum(said[:1]) % len(codes)])
        case how:
            proxy.scripts.append((how, said))
    return False


_OPEN, _LOSE, _CONNECT = act(Does.OPEN), act(Does.LOSE), b"".join(act(Does.CONNECT, bytes((at,))) for at in range(3))
_LATER, _HELD = act(Does.WAIT, b"\x46"), act(Does.SEND, b"\1one") + act(Does.SEND, b"\0two")
_SYN: Final = b"\x41\0\0\7" + bytes(16)
_ASK: Final = bytes(12) + b"\0\0\0\7"
_PING: Final = Query(b"aa", b"i" * 20, Ping()).encode()
_TOLD = b"".join(act(Does.SEND, b"\0" + each) for each in (_ASK, _PING, _SYN))
_GIVEN = b"\5\0\0\1\x0a\0\0\1\x1a\xe1"
_PLAYS = (
    _CONNECT + _OPEN + _HELD + act(Does.BURST, b"\2" + bytes(300)) + act(Does.BACK, b"\1answer") + _LATER,
    _OPEN
    + _TOLD
    + act(Does.BACK, b"\1\0\0\0\1\0\0\0\7")
    + act(Does.BACK, b"\0\x21\0\0\7" + bytes(16))
    + act(Does.BACK, b"\1d1:rd2:id20:%be1:t2:aa1:y1:re" % (b"j" * 20)),
    act(Does.DRIP, b"\0\1") + _CONNECT + act(Does.DRIP, b"\0\xff") + _CONNECT + act(Does.DRIP, b"\0\2") + _OPEN + _HELD,
    b"".join(act(Does.HALF, bytes((0, at, at))) + _CONNECT[:4] for at in (0, 1, 3, 6, 9, 20)) + _OPEN + _HELD,
    b"".join(act(Does.REFUSE, bytes((at,))) + _CONNECT[:4] for at in (1, 2, 7, 8, 92, 255)) + _OPEN + _HELD,
    b"".join(act(Does.REFUSE, at.to_bytes(2)) + _CONNECT[:4] for at in (302, 403, 407, 502, 504)),
    act(Does.UNREACHED, b"\1") * 3 + _CONNECT + _OPEN + act(Does.UNREACHED) * 5 + _LATER * 4 + _HELD,
    act(Does.RAW, b"\5\0" + _GIVEN) * 20 + _OPEN + _HELD + _LATER * 9,
    act(Does.HALF, b"\0\x0c\0") * 80 + _OPEN + _LATER * 2,  # granted, and ended at once
    _OPEN + _HELD + (_LOSE + act(Does.WAIT, b"\3") + _HELD) * 4 + _OPEN + _LOSE + _OPEN + _HELD * (MOST_HELD // 2),
    act(Does.GIVE, _GIVEN[:8] + b"\0\0") + _OPEN + _HELD + act(Does.BURST, b"\1" + bytes(90)) + _LATER,
    act(Does.GIVE, b"\5\0\0\3\x07example\x00\x50") + _OPEN + _HELD + act(Does.GIVE, b"\5\0\0\4") + _CONNECT,
    _OPEN
    + b"".join(act(Does.TROUBLE, bytes((at,))) + act(Does.SEND, b"\1x") for at in range(6))
    + b"".join(act(Does.TROUBLE, bytes((at,))) + act(Does.BURST, b"\1" + bytes(99)) for at in range(6))
    + _LATER,
    _OPEN
    + _LATER
    + b"".join(
        act(Does.STRANGER, bytes((at,)) + udp_header(Endpoint("198.51.100.9", 1)) + b"lie") for at in (0, 1, 128)
    )
    + b"".join(act(Does.FROM, each) for each in (b"", b"\0\0\1\1", b"\0\0\0\3\1a\0\1x", b"\0\0\0\1\0", bytes(600))),
    *(act(Does.RAW, each) + _CONNECT[:4] + act(Does.RAW, each) + _OPEN + _HELD for each in PROXY.corpus[:7]),
)
_CORPUS = tuple(bytes((number + more,)) + each for number, each in enumerate(_PLAYS) for more in (0, 1, 2))

TARGET = Target(
    "relay",
    corpus=_CORPUS,
    words=(*PROXY.words, _OPEN, _LOSE, _CONNECT, _LATER, _HELD, _GIVEN),
    check=check,
    edits=(play_edit(_CORPUS, head=_HEAD),),
    slow_seconds=3.0,
)
