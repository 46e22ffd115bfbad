"""What a host sends, taken at its network interfaces: every packet, whoever it is for."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from bittern.base.address import Address
from tests.interop.rigs.place import Place

TCP, UDP = 6, 17
_ALL = 3  # ETH_P_ALL: with any narrower wish, what this host sends is not shown
_OUTGOING = 4  # PACKET_OUTGOING
_IPV4, _IPV6 = 0x0800, 0x86DD
_BUFFER = 8 << 20


@dataclass(frozen=True, slots=True)
class Packet:
    """A TCP or UDP packet that was sent.

    Attributes:
        at: monotonic seconds.
        protocol: TCP or UDP.
        source_port: of the sender.
        target: where it goes.
        payload: what it carries.
    """

    at: float
    protocol: int
    source_port: int
    target: Address
    payload: bytes


class Capture:
    """The packets so far."""

    def __init__(self) -> None:
        self._packets: list[Packet] = []

    @property
    def packets(self) -> list[Packet]:
        """All of them, oldest first."""
        return list(self._packets)

    def take(self, kind: int, data: bytes) -> None:
        """Note a packet, if it is one of TCP or UDP."""
        parsed = parse(kind, data)
        if parsed is not None:
            self._packets.append(Packet(time.monotonic(), *parsed))


def parse(kind: int, data: bytes) -> tuple[int, int, Address, bytes] | None:
    """Protocol, source port, target and payload of an IP packet; None where it is none of TCP or UDP."""
    if kind == _IPV4 and len(data) >= 20:
        protocol, target, start = data[9], data[16:20], (data[0] & 15) * 4
    elif kind == _IPV6 and len(data) >= 40:
        protocol, target, start = data[6], data[24:40], 40
    else:
        return None
    transport = data[start:]
    if protocol == UDP and len(transport) >= 8:
        head = 8
    elif protocol == TCP and len(transport) >= 20:
        head = (transport[12] >> 4) * 4
    else:
        return None
    source, port = struct.unpack_from(">HH", transport)
    return protocol, source, Address(str(ip_address(target)), port), transport[head:]


@contextmanager
def captured(place: Place) -> Iterator[Capture]:
    """What is sent from a network namespace while the block runs; needs root."""
    capture, done = Capture(), threading.Event()
    with place.open(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        sock.settimeout(0.1)

        def listen() -> None:
            while not done.is_set():
                try:
                    data, (_, kind, direction, *_) = sock.recvfrom(1 << 17)
                except TimeoutError:
                    continue
                if direction == _OUTGOING:
                    capture.take(kind, data)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield capture
        finally:
            done.set()
            thread.join()
