# Invariant: whatever a proxy answers, cut anywhere or never whole, only ProxyError and OSError escape, soon; nothing is
# said to anybody but the proxy, and no byte read that is the other end's; what strangers send is not heard; no socket
# stays open; it is asked again ever more seldom, and once it is a good one, connections and datagrams go through it.
"""Fuzz target: a proxy, whole: what it answers to who wants connections, and its place for datagrams."""

import asyncio
import errno
import logging
from collections import Counter
from contextlib import suppress
from typing import Final
from unittest.mock import patch

from bittern.base.address import Address
from bittern.base.errors import ProxyError
from bittern.io import capabilities
from bittern.io.proxying import Purpose
from bittern.io.relay import MOST_HELD, RelayPort
from bittern.wire.datagrams import Burst, Kind
from bittern.wire.krpc import Ping, Query
from bittern.wire.proxy.handshake import NOWHERE, Endpoint
from bittern.wire.proxy.server import ProxyServer
from bittern.wire.proxy.socks import udp_header
from fuzz.driver import Target
from fuzz.lines import runner
from fuzz.plays import act, acts, play_edit
from fuzz.proxies import PLACES, TAIL, Does, Proxy, readable
from fuzz.target_proxy import TARGET as PROXY

_LOG: Final = logging.getLogger("bittern.proxy")
_HEAD: Final = 1
_MOST_SECONDS: Final = 65.0
"""For each of the proxy's places, and what it says there."""
_NAMED: Final = "tracker.example"
_SERVERS: Final = tuple(
    map(
        ProxyServer.parse,
        (
            f"socks5://{PLACES[0]}",
            f"socks5://user:secret@[{PLACES[1]}]",
            "socks5://proxy.example",
            f"socks4a://{PLACES[0]}",
            "http://user:secret@proxy.example:1080",
            f"http://{PLACES[0]}:1080",
        ),
    )
)


class _Scene:
    """One proxy, and what is asked of it."""

    def __init__(self, server: ProxyServer) -> None:
        self.proxy = Proxy(server)
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
            readable(str(error))
            return False
        except ProxyError as error:
            readable(str(error))
            assert proxy.proxying is not None
            assert proxy.proxying.trouble is None or str(proxy.server) in proxy.proxying.trouble
            return False
        finally:
            assert loop.time() - began < _MOST_SECONDS
            assert proxy.connections - before <= len(PLACES) * (1 if self.port is None else 8)  # with those of the port
        with sock:
            if proxy.granted and self.port is None:
                came = b""
                while len(came) < len(TAIL) and (some := await loop.sock_recv(sock, 99)):
                    came += some
                assert came == TAIL, "what was the other end's is read"
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
            place = (PLACES[sum(said[:1]) % 2], 9) if said[:1] < b"\x80" else ("203.0.113.5", 1080)
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
    + b"".join(
        act(Does.FROM, each) for each in (b"", b"\0\0\0", b"\0\0\1\1", b"\0\0\0\3\1a\0\1x", b"\0\0\0\1\0", bytes(600))
    ),
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
