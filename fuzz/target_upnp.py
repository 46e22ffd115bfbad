# Invariant: whatever a router answers to searches and calls, in any pieces or never, only GatewayError escapes, soon,
# and in words for people; nobody but the router is asked, and not more than a few times; what counts as let in was
# asked for and not refused; an honest router is asked again, maps every port, and is asked to take it back.
"""Fuzz target: the conversation with a router by UPnP, whole: search, description, calls, mappings and pinholes."""

import asyncio
import re
import socket
from collections import deque
from contextlib import suppress
from enum import IntEnum
from random import Random
from typing import Final

from bittern.base.errors import GatewayError
from bittern.engine.nat.lease import Wish, wishes_for
from bittern.io.nat.gateways import Gateway
from bittern.io.nat.pinholes import Pinholes
from bittern.io.nat.upnp import Upnp
from bittern.wire.igd import FIREWALL
from fuzz.driver import Target
from fuzz.lines import Near, Place, runner
from fuzz.plays import act, acts, play_edit
from fuzz.target_igd import TARGET as IGD

_HOST, _HOST6 = "192.168.1.1", "2001:db8::1"
_OURS, _OURS6 = "192.168.1.20", "2001:db8::20"
_PORT: Final = 4321
_KIND: Final = "urn:schemas-upnp-org:service:WANIPConnection:1"
_MOST_SECONDS: Final = 80.0
_MOST_CONNECTIONS: Final = 14
_ENVELOPE: Final = "<s:Envelope xmlns:s='x'><s:Body>%s</s:Body></s:Envelope>"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ACTION = re.compile(rb'SOAPAction: ".*#(\w+)"')
_ARGUMENT = re.compile(rb"<(\w+)>([^<]*)</")


class Does(IntEnum):
    """What happens in an act."""

    HOLD = 0  # the ports are asked for
    HOLD6 = 1  # the firewall is asked to let in
    RAW = 2  # the next connection is answered with these bytes
    REFUSE = 3  # the next call is refused with a code
    GIVE = 4  # the next call is answered with these names and values
    HANG = 5  # it is never answered
    END = 6  # it is ended
    DRIP = 7  # it is answered well, but for what comes late
    FOUND = 8  # this is an answer to the next search, of the router
    STRANGER = 9  # or of somebody else
    DESCRIBE = 10  # the next description is this
    FORGET = 11  # the router forgets all that it mapped
    CLOSE = 12  # everything is taken back


