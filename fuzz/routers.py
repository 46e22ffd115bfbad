"""Routers that others can be let in by, as scripted as an input likes: PCP and NAT-PMP by datagram, UPnP over HTTP."""

import asyncio
import re
import socket
from collections import deque
from contextlib import suppress
from enum import IntEnum
from typing import Final

from bittern.base.errors import GatewayError
from bittern.engine.nat.lease import Lease
from bittern.wire import natpmp, pcp
from bittern.wire.igd import FIREWALL
from bittern.wire.pcp import Carrier
from fuzz.lines import Near, Place
from fuzz.plays import acts

_LIFETIMES: Final = (7200, 0, 1, 59, 600, 0x7FFFFFFF, 0xFFFFFFFF)
_KIND: Final = "urn:schemas-upnp-org:service:WANIPConnection:1"
_ENVELOPE: Final = "<s:Envelope xmlns:s='x'><s:Body>%s</s:Body></s:Envelope>"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ACTION = re.compile(rb'SOAPAction: ".*#(\w+)"')
_ARGUMENT = re.compile(rb"<(\w+)>([^<]*)</")


class Says(IntEnum):
    """How a connection, or a search, is answered."""

    RAW = 2  # with these bytes
    REFUSE = 3  # the call is refused with a code
    GIVE = 4  # with these names and values
    HANG = 5  # never
    END = 6  # it is ended
    DRIP = 7  # well, but for what comes late
    FOUND = 8  # a search, by the router
    STRANGER = 9  # or by somebody else


class DatagramRouter:
    """Answers questions by PCP and NAT-PMP, honestly or not.

    Attributes:
        held: where a port of ours leads to, and until when, by carrier and port.
        born: when it began to count its age.
        speaks_pcp: or NAT-PMP alone.
    """

    def __init__(self) -> None:
        self.held: dict[tuple[int, int], tuple[int, float]] = {}
        self.born = 0.0
        self.speaks_pcp = True

    def answer(self, data: bytes, now: float, said: bytes = b"") -> bytes | None:
        """The answer to a question; `said` is how it likes to: lifetime, external port, error of its clock, result."""
        lifetime, shift, drift = said[:3].ljust(3, b"\0")
        epoch = int(now - self.born) + (drift & 127) * (-60 if drift & 128 else 60) & 0xFFFFFFFF
        result = said[3] if len(said) > 3 else 0
        granted = _LIFETIMES[lifetime % len(_LIFETIMES)]
        if data[0] == pcp.VERSION:
            if not self.speaks_pcp:
                return bytes((0, 128 + data[1], 0, 1)) + epoch.to_bytes(4)
            asked = int.from_bytes(data[4:8])
            port, wanted = int.from_bytes(data[40:42]), int.from_bytes(data[42:44])
            there, ends = self._map((data[36], port), wanted, shift, asked and granted, now)
            head = bytes((2, 0x81, 0, result)) + ends.to_bytes(4) + epoch.to_bytes(4) + bytes(12)
            return head + data[24:42] + there.to_bytes(2) + b"\0" * 10 + b"\xff\xff\xcb\0\x71\7"
        if data[1] == 0:
            return bytes((0, 128, 0, result)) + epoch.to_bytes(4) + b"\xcb\0\x71\7"
        asked, port, wanted = int.from_bytes(data[8:12]), int.from_bytes(data[4:6]), int.from_bytes(data[6:8])
        carrier = {1: Carrier.UDP, 2: Carrier.TCP}[data[1]]
        there, ends = self._map((carrier, port), wanted, shift, asked and granted, now)
        head = bytes((0, 128 + data[1], 0, result)) + epoch.to_bytes(4)
        return head + data[4:6] + there.to_bytes(2) + ends.to_bytes(4)

    def _map(self, whose: tuple[int, int], wanted: int, shift: int, lifetime: int, now: float) -> tuple[int, int]:
        if not lifetime:
            self.held.pop(whose, None)
            return 0, 0
        there = 1 + ((wanted or 40_000) + shift * 257 - 1) % 0xFFFF
        self.held[whose] = (there, now + lifetime)
        return there, lifetime

    def lets_in(self, carrier: int, port: int, now: float) -> int:
        """The external port that leads to a port of ours now, or 0."""
        there, until = self.held.get((carrier, port), (0, 0.0))
        return there if until > now else 0


