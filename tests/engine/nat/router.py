"""A toy of a router that speaks PCP or NAT-PMP, and a conversation with it in virtual time."""

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from bittern.engine.nat.control import PortControl
from bittern.wire.pcp import Carrier

EXTERNAL = "198.51.100.7"
MAPPED = b"\0" * 10 + b"\xff\xff"
CARRIERS = {1: Carrier.UDP, 2: Carrier.TCP}


@dataclass(slots=True)
class Router:
    """Answers one datagram with one, or none.

    Attributes:
        knows: "pcp" alone, "nat-pmp" alone, or "old": NAT-PMP alone, without a word about what it does not know.
        lifetime: what it grants at most, seconds.
        refuses: a result code for every mapping.
        born: when it began.
        held: what it lets in, external port and end by carrier and port.
        taken: external ports that others have.
    """

    knows: str
    lifetime: int = 7200
    refuses: int = 0
    born: float = 0.0
    held: dict[tuple[int, int], tuple[int, float]] = field(default_factory=dict)
    taken: Collection[int] = ()

    def restart(self, now: float) -> None:
        self.held.clear()
        self.born = now

    def answer(self, data: bytes, now: float) -> bytes | None:
        epoch = int(now - self.born)
        if data[0] == 2:
            if self.knows == "old":
                return None
            if self.knows != "pcp":
                return struct.pack("!BBHI", 0, 128 + data[1], 1, epoch)
            assert len(data) == 60
            lifetime, nonce, carrier = int.from_bytes(data[4:8]), data[24:36], data[36]
            port, wanted = struct.unpack("!HH", data[40:44])
            head = struct.Struct("!BBBBII12x")
            if self.refuses:
                return head.pack(2, 0x81, 0, self.refuses, 600, epoch) + data[24:]
            external, lifetime = self._map(carrier, port, wanted, lifetime, now)
            there = MAPPED + IPv4Address(EXTERNAL).packed if IPv6Address(data[8:24]).ipv4_mapped else data[8:24]
            body = struct.pack("!12sB3xHH16s", nonce, carrier, port, external, there)
            return head.pack(2, 0x81, 0, 0, lifetime, epoch) + body
        if self.knows == "pcp":
            return struct.pack("!BBBBII12x", 2, 0x80 | data[1], 0, 1, 1800, epoch)
        if data[1] == 0:
            return struct.pack("!BBHI4s", 0, 128, 0, epoch, IPv4Address(EXTERNAL).packed)
        _, _, _, port, wanted, lifetime = struct.unpack("!BBHHHI", data)
        if self.refuses:
            return struct.pack("!BBHI", 0, 128 + data[1], self.refuses, epoch)
        external, lifetime = self._map(CARRIERS[data[1]], port, wanted, lifetime, now)
        return struct.pack("!BBHIHHI", 0, 128 + data[1], 0, epoch, port, external if lifetime else 0, lifetime)

    def lets_in(self, carrier: Carrier, port: int, now: float) -> bool:
        return self.held.get((carrier, port), (0, -1.0))[1] > now

    def _map(self, carrier: int, port: int, wanted: int, lifetime: int, now: float) -> tuple[int, int]:
        if not lifetime:
            self.held.pop((carrier, port), None)
            return 0, 0
        lifetime = min(lifetime, self.lifetime)
        external = self.held.get((carrier, port), (wanted or 40000, 0.0))[0]
        while external in self.taken:
            external += 1
        self.held[carrier, port] = (external, now + lifetime)
        return external, lifetime


@dataclass(slots=True)
class Talk:
    """A conversation: datagrams take no time; those whose number is in `lost` do not come, either way."""

    control: PortControl
    router: Router | None
    now: float = 0.0
    lost: frozenset[int] = frozenset()
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    _number: int = 0

    def until(self, end: float) -> None:
        """Let time pass."""
        while True:
            self._exchange()
            due = self.control.next_deadline()
            if due > end:
                break
            self.now = max(self.now, due)
            self.control.advance(self.now)
        self.now = end

    def _exchange(self) -> None:
        while datagrams := self.control.take_datagrams():
            for datagram in datagrams:
                self.sent.append((self.now, datagram))
                if self.router is None or self._is_lost():
                    continue
                answer = self.router.answer(datagram, self.now)
                if answer is not None and not self._is_lost():
                    self.control.receive(answer, self.now)

    def _is_lost(self) -> bool:
        self._number += 1
        return self._number in self.lost