class _Router:
    """Answers as was prepared, or else well."""

    def __init__(self) -> None:
        self.scripts: deque[tuple[int, bytes]] = deque()
        self.found: deque[tuple[int, bytes]] = deque()
        self.descriptions: deque[bytes] = deque()
        self.held: dict[tuple[str, int], int] = {}
        self.pinholes: dict[int, int] = {}
        self.refused: dict[tuple[str, int], bool] = {}  # whether the last call for a mapping was
        self.opened = False
        self.connections = 0
        self._far: list[socket.socket] = []
        self._lines: set[asyncio.Task[None]] = set()

    def reaching(self, host: str, kind: int) -> socket.socket:
        """See Route.reaching."""
        assert host in (_HOST, _HOST6), f"{host} is asked"
        near, far = Near.pair(kind)
        self._far.append(far)
        if kind == socket.SOCK_DGRAM:
            near.sent = lambda *_: self._search(near, far)
        else:
            near.connected = lambda place: self._connect(place, far)
        return near

    def _search(self, near: Near, far: socket.socket) -> None:
        said = [self.found.popleft() for _ in range(len(self.found))]
        if not said:
            said = [(Does.FOUND, b"HTTP/1.1 200 OK\r\nLOCATION: http://%s:5000/root.xml\r\n\r\n" % _HOST.encode())]
        for kind, datagram in said:
            with suppress(BlockingIOError):
                far.send(datagram)
                near.sources.append((_HOST if kind == Does.FOUND else "192.168.1.66", 1900))

    def _connect(self, place: Place, far: socket.socket) -> None:
        assert place[0] in (_HOST, _HOST6)
        assert 0 < place[1] < 65536
        self.connections += 1
        line = asyncio.get_running_loop().create_task(self._serve(far))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _serve(self, far: socket.socket) -> None:
        loop, head = asyncio.get_running_loop(), b""
        while b"\r\n\r\n" not in head:
            head += await loop.sock_recv(far, 4096)
        found = _LENGTH.search(head)
        head, _, body = head.partition(b"\r\n\r\n")
        while found is not None and len(body) < int(found[1]):
            body += await loop.sock_recv(far, 4096)
        kind, said = self.scripts.popleft() if self.scripts else (-1, b"")
        answer = self._answer(kind, said, head, body)
        with suppress(OSError):
            if kind == Does.DRIP:
                step = 1 + sum(said[:1])
                for at in range(0, len(answer), step):
                    await loop.sock_sendall(far, answer[at : at + step])
                    await asyncio.sleep(sum(said[1:2]) / 50)
            else:
                await loop.sock_sendall(far, answer)
        if kind != Does.HANG:
            far.close()

    def _answer(self, kind: int, said: bytes, head: bytes, body: bytes) -> bytes:
        action = _ACTION.search(head)
        asked = {name.decode(): value.decode() for name, value in _ARGUMENT.findall(body)}
        mapping = (asked.get("NewProtocol", ""), int(asked.get("NewExternalPort", 0)))
        self.refused[mapping] = kind in (Does.REFUSE, Does.HANG, Does.END)
        if kind in (Does.HANG, Does.END):
            return b""
        if kind == Does.RAW:
            return said
        if action is None:
            return _http(200, self.descriptions.popleft() if self.descriptions else _described())
        name = action[1].decode()
        if kind == Does.REFUSE:
            return _http(500, _fault(int.from_bytes(said[:2])))
        given = dict(self._do(name, mapping, asked))
        if given.pop("", None):
            return _http(500, _fault(704))
        self.opened |= name == "AddPinhole" and kind == -1
        if kind == Does.GIVE:
            given = {
                name: part.decode("latin-1") for name in (*given, "NewExternalIPAddress") for _, part in acts(said)
            }
        inner = "".join(f"<{key}>{value}</{key}>" for key, value in given.items())
        return _http(
            200, (_ENVELOPE % f"<u:{name}Response xmlns:u='y'>{inner}</u:{name}Response>").encode("utf-8", "replace")
        )

    def _do(self, name: str, mapping: tuple[str, int], asked: dict[str, str]) -> dict[str, str]:
        if name == "AddPortMapping":
            assert 0 < mapping[1] < 65536
            assert asked["NewInternalClient"] == _OURS
            self.held[mapping] = int(asked["NewInternalPort"])
        elif name == "DeletePortMapping":
            self.held.pop(mapping, None)
        elif name == "AddPinhole":
            assert asked["InternalClient"] == _OURS6
            number = max(self.pinholes, default=0) + 1
            self.pinholes[number] = int(asked["Protocol"])
            return {"UniqueID": str(number)}
        elif name.endswith("Pinhole"):
            number = int(asked["UniqueID"])
            if number not in self.pinholes:
                return {"": "no such pinhole"}
            if name == "DeletePinhole":
                del self.pinholes[number]
        return {"NewExternalIPAddress": "198.51.100.7"} if name.startswith("GetExternal") else {}

    async def close(self) -> None:
        """End all lines."""
        for line in list(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        for far in self._far:
            far.close()


def _http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def _fault(code: int) -> bytes:
    error = f"<errorCode>{code}</errorCode><errorDescription>no\nway</errorDescription>"
    return (_ENVELOPE % f"<s:Fault><detail><UPnPError>{error}</UPnPError></detail></s:Fault>").encode()


def _described() -> bytes:
    kinds = (_KIND, f"{FIREWALL}1")
    services = [f"<service><serviceType>{kind}</serviceType><controlURL>/c</controlURL></service>" for kind in kinds]
    return f"<root>{''.join(services)}</root>".encode()


class _Scene:
    """One router, and what is asked of it."""

    def __init__(self) -> None:
        self.router = _Router()
        self.wishes: list[Wish] = wishes_for(_PORT, _PORT)
        gateway, reaching = Gateway(_HOST, "lan"), self.router.reaching
        self.ports = Upnp(gateway, _OURS, self.wishes, reaching, lambda: None, Random(1))
        gateway6 = Gateway(_HOST6, "lan")
        self.pinholes = Pinholes(gateway, _OURS, gateway6, _OURS6, self.wishes, reaching, lambda: None)

    async def hold(self, part: Upnp | Pinholes) -> bool:
        """Have the ports let in; whether they are."""
        loop, before = asyncio.get_running_loop(), self.router.connections
        self.router.opened = False
        began = loop.time()
        try:
            seconds = await part.hold()
        except GatewayError as error:
            self._refused(part, str(error))
            return False
        finally:
            assert loop.time() - began < _MOST_SECONDS, f"took {loop.time() - began:g} s"
            assert self.router.connections - before <= _MOST_CONNECTIONS
        assert 1 <= seconds <= 7200
        assert part.leases
        for lease in part.leases:
            assert lease.port == _PORT
            if part is self.ports:
                refused = self.router.refused.get((lease.carrier.name, lease.external_port))
                assert refused is False, f"{lease} was refused, or never asked for"
        return True

    def _refused(self, part: Upnp | Pinholes, reason: str) -> None:
        assert part.leases == ()
        assert not self.router.opened, "a pinhole is open that nobody knows any more"
        assert part.refusal == reason
        assert reason.isprintable()
        assert len(reason) < 250

    async def ends(self) -> None:
        """The router is honest from now on."""
        router = self.router
        for prepared in (router.scripts, router.found, router.descriptions):
            prepared.clear()
        router.held.clear()
        router.pinholes.clear()
        for part in (self.ports, self.pinholes):
            held = await self.hold(part) or await self.hold(part)  # the first may lead to where it is no more
            assert held
            assert {lease.carrier for lease in part.leases} == {wish.carrier for wish in self.wishes}
        assert {(lease.carrier.name, lease.external_port) for lease in self.ports.leases} == set(router.held)
        assert len(router.pinholes) == len(self.pinholes.leases)
        await self.ports.close(5.0)
        await self.pinholes.close(5.0)
        assert not router.held, f"{router.held} are never taken back"
        assert not router.pinholes


def check(data: bytes) -> bool:
    """Play a play."""
    return runner().run(_play(data))


async def _play(data: bytes) -> bool:
    scene, good = _Scene(), False
    try:
        for kind, said in acts(data):
            good |= await _perform(scene, kind % 16, said)
        await scene.ends()
    finally:
        await scene.router.close()
    return good


async def _perform(scene: _Scene, kind: int, said: bytes) -> bool:
    router = scene.router
    match kind:
        case Does.HOLD:
            return await scene.hold(scene.ports)
        case Does.HOLD6:
            return await scene.hold(scene.pinholes)
        case Does.FOUND | Does.STRANGER:
            router.found.append((kind, said))
        case Does.DESCRIBE:
            router.descriptions.append(said)
        case Does.FORGET:
            router.held.clear()
            router.pinholes.clear()
        case Does.CLOSE:
            await scene.ports.close(5.0)
            await scene.pinholes.close(5.0)
        case how if how <= Does.DRIP:
            router.scripts.append((kind, said))
    return False


_HOLD, _HOLD6 = act(Does.HOLD), act(Does.HOLD6)
_SKIP = act(Does.DRIP, b"\xff\0")
_CODES = {code: act(Does.REFUSE, code.to_bytes(2)) for code in (402, 501, 704, 718, 724, 725, 729)}
_PLACE = b"HTTP/1.1 200 OK\r\nLocation: http://%b\r\n\r\n"
_CORPUS = (
    _HOLD * 2 + _HOLD6 * 2 + act(Does.CLOSE) + _HOLD,
    _SKIP * 2 + _CODES[725] + _HOLD + _CODES[718] * 3 + _HOLD6,
    _SKIP * 3 + _CODES[718] + _CODES[729] + _CODES[724] + _CODES[725] + _HOLD,
    _SKIP * 3 + _CODES[718] * 5 + _HOLD + _SKIP * 2 + _CODES[501] * 2 + _HOLD,
    _HOLD + act(Does.FORGET) + _HOLD + _HOLD6 + act(Does.FORGET) + _HOLD6,
    act(Does.HANG) + _HOLD + _SKIP * 3 + act(Does.HANG) + _HOLD + act(Does.END) + _HOLD6,
    act(Does.DRIP, b"\1\1") * 4 + _HOLD + act(Does.DRIP, b"\1\xff") + _HOLD6,
    _SKIP + act(Does.GIVE, act(0, b"0.0.0.0")) + act(Does.GIVE, act(0, b"65536")) + _HOLD + _HOLD6,
    _SKIP + act(Does.GIVE, act(0, b"99999")) + _HOLD6 + _SKIP + act(Does.GIVE, act(0, b"&#0;")) + _HOLD,
    act(Does.FOUND, _PLACE % b"192.168.1.1:99/a") + act(Does.STRANGER, _PLACE % b"192.168.1.66/b") + _HOLD,
    act(Does.FOUND, _PLACE % b"192.168.1.66/a") + act(Does.FOUND, b"NOTIFY") + _HOLD + _HOLD6,
    act(Does.DESCRIBE, IGD.corpus[1]) + _HOLD + act(Does.DESCRIBE, _described()) + _HOLD6,
    act(Does.RAW, b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
    + _HOLD
    + act(Does.RAW, b"HTTP/1.0 200 OK\r\n\r\n<root/>"),
    _SKIP
    + act(Does.RAW, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<Enve\r\n4\r\nlope\r\n0\r\n\r\n")
    + _HOLD,
    *(_SKIP * 2 + act(Does.RAW, _http(200, each)) + _HOLD for each in IGD.corpus[2:]),
)

TARGET = Target(
    "upnp",
    corpus=_CORPUS,
    words=(*IGD.words, b"Location: ", b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n", b"Content-Length: ", _HOLD, _HOLD6, _SKIP),
    check=check,
    edits=(play_edit(_CORPUS),),
    slow_seconds=3.0,
)
