"""The port control protocol (PCP, RFC 6887): the MAP request, and a gateway's answer."""

import struct
from dataclasses import dataclass
from enum import IntEnum, unique
from ipaddress import IPv6Address, ip_address
from typing import Final

from bittern.base.errors import GatewayError

from .stream import Buffer

PORT: Final = 5351
"""Where a gateway is asked, by PCP and by NAT-PMP."""
VERSION: Final = 2
NONCE_BYTES: Final = 12
MAX_DATAGRAM: Final = 1100
RESULTS: Final = {
    1: "does not know this version",
    2: "does not allow it",
    3: "could not read what was asked",
    4: "does not know what was asked",
    5: "does not know an option",
    6: "could not read an option",
    7: "has a fault that lasts",
    8: "has no room for it",
    9: "does not map this protocol",
    10: "maps no more ports for this host",
    11: "cannot have that port",
    12: "sees another address than ours: there is one more router between",
    13: "was asked for too many hosts",
}
"""What a gateway says by its numbers, but for 0, which is success."""

_MAP = 1
_ANSWER = 0x80
_ASK = struct.Struct("!BBHI16s12sB3xHH16s")
_HEAD = struct.Struct("!BBBBII12x")
_BODY = struct.Struct("!12sB3xHH16s")


@unique
class Carrier(IntEnum):
    """A protocol that has ports, by its number among those of IP."""

    TCP = 6
    UDP = 17


@dataclass(frozen=True, slots=True)
class Mapped:
    """A gateway lets others in, or no longer.

    Attributes:
        epoch: seconds since it began, or forgot what it had promised.
        lifetime: seconds that it holds; 0 where it was taken back.
        nonce: of the one who asked.
        carrier: of what.
        port: ours.
        external_port: the gateway's.
        external_host: where we are seen from outside.
    """

    epoch: int
    lifetime: int
    nonce: bytes
    carrier: Carrier
    port: int
    external_port: int
    external_host: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A gateway does not do it.

    Attributes:
        code: why, see RESULTS.
        lifetime: seconds for which it will not do it either.
        nonce: of the one who asked; empty where it does not say.
    """

    code: int
    lifetime: int
    nonce: bytes

    def __str__(self) -> str:
        return f"the router {RESULTS.get(self.code, f'refused (PCP result {self.code})')}"


def ask_mapping(
    ours: str, nonce: bytes, carrier: Carrier, port: int, external_port: int, lifetime: int, external_host: str = ""
) -> bytes:
    """Let others in.

    Args:
        ours: the address that the gateway sees, IPv4 or IPv6.
        nonce: 12 bytes, the same whenever this mapping is spoken of.
        carrier: of what.
        port: ours, 1..65535.
        external_port: the gateway's, if it can be had; 0 for any.
        lifetime: seconds; 0 takes it back.
        external_host: where we were seen from outside before; empty for anywhere.
    """
    anywhere = "::" if ":" in ours else "0.0.0.0"  # noqa: S104 - RFC 6887 11.1: no suggestion
    there = _packed(external_host or anywhere)
    return _ASK.pack(VERSION, _MAP, 0, lifetime, _packed(ours), nonce, carrier, port, external_port, there)


def version_of(datagram: Buffer) -> int:
    """Of an answer, by PCP or NAT-PMP; -1 where it is none."""
    return datagram[0] if len(datagram) >= 4 and datagram[1] & _ANSWER else -1


def parse(datagram: Buffer) -> Mapped | Refused:
    """Read what a gateway sent.

    Raises:
        GatewayError: it is no answer to a MAP request of this version.
    """
    if not _HEAD.size <= len(datagram) <= MAX_DATAGRAM:
        raise GatewayError("no answer of PCP")
    version, asked, _, code, lifetime, epoch = _HEAD.unpack_from(datagram)
    if version != VERSION or asked != _ANSWER | _MAP:
        raise GatewayError("no answer of PCP")
    if len(datagram) < _HEAD.size + _BODY.size:
        if code:
            return Refused(code, lifetime, b"")
        raise GatewayError("half an answer of PCP")
    nonce, carrier, port, external_port, there = _BODY.unpack_from(datagram, _HEAD.size)
    if code:
        return Refused(code, lifetime, nonce)
    if carrier not in iter(Carrier) or not port or not (external_port or not lifetime):
        raise GatewayError("an answer of PCP that makes no sense")
    return Mapped(epoch, lifetime, nonce, Carrier(carrier), port, external_port, _text(there))


def _packed(host: str) -> bytes:
    ip = ip_address(host)
    return ip.packed if isinstance(ip, IPv6Address) else bytes(10) + b"\xff\xff" + ip.packed


def _text(packed: bytes) -> str:
    ip = IPv6Address(packed)
    return str(ip.ipv4_mapped or ip)