class Grants:
    """All that routers granted by PCP and NAT-PMP, rightly or not."""

    def __init__(self) -> None:
        self._until: dict[tuple[int, int, int, str], float] = {}  # carrier, our port, its port, protocol

    def note(self, data: bytes, now: float) -> bool:
        """A router says something now; whether that can be read as a grant."""
        try:
            said = pcp.parse(data) if pcp.version_of(data) == pcp.VERSION else natpmp.parse(data)
        except GatewayError:
            return False
        if not isinstance(said, pcp.Mapped | natpmp.Mapped):
            return False
        by = "PCP" if isinstance(said, pcp.Mapped) else "NAT-PMP"
        key = (int(said.carrier), said.port, said.external_port, by)
        self._until[key] = max(self._until.get(key, 0.0), now + said.lifetime)
        return said.lifetime > 0

    def until(self, lease: Lease) -> float:
        """Until when a lease was granted; it was."""
        key = (int(lease.carrier), lease.port, lease.external_port, lease.by)
        assert key in self._until, f"{lease} was never granted"
        return self._until[key]


class HttpRouter:
    """Is found by SSDP and called by SOAP; answers as was prepared, or else well.

    Args:
        host: where it is.
        ours: where we are, in its network.
        host6: where it is by IPv6.
        ours6: where we are by IPv6.

    Attributes:
        scripts: how the next connections are answered.
        found: what is answered to the next search, of whom.
        descriptions: what it describes itself as next.
        held: our port by carrier and its own.
        pinholes: carriers by number.
        refused: whether the last call for a mapping was, by carrier and its port.
        accepted: mappings, and pinholes by our port, that may ever have been taken for granted.
        opened: whether a pinhole was, as far as it was not said otherwise.
        connections: how many there were.
        permanent: whether it knows mappings without an end alone.
        taken: ports of its own that are somebody else's.
        found_by_none: whether it answers no search.
        seconds: that it takes for an answer.
    """

    def __init__(self, host: str, ours: str, host6: str, ours6: str) -> None:
        self._host, self._ours, self._host6, self._ours6 = host, ours, host6, ours6
        self.scripts: deque[tuple[int, bytes]] = deque()
        self.found: deque[tuple[int, bytes]] = deque()
        self.descriptions: deque[bytes] = deque()
        self.held: dict[tuple[str, int], int] = {}
        self.pinholes: dict[int, int] = {}
        self.refused: dict[tuple[str, int], bool] = {}
        self.accepted: set[tuple[str, int]] = set()
        self.opened = False
        self.permanent = False
        self.taken: set[int] = set()
        self.found_by_none = False
        self.seconds = 0.0
        self.connections = 0
        self._far: list[socket.socket] = []
        self._failure: BaseException | None = None
        self.lines: set[asyncio.Task[None]] = set()

    def reaching(self, host: str, kind: int) -> socket.socket:
        """See Route.reaching."""
        assert host in (self._host, self._host6), f"{host} is asked"
        near, far = Near.pair(kind)
        self._far.append(far)
        if kind == socket.SOCK_DGRAM:
            near.sent = lambda *_: self.searched(near, far)
        else:
            near.connected = lambda place: self._connect(place, far)
        return near

    def searched(self, near: Near, far: socket.socket) -> None:
        """Answer a search."""
        if self.found_by_none:
            return
        said = [self.found.popleft() for _ in range(len(self.found))]
        if not said:
            place = f"http://{self._host}:5000/root.xml"
            said = [(Says.FOUND, f"HTTP/1.1 200 OK\r\nLOCATION: {place}\r\n\r\n".encode())]
        for kind, datagram in said:
            with suppress(BlockingIOError):
                far.send(datagram)
                near.sources.append((self._host if kind == Says.FOUND else "192.168.1.66", 1900))

    def _connect(self, place: Place, far: socket.socket) -> None:
        assert place[0] in (self._host, self._host6)
        assert 0 < place[1] < 65536
        self.connections += 1
        line = asyncio.get_running_loop().create_task(self._serve(far))
        self.lines.add(line)
        line.add_done_callback(self._ended)

    def _ended(self, line: "asyncio.Task[None]") -> None:
        self.lines.discard(line)
        if not line.cancelled() and line.exception() is not None:
            self._failure = line.exception()

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
        await asyncio.sleep(self.seconds)
        with suppress(OSError):
            if kind == Says.DRIP:
                step = 1 + sum(said[:1])
                for at in range(0, len(answer), step):
                    await loop.sock_sendall(far, answer[at : at + step])
                    await asyncio.sleep(sum(said[1:2]) / 50)
            else:
                await loop.sock_sendall(far, answer)
        if kind != Says.HANG:
            far.close()

    def _answer(self, kind: int, said: bytes, head: bytes, body: bytes) -> bytes:
        action = _ACTION.search(head)
        asked = {name.decode(): value.decode() for name, value in _ARGUMENT.findall(body)}
        port = asked.get("NewExternalPort") or asked.get("InternalPort") or "0"
        mapping = (asked.get("NewProtocol", "pinhole"), int(port))
        self.refused[mapping] = kind in (Says.REFUSE, Says.HANG, Says.END)
        if kind in (Says.HANG, Says.END):
            return b""
        if kind == Says.RAW:
            self.accepted.add(mapping)  # as far as is known here
            return said
        if action is None:
            return http_answer(200, self.descriptions.popleft() if self.descriptions else description())
        name = action[1].decode()
        if kind == Says.REFUSE:
            return http_answer(500, _fault(int.from_bytes(said[:2])))
        given = dict(self._do(name, mapping, asked))
        if code := given.pop("", None):
            self.refused[mapping] = True
            return http_answer(500, _fault(int(code)))
        self.opened |= name == "AddPinhole" and kind == -1
        if kind == Says.GIVE:
            given = {
                name: part.decode("latin-1") for name in (*given, "NewExternalIPAddress") for _, part in acts(said)
            }
        inner = "".join(f"<{key}>{value}</{key}>" for key, value in given.items())
        return http_answer(
            200, (_ENVELOPE % f"<u:{name}Response xmlns:u='y'>{inner}</u:{name}Response>").encode("utf-8", "replace")
        )

    def _do(self, name: str, mapping: tuple[str, int], asked: dict[str, str]) -> dict[str, str]:
        if name == "AddPortMapping":
            assert 0 < mapping[1] < 65536
            assert asked["NewInternalClient"] == self._ours
            if self.permanent and asked["NewLeaseDuration"] != "0":
                return {"": "725"}
            if mapping[1] in self.taken:
                return {"": "718"}
            self.held[mapping] = int(asked["NewInternalPort"])
            self.accepted.add(mapping)
        elif name == "DeletePortMapping":
            self.held.pop(mapping, None)
        elif name == "AddPinhole":
            assert asked["InternalClient"] == self._ours6
            number = max(self.pinholes, default=0) + 1
            self.pinholes[number] = int(asked["Protocol"])
            self.accepted.add(mapping)
            return {"UniqueID": str(number)}
        elif name.endswith("Pinhole"):
            number = int(asked["UniqueID"])
            if number not in self.pinholes:
                return {"": "704"}
            if name == "DeletePinhole":
                del self.pinholes[number]
        return {"NewExternalIPAddress": "198.51.100.7"} if name.startswith("GetExternal") else {}

    async def close(self) -> None:
        """End all lines; what was wrong on one is raised here."""
        for line in list(self.lines):
            line.cancel()
        await asyncio.gather(*self.lines, return_exceptions=True)
        for far in self._far:
            far.close()
        if self._failure is not None:
            raise self._failure


def http_answer(status: int, body: bytes) -> bytes:
    """An answer, whole."""
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def _fault(code: int) -> bytes:
    error = f"<errorCode>{code}</errorCode><errorDescription>no\nway</errorDescription>"
    return (_ENVELOPE % f"<s:Fault><detail><UPnPError>{error}</UPnPError></detail></s:Fault>").encode()


def description() -> bytes:
    """What a router with a firewall describes itself as."""
    kinds = (_KIND, f"{FIREWALL}1")
    services = [f"<service><serviceType>{kind}</serviceType><controlURL>/c</controlURL></service>" for kind in kinds]
    return f"<root>{''.join(services)}</root>".encode()
