"""NAT-PMP (RFC 6886): datagrams to a gateway, and its answers. PCP is what replaced it; many routers know only this."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, TypeAlias

from bittern.base.errors import GatewayError

from .pcp import Carrier
from .stream import Buffer

VERSION: Final = 0
RESULTS: Final = {
    1: "does not know this version",
    2: "does not allow it",
    3: "has no address itself",
    4: "has no room for it",
    5: "does not know what was asked",
}
"""What a gateway says by its numbers, but for 0, which is success."""

_ANSWER = 128  # added to what was asked
_HEAD = struct.Struct("!BBHI")
_MAP = struct.Struct("!BBHHHI")
_MAPPED = struct.Struct("!HHI")
_CODES = {Carrier.UDP: 1, Carrier.TCP: 2}
_CARRIERS = {code: carrier for carrier, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class OurAddress:
    """Where the gateway is seen from outside.

    Attributes:
        epoch: seconds since it began, or forgot what it had promised.
        host: an IPv4 address.
    """

    epoch: int
    host: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """The gateway lets others in, or no longer.

    Attributes:
        epoch: as of OurAddress.
        carrier: of what.
        port: ours.
        external_port: the gateway's.
        lifetime: seconds that it holds; 0 where it was taken back.
    """

    epoch: int
    carrier: Carrier
    port: int
    external_port: int
    lifetime: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The gateway does not do it.

    Attributes:
        code: why, see RESULTS.
        carrier: of what; None where our address was asked for, or nobody knows.
    """

    code: int
    carrier: Carrier | None

    def __str__(self) -> str:
        return f"the router {RESULTS.get(self.code, f'refused (NAT-PMP result {self.code})')}"


Answer: TypeAlias = OurAddress | Mapped | Refused


def ask_address() -> bytes:
    """Where are we seen from outside?"""
    return bytes((VERSION, 0))


def ask_mapping(carrier: Carrier, port: int, external_port: int, lifetime: int) -> bytes:
    """Let others in.

    Args:
        carrier: of what.
        port: ours, 1..65535.
        external_port: the gateway's, if it can be had; 0 for any.
        lifetime: seconds; 0 takes it back, and `external_port` is 0 then.
    """
    return _MAP.pack(VERSION, _CODES[carrier], 0, port, external_port, lifetime)


def parse(datagram: Buffer) -> Answer:
    """Read what a gateway sent.

    Raises:
        GatewayError: it is no answer of this protocol.
    """
    if len(datagram) < 4 or datagram[0] != VERSION or not datagram[1] & _ANSWER:
        raise GatewayError("no answer of NAT-PMP")
    code = int.from_bytes(datagram[2:4])
    asked = datagram[1] - _ANSWER
    if code:
        return Refused(code, _CARRIERS.get(asked))
    if asked == 0 and len(datagram) >= 12:
        return OurAddress(_HEAD.unpack_from(datagram)[3], str(IPv4Address(bytes(datagram[8:12]))))
    if asked in _CARRIERS and len(datagram) >= 16:
        port, external_port, lifetime = _MAPPED.unpack_from(datagram, 8)
        if port and (external_port or not lifetime):
            return Mapped(_HEAD.unpack_from(datagram)[3], _CARRIERS[asked], port, external_port, lifetime)
    raise GatewayError("an answer of NAT-PMP that makes no sense")
